//! Choosing the way to the documents.
//!
//! Rules, best first: the primary key for `_id` equality; the secondary index (or primary key) that fixes most leading
//! fields, then one that also restricts the next; one that gives the wanted order; the whole table. A hint decides alone.

use std::rc::Rc;

use engine::collation::Collation;
use engine::key::bounds::{Bounds, Traits, implies};
use engine::key::{
    Choice, KeySpec, Predicate, Strings, TRUNCATED, Wildcard, is_wildcard, marker, path_marker, predicates,
};
use engine::query::Query;
use engine::{Doc, Error, codes};
use pgrx::pg_sys;

use super::Hint;
use super::near::{self, NearWay};
use super::pk::{Ids, ids};
use crate::am::{Definition, definition, marker_numbers};
use crate::catalog::{Collection, Index};
use crate::error::Result;
use crate::storage::{Table, first_key};

/// Most choices of an `$or` that are looked up one by one.
const MAX_CHOICES: usize = 64;

/// What the command wants besides the filter.
#[derive(Clone, Debug)]
pub struct Want<'a> {
    /// Paths with a descending flag; empty for no order.
    pub sort: &'a [(String, bool)],
    /// Only a few of the first documents are needed.
    pub few: bool,
    /// A way that is prescribed.
    pub hint: Hint,
    /// Ends of the walk along a hinted index.
    pub ends: Ends<'a>,
}

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

/// A way.
#[derive(Clone)]
pub enum Way {
    /// The whole table.
    Heap { backward: bool },
    /// A whole capped collection, in the order of insertion.
    Order { backward: bool },
    /// One way for each choice of the filter's `$or`; a document counts under the first choice that it matches.
    Or(Vec<Plan>),
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
            Way::Heap { .. } | Way::Order { .. } => "COLLSCAN".to_owned(),
            Way::Or(choices) => {
                let each: Vec<String> = choices.iter().map(Plan::describe).collect();
                format!("OR ({})", each.join(", "))
            }
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
    // The primary key has strings by their bytes.
    let by_bytes = query.collation().is_simple();
    let by_id = match want.sort {
        [(path, descending)] if path == "_id" && by_bytes => Some(*descending),
        _ => None,
    };
    let id_plan = |ids| Plan {
        way: Way::Id { ids, backward: by_id.unwrap_or(false) },
        sorted: want.sort.is_empty() || by_id.is_some(),
    };
    let heap = |backward| {
        let way = if c.capped.is_some() { Way::Order { backward } } else { Way::Heap { backward } };
        Plan { way, sorted: want.sort.is_empty() }
    };
    if !want.ends.are_open() {
        return between(table, c, query.collation(), want, id_plan);
    }
    let heap_forward = heap(false);
    let filter = query.conditions();
    let conditions = predicates(filter, Strings::of(query.collation(), &Collation::SIMPLE));
    let text = super::text::index(table, c, query)?;
    match want.hint {
        Hint::Natural { backward } => return Ok(heap(backward)),
        Hint::Id => return Ok(id_plan(ids(query))),
        Hint::Index(i) => {
            let hinted = c.indexes.get(i).filter(|x| x.relation != pg_sys::InvalidOid);
            let Some(index) = hinted else { return Ok(heap_forward) };
            if let Some(text) = text.filter(|t| t.at == i && query.requires_text()) {
                return text.plan(index, query, &conditions, want);
            }
            return Ok(
                match candidate(
                    table,
                    (Some(query), query.collation()),
                    filter,
                    &conditions,
                    want,
                    index,
                    true,
                )? {
                    Some((_, plan)) => plan,
                    None => heap_forward,
                },
            );
        }
        Hint::None => {
            if let Some(text) = text
                && query.requires_text()
                && let Some(index) = c.indexes.get(text.at)
            {
                return text.plan(index, query, &conditions, want);
            }
        }
    }
    let ids = ids(query);
    let id_score = match &ids {
        Ids::Points(p) if p.len() <= 1 => return Ok(Plan { sorted: true, ..id_plan(ids) }),
        Ids::Points(_) => 90,
        Ids::Range(_) => 30,
        Ids::All => 0,
    } + order_score(by_id.is_some(), ids != Ids::All, want);
    let mut best = (1, heap_forward);
    if id_score > best.0 {
        best = (id_score, id_plan(ids));
    }
    for index in &c.indexes {
        if let Some((score, plan)) =
            candidate(table, (Some(query), query.collation()), filter, &conditions, want, index, false)?
            && score > best.0
        {
            best = (score, plan);
        }
    }
    if best.0 == 1
        && let Some(choices) = each_choice(table, c, query)?
    {
        return Ok(Plan { way: Way::Or(choices), sorted: want.sort.is_empty() });
    }
    Ok(best.1)
}

