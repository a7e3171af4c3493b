//! Updates that change no key stay in their HOT chain.

use pgrx::pg_sys;

/// While it lives, PostgreSQL believes that only the primary key's columns are indexed, so that an update which changes
/// no key of any index stays a HOT update. Right for one `table_tuple_update` of which that is known.
pub(super) struct HiddenKeys {
    rel: pg_sys::Relation,
    /// The column set of all indexes, taken out for the time.
    saved: *mut pg_sys::Bitmapset,
    /// What stands in its place.
    ours: *mut pg_sys::Bitmapset,
}

impl HiddenKeys {
    /// # Safety
    /// The relation stays open as long as this value.
    pub(super) unsafe fn new(rel: pg_sys::Relation) -> Self {
        // SAFETY: the call fills the relation's cached column sets; ours is a copy in the same memory context.
        unsafe {
            let all =
                pg_sys::RelationGetIndexAttrBitmap(rel, pg_sys::IndexAttrBitmapKind::INDEX_ATTR_BITMAP_ALL);
            pg_sys::bms_free(all);
            let saved = (*rel).rd_indexattr;
            let before = pg_sys::MemoryContextSwitchTo(pg_sys::CacheMemoryContext);
            let ours = pg_sys::bms_copy((*rel).rd_pkattr);
            (*rel).rd_indexattr = ours;
            pg_sys::MemoryContextSwitchTo(before);
            HiddenKeys { rel, saved, ours }
        }
    }
}

impl Drop for HiddenKeys {
    fn drop(&mut self) {
        // Also after an ERROR: the relation cache entry outlives it.
        // SAFETY: whoever's set stands in the entry belongs to the entry; the other one is ours to free. While the update
        // waited for another transaction, an invalidation may have rebuilt the entry: our set is freed then, and the saved
        // one must not come back beside sets that were not computed again.
        unsafe {
            if (*self.rel).rd_indexattr == self.ours {
                (*self.rel).rd_indexattr = self.saved;
                pg_sys::bms_free(self.ours);
            } else {
                pg_sys::bms_free(self.saved);
            }
        }
    }
}
