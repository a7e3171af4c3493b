//! Finding documents and changing them, in the face of others who do the same.
//!
//! READ COMMITTED: a row that another transaction changed first is waited for, read again in its newest version, tested
//! against the filter again, and the update is computed anew from it, so no update is lost. A row that no longer matches
//! or is gone is given up, and a command that wants one document looks again from the start. REPEATABLE READ: 40001.

use engine::Doc;
use engine::query::Query;
use engine::sort::SortSpec;
use pgrx::pg_sys;

use super::capped::{self, Tally};
use crate::access::{Ends, Hint, Plan, Position, Reader, Want, Way, plan};
use crate::catalog::Collection;
use crate::error::{Error, Result, internal};
use crate::storage::{Change, NewRow, Table, Tid, Writer};
use crate::types;
use crate::xact::{Snapshot, check_interrupts};

/// What an operation wants done to a document that matches.
pub enum Step {
    /// Nothing: it is as it should be.
    Keep,
    /// Put this in its place.
    Replace(Vec<u8>),
    /// Remove it.
    Remove,
}

/// A document that matched, and what became of it.
pub struct Changed {
    /// As it was.
    pub old: Vec<u8>,
    /// As it is now, unless it was kept or removed.
    pub new: Option<Vec<u8>>,
}

/// Where to look, and in which order.
pub struct Search<'a> {
    /// The collection.
    pub collection: &'a Collection,
    /// Its table, open for the change.
    pub table: &'a Table,
    /// Which documents.
    pub query: &'a Query,
    /// Which of them first.
    pub sort: Option<&'a SortSpec>,
    /// By which index.
    pub hint: Hint,
}

/// How often a command looks again for one document that others keep taking away before it gives up.
const PATIENCE: usize = 1_000;

