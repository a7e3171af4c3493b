//! Geometries from BSON: GeoJSON and MongoDB's older forms, with MongoDB's words for what is none.

use super::rings::{self, Fault};
use super::sphere::{self, Polygon, Ring, Shape};
use crate::error::{Error, Result};
use crate::number;
use crate::raw::{Doc, Val, ty};
use crate::{bail, codes, display};

/// Makes an outer ring of more than a hemisphere possible: its inside lies to its left.
const STRICT: &str = "urn:x-mongodb:crs:strictwinding:EPSG:4326";

/// A geometry as it was written.
#[derive(Clone, Debug)]
pub(crate) struct Geometry {
    /// On the sphere; `None` for a coordinate pair that lies outside of longitudes and latitudes.
    pub(crate) shape: Option<Shape>,
    /// On the plane: points have a place there.
    pub(crate) flat: Option<[f64; 2]>,
    /// A coordinate pair instead of GeoJSON.
    pub(crate) legacy: bool,
    /// A polygon with strict winding order.
    pub(crate) strict: bool,
}

pub(super) fn bad(message: impl Into<String>) -> Error {
    Error::new(codes::BAD_VALUE, message)
}

pub(super) fn members(v: Val<'_>) -> Option<Doc<'_>> {
    v.as_array().or_else(|| v.as_doc())
}

fn type_of(v: Option<Val<'_>>) -> &'static str {
    v.map_or("missing", Val::type_name)
}

/// Two coordinates, and with `more` possibly further values behind them.
pub(crate) fn pair(v: Option<Val<'_>>, more: bool) -> Result<[f64; 2]> {
    let Some(d) = v.and_then(members) else {
        return Err(bad(format!("Point must be an array or object, instead got type {}", type_of(v))));
    };
    let mut values = d.values();
    let mut number = || {
        let v = values.next();
        match v.filter(|v| v.is_number()) {
            Some(v) => Ok(number::to_f64(v)),
            None => {
                Err(bad(format!("Point must only contain numeric elements, instead got type {}", type_of(v))))
            }
        }
    };
    let at = [number()?, number()?];
    if !more && values.next().is_some() {
        return Err(bad("Point must only contain two numeric elements"));
    }
    if !at.iter().all(|x| x.is_finite()) {
        return Err(bad("Point coordinates must be finite numbers"));
    }
    Ok(at)
}

/// Longitude and latitude?
pub(crate) fn on_earth([lng, lat]: [f64; 2]) -> bool {
    (-180.0..=180.0).contains(&lng) && (-90.0..=90.0).contains(&lat)
}

/// As C++ streams print it: at most six digits.
fn short(x: f64) -> String {
    let digits = 5.0 - x.abs().log10().floor().max(-4.0);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 9 by the clamp"
    )]
    let shown = format!("{x:.*}", digits.clamp(0.0, 9.0) as usize);
    if shown.contains('.') { shown.trim_end_matches('0').trim_end_matches('.').to_owned() } else { shown }
}

pub(super) fn spherical(at: [f64; 2]) -> Result<sphere::Point> {
    if !on_earth(at) {
        let [lng, lat] = at.map(short);
        return Err(bad(format!("Longitude/latitude is out of bounds, lng: {lng} lat: {lat}")));
    }
    Ok(sphere::point(at[0], at[1]))
}

fn position(v: Val<'_>) -> Result<sphere::Point> {
    if v.ty != ty::ARRAY {
        let t = v.type_name();
        return Err(bad(format!("GeoJSON coordinates must be an array, instead got type {t}")));
    }
    spherical(pair(Some(v), true)?)
}

fn list<'v, T>(v: Option<Val<'v>>, what: &str, one: impl Fn(Val<'v>) -> Result<T>) -> Result<Vec<T>> {
    match v.and_then(Val::as_array) {
        Some(a) => a.values().map(one).collect(),
        None => Err(bad(format!("{what}, instead got type {}", type_of(v)))),
    }
}

fn some<T>(list: Vec<T>, kind: &str) -> Result<Vec<T>> {
    if list.is_empty() {
        return Err(bad(format!("{kind} coordinates must have at least 1 element")));
    }
    Ok(list)
}

fn positions(v: Option<Val<'_>>) -> Result<Vec<sphere::Point>> {
    list(v, "GeoJSON coordinates must be an array of coordinates", position)
}

fn line(v: Option<Val<'_>>) -> Result<Vec<sphere::Point>> {
    let mut points = positions(v)?;
    points.dedup();
    let shown = || v.map_or(String::new(), display::value);
    if points.len() < 2 {
        let n = points.len();
        return Err(bad(format!(
            "GeoJSON LineString must have at least 2 vertices, instead got {n} vertices: {}",
            shown()
        )));
    }
    let opposite = points.windows(2).position(|w| matches!(w, [a, b] if *a == b.map(|x| -x)));
    if let Some(i) = opposite {
        return Err(bad(format!(
            "GeoJSON LineString is not valid: Vertices {i} and {} are identical or antipodal {}",
            i + 1,
            shown()
        )));
    }
    Ok(points)
}

