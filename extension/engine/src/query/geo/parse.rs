//! Geometries from BSON: GeoJSON and MongoDB's older forms.

use super::plane::Region;
use super::sphere::{self, Cap, Polygon, Shape};
use crate::error::{Error, Result};
use crate::number;
use crate::raw::{Doc, Val};
use crate::{bail, codes, display};

/// Makes an outer ring of more than a hemisphere possible: its inside lies to its left.
const STRICT: &str = "urn:x-mongodb:crs:strictwinding:EPSG:4326";

fn bad(message: impl Into<String>) -> Error {
    Error::new(codes::BAD_VALUE, message)
}

fn members(v: Val<'_>) -> Option<Doc<'_>> {
    v.as_array().or_else(|| v.as_doc())
}

/// Two coordinates and possibly more numbers behind them.
fn pair(v: Val<'_>) -> Result<[f64; 2]> {
    let Some(d) = members(v) else { return Err(bad("Point must be an array or object")) };
    let mut values = d.values();
    let (Some(x), Some(y)) = (values.next(), values.next()) else {
        return Err(bad("Point must only contain numeric elements"));
    };
    if !x.is_number() || !y.is_number() {
        return Err(bad("Point must only contain numeric elements"));
    }
    Ok([number::to_f64(x), number::to_f64(y)])
}

fn position(v: Val<'_>) -> Result<sphere::Point> {
    let [lng, lat] = pair(v)?;
    if !((-180.0..=180.0).contains(&lng) && (-90.0..=90.0).contains(&lat)) {
        return Err(bad(format!("longitude/latitude is out of bounds, lng: {lng} lat: {lat}")));
    }
    Ok(sphere::point(lng, lat))
}

fn list<'v, T>(v: Val<'v>, what: &str, one: impl Fn(Val<'v>) -> Result<T>) -> Result<Vec<T>> {
    match v.as_array() {
        Some(a) => a.values().map(one).collect(),
        None => Err(bad(format!("{what} must be an array"))),
    }
}

fn line(v: Val<'_>) -> Result<Vec<sphere::Point>> {
    let mut points = list(v, "GeoJSON coordinates", position)?;
    points.dedup();
    if points.len() < 2 {
        let shown = display::value(v);
        return Err(bad(format!("GeoJSON LineString must have at least 2 vertices: {shown}")));
    }
    Ok(points)
}

fn ring(v: Val<'_>) -> Result<Vec<sphere::Point>> {
    let mut points = list(v, "GeoJSON coordinates", position)?;
    let shown = || display::value(v);
    match (points.first(), points.last()) {
        (None, _) | (_, None) => return Err(bad("Loop has no vertices")),
        (Some(a), Some(b)) if sphere::angle(a, b) > 1e-15 => {
            return Err(bad(format!("Loop is not closed: {}", shown())));
        }
        _ => {}
    }
    points.pop();
    points.dedup();
    if points.len() < 3 {
        return Err(bad(format!("Loop must have at least 3 different vertices: {}", shown())));
    }
    Ok(points)
}

fn area(v: Val<'_>, strict: bool) -> Result<Polygon> {
    let rings = list(v, "Polygon coordinates", ring)?;
    if strict && rings.len() > 1 {
        return Err(bad("Only one simple loop is allowed in a big polygon"));
    }
    Polygon::new(rings, strict).ok_or_else(|| bad("Polygon has no loops."))
}

/// The coordinate reference system; true for the strict one.
fn strict(d: Doc<'_>) -> Result<bool> {
    let Some(crs) = d.get("crs") else { return Ok(false) };
    let name =
        crs.as_doc().and_then(|d| d.get("properties")).and_then(Val::as_doc).and_then(|d| d.get("name"));
    match name.and_then(Val::as_str) {
        Some("urn:ogc:def:crs:OGC:1.3:CRS84" | "EPSG:4326") => Ok(false),
        Some(STRICT) => Ok(true),
        Some(other) => bail!(codes::BAD_VALUE, "Unknown CRS name: {other}"),
        None => bail!(
            codes::BAD_VALUE,
            "GeoJSON CRS must have field \"properties\" which is an object with a \"name\""
        ),
    }
}

/// The operand of `$geometry`.
pub(super) fn geometry(v: Val<'_>) -> Result<Shape> {
    let Some(d) = members(v) else { return Err(bad("geometry must be an object")) };
    let mut shape = Shape::default();
    if d.get("type").and_then(Val::as_str).is_some() {
        geo_json(d, &mut shape, 0)?;
    } else {
        shape.points.push(position(v)?);
    }
    Ok(shape)
}

fn geo_json(d: Doc<'_>, shape: &mut Shape, depth: usize) -> Result<()> {
    let kind = d.get("type").and_then(Val::as_str).unwrap_or("");
    if kind == "GeometryCollection" {
        let Some(parts) = d.get("geometries").and_then(Val::as_array) else {
            return Err(bad("GeometryCollection geometries must be an array"));
        };
        for part in parts.values() {
            match part.as_doc() {
                Some(part) if depth == 0 => geo_json(part, shape, depth + 1)?,
                _ => return Err(bad("Element of \"geometries\" must be a geometry, not a collection")),
            }
        }
        return Ok(());
    }
    let Some(coordinates) = d.get("coordinates") else {
        return Err(bad(format!("GeoJSON {kind} must have field \"coordinates\"")));
    };
    let strict = strict(d)?;
    match kind {
        "Point" => shape.points.push(position(coordinates)?),
        "MultiPoint" => shape.points.extend(list(coordinates, "MultiPoint coordinates", position)?),
        "LineString" => shape.lines.push(line(coordinates)?),
        "MultiLineString" => shape.lines.extend(list(coordinates, "MultiLineString coordinates", line)?),
        "Polygon" => shape.polygons.push(area(coordinates, strict)?),
        "MultiPolygon" => {
            shape.polygons.extend(list(coordinates, "MultiPolygon coordinates", |v| area(v, false))?);
        }
        _ => bail!(codes::BAD_VALUE, "unknown GeoJSON type: {}", display::document(d)),
    }
    Ok(())
}

/// A stored value as a geometry on the sphere; `None` when it is none.
pub(super) fn stored(v: Val<'_>) -> Option<Shape> {
    members(v)?;
    geometry(v).ok()
}

/// A stored value as a point on the plane.
pub(super) fn stored_point(v: Val<'_>) -> Option<[f64; 2]> {
    let d = members(v)?;
    match d.get("type").and_then(Val::as_str) {
        Some("Point") => pair(d.get("coordinates")?).ok(),
        Some(_) => None,
        None => pair(v).ok(),
    }
}

/// `$box`: two opposite corners.
pub(super) fn rectangle(v: Val<'_>) -> Result<Region> {
    let mut corners = corners(v)?.into_iter();
    let (Some(a), Some(b), None) = (corners.next(), corners.next(), corners.next()) else {
        return Err(bad("Box must have exactly two corners"));
    };
    let low = [a[0].min(b[0]), a[1].min(b[1])];
    Ok(Region::Box { low, high: [a[0].max(b[0]), a[1].max(b[1])] })
}

/// `$polygon`: at least three corners.
pub(super) fn polygon(v: Val<'_>) -> Result<Region> {
    let corners = corners(v)?;
    if corners.len() < 3 {
        return Err(bad("Polygon must have at least 3 points"));
    }
    Ok(Region::Polygon(corners))
}

fn corners(v: Val<'_>) -> Result<Vec<[f64; 2]>> {
    match members(v) {
        Some(d) => d.values().map(pair).collect(),
        None => Err(bad("Point must be an array or object")),
    }
}

fn center_and_radius(v: Val<'_>) -> Result<(Val<'_>, f64)> {
    let mut values = members(v).into_iter().flat_map(Doc::values);
    let (Some(center), Some(radius)) = (values.next(), values.next()) else {
        return Err(bad("radius must be a non-negative number"));
    };
    let radius = if radius.is_number() { number::to_f64(radius) } else { f64::NAN };
    if radius.is_nan() || radius < 0.0 {
        return Err(bad("radius must be a non-negative number"));
    }
    if values.next().is_some() {
        return Err(bad("Only 2 fields allowed for circular region"));
    }
    Ok((center, radius))
}

/// `$center`: a point and a radius in the units of the coordinates.
pub(super) fn circle(v: Val<'_>) -> Result<Region> {
    let (center, radius) = center_and_radius(v)?;
    Ok(Region::Circle { center: pair(center)?, radius })
}

/// `$centerSphere`: a point and a radius in radians.
pub(super) fn cap(v: Val<'_>) -> Result<Cap> {
    let (center, radius) = center_and_radius(v)?;
    Ok(Cap { center: position(center)?, radius })
}
