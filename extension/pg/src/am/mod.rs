//! `bson_btree`: PostgreSQL's own btree with a front of ours.
//!
//! An index covers the column `document`. Each row has as many entries as the document has keys (none, for sparse and
//! partial indexes; several, when it has arrays), and each entry is a `bytea` that memcmp orders as MongoDB orders the
//! values ([`engine::key`]). Only making entries is ours: pages, WAL, locks, uniqueness, deduplication, vacuum and scans
//! are nbtree's code, called through its own routine table. So crash recovery and standbys need nothing of ours, and
//! scans take plain `bytea` scan keys.
//!
//! Besides keys an index holds markers ([`engine::key::marker`]): entries below all keys that say "some row has several
//! keys for component n" or "some key was cut". They live and die with their row, so they are right on standbys and
//! after a crash, like any other entry.

mod build;
mod insert;
mod options;

use pgrx::pg_sys::{self, Datum};

use crate::error::Result;

pub use insert::{marker_numbers, row_id};
pub use options::{Definition, definition, option_text};

/// PostgreSQL's fixed oid of the btree access method.
const BTREE: u32 = 403;

/// nbtree's routine table, looked up once per backend.
fn nbtree() -> &'static pg_sys::IndexAmRoutine {
    thread_local! {
        static ROUTINE: core::cell::OnceCell<&'static pg_sys::IndexAmRoutine> = const { core::cell::OnceCell::new() };
    }
    ROUTINE.with(|r| {
        *r.get_or_init(|| {
            // SAFETY: the routine is allocated in a context that lives as long as the backend.
            unsafe {
                let old = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
                let found = pg_sys::GetIndexAmRoutineByAmId(pg_sys::Oid::from(BTREE), false);
                pg_sys::MemoryContextSwitchTo(old);
                &*found
            }
        })
    })
}

/// Is this open index one of this access method?
///
/// # Safety
/// `index` is an open relation.
pub unsafe fn is_ours(index: pg_sys::Relation) -> bool {
    // SAFETY: the caller's promise; a look-up in PostgreSQL's caches.
    unsafe { (*(*index).rd_rel).relam == pg_sys::get_index_am_oid(c"bson_btree".as_ptr(), true) }
}

pgfn! {
    /// The access method's handler: nbtree's table with our way to make entries.
    fn bson_btree_handler(_call) {
        let mut am = *nbtree();
        // The planner knows nothing of our keys: it must never take such an index for a column's order or a bare scan.
        am.amcanorder = false;
        am.amoptionalkey = false;
        am.amcanmulticol = false;
        am.amsearcharray = false;
        am.amsearchnulls = false;
        am.amclusterable = false;
        am.amcanparallel = false;
        am.amcaninclude = false;
        am.amcanreturn = None;
        am.amstorage = true;
        am.ambuild = Some(build::build);
        am.aminsert = Some(insert::insert);
        am.amvalidate = Some(validate);
        am.amproperty = None;
        am.amadjustmembers = None;
        // SAFETY: palloc gives room for one routine, or raises.
        unsafe {
            let out = pg_sys::palloc(size_of::<pg_sys::IndexAmRoutine>()) as *mut pg_sys::IndexAmRoutine;
            out.write(am);
            Ok(Datum::from(out))
        }
    }
}

/// Operator classes are made by our script only.
unsafe extern "C-unwind" fn validate(_class: pg_sys::Oid) -> bool {
    true
}

/// A pointer of nbtree's table that version 15 always fills.
fn present<T>(f: Option<T>) -> Result<T> {
    f.ok_or_else(|| crate::error::internal("PostgreSQL's btree lacks a function"))
}
