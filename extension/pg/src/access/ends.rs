//! `min` and `max` of a find: the ends of a walk along an index.

use engine::collation::Collation;
use engine::key::bounds::Bounds;
use engine::{Doc, Error, codes};
use pgrx::pg_sys;

use super::Hint;
use super::inspect::inspect;
use super::pk::Ids;
use super::plan::{Plan, Want, Way};
use crate::catalog::Collection;
use crate::error::Result;
use crate::storage::Table;

/// `min` (included) and `max` (excluded) of a find: values for each field of the hinted index (MongoDB manual,
/// cursor.min).
#[derive(Clone, Copy, Debug, Default)]
pub struct Ends<'a> {
    /// Where to begin.
    pub min: Option<Doc<'a>>,
    /// Where to end.
    pub max: Option<Doc<'a>>,
}

impl Ends<'_> {
    /// Neither is given.
    pub fn are_open(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }
}

/// The way from `min` to `max` along the hinted index.
///
/// # Errors
/// 51174 when they are not of that index or its collation, 51175 in the wrong order,
/// NoQueryExecutionPlans 291 for a hint that is no index.
pub(super) fn between(
    table: &Table,
    c: &Collection,
    collation: &Collation,
    want: &Want<'_>,
    id_plan: impl Fn(Ids) -> Plan,
) -> Result<Plan> {
    let incompatible = || Error::new(codes::LOCATION51174, "The index chosen is not compatible with min/max");
    let disordered = || {
        let text = "The value provided for min() does not come before the value provided for max() in the hinted index";
        Error::new(codes::LOCATION51175, text)
    };
    if matches!(want.hint, Hint::Natural { .. }) {
        let text = "min and max are incompatible with $natural";
        return Err(Error::new(codes::UNABLE_TO_FIND_INDEX, text).into());
    }
    let Ends { min, max } = want.ends;
    let strings = [min, max].into_iter().flatten().flat_map(Doc::values).any(engine::compare::has_string);
    if want.hint == Hint::Id {
        if strings && !collation.is_simple() {
            return Err(incompatible().into());
        }
        let only = |d: Doc<'_>| {
            let first = d.first().filter(|e| e.name() == "_id" && d.iter().nth(1).is_none());
            first.map(|e| crate::types::wrap(e.val)).ok_or_else(incompatible)
        };
        let (min, max) = (min.map(only).transpose()?, max.map(only).transpose()?);
        if let (Some(min), Some(max)) = (&min, &max)
            && engine::compare::docs(Doc::trusted(min), Doc::trusted(max)).is_ge()
        {
            return Err(disordered().into());
        }
        let ge = min.map(|id| (pg_sys::BTGreaterEqualStrategyNumber as u16, id));
        let lt = max.map(|id| (pg_sys::BTLessStrategyNumber as u16, id));
        return Ok(id_plan(Ids::Range(ge.into_iter().chain(lt).collect())));
    }
    let Hint::Index(i) = want.hint else { return Err(incompatible().into()) };
    let index = c.indexes.get(i).filter(|x| x.relation != pg_sys::InvalidOid).ok_or_else(incompatible)?;
    if strings && *collation != index.collation {
        return Err(incompatible().into());
    }
    let (definition, traits) = inspect(table, index.relation)?.ok_or_else(incompatible)?;
    let spec = &definition.spec;
    let key = |d: Doc<'_>| spec.key_of(d).ok_or_else(incompatible);
    let (min, max) = (min.map(key).transpose()?, max.map(key).transpose()?);
    let bounds = Bounds::between(min, max).ok_or_else(disordered)?;
    let order = match (want.sort.is_empty(), *collation == index.collation) {
        (true, _) => Some(false),
        (false, true) => bounds.order(spec, &traits, want.sort),
        (false, false) => None,
    };
    let way = Way::Index {
        name: index.name.clone(),
        id: index.id,
        relation: index.relation,
        multi: traits.multi.iter().any(|m| *m),
        whole: false,
        definition,
        bounds,
        backward: order == Some(true),
    };
    Ok(Plan { way, sorted: order.is_some() })
}
