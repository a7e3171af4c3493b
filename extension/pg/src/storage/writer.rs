//! Writing rows: insert, update, delete, and what a concurrent writer makes of them.

use pgrx::pg_sys::{self, Datum};

use super::hot::HiddenKeys;
use super::scan::{DOCUMENT, Tid, column, order, scratch};
use super::table::Table;
use crate::am;
use crate::error::{Error, Result, internal};
use crate::sys::{guarded, varlena};
use crate::xact::keeps_snapshot;

/// What became of an attempt to change a row.
pub enum Change {
    /// Done.
    Done,
    /// Another transaction changed the row first. It is locked now, and this is its newest version.
    Newer {
        /// Where that is.
        tid: Tid,
        /// The document there.
        document: Vec<u8>,
    },
    /// The row is gone, or this command changed it already.
    Gone,
}

/// A data table with its indexes, open for writing until dropped.
pub struct Writer<'t> {
    table: &'t Table,
    estate: *mut pg_sys::EState,
    info: *mut pg_sys::ResultRelInfo,
    slot: *mut pg_sys::TupleTableSlot,
    /// One slot a row of a batch, kept for the next batch.
    batch: Vec<*mut pg_sys::TupleTableSlot>,
    /// In a capped collection: the order of the next row that is added.
    next_order: i64,
    /// Rows on their way into the table: emptied after each operation.
    memory: pg_sys::MemoryContext,
}

/// A new row: `{"": _id}` and the document.
pub struct NewRow<'a> {
    /// `{"": _id}`
    pub object_id: &'a [u8],
    /// The document.
    pub document: &'a [u8],
}

