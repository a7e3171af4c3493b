//! Choosing the way to the documents.
//!
//! Rules, best first: the primary key for `_id` equality; the secondary index (or primary key) that fixes most leading
//! fields, then one that also restricts the next; one that gives the wanted order; the whole table. A hint decides alone.

use std::rc::Rc;

use engine::Doc;
use engine::key::bounds::{Bounds, Traits, implies};
use engine::key::{Predicate, TRUNCATED, predicates};
use engine::query::Query;
use pgrx::pg_sys;

use super::Hint;
use super::near::{self, NearWay};
use super::pk::{Ids, ids};
use crate::am::{Definition, definition, marker_numbers};
use crate::catalog::{Collection, Index};
use crate::error::Result;
use crate::storage::{Table, first_key};

/// What the command wants besides the filter.
#[derive(Clone, Debug)]
pub struct Want<'a> {
    /// Paths with a descending flag; empty for no order.
    pub sort: &'a [(String, bool)],
    /// Only a few of the first documents are needed.
    pub few: bool,
    /// A way that is prescribed.
    pub hint: Hint,
}

/// A way.
#[derive(Clone)]
pub enum Way {
    /// The whole table.
    Heap,
    /// The primary key.
    Id { ids: Ids, backward: bool },
    /// A secondary index.
    Index {
        name: String,
        id: i32,
        relation: pg_sys::Oid,
        definition: Rc<Definition>,
        bounds: Bounds,
        backward: bool,
        multi: bool,
    },
    /// A geospatial index, by distance.
    Near(NearWay),
}

/// A way and what it gives.
#[derive(Clone)]
pub struct Plan {
    /// The way.
    pub way: Way,
    /// Documents come in the wanted order.
    pub sorted: bool,
}

impl Plan {
    /// One line for tests and logs: which index, if any.
    pub fn describe(&self) -> String {
        match &self.way {
            Way::Heap => "COLLSCAN".to_owned(),
            Way::Id { ids: Ids::All, .. } => "IXSCAN _id_ (all)".to_owned(),
            Way::Id { .. } => "IXSCAN _id_".to_owned(),
            Way::Near(way) => format!("{} {}", way.stage(), way.name),
            Way::Index { name, bounds, .. } => format!("IXSCAN {name} ({} fields bound)", bounds.used),
        }
    }
}

/// Chooses a way to the documents of `table` that match `query`.
pub fn plan(table: &Table, c: &Collection, query: &Query, want: &Want<'_>) -> Result<Plan> {
    if let Some(near) = query.near() {
        return near::plan(table, c, query, near, want);
    }
    let by_id = match want.sort {
        [(path, descending)] if path == "_id" => Some(*descending),
        _ => None,
    };
    let id_plan = |ids| Plan {
        way: Way::Id { ids, backward: by_id.unwrap_or(false) },
        sorted: want.sort.is_empty() || by_id.is_some(),
    };
    let heap = Plan { way: Way::Heap, sorted: want.sort.is_empty() };
    let conditions = predicates(query.source());
    match want.hint {
        Hint::Natural => return Ok(heap),
        Hint::Id => return Ok(id_plan(ids(query))),
        Hint::Index(i) => {
            let hinted = c.indexes.get(i).filter(|x| x.relation != pg_sys::InvalidOid);
            let Some(index) = hinted else { return Ok(heap) };
            return Ok(match candidate(table, query, &conditions, want, index, true)? {
                Some((_, plan)) => plan,
                None => heap,
            });
        }
        Hint::None => {}
    }
    let ids = ids(query);
    let id_score = match &ids {
        Ids::Points(p) if p.len() <= 1 => return Ok(Plan { sorted: true, ..id_plan(ids) }),
        Ids::Points(_) => 90,
        Ids::Range(_) => 30,
        Ids::All => 0,
    } + order_score(by_id.is_some(), ids != Ids::All, want);
    let mut best = (1, heap);
    if id_score > best.0 {
        best = (id_score, id_plan(ids));
    }
    for index in &c.indexes {
        if let Some((score, plan)) = candidate(table, query, &conditions, want, index, false)?
            && score > best.0
        {
            best = (score, plan);
        }
    }
    Ok(best.1)
}

/// An order for nothing is worth most for a few documents, and more than sorting in memory always.
fn order_score(sorted: bool, restricted: bool, want: &Want<'_>) -> usize {
    match (sorted && !want.sort.is_empty(), restricted, want.few) {
        (false, ..) => 0,
        (true, true, _) | (true, false, true) => 40,
        (true, false, false) => 20,
    }
}

