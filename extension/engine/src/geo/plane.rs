//! Figures on the plane.

/// A figure; its edge belongs to it.
#[derive(Clone, Debug)]
pub(crate) enum Region {
    /// Corners of an upright rectangle: lowest and highest coordinates.
    Box {
        low: [f64; 2],
        high: [f64; 2],
    },
    /// Corners in order; the last is joined to the first.
    Polygon(Vec<[f64; 2]>),
    Circle {
        center: [f64; 2],
        radius: f64,
    },
}

impl Region {
    pub(crate) fn contains(&self, [x, y]: [f64; 2]) -> bool {
        match self {
            Region::Box { low, high } => (low[0]..=high[0]).contains(&x) && (low[1]..=high[1]).contains(&y),
            Region::Circle { center, radius } => (x - center[0]).hypot(y - center[1]) <= *radius,
            Region::Polygon(corners) => in_polygon(corners, [x, y]),
        }
    }
}

fn in_polygon(corners: &[[f64; 2]], [x, y]: [f64; 2]) -> bool {
    let mut inside = false;
    let mut before = corners.last();
    for b in corners {
        let Some(a) = before.replace(b) else { return false };
        let cross = (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]);
        let between = |p: f64, q: f64, v: f64| p.min(q) <= v && v <= p.max(q);
        if cross == 0.0 && between(a[0], b[0], x) && between(a[1], b[1], y) {
            return true;
        }
        // A ray to the right crosses the edge when its ends lie on different sides of the ray's line.
        if (a[1] > y) != (b[1] > y) && (cross > 0.0) == (b[1] > a[1]) {
            inside = !inside;
        }
    }
    inside
}

/// Least and greatest distance from a point to a rectangle.
pub(crate) fn distances(p: [f64; 2], low: [f64; 2], high: [f64; 2]) -> (f64, f64) {
    let near = |i: usize| (low[i] - p[i]).max(p[i] - high[i]).max(0.0);
    let far = |i: usize| (p[i] - low[i]).abs().max((p[i] - high[i]).abs());
    (near(0).hypot(near(1)), far(0).hypot(far(1)))
}

impl Region {
    /// May the figure have a point in the rectangle? Never wrongly no.
    pub(crate) fn meets(&self, low: [f64; 2], high: [f64; 2]) -> bool {
        match self {
            Region::Box { low: a, high: b } => (0..2).all(|i| a[i] <= high[i] && b[i] >= low[i]),
            Region::Circle { center, radius } => distances(*center, low, high).0 <= *radius * (1.0 + 1e-12),
            Region::Polygon(corners) => {
                let outside = |i: usize| {
                    corners.iter().all(|c| c[i] > high[i]) || corners.iter().all(|c| c[i] < low[i])
                };
                if outside(0) || outside(1) {
                    return false;
                }
                let center = [f64::midpoint(low[0], high[0]), f64::midpoint(low[1], high[1])];
                let reach = (high[0] - center[0]).hypot(high[1] - center[1]) * (1.0 + 1e-9);
                in_polygon(corners, center) || edge_distance(corners, center) <= reach
            }
        }
    }
}

/// Distance from a point to the nearest edge.
fn edge_distance(corners: &[[f64; 2]], p: [f64; 2]) -> f64 {
    let mut before = corners.last();
    let mut least = f64::INFINITY;
    for b in corners {
        let Some(a) = before.replace(b) else { break };
        let (d, q) = ([b[0] - a[0], b[1] - a[1]], [p[0] - a[0], p[1] - a[1]]);
        let square = d[0] * d[0] + d[1] * d[1];
        let t = if square == 0.0 { 0.0 } else { ((q[0] * d[0] + q[1] * d[1]) / square).clamp(0.0, 1.0) };
        least = least.min((q[0] - t * d[0]).hypot(q[1] - t * d[1]));
    }
    least
}
