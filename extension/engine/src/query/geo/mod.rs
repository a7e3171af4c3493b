//! Geospatial predicates (MongoDB manual, "Geospatial Query Operators"): `$geoWithin` and `$geoIntersects`.

use crate::error::Result;
use crate::geo::cover::{Flat, Grid, Numbers, Round, sphere_numbers};
use crate::geo::plane::Region;
use crate::geo::sphere::{Cap, Shape};
use crate::geo::{parse, shapes};
use crate::raw::Val;
use crate::{bail, codes, display};

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
        let Some(spec) = v.as_doc() else {
            bail!(codes::BAD_VALUE, "geometry must be an object");
        };
        let within = name != "$geoIntersects";
        let operator = if within { "$within" } else { "$geoIntersect" };
        let unsupported = || {
            let shown = display::document(spec);
            let message = format!("{operator} not supported with provided geometry: {{ {name}: {shown} }}");
            crate::Error::new(codes::BAD_VALUE, message)
        };
        let mut test = None;
        for e in spec {
            if test.is_some() && name == "$geoWithin" {
                let shown = display::document(spec);
                bail!(codes::BAD_VALUE, "$geoWithin doesn't accept multiple shapes $geoWithin: {shown}");
            }
            let unknown = || {
                let message = format!("unknown geo specifier: {}: {}", e.name(), display::value(e.val));
                crate::Error::new(codes::BAD_VALUE, message)
            };
            if e.name() == "$uniqueDocs" {
                continue;
            }
            if e.val.as_doc().or_else(|| e.val.as_array()).is_none() {
                return Err(unknown());
            }
            test = Some(match e.name() {
                "$geometry" => {
                    let found = parse::geometry(e.val)?;
                    match found.shape {
                        Some(s) if within && s.is_area() => Test::WithinShape(s),
                        Some(s) if !within => Test::Intersects(s),
                        _ => return Err(unsupported()),
                    }
                }
                "$box" => Test::WithinRegion(shapes::rectangle(e.val)?),
                "$polygon" => Test::WithinRegion(shapes::polygon(e.val)?),
                "$center" => Test::WithinRegion(shapes::circle(e.val)?),
                "$centerSphere" => Test::WithinCap(shapes::cap(e.val)?),
                _ => return Err(unknown()),
            });
        }
        match test {
            Some(Test::WithinRegion(_) | Test::WithinCap(_)) if !within => Err(unsupported()),
            Some(test) => Ok(Self { name: name.into(), test }),
            None => bail!(codes::BAD_VALUE, "geo query doesn't have any geometry"),
        }
    }

    /// The operator's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tests a stored value: a GeoJSON object, or a pair of coordinates as array or document. Polygons with strict
    /// winding order never match.
    #[must_use]
    pub fn test(&self, v: Val<'_>) -> bool {
        let Some(g) = parse::stored(v).ok().filter(|g| !g.strict) else { return false };
        match &self.test {
            Test::WithinShape(area) => g.shape.is_some_and(|s| area.contains(&s)),
            Test::WithinCap(cap) => g.shape.is_some_and(|s| cap.contains(&s)),
            Test::WithinRegion(region) => g.flat.is_some_and(|p| region.contains(p)),
            Test::Intersects(shape) => g.shape.is_some_and(|s| shape.intersects(&s)),
        }
    }

    /// The numbers under which an index keeps everything that may match; with a grid those of a `2d` index. `None`:
    /// such an index can't tell.
    #[must_use]
    pub fn numbers(&self, grid: Option<Grid>) -> Option<Vec<Numbers>> {
        Some(match (&self.test, grid) {
            (Test::WithinShape(s) | Test::Intersects(s), None) => sphere_numbers(&Round::Shape(s)),
            (Test::WithinCap(c), None) => sphere_numbers(&Round::Cap(c)),
            (Test::WithinRegion(r), Some(g)) => g.numbers(&Flat::Region(r)),
            (Test::WithinCap(c), Some(g)) => g.numbers(&Flat::Cap(c)),
            _ => return None,
        })
    }
}