/// A ring without its repeated last corner; `whole` is shown when it has too few.
fn ring(v: Val<'_>, whole: Val<'_>) -> Result<Vec<sphere::Point>> {
    let mut points = positions(Some(v))?;
    let shown = || display::value(v);
    match (points.first(), points.last()) {
        (None, _) | (_, None) => return Err(bad(format!("Loop has no vertices: {}", shown()))),
        (Some(a), Some(b)) if a != b => {
            return Err(bad(format!(
                "Loop is not closed, first vertex does not equal last vertex: {}",
                shown()
            )));
        }
        _ => {}
    }
    points.dedup();
    points.pop();
    if points.len() < 3 {
        let n = points.len();
        return Err(bad(format!(
            "Loop must have at least 3 different vertices, {n} unique vertices were provided: {}",
            display::value(whole)
        )));
    }
    if let Some(why) = rings::fault(&points) {
        return Err(bad(format!("Loop is not valid: {} {why}", display::value(whole))));
    }
    Ok(points)
}

fn area(v: Option<Val<'_>>) -> Result<Polygon> {
    let loops = list(v, "Polygon coordinates must be an array", |v| Ok((Ring::new(ring(v, v)?, false), v)))?;
    let shown = || v.map_or(String::new(), display::value);
    let Some(((outer, first), holes)) = loops.split_first() else {
        return Err(bad("Polygon has no loops."));
    };
    if let Some((_, hole)) = holes.iter().find(|(hole, _)| !rings::within(outer, hole)) {
        return Err(bad(format!(
            "Secondary loops not contained by first exterior loop - secondary loops must be holes: {} first loop: {}",
            display::value(*hole),
            display::value(*first)
        )));
    }
    let mut loops: Vec<Ring> = loops.iter().map(|(r, _)| r.clone()).collect();
    match rings::polygon_fault(&loops) {
        None => {}
        Some(Fault::Invalid(why)) => {
            return Err(bad(format!("Polygon isn't valid: {why} {}", shown())));
        }
        Some(Fault::Plain(why)) => return Err(bad(format!("{why}: {}", shown()))),
        Some(Fault::Nested) => {
            return Err(bad(format!("Polygon interior loops cannot be nested: {}", shown())));
        }
    }
    let outer = loops.remove(0);
    Ok(Polygon { outer, holes: loops })
}

/// A polygon with strict winding order: one ring, its inside to the left.
fn big_area(v: Option<Val<'_>>) -> Result<Polygon> {
    let Some(whole) = v.filter(|v| v.ty == ty::ARRAY) else {
        let t = type_of(v);
        return Err(bad(format!("Coordinates of polygon must be an array, instead got type {t}")));
    };
    let mut loops = members(whole).into_iter().flat_map(Doc::values);
    let (Some(only), None) = (loops.next(), loops.next()) else {
        let n = members(whole).into_iter().flat_map(Doc::values).count();
        let shown = display::value(whole);
        return Err(bad(format!(
            "Only one simple loop is allowed in a big polygon, instead provided {n} loops: {shown}"
        )));
    };
    Ok(Polygon { outer: Ring::new(ring(only, whole)?, true), holes: Vec::new() })
}

/// The coordinate reference system; true for the strict one.
fn strict(d: Doc<'_>, allowed: bool) -> Result<bool> {
    let Some(crs) = d.get("crs") else { return Ok(false) };
    let Some(crs) = members(crs) else {
        let t = crs.type_name();
        return Err(bad(format!("GeoJSON CRS must be an object, instead got type {t}")));
    };
    if crs.get("type").and_then(Val::as_str) != Some("name") {
        return Err(bad("GeoJSON CRS must have field \"type\": \"name\""));
    }
    let properties = crs.get("properties");
    let Some(name) = properties.and_then(members).map(|p| p.get("name")) else {
        let t = type_of(properties);
        return Err(bad(format!(
            "CRS must have field \"properties\" which is an object, instead got type {t}"
        )));
    };
    match name.and_then(Val::as_str) {
        Some("urn:ogc:def:crs:OGC:1.3:CRS84" | "EPSG:4326") => Ok(false),
        Some(STRICT) if allowed => Ok(true),
        Some(STRICT) => bail!(codes::BAD_VALUE, "Strict winding order CRS is only supported by polygon"),
        Some(other) => bail!(codes::BAD_VALUE, "Unknown CRS name: {other}"),
        None => bail!(
            codes::BAD_VALUE,
            "In CRS, \"properties.name\" must be a string, instead got type {}",
            type_of(name)
        ),
    }
}

/// A coordinate pair, and not GeoJSON: an array, or a document that begins with a number.
fn is_legacy(v: Val<'_>) -> bool {
    v.ty == ty::ARRAY || v.as_doc().and_then(Doc::first).is_some_and(|e| e.val.is_number())
}

fn legacy(v: Val<'_>, more: bool) -> Result<Geometry> {
    let at = pair(Some(v), more)?;
    let shape = on_earth(at).then(|| Shape { points: vec![sphere::point(at[0], at[1])], ..Shape::default() });
    Ok(Geometry { shape, flat: Some(at), legacy: true, strict: false })
}

