//! Walking rows: the whole table, or a part of the primary key.

use pgrx::pg_sys::{self, Datum, ScanDirection::ForwardScanDirection};

use super::key::{Key, scan_keys};
use super::table::Table;
use crate::error::{Result, internal};
use crate::sys::payload;
use crate::xact::check_interrupts;

/// Where a row version is.
pub type Tid = pg_sys::ItemPointerData;

/// A row that a scan is at; its bytes live until the scan moves on.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// Where it is, as the scan knows it: for an index, the place its entry names.
    pub tid: Tid,
    /// Where this version of it is: what a change names.
    pub version: Tid,
    /// `{"": _id}`
    pub object_id: &'a [u8],
    /// When it was inserted, as a scan by that order tells.
    pub order: i64,
    /// The document.
    pub document: &'a [u8],
}

enum Kind {
    Heap(pg_sys::TableScanDesc, i32),
    HeapFrom(pg_sys::TableScanDesc, i32),
    Index {
        scan: pg_sys::IndexScanDesc,
        index: pg_sys::Relation,
        keys: Vec<pg_sys::ScanKeyData>,
        direction: i32,
        ordered: bool,
    },
}

/// A running scan under the active snapshot of the moment it began. That snapshot must stay active as long.
pub struct Scan<'t> {
    kind: Kind,
    slot: *mut pg_sys::TupleTableSlot,
    /// Detoasted documents: emptied at each step.
    memory: pg_sys::MemoryContext,
    /// There is no further row, and PostgreSQL would begin again if it were asked.
    ended: bool,
    table: core::marker::PhantomData<&'t Table>,
}

/// Column numbers of data tables.
pub(super) const DOCUMENT: i32 = 3;

pub(super) const OBJECT_ID: i32 = 2;

pub(super) const ORDER: i32 = 4;

fn direction(backward: bool) -> i32 {
    if backward { pg_sys::ScanDirection::BackwardScanDirection } else { ForwardScanDirection }
}

/// A memory context of its own below the current one.
pub(super) fn scratch() -> pg_sys::MemoryContext {
    // SAFETY: a child of the current context, deleted with it at the latest.
    unsafe {
        pg_sys::AllocSetContextCreateInternal(
            pg_sys::CurrentMemoryContext,
            c"ermine row".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        )
    }
}

