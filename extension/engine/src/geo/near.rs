//! `$near`, `$nearSphere` and `$geoNear`: documents by their distance from a point (MongoDB manual, "$near").

use super::EARTH_RADIUS;
use super::cover::{self, Flat, Grid, Numbers, Round};
use super::parse;
use super::sphere::{Point, Shape};
use crate::error::Result;
use crate::number;
use crate::path::{Leaf, Path};
use crate::raw::{Doc, Val};
use crate::{bail, codes, display};
use std::f64::consts::PI;

/// The point and the distances that are wanted. Distances are metres around a GeoJSON point, radians around a
/// coordinate pair on the sphere, and units of the coordinates on the plane.
#[derive(Clone, Debug)]
pub struct Near {
    center: Center,
    /// Least distance.
    pub min: f64,
    /// Greatest distance.
    pub max: f64,
}

#[derive(Clone, Debug)]
enum Center {
    Plane([f64; 2]),
    /// The second value is how many units of distance a radian has.
    Sphere(Point, f64),
}

/// Starts a query by distance.
#[must_use]
pub fn is_operator(name: &str) -> bool {
    matches!(name, "$near" | "$nearSphere" | "$geoNear")
}

fn limit(v: Val<'_>, name: &str, number_code: crate::Code, sign_code: crate::Code) -> Result<f64> {
    if !v.is_number() {
        bail!(number_code, "{name} must be a number");
    }
    let n = number::to_f64(v);
    if n.is_nan() || n < 0.0 {
        bail!(sign_code, "{name} must be non-negative");
    }
    Ok(n)
}

impl Near {
    /// Reads a document of operators one of which [`is_operator`].
    ///
    /// # Errors
    /// MongoDB's for bad points, distances and companions.
    pub fn parse(d: Doc<'_>) -> Result<Self> {
        if let Some(near) = Self::parse_beside(d)? {
            return Ok(near);
        }
        Self::parse_inside(d)
    }

    /// `{$near: point, $minDistance: …, $maxDistance: …}`; `None` when the operand is no point.
    fn parse_beside(d: Doc<'_>) -> Result<Option<Self>> {
        let (mut near, mut min, mut max) = (None, 0.0, None);
        for e in d {
            let v = e.val;
            match e.name() {
                name if is_operator(name) => {
                    if v.as_doc().or_else(|| v.as_array()).is_none() {
                        return Ok(None);
                    }
                    let on_sphere = name == "$nearSphere";
                    if let Ok(point) = parse::near_point(v) {
                        near = Some((point, on_sphere));
                    } else if let Some((point, far)) = with_distance(v) {
                        if far.is_nan() || far < 0.0 {
                            bail!(codes::LOCATION18522, "max distance must be non-negative");
                        }
                        near = Some((point, on_sphere));
                        max = Some(far);
                    }
                }
                "$minDistance" => {
                    min = limit(v, "$minDistance", codes::LOCATION16893, codes::LOCATION16894)?;
                }
                "$maxDistance" => {
                    max = Some(limit(v, "$maxDistance", codes::LOCATION16895, codes::LOCATION16896)?);
                }
                "$uniqueDocs" => {}
                name => bail!(codes::LOCATION34413, "invalid argument in geo near query: {name}"),
            }
        }
        let Some((point, on_sphere)) = near else { return Ok(None) };
        Self::new(&point, on_sphere, min, max.unwrap_or(f64::INFINITY)).map(Some)
    }

