//! Geometries on the sphere. Points are unit vectors, edges the shorter great circle arcs between them.

use s2::edge_crossings::{Crossing, crossing_sign, edge_or_vertex_crossing};
use s2::point::{Point as S2Point, ordered_ccw};
use std::f64::consts::PI;

/// Closer than this (in radians, less than a millimetre on the earth) counts as touching.
pub(crate) const TOUCH: f64 = 1e-10;

/// A point as a unit vector.
pub(crate) type Point = [f64; 3];

/// A ring of a polygon: its corners without the repeated last one. Its inside is to the left.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    pub(crate) points: Vec<Point>,
    /// S2's fixed reference point is inside: other points are told from it by counting crossings.
    origin_inside: bool,
}

/// A circle on the sphere.
#[derive(Clone, Debug)]
pub(crate) struct Cap {
    pub(crate) center: Point,
    /// Radians.
    pub(crate) radius: f64,
}

/// Any GeoJSON geometry, taken apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) points: Vec<Point>,
    pub(crate) lines: Vec<Vec<Point>>,
    pub(crate) polygons: Vec<Polygon>,
}

/// An outer ring and its holes.
#[derive(Clone, Debug)]
pub(crate) struct Polygon {
    pub(crate) outer: Ring,
    pub(crate) holes: Vec<Ring>,
}

/// Where a point lies to a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Inside,
    Edge,
    Outside,
}

pub(crate) fn point(lng: f64, lat: f64) -> Point {
    let (lng, lat) = (lng.to_radians(), lat.to_radians());
    [lat.cos() * lng.cos(), lat.cos() * lng.sin(), lat.sin()]
}

/// Longitude and latitude in degrees.
pub(crate) fn degrees(p: &Point) -> [f64; 2] {
    [p[1].atan2(p[0]).to_degrees(), p[2].atan2(p[0].hypot(p[1])).to_degrees()]
}