impl<'t> Scan<'t> {
    /// Every row, in the order of the table or in the reverse.
    pub fn all(table: &'t Table, backward: bool) -> Scan<'t> {
        // SAFETY: the table is open as long as the scan lives.
        unsafe {
            let rel = table.relation();
            let slot = pg_sys::table_slot_create(rel, core::ptr::null_mut());
            // Not synchronized with other scans: those may begin in the middle of the table.
            let scan = pg_sys::table_beginscan_strat(
                rel,
                pg_sys::GetActiveSnapshot(),
                0,
                core::ptr::null_mut(),
                true,
                false,
            );
            Scan {
                kind: Kind::Heap(scan, direction(backward)),
                slot,
                memory: scratch(),
                ended: false,
                table: core::marker::PhantomData,
            }
        }
    }

    /// The rows from the place `first` on, in the order of the table or in the reverse.
    pub fn from(table: &'t Table, first: Tid, backward: bool) -> Scan<'t> {
        let start = pg_sys::BlockIdData { bi_hi: 0, bi_lo: 0 };
        let end = pg_sys::BlockIdData { bi_hi: 0xFFFF, bi_lo: 0xFFFE };
        let (mut from, mut to) = if backward {
            (Tid { ip_blkid: start, ip_posid: 1 }, first)
        } else {
            (first, Tid { ip_blkid: end, ip_posid: u16::MAX })
        };
        // SAFETY: the table is open as long as the scan lives; the places are copied into the scan.
        unsafe {
            let rel = table.relation();
            let slot = pg_sys::table_slot_create(rel, core::ptr::null_mut());
            let scan = pg_sys::table_beginscan_tidrange(rel, pg_sys::GetActiveSnapshot(), &mut from, &mut to);
            Scan {
                kind: Kind::HeapFrom(scan, direction(backward)),
                slot,
                memory: scratch(),
                ended: false,
                table: core::marker::PhantomData,
            }
        }
    }

    /// The rows whose object id satisfies all `keys`, in the order of the primary key.
    pub fn primary_key(table: &'t Table, keys: &[Key], forward: bool) -> Result<Scan<'t>> {
        // SAFETY: the table is open as long as the scan lives; the keys live in the scan.
        unsafe {
            let rel = table.relation();
            let slot = pg_sys::table_slot_create(rel, core::ptr::null_mut());
            let index = pg_sys::index_open(table.pk(), pg_sys::AccessShareLock as i32);
            let mut keys = scan_keys(index, table.shard(), keys)?;
            let n = keys.len() as i32;
            let scan = pg_sys::index_beginscan(rel, index, pg_sys::GetActiveSnapshot(), n, 0);
            pg_sys::index_rescan(scan, keys.as_mut_ptr(), n, core::ptr::null_mut(), 0);
            let direction = direction(!forward);
            let kind = Kind::Index { scan, index, keys, direction, ordered: false };
            Ok(Scan { kind, slot, memory: scratch(), ended: false, table: core::marker::PhantomData })
        }
    }

    /// The rows of a capped collection in the order of their insertion or in the reverse, from this one on.
    ///
    /// # Errors
    /// XX000 for a collection that is not capped.
    pub fn by_order(table: &'t Table, from: Option<i64>, backward: bool) -> Result<Scan<'t>> {
        let order = table.order().ok_or_else(|| internal("a collection without an order"))?;
        let mut keys = Vec::with_capacity(1);
        if let Some(from) = from {
            let (strategy, function) = if backward {
                (pg_sys::BTLessEqualStrategyNumber, pg_sys::F_INT8LE)
            } else {
                (pg_sys::BTGreaterEqualStrategyNumber, pg_sys::F_INT8GE)
            };
            let mut key = pg_sys::ScanKeyData::default();
            let (none, function) = (pg_sys::InvalidOid, pg_sys::Oid::from(function));
            // SAFETY: fills the entry; the function compares what the index stores.
            unsafe {
                let value = Datum::from(from);
                pg_sys::ScanKeyEntryInitialize(&mut key, 0, 1, strategy as u16, none, none, function, value);
            }
            keys.push(key);
        }
        // SAFETY: the table is open as long as the scan lives; the keys live in the scan.
        unsafe {
            let rel = table.relation();
            let slot = pg_sys::table_slot_create(rel, core::ptr::null_mut());
            let index = pg_sys::index_open(order, pg_sys::AccessShareLock as i32);
            let n = keys.len() as i32;
            let scan = pg_sys::index_beginscan(rel, index, pg_sys::GetActiveSnapshot(), n, 0);
            pg_sys::index_rescan(scan, keys.as_mut_ptr(), n, core::ptr::null_mut(), 0);
            let kind = Kind::Index { scan, index, keys, direction: direction(backward), ordered: true };
            Ok(Scan { kind, slot, memory: scratch(), ended: false, table: core::marker::PhantomData })
        }
    }

    /// The next row.
    pub fn next(&mut self) -> Option<Row<'_>> {
        check_interrupts();
        if self.ended {
            return None;
        }
        // SAFETY: descriptors and slot are this scan's and open.
        unsafe {
            pg_sys::MemoryContextReset(self.memory);
            let found = match &mut self.kind {
                Kind::Heap(scan, direction) => pg_sys::table_scan_getnextslot(*scan, *direction, self.slot),
                Kind::HeapFrom(scan, direction) => {
                    pg_sys::table_scan_getnextslot_tidrange(*scan, *direction, self.slot)
                }
                Kind::Index { scan, direction, .. } => {
                    pg_sys::index_getnext_slot(*scan, *direction, self.slot)
                }
            };
            if !found {
                self.ended = true;
                return None;
            }
            let mut row = row(self.slot, (*self.slot).tts_tid, self.memory);
            if let Kind::Index { ordered: true, .. } = self.kind {
                row.order = order(self.slot);
            }
            Some(row)
        }
    }
}

/// The row in a slot, known by `tid`.
///
/// # Safety
/// The slot holds a row of a data table; the result lives as long as both slot and memory.
pub(super) unsafe fn row<'a>(
    slot: *mut pg_sys::TupleTableSlot,
    tid: Tid,
    memory: pg_sys::MemoryContext,
) -> Row<'a> {
    // SAFETY: the caller's promise; both columns are NOT NULL.
    unsafe {
        Row {
            tid,
            version: (*slot).tts_tid,
            document: column(slot, DOCUMENT, memory),
            object_id: column(slot, OBJECT_ID, memory),
            order: 0,
        }
    }
}

/// The order of the row in a slot.
///
/// # Safety
/// The slot holds a row of a capped collection.
pub(super) unsafe fn order(slot: *mut pg_sys::TupleTableSlot) -> i64 {
    // SAFETY: the caller's promise; the column is a bigint and not NULL.
    unsafe {
        if i32::from((*slot).tts_nvalid) < ORDER {
            pg_sys::slot_getsomeattrs_int(slot, ORDER);
        }
        (*(*slot).tts_values.add(ORDER as usize - 1)).value() as i64
    }
}

/// Bytes of a varlena column of the row in a slot; a copy, if one is needed, is made in `memory`.
///
/// # Safety
/// The slot holds a row whose column is a varlena and not NULL; the result lives as long as both slot and memory.
pub(super) unsafe fn column<'a>(
    slot: *mut pg_sys::TupleTableSlot,
    number: i32,
    memory: pg_sys::MemoryContext,
) -> &'a [u8] {
    // SAFETY: the caller's promise.
    unsafe {
        if i32::from((*slot).tts_nvalid) < number {
            pg_sys::slot_getsomeattrs_int(slot, number);
        }
        let value: Datum = *(*slot).tts_values.add(number as usize - 1);
        let before = pg_sys::MemoryContextSwitchTo(memory);
        let bytes = payload(value).0;
        pg_sys::MemoryContextSwitchTo(before);
        bytes
    }
}

impl Drop for Scan<'_> {
    fn drop(&mut self) {
        // After an ERROR the resource owner and the memory context do this.
        if std::thread::panicking() {
            return;
        }
        // SAFETY: all of these were made by the constructors and are used by nobody else.
        unsafe {
            match &mut self.kind {
                Kind::Heap(scan, _) | Kind::HeapFrom(scan, _) => pg_sys::table_endscan(*scan),
                Kind::Index { scan, index, keys, .. } => {
                    pg_sys::index_endscan(*scan);
                    pg_sys::index_close(*index, pg_sys::NoLock as i32);
                    keys.clear();
                }
            }
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::MemoryContextDelete(self.memory);
        }
    }
}