fn geo_json(d: Doc<'_>) -> Result<Geometry> {
    let mut shape = Shape::default();
    let kind = d.get("type").and_then(Val::as_str).unwrap_or("");
    let (mut flat, mut strict) = (None, false);
    if kind == "GeometryCollection" {
        collection(d, &mut shape)?;
    } else {
        strict = single(d, kind, &mut shape)?;
        if kind == "Point" {
            flat = Some(pair(d.get("coordinates"), true)?);
        }
    }
    Ok(Geometry { shape: Some(shape), flat, legacy: false, strict })
}

fn collection(d: Doc<'_>, shape: &mut Shape) -> Result<()> {
    let parts = d.get("geometries");
    let Some(list) = parts.and_then(Val::as_array) else {
        let t = type_of(parts);
        return Err(bad(format!("GeometryCollection geometries must be an array, instead got type {t}")));
    };
    if list.is_empty() {
        return Err(bad("GeometryCollection geometries must have at least 1 element"));
    }
    for (i, part) in list.values().enumerate() {
        let shown = || display::value(part);
        let Some(inner) = part.as_doc() else {
            let t = part.type_name();
            return Err(bad(format!(
                "Element {i} of \"geometries\" must be an object, instead got type {t}: {}",
                shown()
            )));
        };
        let kind = inner.get("type").and_then(Val::as_str).unwrap_or("");
        if kind == "GeometryCollection" {
            return Err(bad(format!("GeometryCollections cannot be nested: {}", shown())));
        }
        single(inner, kind, shape).map_err(|e| {
            if e.message.starts_with("unknown GeoJSON type") {
                bad(format!("Unknown GeoJSON type: {}", shown()))
            } else {
                e
            }
        })?;
    }
    Ok(())
}

/// One geometry that is no collection; true for a polygon with strict winding order.
fn single(d: Doc<'_>, kind: &str, shape: &mut Shape) -> Result<bool> {
    let coordinates = d.get("coordinates");
    let strict = match kind {
        "Point" | "LineString" | "Polygon" | "MultiPoint" | "MultiLineString" | "MultiPolygon" => {
            strict(d, kind == "Polygon")?
        }
        _ => bail!(codes::BAD_VALUE, "unknown GeoJSON type: {}", display::document(d)),
    };
    match kind {
        "Point" => shape.points.push(spherical(pair(coordinates, true)?)?),
        "LineString" => shape.lines.push(line(coordinates)?),
        "Polygon" if strict => shape.polygons.push(big_area(coordinates)?),
        "Polygon" => shape.polygons.push(area(coordinates)?),
        "MultiPoint" => shape.points.extend(some(positions(coordinates)?, kind)?),
        "MultiLineString" => {
            let lines = list(coordinates, "MultiLineString coordinates must be an array", |v| line(Some(v)))?;
            shape.lines.extend(some(lines, kind)?);
        }
        _ => {
            let areas = list(coordinates, "MultiPolygon coordinates must be an array", |v| area(Some(v)))?;
            shape.polygons.extend(some(areas, kind)?);
        }
    }
    Ok(strict)
}

/// A stored value: GeoJSON, or a coordinate pair with possibly more behind it.
///
/// # Errors
/// `BadValue` in MongoDB's words, without the field's name.
pub(crate) fn stored(v: Val<'_>) -> Result<Geometry> {
    match members(v) {
        Some(_) if is_legacy(v) => legacy(v, true),
        Some(d) => geo_json(d),
        None => Err(bad("geo element must be an array or object")),
    }
}

/// The operand of `$geometry`.
///
/// # Errors
/// As [`stored`].
pub(crate) fn geometry(v: Val<'_>) -> Result<Geometry> {
    match members(v) {
        Some(_) if is_legacy(v) => legacy(v, false),
        Some(d) => geo_json(d),
        None => Err(bad("geometry must be an object")),
    }
}

/// The point of a `$near`: GeoJSON or a pair.
///
/// # Errors
/// As [`stored`].
pub(crate) fn near_point(v: Val<'_>) -> Result<Geometry> {
    let Some(d) = members(v) else { return legacy(v, false) };
    if is_legacy(v) {
        return legacy(v, false);
    }
    if let Some(kind) = d.get("type") {
        let kind = kind.as_str().unwrap_or("");
        if kind != "Point" {
            const KINDS: [&str; 6] = [
                "LineString",
                "Polygon",
                "MultiPoint",
                "MultiLineString",
                "MultiPolygon",
                "GeometryCollection",
            ];
            let shown = KINDS.iter().find(|k| **k == kind).unwrap_or(&"unknown");
            return Err(bad(format!("Expected geojson geometry with type Point, but got type {shown}")));
        }
    }
    let mut shape = Shape::default();
    single(d, "Point", &mut shape)?;
    let flat = Some(pair(d.get("coordinates"), true)?);
    Ok(Geometry { shape: Some(shape), flat, legacy: false, strict: false })
}