pub(crate) fn s2(p: &Point) -> S2Point {
    S2Point(s2::r3::vector::Vector { x: p[0], y: p[1], z: p[2] })
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
pub(crate) fn angle(a: &Point, b: &Point) -> f64 {
    length(&cross(a, b)).atan2(dot(a, b))
}

/// Distance from `p` to the arc from `a` to `b`, in radians.
fn arc_distance(p: &Point, a: &Point, b: &Point) -> f64 {
    let ends = angle(p, a).min(angle(p, b));
    // The sum and difference give the normal of close points more exactly than the points themselves.
    let (sum, difference) =
        ([a[0] + b[0], a[1] + b[1], a[2] + b[2]], [b[0] - a[0], b[1] - a[1], b[2] - a[2]]);
    let normal = cross(&sum, &difference);
    let n = length(&normal);
    if n == 0.0 {
        return ends;
    }
    let normal = normal.map(|x| x / n);
    let off = dot(p, &normal);
    // The foot of the perpendicular lies between the ends: ahead of `a`, behind `b`.
    if dot(&cross(&normal, a), p) >= 0.0 && dot(&cross(&normal, b), p) <= 0.0 {
        return off.abs().min(1.0).asin().min(ends);
    }
    ends
}

/// Does `p` lie on the arc from `a` to `b`?
fn on_arc(p: &Point, a: &Point, b: &Point) -> bool {
    arc_distance(p, a, b) < TOUCH
}

/// Do the arcs cross in a point inside of both?
pub(crate) fn cross_properly(a: &Point, b: &Point, c: &Point, d: &Point) -> bool {
    crossing_sign(&s2(a), &s2(b), &s2(c), &s2(d)) == Crossing::Cross
}

fn arcs_meet(a: &Point, b: &Point, c: &Point, d: &Point) -> bool {
    cross_properly(a, b, c, d) || on_arc(a, c, d) || on_arc(b, c, d) || on_arc(c, a, b) || on_arc(d, a, b)
}

fn line_edges(line: &[Point]) -> impl Iterator<Item = (&Point, &Point)> {
    line.iter().zip(line.iter().skip(1))
}

pub(crate) fn ring_edges(ring: &[Point]) -> impl Iterator<Item = (&Point, &Point)> {
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

impl Ring {
    /// The ring as given, or the other way round where that bounds the smaller area (unless `strict`).
    pub(crate) fn new(mut points: Vec<Point>, strict: bool) -> Self {
        if !strict && excess(&points) < 0.0 {
            points.reverse();
        }
        let mut ring = Self { points, origin_inside: false };
        // The corner itself is inside or not by the order of the edges around it.
        if let [a, b, c, ..] = ring.points.as_slice() {
            let (a, b, c) = (s2(a), s2(b), s2(c));
            let inside = ordered_ccw(&b.ortho(), &a, &c, &b);
            ring.origin_inside = inside != ring.parity(&b);
        }
        ring
    }

    fn parity(&self, p: &S2Point) -> bool {
        let origin = S2Point::origin();
        let crossed = ring_edges(&self.points)
            .filter(|(a, b)| edge_or_vertex_crossing(&origin, p, &s2(a), &s2(b)))
            .count();
        self.origin_inside != (crossed % 2 == 1)
    }

    pub(crate) fn side(&self, p: &Point) -> Side {
        if self.edge_distance(p) < TOUCH {
            return Side::Edge;
        }
        if self.parity(&s2(p)) { Side::Inside } else { Side::Outside }
    }

    pub(crate) fn edges(&self) -> impl Iterator<Item = (&Point, &Point)> {
        ring_edges(&self.points)
    }

    fn edge_distance(&self, p: &Point) -> f64 {
        self.edges().map(|(a, b)| arc_distance(p, a, b)).fold(f64::INFINITY, f64::min)
    }
}

impl Polygon {
    pub(crate) fn side(&self, p: &Point) -> Side {
        match self.outer.side(p) {
            Side::Inside => {}
            other => return other,
        }
        for hole in &self.holes {
            match hole.side(p) {
                Side::Inside => return Side::Outside,
                Side::Edge => return Side::Edge,
                Side::Outside => {}
            }
        }
        Side::Inside
    }

    fn edges(&self) -> impl Iterator<Item = (&Point, &Point)> {
        std::iter::once(&self.outer).chain(&self.holes).flat_map(Ring::edges)
    }

    /// Distance to the nearest edge, inside as well as outside.
    fn edge_distance(&self, p: &Point) -> f64 {
        std::iter::once(&self.outer)
            .chain(&self.holes)
            .map(|r| r.edge_distance(p))
            .fold(f64::INFINITY, f64::min)
    }

    fn touches_line(&self, line: &[Point]) -> bool {
        line.iter().any(|p| self.side(p) != Side::Outside)
            || line_edges(line).any(|(a, b)| self.edges().any(|(c, d)| arcs_meet(a, b, c, d)))
    }

    fn touches_polygon(&self, other: &Polygon) -> bool {
        other.outer.points.iter().any(|p| self.side(p) != Side::Outside)
            || self.outer.points.iter().any(|p| other.side(p) != Side::Outside)
            || self.edges().any(|(a, b)| other.edges().any(|(c, d)| arcs_meet(a, b, c, d)))
    }

    fn holds_line<'p>(&self, points: &[Point], edges: impl Iterator<Item = (&'p Point, &'p Point)>) -> bool {
        let mut edges = edges;
        points.iter().all(|p| self.side(p) != Side::Outside)
            && edges.all(|(a, b)| {
                // Between touching points an edge can leave the polygon without crossing an edge properly.
                let middle = middle(a, b);
                self.side(&middle) != Side::Outside && !self.edges().any(|(c, d)| leaves(a, b, c, d))
            })
    }

    fn holds_polygon(&self, other: &Polygon) -> bool {
        self.holds_line(&other.outer.points, other.outer.edges())
            && !self.holes.iter().flat_map(|h| &h.points).any(|p| other.side(p) == Side::Inside)
            && !self.outer.points.iter().any(|p| other.side(p) == Side::Inside)
    }
}

/// The edges cross, and not merely by touching within the tolerance.
fn leaves(a: &Point, b: &Point, c: &Point, d: &Point) -> bool {
    cross_properly(a, b, c, d) && !(on_arc(a, c, d) || on_arc(b, c, d) || on_arc(c, a, b) || on_arc(d, a, b))
}

fn middle(a: &Point, b: &Point) -> Point {
    let sum = [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
    let n = length(&sum);
    if n == 0.0 { *a } else { sum.map(|x| x / n) }
}

impl Shape {
    /// Consists of polygons only, at least one.
    pub(crate) fn is_area(&self) -> bool {
        self.points.is_empty() && self.lines.is_empty() && !self.polygons.is_empty()
    }

    /// Does every part of `other` lie in one of this shape's polygons?
    pub(crate) fn contains(&self, other: &Shape) -> bool {
        let any = |test: &dyn Fn(&Polygon) -> bool| self.polygons.iter().any(test);
        other.points.iter().all(|p| any(&|area| area.side(p) != Side::Outside))
            && other.lines.iter().all(|l| any(&|area| area.holds_line(l, line_edges(l))))
            && other.polygons.iter().all(|p| any(&|area| area.holds_polygon(p)))
    }

    /// Have the shapes a point in common?
    pub(crate) fn intersects(&self, other: &Shape) -> bool {
        self.points.iter().any(|p| other.has(p))
            || other.points.iter().any(|p| self.has(p))
            || self.lines.iter().any(|l| other.meets_line(l))
            || other.lines.iter().any(|l| self.polygons.iter().any(|p| p.touches_line(l)))
            || self.polygons.iter().any(|p| other.polygons.iter().any(|q| p.touches_polygon(q)))
    }

    /// Distance from a point in radians: 0 inside of a polygon, infinite from nothing.
    pub(crate) fn distance(&self, p: &Point) -> f64 {
        let points = self.points.iter().map(|q| angle(p, q));
        let lines = self.lines.iter().flat_map(|l| line_edges(l)).map(|(a, b)| arc_distance(p, a, b));
        let areas = self
            .polygons
            .iter()
            .map(|area| if area.side(p) == Side::Outside { area.edge_distance(p) } else { 0.0 });
        points.chain(lines).chain(areas).fold(f64::INFINITY, f64::min)
    }

    /// How deep inside of one of the polygons a point lies, in radians; 0 outside.
    pub(crate) fn depth(&self, p: &Point) -> f64 {
        let inside = self.polygons.iter().filter(|area| area.side(p) == Side::Inside);
        inside.map(|area| area.edge_distance(p)).fold(0.0, f64::max)
    }

    fn has(&self, p: &Point) -> bool {
        self.distance(p) < TOUCH
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
    pub(crate) fn contains(&self, shape: &Shape) -> bool {
        let points = shape.points.iter().chain(shape.lines.iter().flatten());
        let corners = shape.polygons.iter().flat_map(|p| &p.outer.points);
        points.chain(corners).all(|p| angle(p, &self.center) <= self.radius)
    }
}