fn candidate(
    table: &Table,
    query: &Query,
    conditions: &[Predicate],
    want: &Want<'_>,
    index: &Index,
    hinted: bool,
) -> Result<Option<(usize, Plan)>> {
    if !index.valid || index.relation == pg_sys::InvalidOid || hidden(index) && !hinted {
        return Ok(None);
    }
    let first = Doc::trusted(&index.key).first().map(|e| e.name());
    let related = |path: &str| first == Some(path);
    let geo = near::is_geo(index) && query.geo().next().is_some();
    let useful =
        geo || conditions.iter().any(|p| related(&p.path)) || want.sort.iter().any(|(p, _)| related(p));
    if !useful && !hinted {
        return Ok(None);
    }
    if let Some(partial) = &index.partial
        && !implies(query.source(), conditions, Doc::trusted(partial))
        && !hinted
    {
        return Ok(None);
    }
    let Some((definition, traits)) = inspect(table, index.relation)? else { return Ok(None) };
    let spec = &definition.spec;
    let bounds = if spec.is_geo() {
        let Some(bounds) = engine::key::geo::bounds(spec, &traits, conditions, query) else {
            return Ok(None);
        };
        bounds
    } else {
        Bounds::of(spec, &traits, conditions)
    };
    if spec.sparse && !bounds.present && !hinted {
        return Ok(None);
    }
    let order = if want.sort.is_empty() {
        Some(false)
    } else if spec.is_geo() {
        None
    } else {
        bounds.order(spec, &traits, want.sort)
    };
    let score = bounds.fixed * 100
        + if bounds.used > bounds.fixed { 30 } else { 0 }
        + usize::from(spec.unique && bounds.fixed == spec.fields.len())
        + order_score(order.is_some(), bounds.used > 0, want);
    if score == 0 && !hinted {
        return Ok(None);
    }
    let way = Way::Index {
        name: index.name.clone(),
        id: index.id,
        relation: index.relation,
        multi: traits.multi.iter().any(|m| *m),
        definition,
        bounds,
        backward: order == Some(true),
    };
    Ok(Some((score, Plan { way, sorted: order.is_some() })))
}

pub(super) fn hidden(index: &Index) -> bool {
    let options = index.options.as_deref().map(Doc::trusted);
    options.and_then(|d| d.get("hidden")).and_then(|v| v.as_bool()).unwrap_or(false)
}

/// Definition and traits of an index; `None` when this snapshot must not use it.
pub(super) fn inspect(table: &Table, relation: pg_sys::Oid) -> Result<Option<(Rc<Definition>, Traits)>> {
    // SAFETY: the index is locked and closed here; its catalog row lives with the open relation.
    unsafe {
        let index = pg_sys::try_relation_open(relation, pg_sys::AccessShareLock as i32);
        if index.is_null() {
            return Ok(None);
        }
        let result = usable(index).then(|| {
            let definition = definition(index)?;
            let traits = traits(table, index, definition.spec.fields.len());
            Ok((definition, traits))
        });
        pg_sys::relation_close(index, pg_sys::NoLock as i32);
        result.transpose()
    }
}

/// What PostgreSQL's planner asks of an index before it takes it (plancat.c): valid, and not younger than this
/// snapshot when its build met rows with a history.
///
/// # Safety
/// `index` is open.
unsafe fn usable(index: pg_sys::Relation) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let form = &*(*index).rd_index;
        if !form.indisvalid {
            return false;
        }
        let row = (*(*index).rd_indextuple).t_data;
        let frozen = u32::from((*row).t_infomask) & pg_sys::HEAP_XMIN_FROZEN == pg_sys::HEAP_XMIN_FROZEN;
        let made = if frozen { pg_sys::FrozenTransactionId } else { (*row).t_choice.t_heap.t_xmin };
        !form.indcheckxmin || pg_sys::TransactionIdPrecedes(made, pg_sys::TransactionXmin)
    }
}

fn traits(table: &Table, index: pg_sys::Relation, components: usize) -> Traits {
    let marked = |number: u8| {
        let end = if number == TRUNCATED { vec![1] } else { vec![0, number + 1] };
        first_key(table, index, &[0, number], &end)
    };
    if !first_key(table, index, &[0], &[1]) {
        return Traits { multi: vec![false; components], truncated: false };
    }
    let mut flags: Vec<bool> = marker_numbers(components).map(marked).collect();
    let truncated = flags.pop().unwrap_or(true);
    Traits { multi: flags, truncated }
}
