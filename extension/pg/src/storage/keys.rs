//! Walking ranges of a `bson_btree` index.

use pgrx::pg_sys::{self, ScanDirection};

use super::scan::{Row, Tid, row, scratch};
use super::table::Table;
use crate::error::Result;
use crate::sys::{payload, varlena};
use crate::xact::check_interrupts;

/// A range of keys to walk.
#[derive(Clone, Debug)]
pub struct Piece {
    /// First key.
    pub lo: Vec<u8>,
    /// First key behind it.
    pub hi: Vec<u8>,
    /// All keys of the piece are one key, and its rows before this one (in scan order) are left out.
    pub from: Option<Tid>,
}

/// A running scan over pieces of an index, in the order given, under the active snapshot of the moment it began.
pub struct KeyScan<'t> {
    scan: pg_sys::IndexScanDesc,
    index: pg_sys::Relation,
    slot: *mut pg_sys::TupleTableSlot,
    /// Detoasted documents: emptied at each step.
    memory: pg_sys::MemoryContext,
    /// The bounds of the current piece, which nbtree keeps pointing at.
    bounds: pg_sys::MemoryContext,
    pieces: std::vec::IntoIter<Piece>,
    /// The piece that is being walked.
    current: Option<Piece>,
    direction: ScanDirection::Type,
    /// Of a backward scan: what is next, last first, and the key all of it has.
    run: (Vec<Tid>, Vec<u8>),
    /// The entry that ended the run.
    ahead: Option<(Tid, Vec<u8>)>,
    /// nbtree has no more of this piece, and would begin it again if it were asked.
    ended: bool,
    table: core::marker::PhantomData<&'t Table>,
}

impl<'t> KeyScan<'t> {
    /// Begins. `pieces` are in the order of the scan: descending for a backward one.
    pub fn new(
        table: &'t Table,
        index: pg_sys::Oid,
        pieces: Vec<Piece>,
        backward: bool,
    ) -> Result<KeyScan<'t>> {
        // SAFETY: the table is open as long as the scan lives; the index is closed by `drop`.
        unsafe {
            let rel = table.relation();
            let slot = pg_sys::table_slot_create(rel, core::ptr::null_mut());
            let index = pg_sys::index_open(index, pg_sys::AccessShareLock as i32);
            let scan = pg_sys::index_beginscan(rel, index, pg_sys::GetActiveSnapshot(), 2, 0);
            // nbtree then hands out its entries, from which the key of a row is read.
            (*scan).xs_want_itup = true;
            let direction = if backward {
                ScanDirection::BackwardScanDirection
            } else {
                ScanDirection::ForwardScanDirection
            };
            let pieces = pieces.into_iter();
            Ok(KeyScan {
                scan,
                index,
                slot,
                memory: scratch(),
                bounds: scratch(),
                pieces,
                current: None,
                direction,
                run: (Vec::new(), Vec::new()),
                ahead: None,
                ended: false,
                table: core::marker::PhantomData,
            })
        }
    }

    /// The next row with the key it was found under. The row is known by the place its index entry has.
    pub fn next(&mut self) -> Option<(Row<'_>, &[u8])> {
        // SAFETY: descriptors and slot are this scan's and open; the key lives until the scan moves on.
        unsafe {
            loop {
                check_interrupts();
                if self.current.is_none() {
                    let piece = self.pieces.next()?;
                    self.begin(&piece);
                    self.current = Some(piece);
                }
                if self.direction == ScanDirection::BackwardScanDirection {
                    match self.backward() {
                        Some(tid) if !self.left_out(tid) && self.fetch(tid) => {
                            pg_sys::MemoryContextReset(self.memory);
                            return Some((row(self.slot, tid, self.memory), &self.run.1));
                        }
                        Some(_) => {}
                        None => self.current = None,
                    }
                    continue;
                }
                let tid = pg_sys::index_getnext_tid(self.scan, self.direction);
                if tid.is_null() {
                    self.current = None;
                    continue;
                }
                let tid = *tid;
                if self.left_out(tid) || !pg_sys::index_fetch_heap(self.scan, self.slot) {
                    continue;
                }
                pg_sys::MemoryContextReset(self.memory);
                return Some((row(self.slot, tid, self.memory), entry_key(self.scan)));
            }
        }
    }

    /// The next entry of the piece, backward. nbtree gives the rows that share one entry forward in any case; here all rows of a
    /// key come backward, so that a position among them means the same to every scan.
    ///
    /// # Safety
    /// The scan is open and in a piece.
    unsafe fn backward(&mut self) -> Option<Tid> {
        // SAFETY: the caller's promise; keys are copied before the scan moves on.
        unsafe {
            if let Some(tid) = self.run.0.pop() {
                return Some(tid);
            }
            let (first, key) = match self.ahead.take() {
                Some(entry) => entry,
                None => (self.step()?, entry_key(self.scan).to_vec()),
            };
            self.run.0.push(first);
            self.run.1 = key;
            let mut last = crate::am::row_id(first);
            while let Some(tid) = self.step() {
                let (here, key) = (crate::am::row_id(tid), entry_key(self.scan));
                if here < last || key != self.run.1 {
                    self.ahead = Some((tid, key.to_vec()));
                    break;
                }
                self.run.0.push(tid);
                last = here;
            }
            self.run.0.pop()
        }
    }

    /// # Safety
    /// The scan is open and in a piece.
    unsafe fn step(&mut self) -> Option<Tid> {
        if self.ended {
            return None;
        }
        // SAFETY: the caller's promise.
        unsafe {
            let tid = pg_sys::index_getnext_tid(self.scan, self.direction);
            self.ended = tid.is_null();
            tid.as_ref().copied()
        }
    }

    /// The visible version of a row that the scan has passed.
    ///
    /// # Safety
    /// The scan is open.
    unsafe fn fetch(&mut self, tid: Tid) -> bool {
        // SAFETY: the caller's promise; the row is named to PostgreSQL as the one the scan is at.
        unsafe {
            (*self.scan).xs_heaptid = tid;
            let found = pg_sys::index_fetch_heap(self.scan, self.slot);
            // A dead row is not the entry that the scan is at by now.
            (*self.scan).kill_prior_tuple = false;
            found
        }
    }

    /// # Safety
    /// The scan is open.
    unsafe fn begin(&mut self, piece: &Piece) {
        // SAFETY: the caller's promise; nbtree copies the keys, and their values live in `bounds` until the next piece.
        unsafe {
            self.ended = false;
            pg_sys::MemoryContextReset(self.bounds);
            let before = pg_sys::MemoryContextSwitchTo(self.bounds);
            let mut keys = bounds(&piece.lo, &piece.hi);
            pg_sys::MemoryContextSwitchTo(before);
            pg_sys::index_rescan(self.scan, keys.as_mut_ptr(), 2, core::ptr::null_mut(), 0);
        }
    }

    fn left_out(&self, tid: Tid) -> bool {
        let Some(from) = self.current.as_ref().and_then(|p| p.from) else { return false };
        let (here, from) = (crate::am::row_id(tid), crate::am::row_id(from));
        if self.direction == ScanDirection::BackwardScanDirection { here > from } else { here < from }
    }
}

