//! Capped collections: documents are numbered as they are inserted, and the oldest go when there are too many (MongoDB
//! manual, "Capped Collections").
//!
//! Whoever writes to such a collection holds its lock until the transaction ends, as MongoDB's inserts do: numbers are
//! committed in their order, so that a cursor that follows the collection misses nothing, and how full it is (one row of
//! `documentdb_api_catalog.capped_collections`) is exact. All of it is undone with the transaction.

use engine::codes;
use pgrx::pg_sys;

use super::fail;
use crate::catalog::{Capped, Collection};
use crate::error::{Error, Result, internal};
use crate::spi::{self, Cell, Param};
use crate::storage::{Change, NewRow, Scan, Table, Writer};
use crate::xact::{Snapshot, check_interrupts};

/// Takes the lock of a capped collection; nothing for others. Snapshots are to be taken behind it.
pub fn lock(c: &Collection) {
    if c.capped.is_some() {
        /// The column of the order.
        const PART: u16 = 4;
        // SAFETY: PostgreSQL's lock of a part of a relation, released at the end of the (sub)transaction.
        unsafe {
            let mode = pg_sys::ExclusiveLock as i32;
            pg_sys::LockDatabaseObject(pg_sys::RelationRelationId, c.heap, PART, mode);
        }
    }
}

/// How full a capped collection is.
struct State {
    documents: i64,
    bytes: i64,
    /// Whatever came before was removed.
    first: i64,
    /// Of the next document.
    next: i64,
}

impl State {
    fn read(id: i64) -> Result<State> {
        let _snapshot = Snapshot::fresh();
        let rows = spi::query(
            "SELECT documents, bytes, first_order, next_order FROM documentdb_api_catalog.capped_collections
             WHERE collection_id OPERATOR(pg_catalog.=) $1",
            &[Param::Int8(id)],
        )?;
        match rows.first().map(Vec::as_slice) {
            Some([Cell::Int(documents), Cell::Int(bytes), Cell::Int(first), Cell::Int(next)]) => {
                Ok(State { documents: *documents, bytes: *bytes, first: *first, next: *next })
            }
            _ => Err(internal(format!("how full collection {id} is, is not known"))),
        }
    }

    fn write(&self, id: i64) -> Result<()> {
        let _snapshot = Snapshot::fresh();
        spi::run(
            "UPDATE documentdb_api_catalog.capped_collections
             SET documents = $2, bytes = $3, first_order = $4, next_order = $5 WHERE collection_id OPERATOR(pg_catalog.=) $1",
            &[
                Param::Int8(id),
                Param::Int8(self.documents),
                Param::Int8(self.bytes),
                Param::Int8(self.first),
                Param::Int8(self.next),
            ],
        )?;
        Ok(())
    }

    fn exceeds(&self, bounds: &Capped) -> bool {
        self.bytes > bounds.size || bounds.max.is_some_and(|max| self.documents > max)
    }

    /// Removes the oldest documents until the rest is within the bounds. The last one stays whatever its size.
    fn trim(&mut self, table: &Table, bounds: &Capped) -> Result<()> {
        // SAFETY: makes the rows visible that were just added.
        unsafe { pg_sys::CommandCounterIncrement() };
        let _snapshot = Snapshot::fresh();
        let mut writer = Writer::open(table);
        let mut scan = Scan::by_order(table, Some(self.first), false)?;
        while self.exceeds(bounds)
            && let Some(row) = scan.next()
            && row.order + 1 < self.next
        {
            check_interrupts();
            let (order, size) = (row.order, size(row.document));
            match writer.delete(row.version)? {
                Change::Done => {}
                // The lock keeps everybody else away.
                Change::Gone | Change::Newer { .. } => {
                    return Err(Error::native(
                        b"40001",
                        "could not serialize access due to concurrent update",
                    ));
                }
            }
            self.documents -= 1;
            self.bytes -= size;
            self.first = order + 1;
        }
        Ok(())
    }
}

fn size(document: &[u8]) -> i64 {
    i64::try_from(document.len()).unwrap_or(i64::MAX)
}

/// Adds rows to a collection, capped or not. The caller has a snapshot.
///
/// # Errors
/// BadValue for a document larger than the whole capped collection; raises 23505 for a key that is there already.
pub fn insert(table: &Table, c: &Collection, rows: &[NewRow<'_>]) -> Result<()> {
    let Some(bounds) = &c.capped else {
        let mut writer = Writer::open(table);
        return match rows {
            [row] => writer.insert(row),
            rows => writer.insert_all(rows),
        };
    };
    if rows.iter().any(|row| size(row.document) > bounds.size) {
        return Err(fail(codes::BAD_VALUE, "object to insert exceeds cappedMaxSize"));
    }
    lock(c);
    let mut state = State::read(c.id)?;
    Writer::open_at(table, state.next).insert_all(rows)?;
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    state.next += count;
    state.documents += count;
    state.bytes += rows.iter().map(|row| size(row.document)).sum::<i64>();
    if state.exceeds(bounds) {
        state.trim(table, bounds)?;
    }
    state.write(c.id)
}

/// What updates and deletes did to how full a collection is.
#[derive(Default)]
pub struct Tally {
    documents: i64,
    bytes: i64,
}

impl Tally {
    /// A document was removed, or another put in its place.
    pub fn note(&mut self, old: &[u8], new: Option<&[u8]>) {
        self.bytes += new.map_or(0, size) - size(old);
        self.documents -= i64::from(new.is_none());
    }

    /// Writes down what was noted. Documents that grow push out no others: the next insert does.
    pub fn keep(&self, c: &Collection) -> Result<()> {
        if c.capped.is_none() || (self.documents, self.bytes) == (0, 0) {
            return Ok(());
        }
        let mut state = State::read(c.id)?;
        state.documents += self.documents;
        state.bytes += self.bytes;
        state.write(c.id)
    }
}

/// Is the place in the order of insertion among those that were removed to make room?
pub fn is_lost(c: &Collection, order: i64) -> Result<bool> {
    Ok(c.capped.is_some() && order > 0 && order < State::read(c.id)?.first)
}

/// Has a capped collection no documents?
pub fn is_empty(c: &Collection) -> Result<bool> {
    Ok(State::read(c.id)?.documents == 0)
}
