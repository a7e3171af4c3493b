//! Geometries on the sphere. Points are unit vectors, edges the shorter great circle arcs between them.

use std::f64::consts::PI;

/// Closer than this (in radians, less than a millimetre on the earth) counts as touching.
const TOUCH: f64 = 1e-10;

/// A point as a unit vector.
pub(super) type Point = [f64; 3];

/// A ring of a polygon: its corners without the repeated last one, counterclockwise seen from outside the sphere, so
/// that its inside is to the left.
type Ring = Vec<Point>;

/// A circle on the sphere.
#[derive(Clone, Debug)]
pub(super) struct Cap {
    pub(super) center: Point,
    /// Radians.
    pub(super) radius: f64,
}

/// Any GeoJSON geometry, taken apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    pub(super) points: Vec<Point>,
    pub(super) lines: Vec<Vec<Point>>,
    pub(super) polygons: Vec<Polygon>,
}

/// An outer ring and its holes.
#[derive(Clone, Debug)]
pub(super) struct Polygon {
    outer: Ring,
    holes: Vec<Ring>,
}

/// Where a point lies to a ring.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Inside,
    Edge,
    Outside,
}

pub(super) fn point(lng: f64, lat: f64) -> Point {
    let (lng, lat) = (lng.to_radians(), lat.to_radians());
    [lat.cos() * lng.cos(), lat.cos() * lng.sin(), lat.sin()]
}

fn dot(a: &Point, b: &Point) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: &Point, b: &Point) -> Point {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn length(a: &Point) -> f64 {
    dot(a, a).sqrt()
}

/// Angle between two points in radians; exact for small ones, too.
pub(super) fn angle(a: &Point, b: &Point) -> f64 {
    length(&cross(a, b)).atan2(dot(a, b))
}

/// Does `p` lie on the arc from `a` to `b`?
fn on_arc(p: &Point, a: &Point, b: &Point) -> bool {
    if angle(p, a) < TOUCH || angle(p, b) < TOUCH {
        return true;
    }
    let normal = cross(a, b);
    let n = length(&normal);
    if n < TOUCH {
        return false;
    }
    let off_plane = (dot(p, &normal) / n).abs() < TOUCH;
    off_plane && dot(&cross(a, p), &normal) > 0.0 && dot(&cross(p, b), &normal) > 0.0
}

/// Do the arcs cross in a point inside of both?
fn cross_properly(a: &Point, b: &Point, c: &Point, d: &Point) -> bool {
    let (ab, cd) = (cross(a, b), cross(c, d));
    let acb = -dot(&ab, c);
    let bda = dot(&ab, d);
    let cbd = -dot(&cd, b);
    let dac = dot(&cd, a);
    acb * bda > 0.0 && acb * cbd > 0.0 && acb * dac > 0.0
}

fn arcs_meet(a: &Point, b: &Point, c: &Point, d: &Point) -> bool {
    cross_properly(a, b, c, d) || on_arc(a, c, d) || on_arc(b, c, d) || on_arc(c, a, b) || on_arc(d, a, b)
}

fn line_edges(line: &[Point]) -> impl Iterator<Item = (&Point, &Point)> {
    line.iter().zip(line.iter().skip(1))
}

fn ring_edges(ring: &[Point]) -> impl Iterator<Item = (&Point, &Point)> {
    ring.iter().zip(ring.iter().cycle().skip(1))
}

/// Area to the left of the ring minus area to its right half, as a signed excess in (-2π, 2π].
fn excess(ring: &[Point]) -> f64 {
    let Some((first, rest)) = ring.split_first() else { return 0.0 };
    let sum: f64 = line_edges(rest)
        .map(|(b, c)| {
            let volume = dot(first, &cross(b, c));
            2.0 * volume.atan2(1.0 + dot(first, b) + dot(b, c) + dot(c, first))
        })
        .sum();
    let turned = sum.rem_euclid(4.0 * PI);
    if turned > 2.0 * PI { turned - 4.0 * PI } else { turned }
}

fn side(ring: &[Point], p: &Point) -> Side {
    if ring_edges(ring).any(|(a, b)| on_arc(p, a, b)) {
        return Side::Edge;
    }
    // How often the ring turns around p, as seen from p: once to the left when p is inside.
    let turns: f64 = ring_edges(ring)
        .map(|(a, b)| {
            let (u, v) = (cross(p, a), cross(p, b));
            dot(p, &cross(&u, &v)).atan2(dot(&u, &v))
        })
        .sum();
    if turns > PI { Side::Inside } else { Side::Outside }
}

impl Polygon {
    /// A polygon of these rings, the first being the outer one. Unless `strict`, each ring bounds the smaller of its
    /// two areas; a strict outer ring bounds what lies to its left.
    pub(super) fn new(mut rings: Vec<Ring>, strict: bool) -> Option<Self> {
        for (i, ring) in rings.iter_mut().enumerate() {
            if excess(ring) < 0.0 && !(strict && i == 0) {
                ring.reverse();
            }
        }
        let mut rings = rings.into_iter();
        Some(Self { outer: rings.next()?, holes: rings.collect() })
    }

    fn side(&self, p: &Point) -> Side {
        let outer = side(&self.outer, p);
        if outer != Side::Inside {
            // A strict ring around more than a hemisphere turns around what it leaves out.
            if outer == Side::Outside && excess(&self.outer) < 0.0 {
                return self.big_side(p);
            }
            return outer;
        }
        self.hole_side(p)
    }

    fn big_side(&self, p: &Point) -> Side {
        let mut left_out = self.outer.clone();
        left_out.reverse();
        match side(&left_out, p) {
            Side::Inside => Side::Outside,
            Side::Edge => Side::Edge,
            Side::Outside => self.hole_side(p),
        }
    }

    fn hole_side(&self, p: &Point) -> Side {
        for hole in &self.holes {
            match side(hole, p) {
                Side::Inside => return Side::Outside,
                Side::Edge => return Side::Edge,
                Side::Outside => {}
            }
        }
        Side::Inside
    }

    fn edges(&self) -> impl Iterator<Item = (&Point, &Point)> {
        std::iter::once(&self.outer).chain(&self.holes).flat_map(|r| ring_edges(r))
    }

    fn touches_line(&self, line: &[Point]) -> bool {
        line.iter().any(|p| self.side(p) != Side::Outside)
            || line_edges(line).any(|(a, b)| self.edges().any(|(c, d)| arcs_meet(a, b, c, d)))
    }

    fn touches_polygon(&self, other: &Polygon) -> bool {
        other.outer.iter().any(|p| self.side(p) != Side::Outside)
            || self.outer.iter().any(|p| other.side(p) != Side::Outside)
            || self.edges().any(|(a, b)| other.edges().any(|(c, d)| arcs_meet(a, b, c, d)))
    }

    fn holds_line<'p>(&self, points: &[Point], edges: impl Iterator<Item = (&'p Point, &'p Point)>) -> bool {
        let mut edges = edges;
        points.iter().all(|p| self.side(p) != Side::Outside)
            && edges.all(|(a, b)| {
                // Between touching points an edge can leave the polygon without crossing an edge properly.
                let middle = middle(a, b);
                self.side(&middle) != Side::Outside && !self.edges().any(|(c, d)| cross_properly(a, b, c, d))
            })
    }

    fn holds_polygon(&self, other: &Polygon) -> bool {
        self.holds_line(&other.outer, ring_edges(&other.outer))
            && !self.holes.iter().flatten().any(|p| other.side(p) == Side::Inside)
    }
}

