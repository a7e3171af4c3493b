//! Coverings: regions as few cells of a grid, and cells as ranges of numbers, which indexes keep in order.
//!
//! On the sphere the cells are S2's, 31 levels of them: a cell's number lies in the middle of its descendants' numbers.
//! On the plane a square of the index's bounds is halved `bits` times in both directions (a geohash). Coverings may be
//! larger than their regions, never smaller.

use super::plane::{self, Region};
use super::sphere::{self, Cap, Point, Shape, angle};
use s2::cell::Cell;
use s2::cellid::CellID;
use std::collections::BinaryHeap;

/// Room for what counts as touching and for rounding, in radians.
const SLACK: f64 = 1e-9;

/// Most cells of a query's covering.
const QUERY_CELLS: usize = 24;

/// Most cells of a stored geometry that is not made of points.
const STORED_CELLS: usize = 20;

/// Most points of a geometry that are kept one by one.
const STORED_POINTS: usize = 50;

/// Cell numbers from the first to the second, both included.
pub type Numbers = (u64, u64);

/// A region of the sphere.
#[derive(Debug)]
pub(crate) enum Round<'a> {
    Shape(&'a Shape),
    Cap(&'a Cap),
    /// Around a point, from one distance to another, in radians.
    Ring(&'a Point, f64, f64),
}

impl Round<'_> {
    /// May the region have a point in the circle around `center`?
    fn meets(&self, center: &Point, radius: f64) -> bool {
        let radius = radius + SLACK;
        match self {
            Round::Shape(s) => s.distance(center) <= radius,
            Round::Cap(c) => angle(&c.center, center) <= c.radius + radius,
            Round::Ring(c, min, max) => {
                let d = angle(c, center);
                d <= max + radius && d >= min - radius
            }
        }
    }

    /// Does the region hold the whole circle for certain?
    fn holds(&self, center: &Point, radius: f64) -> bool {
        match self {
            Round::Shape(s) => s.depth(center) > radius,
            Round::Cap(c) => angle(&c.center, center) + radius < c.radius,
            Round::Ring(c, min, max) => {
                let d = angle(c, center);
                d + radius < *max && d - radius > *min
            }
        }
    }
}

/// Center and radius of a circle around a cell.
fn circle_around(id: CellID) -> (Point, f64) {
    let cell = Cell::from(id);
    let plain = |p: s2::point::Point| [p.0.x, p.0.y, p.0.z];
    let center = plain(cell.center());
    let radius = cell.vertices().into_iter().map(|v| angle(&center, &plain(v))).fold(0.0, f64::max);
    (center, radius)
}

/// Cells that together hold a region, at most about `most`.
fn cells(region: &Round<'_>, most: usize) -> Vec<CellID> {
    let mut done = Vec::new();
    // Larger cells first: the greater the lowest set bit of a number, the larger the cell.
    let mut open: BinaryHeap<(u64, u64)> = BinaryHeap::new();
    let meets = |id: &CellID| {
        let (center, radius) = circle_around(*id);
        region.meets(&center, radius)
    };
    open.extend((0..6).map(CellID::from_face).filter(meets).map(|c| (c.lsb(), c.0)));
    while let Some((_, number)) = open.pop() {
        let id = CellID(number);
        let (center, radius) = circle_around(id);
        if id.is_leaf() || region.holds(&center, radius) {
            done.push(id);
            continue;
        }
        let children: Vec<CellID> = id.children().into_iter().filter(meets).collect();
        if children.is_empty() || done.len() + open.len() + children.len() > most.max(6) {
            done.push(id);
        } else {
            open.extend(children.into_iter().map(|c| (c.lsb(), c.0)));
        }
    }
    done
}

/// The numbers a stored geometry is kept under.
pub(crate) fn stored(shape: &Shape) -> Vec<u64> {
    let points_only = shape.lines.is_empty() && shape.polygons.is_empty();
    if points_only && shape.points.len() <= STORED_POINTS {
        return shape.points.iter().map(|p| CellID::from(&sphere::s2(p)).0).collect();
    }
    cells(&Round::Shape(shape), STORED_CELLS).into_iter().map(|c| c.0).collect()
}

/// The numbers under which everything is kept that meets the region: those of cells inside of the covering's, and
/// those of the larger ones around them.
pub(crate) fn sphere_numbers(region: &Round<'_>) -> Vec<Numbers> {
    let mut out = Vec::new();
    for cell in cells(region, QUERY_CELLS) {
        out.push((cell.range_min().0, cell.range_max().0));
        out.extend((0..cell.level()).map(|level| cell.parent(level).0).map(|n| (n, n)));
    }
    joined(out)
}

fn joined(mut list: Vec<Numbers>) -> Vec<Numbers> {
    list.sort_unstable();
    let mut out: Vec<Numbers> = Vec::with_capacity(list.len());
    for (lo, hi) in list {
        match out.last_mut() {
            Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
            _ => out.push((lo, hi)),
        }
    }
    out
}

/// The grid of a `2d` index: its options `bits`, `min` and `max`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Halvings in each direction, 1 to 32.
    pub bits: u32,
    /// Lower bound of both coordinates.
    pub min: f64,
    /// Upper bound of both coordinates.
    pub max: f64,
}

