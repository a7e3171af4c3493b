//! Geometries in index keys: the numbers of the cells they lie in (`2dsphere`, `2d`), and ranges of those for queries.

use super::bounds::{Bounds, Traits};
use super::filter::{Interval, Predicate};
use super::{KeySpec, NULL};
use crate::geo::cover::{self, Grid, Numbers};
use crate::geo::near::Near;
use crate::geo::parse;
use crate::query::Query;
use crate::raw::{Doc, Val};
use crate::{Error, Result, bail, codes, display, number};

/// First byte of a geometry's component: behind [`NULL`].
const CELL: u8 = 6;

/// The kinds of geospatial indexes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GeoKind {
    /// `2dsphere`
    Sphere,
    /// `2d`, with the square it covers.
    Plane(Grid),
}

// The numbers of a grid come from an index's definition and are never NaN.
impl Eq for GeoKind {}

impl GeoKind {
    /// The kind a component of a key pattern names; `options` has `bits`, `min` and `max` of a `2d` index.
    #[must_use]
    pub fn of(component: Val<'_>, options: Doc<'_>) -> Option<Self> {
        match component.as_str() {
            Some("2dsphere") => Some(Self::Sphere),
            Some("2d") => {
                let number = |name| options.get(name).filter(|v| v.is_number()).map(number::to_f64);
                let plain = Grid::default();
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
                let bits = number("bits").map_or(plain.bits, |b| b.clamp(1.0, 32.0) as u32);
                let (min, max) = (number("min").unwrap_or(plain.min), number("max").unwrap_or(plain.max));
                Some(Self::Plane(Grid { bits, min, max }))
            }
            _ => None,
        }
    }

    /// The grid of a `2d` index.
    #[must_use]
    pub fn grid(&self) -> Option<Grid> {
        match self {
            Self::Sphere => None,
            Self::Plane(grid) => Some(*grid),
        }
    }

    /// Components of a stored value at `path`; none for null and, in a `2d` index, for what is no location at all.
    ///
    /// # Errors
    /// MongoDB's reasons why a value can't be indexed; [`KeySpec::extract`] adds the document.
    pub(super) fn components(&self, v: Val<'_>, path: &str) -> Result<Vec<Vec<u8>>> {
        if v.is_nullish() {
            return Ok(Vec::new());
        }
        let mut numbers = match self {
            Self::Sphere => on_sphere(v, path)?,
            Self::Plane(grid) => on_plane(v, *grid)?,
        };
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers.into_iter().map(component).collect())
    }
}

fn component(n: u64) -> Vec<u8> {
    let mut out = vec![CELL];
    out.extend_from_slice(&n.to_be_bytes());
    out
}

fn on_sphere(v: Val<'_>, path: &str) -> Result<Vec<u64>> {
    let shown = || format!("{path}: {}", display::value(v));
    if v.as_doc().or_else(|| v.as_array()).is_none() {
        bail!(codes::BAD_VALUE, "geo element must be an array or object: {}", shown());
    }
    match parse::stored(v)?.shape {
        Some(shape) => Ok(cover::stored(&shape)),
        None => bail!(codes::BAD_VALUE, "can't project geometry into spherical CRS: {}", shown()),
    }
}

/// One location, or an array (or document) of locations; empty ones are passed over.
fn on_plane(v: Val<'_>, grid: Grid) -> Result<Vec<u64>> {
    let mut out = Vec::new();
    let Some(all) = v.as_array().or_else(|| v.as_doc()) else { return Ok(out) };
    if all.values().next().is_some_and(Val::is_number) {
        return Ok(vec![location(all, grid)?]);
    }
    for one in all.values() {
        let Some(one) = one.as_array().or_else(|| one.as_doc()) else {
            bail!(codes::LOCATION16804, "location object expected, location array not in correct format");
        };
        if !one.is_empty() {
            out.push(location(one, grid)?);
        }
    }
    Ok(out)
}

