//! Geospatial predicates (MongoDB manual, "Geospatial Query Operators"): `$geoWithin` and `$geoIntersects`.
//!
//! GeoJSON lives on the sphere, its edges are great circles; `$box`, `$polygon` and `$center` live on the plane.
//! `$near` and its companions need an index that orders by distance and are refused.

mod parse;
mod plane;
mod sphere;

use super::context::{ParseContext, Place};
use crate::error::Result;
use crate::raw::{Doc, Val};
use crate::{bail, codes, display};
use plane::Region;
use sphere::{Cap, Shape};

/// A parsed geospatial predicate.
#[derive(Debug)]
pub struct GeoPredicate {
    name: Box<str>,
    test: Test,
}

#[derive(Debug)]
enum Test {
    /// Inside of a (multi)polygon on the sphere.
    WithinShape(Shape),
    /// Inside of a circle on the sphere.
    WithinCap(Cap),
    /// A point inside of a figure on the plane.
    WithinRegion(Region),
    /// Has a point in common with a geometry on the sphere.
    Intersects(Shape),
}

impl GeoPredicate {
    /// Parses `$geoWithin` (or its old name `$within`) or `$geoIntersects`.
    ///
    /// # Errors
    /// `BadValue` for what is not a geometry the operator takes.
    pub fn parse(name: &str, v: Val<'_>) -> Result<Self> {
        let Some(spec) = v.as_doc().or_else(|| v.as_array()) else {
            bail!(codes::BAD_VALUE, "geometry must be an object");
        };
        let within = name != "$geoIntersects";
        let mut test = None;
        for e in spec {
            test = Some(match e.name() {
                "$geometry" => {
                    let shape = parse::geometry(e.val)?;
                    if within && !shape.is_area() {
                        bail!(
                            codes::BAD_VALUE,
                            "$geoWithin not supported with provided geometry: {}",
                            display::document(spec)
                        );
                    }
                    if within { Test::WithinShape(shape) } else { Test::Intersects(shape) }
                }
                "$box" if within => Test::WithinRegion(parse::rectangle(e.val)?),
                "$polygon" if within => Test::WithinRegion(parse::polygon(e.val)?),
                "$center" if within => Test::WithinRegion(parse::circle(e.val)?),
                "$centerSphere" if within => Test::WithinCap(parse::cap(e.val)?),
                "$uniqueDocs" => continue,
                "$box" | "$polygon" | "$center" | "$centerSphere" => bail!(
                    codes::BAD_VALUE,
                    "$geoIntersects not supported with provided geometry: {}",
                    display::document(spec)
                ),
                other => bail!(codes::BAD_VALUE, "unknown geo specifier: {other}: {}", display::value(e.val)),
            });
        }
        match test {
            Some(test) => Ok(Self { name: name.into(), test }),
            None => bail!(codes::BAD_VALUE, "{name} requires a geometry: {}", display::document(spec)),
        }
    }

    /// Looks for `$near` and its companions in a document of operators.
    ///
    /// # Errors
    /// `UnableToFindIndex`: there is no geospatial index to answer it; 5626500 in an aggregation's `$match`.
    pub fn parse_near(d: Doc<'_>, cx: &ParseContext<'_>) -> Result<()> {
        if !d.iter().any(|e| matches!(e.name(), "$near" | "$nearSphere" | "$geoNear")) {
            return Ok(());
        }
        if cx.place == Place::Match {
            bail!(codes::LOCATION5626500, "$geoNear, $near, and $nearSphere are not allowed in this context");
        }
        bail!(
            codes::UNABLE_TO_FIND_INDEX,
            "planner returned error :: caused by :: unable to find index for $geoNear query"
        )
    }

    /// The operator's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tests a stored value: a GeoJSON object, or a pair of coordinates as array or document.
    #[must_use]
    pub fn test(&self, v: Val<'_>) -> bool {
        match &self.test {
            Test::WithinShape(area) => parse::stored(v).is_some_and(|s| area.contains(&s)),
            Test::WithinCap(cap) => parse::stored(v).is_some_and(|s| cap.contains(&s)),
            Test::WithinRegion(region) => parse::stored_point(v).is_some_and(|p| region.contains(p)),
            Test::Intersects(shape) => parse::stored(v).is_some_and(|s| shape.intersects(&s)),
        }
    }
}

#[cfg(test)]
mod tests;