impl Default for Grid {
    fn default() -> Self {
        Self { bits: 26, min: -180.0, max: 180.0 }
    }
}

/// A region of the plane.
#[derive(Debug)]
pub(crate) enum Flat<'a> {
    Region(&'a Region),
    Cap(&'a Cap),
    /// Around a point, from one distance to another.
    Ring([f64; 2], f64, f64),
    /// A ring on the sphere, of longitudes and latitudes.
    RoundRing(&'a Point, f64),
}

impl Grid {
    /// The square holds the point.
    #[must_use]
    pub fn holds(&self, [x, y]: [f64; 2]) -> bool {
        (self.min..=self.max).contains(&x) && (self.min..=self.max).contains(&y)
    }

    fn step(&self, x: f64) -> u64 {
        let cells = f64::from(self.bits).exp2();
        let at = ((x - self.min) / (self.max - self.min) * cells).floor();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 32 bits")]
        {
            at.clamp(0.0, cells - 1.0) as u64
        }
    }

    /// The number of the cell a point of the square lies in.
    #[must_use]
    pub fn number(&self, [x, y]: [f64; 2]) -> u64 {
        spread(self.step(x)) << 1 | spread(self.step(y))
    }

    /// The numbers of the cells that may meet the region.
    pub(crate) fn numbers(&self, region: &Flat<'_>) -> Vec<Numbers> {
        let mut out = Vec::new();
        // Level, column, row.
        let mut open = std::collections::VecDeque::from([(0_u32, 0_u64, 0_u64)]);
        let mut count = 1;
        while let Some((level, column, row)) = open.pop_front() {
            let side = (self.max - self.min) / f64::from(level).exp2();
            #[allow(clippy::cast_precision_loss, reason = "below 2^32")]
            let low = [self.min + column as f64 * side, self.min + row as f64 * side];
            // Rounding may put a point into the neighbouring cell.
            let slack = (self.max - self.min) * 1e-12 + side * 1e-9;
            let (low, high) = (low.map(|v| v - slack), low.map(|v| v + side + slack));
            if !meets(region, low, high) {
                count -= 1;
                continue;
            }
            if level == self.bits || count + 3 > 4 * QUERY_CELLS {
                let shift = 2 * (self.bits - level);
                let first = (spread(column) << 1 | spread(row)).checked_shl(shift).unwrap_or(0);
                out.push((first, first | 1_u64.checked_shl(shift).unwrap_or(0).wrapping_sub(1)));
                continue;
            }
            count += 3;
            for (c, r) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                open.push_back((level + 1, column << 1 | c, row << 1 | r));
            }
        }
        joined(out)
    }
}

/// Bits of `x` at the even places.
fn spread(x: u64) -> u64 {
    let mut x = x & 0xFFFF_FFFF;
    for (shift, mask) in [
        (16, 0x0000_FFFF_0000_FFFF),
        (8, 0x00FF_00FF_00FF_00FF),
        (4, 0x0F0F_0F0F_0F0F_0F0F),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        x = (x | x << shift) & mask;
    }
    x
}

/// May the region have a point in the rectangle?
fn meets(region: &Flat<'_>, low: [f64; 2], high: [f64; 2]) -> bool {
    match region {
        Flat::Region(r) => r.meets(low, high),
        Flat::Ring(center, min, max) => {
            let (near, far) = plane::distances(*center, low, high);
            near <= *max && far >= *min
        }
        Flat::Cap(c) => round_meets(&c.center, c.radius, low, high),
        Flat::RoundRing(center, max) => round_meets(center, *max, low, high),
    }
}

/// May a circle on the sphere have a point in a rectangle of longitudes and latitudes? By the circle's own rectangle.
fn round_meets(center: &Point, radius: f64, low: [f64; 2], high: [f64; 2]) -> bool {
    let [lng, lat] = sphere::degrees(center);
    let radius = radius + SLACK;
    let reach = radius.to_degrees();
    if low[1] > lat + reach || high[1] < lat - reach {
        return false;
    }
    // Past a pole every longitude is near.
    if lat.abs() + reach >= 90.0 {
        return true;
    }
    let wide = (radius.sin() / lat.to_radians().cos()).min(1.0).asin().to_degrees() + 1e-7;
    [-360.0, 0.0, 360.0].iter().any(|turn| low[0] <= lng + turn + wide && high[0] >= lng + turn - wide)
}