fn location(pair: Doc<'_>, grid: Grid) -> Result<u64> {
    let mut values = pair.values();
    let (Some(x), Some(y)) = (values.next(), values.next()) else {
        bail!(codes::LOCATION13068, "geo field only has 1 element");
    };
    if !x.is_number() || !y.is_number() {
        bail!(codes::LOCATION13026, "geo values must be 'legacy coordinate pairs' for 2d indexes");
    }
    let at = [number::to_f64(x), number::to_f64(y)];
    if !grid.holds(at) {
        bail!(codes::LOCATION13027, "point not in interval of [ {}, {} ]", grid.min, grid.max);
    }
    Ok(grid.number(at))
}

fn intervals(numbers: &[Numbers]) -> Vec<Interval> {
    let one =
        |(lo, hi): &Numbers| Interval { lo: component(*lo), lo_in: true, hi: component(*hi), hi_in: true };
    numbers.iter().map(one).collect()
}

impl KeySpec {
    /// Has a geospatial component.
    #[must_use]
    pub fn is_geo(&self) -> bool {
        self.fields.iter().any(|f| f.geo.is_some())
    }

    /// Puts the document to an error about its geometries, as MongoDB words them.
    pub(super) fn about(&self, e: Error, doc: Doc<'_>) -> Error {
        if !self.is_geo() {
            return e;
        }
        let shown = || display::document(doc);
        match e.code {
            codes::BAD_VALUE => {
                let text = format!("Can't extract geo keys: {}  {}", shown(), e.message);
                Error::new(codes::LOCATION16755, text)
            }
            codes::LOCATION13068 | codes::LOCATION13026 | codes::LOCATION13027 => {
                Error::new(e.code, format!("{} :: caused by :: {}", e.message, shown()))
            }
            _ => e,
        }
    }
}

/// The part of a geospatial index that `query`'s geometries and the `conditions` on other fields need; `None` when it
/// is of no use: it then has not even every document that matches.
#[must_use]
pub fn bounds(spec: &KeySpec, traits: &Traits, conditions: &[Predicate], query: &Query) -> Option<Bounds> {
    let mut all = plain(spec, conditions);
    for f in &spec.fields {
        let Some(kind) = &f.geo else { continue };
        for (_, geo) in query.geo().filter(|(path, _)| path.as_str() == f.path) {
            if let Some(numbers) = geo.numbers(kind.grid()) {
                let set = intervals(&numbers);
                all.push(Predicate { path: f.path.clone(), set, exact: false });
            }
        }
    }
    let found = Bounds::of(spec, traits, &all);
    let bound = spec.fields.iter().take(found.used).any(|f| f.geo.is_some());
    bound.then_some(found)
}

/// The part of the index that has the documents between two distances at the component `field`.
#[must_use]
pub fn near_bounds(
    spec: &KeySpec,
    traits: &Traits,
    conditions: &[Predicate],
    (field, near): (usize, &Near),
    (from, to): (f64, f64),
) -> Bounds {
    let mut all = plain(spec, conditions);
    if let Some((f, kind)) = spec.fields.get(field).and_then(|f| Some((f, f.geo?))) {
        let set = intervals(&near.numbers(from, to, kind.grid()));
        all.push(Predicate { path: f.path.clone(), set, exact: false });
    }
    Bounds::of(spec, traits, &all)
}

/// The component of an index that can tell distances at `path`, if the conditions reach it: each component before it is
/// restricted.
#[must_use]
pub fn near_field(spec: &KeySpec, conditions: &[Predicate], path: &str, near: &Near) -> Option<usize> {
    let fits = |kind: GeoKind| match kind {
        GeoKind::Sphere => near.on_sphere(),
        GeoKind::Plane(_) => near.by_pairs(),
    };
    let field = spec.fields.iter().position(|f| f.path == path && f.geo.is_some_and(fits))?;
    let restricted = |path: &str| conditions.iter().any(|p| p.path == path);
    spec.fields.iter().take(field).all(|f| f.geo.is_none() && restricted(&f.path)).then_some(field)
}

/// Conditions on values: a geometry's component knows nothing of them.
fn plain(spec: &KeySpec, conditions: &[Predicate]) -> Vec<Predicate> {
    let values = |p: &&Predicate| !spec.fields.iter().any(|f| f.geo.is_some() && f.path == p.path);
    conditions.iter().filter(values).cloned().collect()
}

const _: () = assert!(CELL > NULL);