/// A restricted way for every choice of the filter's `$or`; `None` where one of them needs the whole table anyway.
fn each_choice(table: &Table, c: &Collection, query: &Query) -> Result<Option<Vec<Plan>>> {
    let filter = query.source();
    let Some(list) = filter.get("$or").and_then(|v| v.as_array()) else { return Ok(None) };
    // Whatever may hide another `$or`, or have been simplified, is left alone: choices must be those the query counts.
    let plain = filter.iter().filter(|e| e.name() == "$or").count() == 1 && filter.get("$and").is_none();
    if !plain || list.iter().count() != query.choices() || query.choices() > MAX_CHOICES {
        return Ok(None);
    }
    let want = Want { sort: &[], few: false, hint: Hint::None, ends: Ends::default() };
    let mut ways = Vec::new();
    for choice in list.values() {
        let Some(choice) = choice.as_doc() else { return Ok(None) };
        let mut w = engine::DocWriter::new();
        for e in filter.iter().filter(|e| e.name() != "$or") {
            w.put_elem(&e);
        }
        w.put("$and", &engine::Value::array_of(&[engine::Value::Document(choice.bytes().to_vec())]));
        let both = w.finish();
        let both = Doc::trusted(&both);
        let conditions = predicates(both, Strings::of(query.collation(), &Collation::SIMPLE));
        let mut best: Option<(usize, Plan)> = None;
        for index in &c.indexes {
            if let Some((score, plan)) =
                candidate(table, (None, query.collation()), both, &conditions, &want, index, false)?
                && best.as_ref().is_none_or(|(s, _)| score > *s)
            {
                best = Some((score, plan));
            }
        }
        // Only equality: conditions on `_id` are read from a parsed filter, which a choice is not.
        let by_bytes = |v: engine::Val<'_>| query.collation().is_simple() || !engine::compare::has_string(v);
        if let Some(id) = choice.get("_id").filter(|v| equality(*v) && by_bytes(*v)) {
            let ids = Ids::Points(vec![crate::types::wrap(id)]);
            best = Some((usize::MAX, Plan { way: Way::Id { ids, backward: false }, sorted: true }));
        }
        let Some((_, plan)) = best else { return Ok(None) };
        ways.push(plan);
    }
    Ok(Some(ways))
}

/// A value to compare with that an `_id` can have.
fn equality(v: engine::Val<'_>) -> bool {
    use engine::raw::ty;
    !matches!(v.ty, ty::DOCUMENT | ty::ARRAY | ty::REGEX | ty::UNDEFINED | ty::DB_POINTER)
}

/// The way from `min` to `max` along the hinted index.
///
/// # Errors
/// BadValue when they are not of that index or its collation, or in the wrong order.
fn between(
    table: &Table,
    c: &Collection,
    collation: &Collation,
    want: &Want<'_>,
    id_plan: impl Fn(Ids) -> Plan,
) -> Result<Plan> {
    let incompatible = || Error::new(codes::BAD_VALUE, "The index chosen is not compatible with min/max");
    let disordered = || {
        let text = "The value provided for min() does not come before the value provided for max() in the query hint";
        Error::new(codes::BAD_VALUE, text)
    };
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
        definition,
        bounds,
        backward: order == Some(true),
    };
    Ok(Plan { way, sorted: order.is_some() })
}

/// An order for nothing is worth most for a few documents, and more than sorting in memory always.
fn order_score(sorted: bool, restricted: bool, want: &Want<'_>) -> usize {
    match (sorted && !want.sort.is_empty(), restricted, want.few) {
        (false, ..) => 0,
        (true, true, _) | (true, false, true) => 40,
        (true, false, false) => 20,
    }
}