impl<'t> Writer<'t> {
    /// Opens the indexes of a table that was opened for writing.
    pub fn open(table: &'t Table) -> Writer<'t> {
        // SAFETY: the table outlives this value; all that is made here is freed by drop or by the memory context.
        unsafe {
            let estate = pg_sys::CreateExecutorState();
            let info = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()) as *mut pg_sys::ResultRelInfo;
            (*info).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            pg_sys::InitResultRelInfo(info, table.relation(), 1, core::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(info, false);
            let slot = pg_sys::table_slot_create(table.relation(), core::ptr::null_mut());
            Writer { table, estate, info, slot, batch: Vec::new(), next_order: 0, memory: scratch() }
        }
    }

    /// [`Writer::open`] for rows that are added to a capped collection: the first gets this order, the others follow.
    pub fn open_at(table: &'t Table, order: i64) -> Writer<'t> {
        let mut writer = Self::open(table);
        writer.next_order = order;
        writer
    }

    /// Adds one row.
    ///
    /// # Errors
    /// Raises 23505 for a key that is there already.
    pub fn insert(&mut self, row: &NewRow<'_>) -> Result<()> {
        let _memory = Within::new(self.memory);
        // SAFETY: slot and relation belong together.
        unsafe {
            fill(self.slot, self.table, row, self.next_order);
            self.next_order += 1;
            pg_sys::table_tuple_insert(
                self.table.relation(),
                self.slot,
                pg_sys::GetCurrentCommandId(true),
                0,
                core::ptr::null_mut(),
            );
        }
        self.index(self.slot);
        Ok(())
    }

    /// Adds rows in one go.
    ///
    /// # Errors
    /// As [`Writer::insert`].
    pub fn insert_all(&mut self, rows: &[NewRow<'_>]) -> Result<()> {
        let _memory = Within::new(self.memory);
        let mut n = 0;
        for row in rows {
            if n == self.batch.len() {
                self.batch.push(self.new_slot());
            }
            // SAFETY: the slot is of this table.
            unsafe { fill(self.batch[n], self.table, row, self.next_order) };
            self.next_order += 1;
            n += 1;
        }
        // SAFETY: the first n slots hold rows; table_multi_insert sets their tids.
        unsafe {
            pg_sys::table_multi_insert(
                self.table.relation(),
                self.batch.as_mut_ptr(),
                n as i32,
                pg_sys::GetCurrentCommandId(true),
                0,
                core::ptr::null_mut(),
            );
        }
        for i in 0..n {
            // SAFETY: as above.
            unsafe { pg_sys::slot_getsomeattrs_int(self.batch[i], DOCUMENT) };
            self.index(self.batch[i]);
        }
        Ok(())
    }

    /// A slot that lives as long as this value, whatever the current memory context is.
    fn new_slot(&self) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: the executor state's memory context lives until drop.
        unsafe {
            let before = pg_sys::MemoryContextSwitchTo((*self.estate).es_query_cxt);
            let slot = pg_sys::table_slot_create(self.table.relation(), core::ptr::null_mut());
            pg_sys::MemoryContextSwitchTo(before);
            slot
        }
    }

    /// Replaces the version at `tid`. `same_keys`: no secondary index key changes, so the row may stay in its HOT chain
    /// although the document column is indexed.
    ///
    /// # Errors
    /// 40001 under REPEATABLE READ when another transaction was first; raises 23505 as [`Writer::insert`].
    pub fn update(&mut self, tid: Tid, row: &NewRow<'_>, same_keys: bool) -> Result<Change> {
        let memory = Within::new(self.memory);
        let rel = self.table.relation();
        let mut tid = tid;
        let mut failure = pg_sys::TM_FailureData::default();
        let mut mode = pg_sys::LockTupleMode::LockTupleNoKeyExclusive;
        let mut touched = false;
        // SAFETY: slot and relation belong together; `tid` is of a row of this table that the active snapshot saw.
        let outcome = unsafe {
            let order = self.order_at(tid)?;
            fill(self.slot, self.table, row, order);
            let hidden = if same_keys { Some(HiddenKeys::new(rel)) } else { None };
            let outcome = pg_sys::table_tuple_update(
                rel,
                &mut tid,
                self.slot,
                pg_sys::GetCurrentCommandId(true),
                pg_sys::GetActiveSnapshot(),
                core::ptr::null_mut(),
                true,
                &mut failure,
                &mut mode,
                &mut touched,
            );
            drop(hidden);
            outcome
        };
        if outcome == pg_sys::TM_Result::TM_Ok {
            if touched {
                self.index(self.slot);
            }
            return Ok(Change::Done);
        }
        drop(memory);
        self.conflict(outcome, tid)
    }

    /// Would replacing one document by the other change no key of any secondary index? Without such indexes PostgreSQL
    /// sees by itself that an update touches no key: false then, there is nothing to hide.
    ///
    /// # Errors
    /// What is wrong with a key of the new document.
    pub fn same_keys(&self, old: &[u8], new: &[u8]) -> Result<bool> {
        let mut any = false;
        // SAFETY: the descriptors are those ExecOpenIndices opened.
        unsafe {
            for i in 0..(*self.info).ri_NumIndices as usize {
                let index = *(*self.info).ri_IndexRelationDescs.add(i);
                // An update changes neither the primary key nor the order.
                if (*index).rd_id == self.table.pk() || Some((*index).rd_id) == self.table.order() {
                    continue;
                }
                if !am::is_ours(index) {
                    return Ok(false);
                }
                let definition = am::definition(index)?;
                if definition.entries(old)? != definition.entries(new)? {
                    return Ok(false);
                }
                any = true;
            }
        }
        Ok(any)
    }

    /// The order of the row whose version is at `tid`; 0 where rows have none.
    ///
    /// # Safety
    /// `tid` is of a row of this table that the active snapshot saw.
    unsafe fn order_at(&mut self, tid: Tid) -> Result<i64> {
        if self.table.order().is_none() {
            return Ok(0);
        }
        let mut tid = tid;
        // SAFETY: the caller's promise; the slot is of this table and is filled anew right afterwards.
        unsafe {
            let any = &raw mut pg_sys::SnapshotAnyData;
            if !pg_sys::table_tuple_fetch_row_version(self.table.relation(), &mut tid, any, self.slot) {
                return Err(internal("a row that is to be changed is not there"));
            }
            Ok(order(self.slot))
        }
    }

    /// Removes the version at `tid`.
    ///
    /// # Errors
    /// As [`Writer::update`].
    pub fn delete(&mut self, tid: Tid) -> Result<Change> {
        let mut tid = tid;
        let mut failure = pg_sys::TM_FailureData::default();
        // SAFETY: as in `update`.
        let outcome = unsafe {
            pg_sys::table_tuple_delete(
                self.table.relation(),
                &mut tid,
                pg_sys::GetCurrentCommandId(true),
                pg_sys::GetActiveSnapshot(),
                core::ptr::null_mut(),
                true,
                &mut failure,
                false,
            )
        };
        if outcome == pg_sys::TM_Result::TM_Ok { Ok(Change::Done) } else { self.conflict(outcome, tid) }
    }

    /// Another transaction was first: waits for nothing more (the attempt has waited), locks the newest version.
    fn conflict(&mut self, outcome: pg_sys::TM_Result::Type, tid: Tid) -> Result<Change> {
        match outcome {
            pg_sys::TM_Result::TM_SelfModified => Ok(Change::Gone),
            pg_sys::TM_Result::TM_Updated | pg_sys::TM_Result::TM_Deleted if keeps_snapshot() => {
                Err(serialization())
            }
            pg_sys::TM_Result::TM_Deleted => Ok(Change::Gone),
            pg_sys::TM_Result::TM_Updated => self.lock(tid),
            other => Err(internal(format!("unexpected outcome {other} of a row change"))),
        }
    }

    /// Locks the newest version of the row that was at `tid`, waiting for whoever changes it now.
    fn lock(&mut self, tid: Tid) -> Result<Change> {
        let mut tid = tid;
        let mut failure = pg_sys::TM_FailureData::default();
        // SAFETY: as in `update`; the slot receives the locked version.
        unsafe {
            let outcome = pg_sys::table_tuple_lock(
                self.table.relation(),
                &mut tid,
                pg_sys::GetActiveSnapshot(),
                self.slot,
                pg_sys::GetCurrentCommandId(false),
                pg_sys::LockTupleMode::LockTupleExclusive,
                pg_sys::LockWaitPolicy::LockWaitBlock,
                pg_sys::TUPLE_LOCK_FLAG_FIND_LAST_VERSION as u8,
                &mut failure,
            );
            match outcome {
                pg_sys::TM_Result::TM_Ok => Ok(Change::Newer {
                    tid: (*self.slot).tts_tid,
                    document: column(self.slot, DOCUMENT, pg_sys::CurrentMemoryContext).to_vec(),
                }),
                pg_sys::TM_Result::TM_Deleted | pg_sys::TM_Result::TM_SelfModified => Ok(Change::Gone),
                other => Err(internal(format!("unexpected outcome {other} of a row lock"))),
            }
        }
    }

    /// Adds the entries of the row in `slot` to every index.
    fn index(&mut self, slot: *mut pg_sys::TupleTableSlot) {
        // SAFETY: the executor's own way, with the state ExecOpenIndices prepared.
        unsafe {
            let recheck = pg_sys::ExecInsertIndexTuples(
                self.info,
                slot,
                self.estate,
                false,
                false,
                core::ptr::null_mut(),
                core::ptr::null_mut(),
            );
            pg_sys::list_free(recheck);
            if let Some(context) = (*self.estate).es_per_tuple_exprcontext.as_ref() {
                pg_sys::MemoryContextReset(context.ecxt_per_tuple_memory);
            }
        }
    }
}

/// Switches to a memory context; back, and the context emptied, when dropped.
struct Within {
    memory: pg_sys::MemoryContext,
    before: pg_sys::MemoryContext,
}

impl Within {
    fn new(memory: pg_sys::MemoryContext) -> Self {
        // SAFETY: a live context of the writer.
        Within { memory, before: unsafe { pg_sys::MemoryContextSwitchTo(memory) } }
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: contexts of the writer and its maker, both live.
            unsafe {
                pg_sys::MemoryContextSwitchTo(self.before);
                pg_sys::MemoryContextReset(self.memory);
            }
        }
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        // After an ERROR the resource owner and the memory context do this.
        if std::thread::panicking() {
            return;
        }
        // SAFETY: all of these were made by this value.
        unsafe {
            for slot in self.batch.drain(..) {
                pg_sys::ExecDropSingleTupleTableSlot(slot);
            }
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::ExecCloseIndices(self.info);
            pg_sys::FreeExecutorState(self.estate);
            pg_sys::MemoryContextDelete(self.memory);
        }
    }
}

fn serialization() -> Error {
    Error::native(b"40001", "could not serialize access due to concurrent update")
}

/// Puts a row into a slot.
///
/// # Safety
/// The slot is one of a data table.
unsafe fn fill(slot: *mut pg_sys::TupleTableSlot, table: &Table, row: &NewRow<'_>, order: i64) {
    let all = [Datum::from(table.shard()), varlena(row.object_id), varlena(row.document), Datum::from(order)];
    let values = all.get(..if table.order().is_some() { 4 } else { 3 }).unwrap_or_default();
    // SAFETY: a slot of a data table has at least three columns, of a capped collection four; further ones are NULL.
    unsafe {
        if let Some(clear) = (*(*slot).tts_ops).clear {
            guarded(|| clear(slot));
        }
        let columns = (*(*slot).tts_tupleDescriptor).natts as usize;
        for i in 0..columns {
            *(*slot).tts_values.add(i) = values.get(i).copied().unwrap_or(Datum::null());
            *(*slot).tts_isnull.add(i) = i >= values.len();
        }
        pg_sys::ExecStoreVirtualTuple(slot);
    }
}
