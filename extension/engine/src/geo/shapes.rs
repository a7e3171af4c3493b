//! `$box`, `$polygon`, `$center` and `$centerSphere`: shapes from arrays of coordinates.

use super::parse::{bad, members, pair, spherical};
use super::plane::Region;
use super::sphere::Cap;
use crate::error::Result;
use crate::raw::{Doc, Val};
use crate::{display, number};

fn corners(v: Val<'_>) -> impl Iterator<Item = Val<'_>> {
    members(v).into_iter().flat_map(Doc::values)
}

/// `$box`: two opposite corners.
///
/// # Errors
/// `BadValue` for other operands.
pub(crate) fn rectangle(v: Val<'_>) -> Result<Region> {
    let mut corners = corners(v);
    let (a, b) = (pair(corners.next(), false)?, pair(corners.next(), false)?);
    let low = [a[0].min(b[0]), a[1].min(b[1])];
    Ok(Region::Box { low, high: [a[0].max(b[0]), a[1].max(b[1])] })
}

/// `$polygon`: at least three corners.
///
/// # Errors
/// `BadValue` for other operands.
pub(crate) fn polygon(v: Val<'_>) -> Result<Region> {
    let corners: Vec<_> = corners(v).map(|c| pair(Some(c), false)).collect::<Result<_>>()?;
    if corners.len() < 3 {
        let n = corners.len();
        return Err(bad(format!("Polygon must have at least 3 points, instead got {n} vertices")));
    }
    Ok(Region::Polygon(corners))
}

/// Center and radius; `check` sees the center before the radius is read.
fn center_and_radius<T>(v: Val<'_>, check: impl Fn([f64; 2]) -> Result<T>) -> Result<(T, f64)> {
    let mut values = corners(v);
    let center = check(pair(values.next(), false)?)?;
    let radius = values.next();
    let number = radius.filter(|r| r.is_number()).map(number::to_f64);
    let Some(r) = number.filter(|r| *r >= 0.0) else {
        let shown = radius.map_or("EOO".to_owned(), display::value);
        return Err(bad(format!("Radius must be a non-negative number: {shown}")));
    };
    if values.next().is_some() {
        return Err(bad("Only 2 fields allowed for circular region, but more were provided"));
    }
    Ok((center, r))
}

/// `$center`: a point and a radius in the units of the coordinates.
///
/// # Errors
/// `BadValue` for other operands.
pub(crate) fn circle(v: Val<'_>) -> Result<Region> {
    let (center, radius) = center_and_radius(v, Ok)?;
    Ok(Region::Circle { center, radius })
}

/// `$centerSphere`: a point and a radius in radians.
///
/// # Errors
/// `BadValue` for other operands.
pub(crate) fn cap(v: Val<'_>) -> Result<Cap> {
    let (center, radius) = center_and_radius(v, spherical)?;
    Ok(Cap { center, radius })
}