/// The way along one index, and what it is worth. `query` is the parsed filter, where `filter` is all of it;
/// `collation` is the filter's.
fn candidate(
    table: &Table,
    (query, collation): (Option<&Query>, &Collation),
    filter: Doc<'_>,
    conditions: &[Predicate],
    want: &Want<'_>,
    index: &Index,
    hinted: bool,
) -> Result<Option<(usize, Plan)>> {
    if !index.valid || index.relation == pg_sys::InvalidOid || hidden(index) && !hinted {
        return Ok(None);
    }
    let strings = Strings::of(collation, &index.collation);
    let own;
    let conditions = if index.collation.is_simple() {
        conditions
    } else {
        own = predicates(filter, strings);
        &own
    };
    // In an index of another collation strings stand in another order.
    let wanted = if *collation == index.collation { want.sort } else { &[] };
    let first = Doc::trusted(&index.key).first().map(|e| e.name());
    let wild = Doc::trusted(&index.key).iter().any(|e| is_wildcard(e.name()));
    let related = |path: &str| wild || first == Some(path);
    let geo = near::is_geo(index) && query.is_some_and(|q| q.geo().next().is_some());
    let useful = geo || conditions.iter().any(|p| related(&p.path)) || wanted.iter().any(|(p, _)| related(p));
    if !useful && !hinted {
        return Ok(None);
    }
    if let Some(partial) = &index.partial
        && !implies(filter, conditions, Doc::trusted(partial), strings)
        && !hinted
    {
        return Ok(None);
    }
    let Some((definition, mut traits)) = inspect(table, index.relation)? else { return Ok(None) };
    let (mut spec, mut conditions) = (&definition.spec, conditions);
    // Documents without words are not in it.
    if spec.text.is_some() {
        return Ok(None);
    }
    let choice;
    if let Some(w) = &spec.wildcard {
        let Some(best) = choose(w, spec, filter, conditions, wanted) else { return Ok(None) };
        choice = best;
        traits.multi[w.at] = match &choice.path {
            Some(path) => marked(table, index.relation, &path_marker(path))?,
            None => true,
        };
        (spec, conditions) = (&choice.spec, &choice.conditions);
    }
    let bounds = if spec.is_geo() {
        match query.and_then(|q| engine::key::geo::bounds(spec, &traits, conditions, q)) {
            Some(bounds) => bounds,
            None => return Ok(None),
        }
    } else {
        Bounds::of(spec, &traits, conditions)
    };
    if spec.sparse && !bounds.present && !hinted {
        return Ok(None);
    }
    let order = match (want.sort.is_empty(), wanted.is_empty() || spec.is_geo()) {
        (true, _) => Some(false),
        (false, true) => None,
        (false, false) => bounds.order(spec, &traits, wanted),
    };
    // Where an ordinary index does as well, it is smaller.
    let score = (bounds.fixed * 100 + if bounds.used > bounds.fixed { 30 } else { 0 })
        .saturating_sub(usize::from(wild))
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
        definition: definition.clone(),
        bounds,
        backward: order == Some(true),
    };
    Ok(Some((score, Plan { way, sorted: order.is_some() })))
}

/// The path to ask a wildcard index for. What documents there are does not count, so that a cursor finds the same again.
fn choose(
    w: &Wildcard,
    spec: &KeySpec,
    filter: Doc<'_>,
    conditions: &[Predicate],
    sort: &[(String, bool)],
) -> Option<Choice> {
    let sort = sort.first().map(|(path, _)| path.as_str());
    let worth = |c: &Choice| {
        let b = Bounds::of(&c.spec, &Traits::default(), &c.conditions);
        // Alone, the component has to be asked for a path.
        if b.used == 0 && w.at == 0 {
            return 0;
        }
        1 + b.fixed * 100 + usize::from(b.used > b.fixed) * 30
    };
    let mut best: Option<(usize, Choice)> = None;
    for c in w.options(spec, filter, conditions, sort) {
        let worth = worth(&c);
        if worth > best.as_ref().map_or(0, |b| b.0) {
            best = Some((worth, c));
        }
    }
    best.map(|b| b.1)
}

/// The index has such a marker.
fn marked(table: &Table, relation: pg_sys::Oid, body: &[u8]) -> Result<bool> {
    let key = marker(body, None);
    // No path contains a NUL, so nothing but this marker lies in between.
    let end = [key.as_slice(), &[0]].concat();
    // SAFETY: the index was there a moment ago under a lock that the transaction still has.
    unsafe {
        let index = pg_sys::relation_open(relation, pg_sys::AccessShareLock as i32);
        let found = first_key(table, index, &key, &end);
        pg_sys::relation_close(index, pg_sys::NoLock as i32);
        Ok(found)
    }
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
