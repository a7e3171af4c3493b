//! What makes the rings of a polygon valid: the checks of S2, which MongoDB relies on.

use super::sphere::{Point, Ring, Side, cross_properly, degrees};

/// Edges as boxes around their arcs, to look closely only at those that may meet.
struct Boxed {
    edge: usize,
    low: Point,
    high: Point,
}

fn boxed(edge: usize, a: &Point, b: &Point) -> Boxed {
    let chord = ((b[0] - a[0]).powi(2) + (b[1] - a[1]).powi(2) + (b[2] - a[2]).powi(2)).sqrt();
    // An arc rises above its chord by 1 - cos(θ/2), which is at most this.
    let bulge = chord * chord / 4.0 + 1e-14;
    let side = |f: fn(f64, f64) -> f64, by: f64| std::array::from_fn(|i| f(a[i], b[i]) + by);
    Boxed { edge, low: side(f64::min, -bulge), high: side(f64::max, bulge) }
}

/// Two edges that cross, if any two of the given do.
fn crossing(edges: &[(Point, Point)], may: impl Fn(usize, usize) -> bool) -> Option<(usize, usize)> {
    let mut boxes: Vec<Boxed> = edges.iter().enumerate().map(|(i, (a, b))| boxed(i, a, b)).collect();
    boxes.sort_by(|x, y| x.low[0].total_cmp(&y.low[0]));
    let mut found: Option<(usize, usize)> = None;
    for (at, x) in boxes.iter().enumerate() {
        let reach = boxes.get(at + 1..).unwrap_or(&[]).iter().take_while(|y| y.low[0] <= x.high[0]);
        for y in reach {
            let apart = (1..3).any(|d| y.low[d] > x.high[d] || y.high[d] < x.low[d]);
            let (i, j) = (x.edge.min(y.edge), x.edge.max(y.edge));
            if apart || !may(i, j) || found.is_some_and(|f| f <= (i, j)) {
                continue;
            }
            if let (Some((a, b)), Some((c, d))) = (edges.get(i), edges.get(j))
                && cross_properly(a, b, c, d)
            {
                found = Some((i, j));
            }
        }
    }
    found
}

/// Why a ring (without its repeated last corner) is not valid, in S2's words.
pub(crate) fn fault(ring: &[Point]) -> Option<String> {
    let mut order: Vec<usize> = (0..ring.len()).collect();
    let key = |i: &usize| ring.get(*i).copied().unwrap_or_default();
    let compare =
        |a: Point, b: Point| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])).then(a[2].total_cmp(&b[2]));
    order.sort_by(|i, j| compare(key(i), key(j)).then(i.cmp(j)));
    let twice = order.windows(2).find(|w| matches!(w, [i, j] if key(i) == key(j)));
    if let Some([i, j]) = twice {
        return Some(format!("Duplicate vertices: {i} and {j}"));
    }
    let n = ring.len();
    let edges: Vec<(Point, Point)> = super::sphere::ring_edges(ring).map(|(a, b)| (*a, *b)).collect();
    let (i, j) = crossing(&edges, |i, j| j != i + 1 && !(i == 0 && j + 1 == n))?;
    let place = |p: &Point| {
        let [lng, lat] = degrees(p);
        format!("[{lat:.7}, {lng:.7}]")
    };
    let shown = |i: usize| edges.get(i).map_or(String::new(), |(a, b)| format!("{}-{}", place(a), place(b)));
    Some(format!("Edges {i} and {j} cross. Edge locations in degrees: {} and {}", shown(i), shown(j)))
}

/// Lies the ring `inner` in `outer`? Common corners are allowed.
pub(crate) fn within(outer: &Ring, inner: &Ring) -> bool {
    inner.points.iter().all(|p| outer.side(p) != Side::Outside)
        && !outer.points.iter().any(|p| inner.side(p) == Side::Inside)
        && between(outer, inner).is_none()
}

/// Two edges of two rings that cross.
fn between(a: &Ring, b: &Ring) -> Option<(usize, usize)> {
    let n = a.points.len();
    let edges: Vec<(Point, Point)> = a.edges().chain(b.edges()).map(|(p, q)| (*p, *q)).collect();
    crossing(&edges, |i, j| i < n && j >= n).map(|(i, j)| (i, j - n))
}

/// Why rings that are each valid, the later ones holes in the first, make no polygon.
pub(crate) fn polygon_fault(rings: &[Ring]) -> Option<Fault> {
    let (outer, holes) = rings.split_first()?;
    for (i, hole) in holes.iter().enumerate() {
        let common = hole.points.iter().filter(|p| outer.points.contains(p)).count();
        if common > 1 {
            let text = format!("Loop {} shares more than one vertex with its parent loop 0", i + 1);
            return Some(Fault::Plain(text));
        }
        for (j, other) in holes.iter().enumerate().skip(i + 1) {
            if let Some((a, b)) = between(hole, other) {
                let text = format!("Loop {} edge {a} crosses loop {} edge {b}", i + 1, j + 1);
                return Some(Fault::Invalid(text));
            }
            let inside = |a: &Ring, b: &Ring| a.points.iter().all(|p| b.side(p) != Side::Outside);
            if inside(hole, other) || inside(other, hole) {
                return Some(Fault::Nested);
            }
        }
    }
    None
}

/// The kinds of messages MongoDB has for it.
pub(crate) enum Fault {
    /// "Polygon isn't valid: …"
    Invalid(String),
    /// A sentence of its own.
    Plain(String),
    /// A hole in a hole.
    Nested,
}
