//! The documents of a collection as a find wants them.

use std::borrow::Cow;
use std::rc::Rc;

use engine::expr::Variables;
use engine::project::{Kind, Projection};
use engine::query::{ParseContext, Place, Query};
use engine::sort::SortSpec;
use engine::{Doc, Error, codes};

use super::sorter::Sorter;
use super::spec::Find;
use crate::access::{Hint, NearWay, Plan, Position, Reader, Want, Way, plan};
use crate::catalog::Collection;
use crate::error::Result;
use crate::storage::{Access, Table};

/// The parsed parts of a find that need no collection.
pub struct Parsed {
    /// Filter.
    pub query: Query,
    /// Order.
    pub sort: SortSpec,
    /// What is shown; `None` for all of it.
    pub projection: Option<Projection>,
}

impl Parsed {
    /// Parses them, so that a bad filter fails on a missing collection too.
    pub fn new(f: &Find<'_>) -> Result<Parsed> {
        Hint::check(f.hint)?;
        let now = now();
        let variables = f.variables.map(|v| Variables::from_let(v, now)).transpose()?;
        let cx = ParseContext { place: Place::Find, variables: variables.as_ref(), now, collation: None };
        let projection = Projection::parse(f.projection, Kind::Find, &cx)?;
        Ok(Parsed {
            query: Query::parse(f.filter, &cx)?,
            sort: SortSpec::parse(f.sort)?,
            projection: (!f.projection.is_empty() && !projection.is_identity()).then_some(projection),
        })
    }

    /// Everything that matches, whole and in any order.
    pub fn of_query(query: Query) -> Result<Parsed> {
        Ok(Parsed { query, sort: SortSpec::parse(Doc::EMPTY)?, projection: None })
    }

    /// A found document as it is shown.
    pub fn show<'d>(&self, document: &'d [u8]) -> Result<Cow<'d, [u8]>> {
        Ok(match &self.projection {
            None => Cow::Borrowed(document),
            Some(p) => Cow::Owned(p.apply(Doc::trusted(document), Some(&self.query))?),
        })
    }
}

/// Parses a filter of count and the like.
pub fn query(filter: Doc<'_>) -> Result<Query> {
    let cx = ParseContext { place: Place::Find, now: now(), ..ParseContext::default() };
    Ok(Query::parse(filter, &cx)?)
}

/// `$$NOW`: the time the statement began, in milliseconds since 1970.
pub fn now() -> i64 {
    /// PostgreSQL counts microseconds from 2000-01-01.
    const EPOCH: i64 = 946_684_800_000;
    // SAFETY: reads the backend's state.
    unsafe { pgrx::pg_sys::GetCurrentStatementStartTimestamp() / 1000 + EPOCH }
}

/// Documents one after the other.
pub enum Walk<'a> {
    /// As they are found.
    Found(Reader<'a>),
    /// Sorted.
    Sorted(Sorter<'a>),
    /// Collected and turned round (`$natural: -1`).
    Backwards(std::iter::Rev<std::vec::IntoIter<Vec<u8>>>, Vec<u8>),
}

impl Walk<'_> {
    /// The next document.
    pub fn next(&mut self) -> Result<Option<&[u8]>> {
        Ok(match self {
            Walk::Found(r) => r.next()?.map(|hit| hit.document),
            Walk::Sorted(s) => s.next(),
            Walk::Backwards(rest, last) => match rest.next() {
                Some(d) => {
                    *last = d;
                    Some(last)
                }
                None => None,
            },
        })
    }

    /// The place of the last document, where walking on is possible.
    pub fn position(&self) -> Option<Position> {
        if let Walk::Found(r) = self { Some(r.position()) } else { None }
    }
}

/// A collection open for reading with the plan for one find.
pub struct Opened {
    /// Collection.
    pub collection: Rc<Collection>,
    table: Table,
    plan: Plan,
}

impl Opened {
    /// Opens and plans.
    pub fn new(collection: Rc<Collection>, f: &Find<'_>, p: &Parsed) -> Result<Opened> {
        let hint = Hint::parse(&collection, f.hint)?;
        let few = f.limit > 0 && f.limit <= 1000;
        Self::with_hint(collection, p, hint, few)
    }

    /// Opens and plans with a hint that was read before.
    pub fn with_hint(collection: Rc<Collection>, p: &Parsed, hint: Hint, few: bool) -> Result<Opened> {
        let table = Table::open(&collection, Access::Read)?;
        let sort = index_order(&p.sort);
        let hint = if p.sort.natural().is_some() { Hint::Natural } else { hint };
        let plan = plan(&table, &collection, &p.query, &Want { sort: &sort, few, hint })?;
        Ok(Opened { collection, table, plan })
    }

    /// Opens and plans again for a stream that goes on along `way`.
    ///
    /// # Errors
    /// QueryPlanKilled 175 when that way is gone.
    pub fn again(collection: Rc<Collection>, p: &Parsed, way: i64) -> Result<Opened> {
        let killed =
            || Error::new(codes::QUERY_PLAN_KILLED, "the index this cursor reads was dropped or changed");
        let hint = match way {
            0 => Hint::Natural,
            -1 => Hint::Id,
            id => {
                let at = collection.indexes.iter().position(|i| i64::from(i.id) == id);
                Hint::Index(at.ok_or_else(killed)?)
            }
        };
        let opened = Self::with_hint(collection, p, hint, false)?;
        if opened.way() != way || opened.blocks(p) {
            return Err(killed().into());
        }
        Ok(opened)
    }

    /// Number of the way, for [`Opened::again`].
    pub fn way(&self) -> i64 {
        match &self.plan.way {
            Way::Heap => 0,
            Way::Id { .. } => -1,
            Way::Index { id, .. } | Way::Near(NearWay { id, .. }) => i64::from(*id),
        }
    }

    /// The way to the documents.
    pub fn taken(&self) -> &Way {
        &self.plan.way
    }

    /// The plan in words.
    pub fn describe(&self) -> String {
        self.plan.describe()
    }

    /// All documents have to be found before the first can be given.
    pub fn blocks(&self, p: &Parsed) -> bool {
        p.sort.natural() == Some(false) || (!p.sort.is_empty() && !self.plan.sorted)
    }

    /// The matching documents in order, from a place on. `bound`: so many are wanted at most.
    pub fn walk<'a>(&'a self, p: &'a Parsed, from: &Position, bound: Option<i64>) -> Result<Walk<'a>> {
        let reader = Reader::open(&self.table, &p.query, &self.plan, from)?;
        let gone =
            || Error::new(codes::QUERY_PLAN_KILLED, "the index this cursor reads was dropped or changed");
        let mut reader = reader.ok_or_else(gone)?;
        if !self.blocks(p) {
            return Ok(Walk::Found(reader));
        }
        if p.sort.is_empty() {
            let mut all = Vec::new();
            while let Some(hit) = reader.next()? {
                all.push(hit.document.to_vec());
            }
            return Ok(Walk::Backwards(all.into_iter().rev(), Vec::new()));
        }
        let mut sorter = Sorter::new(&p.sort, bound);
        while let Some(hit) = reader.next()? {
            sorter.put(hit.document)?;
        }
        sorter.sort();
        Ok(Walk::Sorted(sorter))
    }
}

/// The order an index would have to give; empty when none can.
fn index_order(sort: &SortSpec) -> Vec<(String, bool)> {
    let paths = sort.paths().unwrap_or_default();
    paths.into_iter().map(|(p, d)| (p.to_owned(), d)).collect()
}
