//! Choosing the way to the documents.
//!
//! Rules, best first: the primary key for `_id` equality; the secondary index (or primary key) that fixes most leading
//! fields, then one that also restricts the next; one that gives the wanted order; the whole table. A hint decides alone.

use std::rc::Rc;

use engine::Doc;
use engine::collation::Collation;
use engine::key::bounds::{Bounds, Traits, implies};
use engine::key::{Choice, KeySpec, Predicate, Strings, Wildcard, is_wildcard, path_marker, predicates};
use engine::query::Query;
use pgrx::pg_sys;

use super::Hint;
use super::ends::{Ends, between};
use super::inspect::{hidden, inspect, marked};
use super::near::{self, NearWay};
use super::pk::{Ids, ids};
use crate::am::Definition;
use crate::catalog::{Collection, Index};
use crate::error::Result;
use crate::storage::Table;

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
        /// Some rows have several entries.
        multi: bool,
        /// Every row in it has one entry, whose key is not cut.
        whole: bool,
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
    if let Some(w) = &spec.wildcard
        && bounds.used <= w.at
    {
        // The ranges hold a row's entries for all of its paths.
        traits.multi[w.at] = true;
    }
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
        whole: !traits.truncated && !traits.multi.iter().any(|m| *m),
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