impl Search<'_> {
    /// Changes the first document that matches; `None` when there is none.
    pub fn one(&self, mut step: impl FnMut(Doc<'_>) -> Result<Step>) -> Result<Option<Changed>> {
        capped::lock(self.collection);
        let mut changes = Changes::new(self.table);
        for _ in 0..PATIENCE {
            check_interrupts();
            let _snapshot = Snapshot::fresh();
            let Some((tid, old)) = self.first()? else { return Ok(None) };
            if let Some(changed) = self.change(&mut changes, tid, old, &mut step)? {
                changes.tally.keep(self.collection)?;
                // SAFETY: makes the change visible to what follows in this transaction.
                unsafe { pg_sys::CommandCounterIncrement() };
                return Ok(Some(changed));
            }
        }
        Err(Error::native(b"40001", "could not serialize access due to concurrent update"))
    }

    /// Changes every document that matches; gives the numbers of documents that matched and that were changed.
    pub fn all(&self, step: impl FnMut(Doc<'_>) -> Result<Step>) -> Result<(usize, usize)> {
        self.some(usize::MAX, step)
    }

    /// As [`Search::all`], until `most` of them were changed.
    pub fn some(&self, most: usize, mut step: impl FnMut(Doc<'_>) -> Result<Step>) -> Result<(usize, usize)> {
        capped::lock(self.collection);
        let (mut matched, mut changed) = (0, 0);
        let mut changes = Changes::new(self.table);
        let _snapshot = Snapshot::fresh();
        let plan = self.plan_all()?;
        let mut reader = self.reader(&plan)?;
        while changed < most
            && let Some(hit) = reader.next()?
        {
            let found = match step(Doc::trusted(hit.document))? {
                Step::Keep => {
                    matched += 1;
                    continue;
                }
                step => changes.apply(hit.version, hit.document, &step)?,
            };
            match found {
                Change::Done => {
                    matched += 1;
                    changed += 1;
                }
                Change::Gone => {}
                Change::Newer { tid, document } => {
                    if !self.query.matches(Doc::trusted(&document))? {
                        continue;
                    }
                    if let Some(c) = self.change(&mut changes, tid, document, &mut step)? {
                        matched += 1;
                        changed += usize::from(c.new.is_some());
                    }
                }
            }
        }
        drop(reader);
        changes.tally.keep(self.collection)?;
        // SAFETY: makes the changes visible to what follows in this transaction.
        unsafe { pg_sys::CommandCounterIncrement() };
        Ok((matched, changed))
    }

    /// The way to all documents that match. Where no index helps it is the primary key, not the table: commands that change
    /// many documents then lock them in the same order, and do not lock each other out.
    fn plan_all(&self) -> Result<Plan> {
        let want = |hint| Want { sort: &[], few: false, hint, ends: Ends::default() };
        let chosen = plan(self.table, self.collection, self.query, &want(self.hint))?;
        if self.hint == Hint::None && matches!(chosen.way, Way::Heap { .. }) {
            return plan(self.table, self.collection, self.query, &want(Hint::Id));
        }
        Ok(chosen)
    }

    /// Does any document match?
    pub fn any(&self) -> Result<bool> {
        let _snapshot = Snapshot::fresh();
        Ok(self.first()?.is_some())
    }

    fn reader<'r>(&'r self, plan: &'r Plan) -> Result<Reader<'r>> {
        Reader::open(self.table, self.query, plan, &Position::Start)?
            .ok_or_else(|| internal("a plan without a start"))
    }

    /// The first match under the active snapshot.
    fn first(&self) -> Result<Option<(Tid, Vec<u8>)>> {
        let sort = self.sort.filter(|s| !s.is_empty());
        let paths = sort.and_then(SortSpec::paths).unwrap_or_default();
        let paths: Vec<(String, bool)> = paths.into_iter().map(|(p, d)| (p.to_owned(), d)).collect();
        let want = Want { sort: &paths, few: true, hint: self.hint, ends: Ends::default() };
        let plan = plan(self.table, self.collection, self.query, &want)?;
        let mut reader = self.reader(&plan)?;
        let sort = sort.filter(|_| paths.is_empty() || !plan.sorted);
        let mut best = None;
        while let Some(hit) = reader.next()? {
            let Some(sort) = sort else { return Ok(Some((hit.version, hit.document.to_vec()))) };
            let key = sort.key(Doc::trusted(hit.document))?;
            if best.as_ref().is_none_or(|(k, _, _)| key < *k) {
                best = Some((key, hit.version, hit.document.to_vec()));
            }
        }
        Ok(best.map(|(_, tid, document)| (tid, document)))
    }

    /// Changes the row at `tid`, following it to newer versions; `None` when it was lost on the way.
    fn change(
        &self,
        changes: &mut Changes<'_>,
        tid: Tid,
        old: Vec<u8>,
        step: &mut impl FnMut(Doc<'_>) -> Result<Step>,
    ) -> Result<Option<Changed>> {
        let (mut tid, mut old) = (tid, old);
        loop {
            let wanted = step(Doc::trusted(&old))?;
            let outcome = match &wanted {
                Step::Keep => Change::Done,
                wanted => changes.apply(tid, &old, wanted)?,
            };
            match outcome {
                Change::Done => {
                    let new = if let Step::Replace(new) = wanted { Some(new) } else { None };
                    return Ok(Some(Changed { old, new }));
                }
                Change::Gone => return Ok(None),
                Change::Newer { tid: newer, document } => {
                    if !self.query.matches(Doc::trusted(&document))? {
                        return Ok(None);
                    }
                    (tid, old) = (newer, document);
                }
            }
        }
    }
}

/// The rows that are changed.
struct Changes<'t> {
    writer: Writer<'t>,
    tally: Tally,
}

impl<'t> Changes<'t> {
    fn new(table: &'t Table) -> Self {
        Changes { writer: Writer::open(table), tally: Tally::default() }
    }

    fn apply(&mut self, tid: Tid, old: &[u8], step: &Step) -> Result<Change> {
        crate::guard::disk_full()?;
        let (outcome, new) = match step {
            Step::Keep => return Ok(Change::Done),
            Step::Remove => (self.writer.delete(tid)?, None),
            Step::Replace(new) => {
                let id = Doc::trusted(new).get("_id").ok_or_else(|| internal("an update lost the _id"))?;
                let row = NewRow { object_id: &types::wrap(id), document: new };
                let same_keys = self.writer.same_keys(old, new)?;
                (self.writer.update(tid, &row, same_keys)?, Some(new.as_slice()))
            }
        };
        if matches!(outcome, Change::Done) {
            self.tally.note(old, new);
        }
        Ok(outcome)
    }
}