/// `lo <= key AND key < hi`
pub(super) fn bounds(lo: &[u8], hi: &[u8]) -> [pg_sys::ScanKeyData; 2] {
    let mut keys = [pg_sys::ScanKeyData::default(); 2];
    let conditions = [
        (lo, pg_sys::BTGreaterEqualStrategyNumber, pg_sys::F_BYTEAGE),
        (hi, pg_sys::BTLessStrategyNumber, pg_sys::F_BYTEALT),
    ];
    for (key, (bound, strategy, function)) in keys.iter_mut().zip(conditions) {
        // SAFETY: fills the entry; the functions compare bytea, which is what the index stores.
        unsafe {
            let (none, function) = (pg_sys::InvalidOid, pg_sys::Oid::from(function));
            pg_sys::ScanKeyEntryInitialize(key, 0, 1, strategy as u16, none, none, function, varlena(bound));
        }
    }
    keys
}

/// The key of the entry the scan is at.
///
/// # Safety
/// `xs_want_itup` was set before the scan began, and it is at an entry.
unsafe fn entry_key<'a>(scan: pg_sys::IndexScanDesc) -> &'a [u8] {
    // SAFETY: the entry's one column follows its header, is never NULL and never toasted.
    unsafe {
        let entry = (*scan).xs_itup;
        let header = size_of::<pg_sys::IndexTupleData>();
        payload(pg_sys::Datum::from(entry.cast::<u8>().add(header))).0
    }
}

/// Is there any entry, visible or not, with `lo <= key < hi`?
pub fn first_key(table: &Table, index: pg_sys::Relation, lo: &[u8], hi: &[u8]) -> bool {
    // SAFETY: both relations are open; the scan ends here.
    unsafe {
        let scan = pg_sys::index_beginscan(table.relation(), index, pg_sys::GetActiveSnapshot(), 2, 0);
        let mut keys = bounds(lo, hi);
        pg_sys::index_rescan(scan, keys.as_mut_ptr(), 2, core::ptr::null_mut(), 0);
        let tid = pg_sys::index_getnext_tid(scan, ScanDirection::ForwardScanDirection);
        pg_sys::index_endscan(scan);
        !tid.is_null()
    }
}

impl Drop for KeyScan<'_> {
    fn drop(&mut self) {
        // After an ERROR the resource owner and the memory context do this.
        if std::thread::panicking() {
            return;
        }
        // SAFETY: all of these were made by `new` and are used by nobody else.
        unsafe {
            pg_sys::index_endscan(self.scan);
            pg_sys::index_close(self.index, pg_sys::NoLock as i32);
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::MemoryContextDelete(self.memory);
            pg_sys::MemoryContextDelete(self.bounds);
        }
    }
}
