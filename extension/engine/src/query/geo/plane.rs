//! Figures on the plane.

/// A figure; its edge belongs to it.
#[derive(Clone, Debug)]
pub(super) enum Region {
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
    pub(super) fn contains(&self, [x, y]: [f64; 2]) -> bool {
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