fn middle(a: &Point, b: &Point) -> Point {
    let sum = [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
    let n = length(&sum);
    if n == 0.0 { *a } else { sum.map(|x| x / n) }
}

impl Shape {
    /// Consists of polygons only, at least one.
    pub(super) fn is_area(&self) -> bool {
        self.points.is_empty() && self.lines.is_empty() && !self.polygons.is_empty()
    }

    /// Does every part of `other` lie in one of this shape's polygons?
    pub(super) fn contains(&self, other: &Shape) -> bool {
        let any = |test: &dyn Fn(&Polygon) -> bool| self.polygons.iter().any(test);
        other.points.iter().all(|p| any(&|area| area.side(p) != Side::Outside))
            && other.lines.iter().all(|l| any(&|area| area.holds_line(l, line_edges(l))))
            && other.polygons.iter().all(|p| any(&|area| area.holds_polygon(p)))
    }

    /// Have the shapes a point in common?
    pub(super) fn intersects(&self, other: &Shape) -> bool {
        self.points.iter().any(|p| other.has(p))
            || other.points.iter().any(|p| self.has(p))
            || self.lines.iter().any(|l| other.meets_line(l))
            || other.lines.iter().any(|l| self.polygons.iter().any(|p| p.touches_line(l)))
            || self.polygons.iter().any(|p| other.polygons.iter().any(|q| p.touches_polygon(q)))
    }

    fn has(&self, p: &Point) -> bool {
        self.points.iter().any(|q| angle(p, q) < TOUCH)
            || self.lines.iter().any(|l| line_edges(l).any(|(a, b)| on_arc(p, a, b)))
            || self.polygons.iter().any(|area| area.side(p) != Side::Outside)
    }

    fn meets_line(&self, line: &[Point]) -> bool {
        let meet = |other: &Vec<Point>| {
            line_edges(line).any(|(a, b)| line_edges(other).any(|(c, d)| arcs_meet(a, b, c, d)))
        };
        self.lines.iter().any(meet) || self.polygons.iter().any(|p| p.touches_line(line))
    }
}

impl Cap {
    /// Does the whole shape lie in the circle? An arc between two points of a circle up to a hemisphere stays inside.
    pub(super) fn contains(&self, shape: &Shape) -> bool {
        let points = shape.points.iter().chain(shape.lines.iter().flatten());
        let corners = shape.polygons.iter().flat_map(|p| &p.outer);
        points.chain(corners).all(|p| angle(p, &self.center) <= self.radius)
    }
}