    /// `{$near: {$geometry: point, $minDistance: …, $maxDistance: …}}`
    fn parse_inside(d: Doc<'_>) -> Result<Self> {
        let mut all = d.iter();
        let Some(e) = all.next() else { bail!(codes::BAD_VALUE, "empty geo near query object") };
        if let Some(extra) = all.next() {
            bail!(
                codes::BAD_VALUE,
                "geo near accepts just one argument when querying for a GeoJSON point. Extra field found: {}: {}",
                extra.name(),
                display::value(extra.val)
            );
        }
        let Some(spec) = e.val.as_doc().or_else(|| e.val.as_array()) else {
            bail!(codes::BAD_VALUE, "geo near query argument is not an object");
        };
        let (mut point, mut min, mut max) = (None, 0.0, f64::INFINITY);
        let finite = |v: Val<'_>, name: &str| {
            let n = limit(v, name, codes::BAD_VALUE, codes::BAD_VALUE)?;
            if n.is_infinite() {
                bail!(codes::BAD_VALUE, "{name} must be non-negative");
            }
            Ok(n)
        };
        for e in spec {
            match e.name() {
                "$geometry" => {
                    let Some(shown) = e.val.as_doc().or_else(|| e.val.as_array()) else { continue };
                    let shown = display::document(shown);
                    let found = parse::near_point(e.val).map_err(|why| {
                        let message = format!(
                            "invalid point in geo near query $geometry argument: {shown}  {}",
                            why.message
                        );
                        crate::Error::new(codes::BAD_VALUE, message)
                    })?;
                    if found.legacy {
                        bail!(codes::BAD_VALUE, "$near requires geojson point, given {shown}");
                    }
                    point = Some(found);
                }
                "$minDistance" => min = finite(e.val, "$minDistance")?,
                "$maxDistance" => max = finite(e.val, "$maxDistance")?,
                name => bail!(codes::BAD_VALUE, "invalid argument in geo near query: {name}"),
            }
        }
        let Some(point) = point else {
            bail!(codes::BAD_VALUE, "$geometry is required for geo near query");
        };
        Self::new(&point, false, min, max)
    }

    /// Around `point`; a coordinate pair counts as a place on the sphere if `on_sphere`.
    ///
    /// # Errors
    /// `BadValue` for a pair that is no longitude and latitude.
    fn new(point: &parse::Geometry, on_sphere: bool, min: f64, max: f64) -> Result<Self> {
        let round = point.shape.as_ref().and_then(|s| s.points.first()).copied();
        let center = match (point.legacy, on_sphere, round, point.flat) {
            (false, _, Some(p), _) => Center::Sphere(p, EARTH_RADIUS),
            (true, true, Some(p), _) => Center::Sphere(p, 1.0),
            (true, false, _, Some(p)) => Center::Plane(p),
            _ => bail!(codes::BAD_VALUE, "Legacy point is out of bounds for spherical query"),
        };
        Ok(Self { center, min, max })
    }

    /// Distances are along the sphere.
    #[must_use]
    pub fn on_sphere(&self) -> bool {
        matches!(self.center, Center::Sphere(..))
    }

    /// An index of coordinate pairs (`2d`) can answer: the point was given as a pair.
    #[must_use]
    pub fn by_pairs(&self) -> bool {
        !matches!(self.center, Center::Sphere(_, unit) if unit != 1.0)
    }

    /// No distance is greater: half way round the sphere, or across the square of a `2d` index.
    #[must_use]
    pub fn farthest(&self, grid: Option<Grid>) -> f64 {
        match (&self.center, grid) {
            (Center::Sphere(_, unit), _) => PI * unit,
            (Center::Plane(p), Some(g)) => super::plane::distances(*p, [g.min; 2], [g.max; 2]).1,
            (Center::Plane(_), None) => f64::INFINITY,
        }
    }

    /// A first guess at how far the nearest are.
    #[must_use]
    pub fn first_step(&self, grid: Option<Grid>) -> f64 {
        match (&self.center, grid) {
            (Center::Sphere(_, unit), _) => unit * 20.0 / EARTH_RADIUS,
            (Center::Plane(_), Some(g)) => (g.max - g.min) / 1e5,
            (Center::Plane(_), None) => 1.0,
        }
    }

    /// The numbers under which an index keeps everything between two distances; with a grid those of a `2d` index.
    #[must_use]
    pub fn numbers(&self, from: f64, to: f64, grid: Option<Grid>) -> Vec<Numbers> {
        match (&self.center, grid) {
            (Center::Sphere(p, unit), None) => cover::sphere_numbers(&Round::Ring(p, from / unit, to / unit)),
            (Center::Sphere(p, unit), Some(g)) => g.numbers(&Flat::RoundRing(p, to / unit)),
            (Center::Plane(p), Some(g)) => g.numbers(&Flat::Ring(*p, from, to)),
            (Center::Plane(_), None) => Vec::new(),
        }
    }

    fn distance_to(&self, v: Val<'_>) -> Option<f64> {
        let g = parse::stored(v).ok().filter(|g| !g.strict)?;
        match &self.center {
            Center::Plane(p) => g.flat.map(|q| (p[0] - q[0]).hypot(p[1] - q[1])),
            Center::Sphere(p, unit) => {
                g.shape.as_ref().map(|s: &Shape| s.distance(p) * unit).filter(|d| d.is_finite())
            }
        }
    }

    /// Distance of the nearest geometry a stored value holds, and that geometry. A value may be a list of them.
    fn closest<'v>(&self, v: Val<'v>) -> Option<(f64, Val<'v>)> {
        let list = v.as_array().filter(|a| {
            a.values().next().is_some_and(|first| first.as_array().is_some() || first.as_doc().is_some())
        });
        match list {
            None => self.distance_to(v).map(|d| (d, v)),
            Some(list) => list
                .values()
                .filter_map(|one| self.distance_to(one).map(|d| (d, one)))
                .min_by(|a, b| a.0.total_cmp(&b.0)),
        }
    }

    /// A stored value lies in the wanted distances.
    #[must_use]
    pub fn test(&self, v: Val<'_>) -> bool {
        self.closest(v).is_some_and(|(d, _)| d >= self.min && d <= self.max)
    }

    /// Distance of the nearest geometry at a path of a document, and that geometry.
    ///
    /// # Errors
    /// None of its own.
    pub fn measure<'d>(&self, path: &Path, doc: Doc<'d>) -> Result<Option<(f64, Val<'d>)>> {
        let mut best: Option<(f64, Val<'d>)> = None;
        path.visit(doc, Leaf::Whole, &mut |v, _| {
            if let Some(found) = v.and_then(|v| self.closest(v))
                && best.is_none_or(|b| found.0 < b.0)
            {
                best = Some(found);
            }
            Ok(false)
        })?;
        Ok(best)
    }
}

/// `[x, y, greatest distance]`
fn with_distance(v: Val<'_>) -> Option<(parse::Geometry, f64)> {
    let values: Vec<f64> = v
        .as_doc()
        .or_else(|| v.as_array())?
        .values()
        .map(|v| v.is_number().then(|| number::to_f64(v)))
        .collect::<Option<_>>()?;
    let &[x, y, far] = values.as_slice() else { return None };
    let shape = parse::on_earth([x, y])
        .then(|| Shape { points: vec![super::sphere::point(x, y)], ..Shape::default() });
    Some((parse::Geometry { shape, flat: Some([x, y]), legacy: true, strict: false }, far))
}
