//! Counting rows by the entries of an index: a page of which every transaction sees everything is not looked at.

use pgrx::pg_sys::{self, BlockNumber, Buffer, ScanDirection};

use super::key::{Key, scan_keys};
use super::keys::{Piece, bounds};
use super::table::Table;
use crate::error::Result;
use crate::xact::check_interrupts;

unsafe extern "C-unwind" {
    /// storage/lmgr/predicate.c: a serializable transaction has read this page of the table.
    fn PredicateLockPage(relation: pg_sys::Relation, block: BlockNumber, snapshot: pg_sys::Snapshot);
}

/// A running scan over entries, under the active snapshot of the moment it began. That snapshot must stay active as long.
pub struct Skim<'t> {
    scan: pg_sys::IndexScanDesc,
    index: pg_sys::Relation,
    slot: *mut pg_sys::TupleTableSlot,
    /// The page of the visibility map that was asked last.
    map: Buffer,
    /// Conditions of the parts that are still to be scanned.
    parts: std::vec::IntoIter<Vec<pg_sys::ScanKeyData>>,
    /// A part is being scanned.
    inside: bool,
    table: &'t Table,
}

impl<'t> Skim<'t> {
    /// Over pieces of a `bson_btree` index.
    pub fn index(table: &'t Table, index: pg_sys::Oid, pieces: &[Piece]) -> Skim<'t> {
        let parts = pieces.iter().map(|p| bounds(&p.lo, &p.hi).into()).collect();
        // SAFETY: an index of the table, found in this transaction.
        unsafe {
            let index = pg_sys::index_open(index, pg_sys::AccessShareLock as i32);
            Self::begin(table, index, parts)
        }
    }

    /// Over the rows whose object id satisfies all keys of one of these lists, which are of one length and disjoint.
    pub fn primary_key(table: &'t Table, lists: &[Vec<Key>]) -> Result<Skim<'t>> {
        // SAFETY: the table's own index.
        unsafe {
            let index = pg_sys::index_open(table.pk(), pg_sys::AccessShareLock as i32);
            let parts = lists.iter().map(|keys| scan_keys(index, table.shard(), keys));
            let parts = parts.collect::<Result<Vec<_>>>()?;
            Ok(Self::begin(table, index, parts))
        }
    }

    /// # Safety
    /// The index is open and the table's; the values in the keys live as long as the current memory context.
    unsafe fn begin(
        table: &'t Table,
        index: pg_sys::Relation,
        parts: Vec<Vec<pg_sys::ScanKeyData>>,
    ) -> Skim<'t> {
        // SAFETY: the caller's promise; all of it is closed by `drop`.
        unsafe {
            let rel = table.relation();
            let slot = pg_sys::table_slot_create(rel, core::ptr::null_mut());
            let keys = parts.first().map_or(0, Vec::len) as i32;
            let scan = pg_sys::index_beginscan(rel, index, pg_sys::GetActiveSnapshot(), keys, 0);
            // nbtree then keeps its page pinned, so that no vacuum gives away the places of rows before they are asked for
            // in the visibility map (nodeIndexonlyscan.c).
            (*scan).xs_want_itup = true;
            let parts = parts.into_iter();
            Skim { scan, index, slot, map: pg_sys::InvalidBuffer as Buffer, parts, inside: false, table }
        }
    }

    /// There is another row.
    pub fn next(&mut self) -> bool {
        let rel = self.table.relation();
        // SAFETY: descriptors, slot and buffer are this scan's and open; nbtree copies the keys it is given.
        unsafe {
            loop {
                check_interrupts();
                if !self.inside {
                    let Some(mut keys) = self.parts.next() else { return false };
                    let n = keys.len() as i32;
                    pg_sys::index_rescan(self.scan, keys.as_mut_ptr(), n, core::ptr::null_mut(), 0);
                    self.inside = true;
                }
                let tid = pg_sys::index_getnext_tid(self.scan, ScanDirection::ForwardScanDirection);
                let Some(tid) = tid.as_ref() else {
                    self.inside = false;
                    continue;
                };
                let block = (u32::from(tid.ip_blkid.bi_hi) << 16) | u32::from(tid.ip_blkid.bi_lo);
                let known = pg_sys::visibilitymap_get_status(rel, block, &mut self.map);
                if u32::from(known) & pg_sys::VISIBILITYMAP_ALL_VISIBLE != 0 {
                    PredicateLockPage(rel, block, (*self.scan).xs_snapshot);
                    return true;
                }
                if pg_sys::index_fetch_heap(self.scan, self.slot) {
                    return true;
                }
            }
        }
    }
}

impl Drop for Skim<'_> {
    fn drop(&mut self) {
        // After an ERROR the resource owner and the memory context do this.
        if std::thread::panicking() {
            return;
        }
        // SAFETY: all of these were made by `begin` and `next` and are used by nobody else.
        unsafe {
            if self.map != pg_sys::InvalidBuffer as Buffer {
                pg_sys::ReleaseBuffer(self.map);
            }
            pg_sys::index_endscan(self.scan);
            pg_sys::index_close(self.index, pg_sys::NoLock as i32);
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
        }
    }
}
