//! Building an index with nbtree's own bulk loader.
//!
//! nbtree's build asks the heap's table access method to scan the heap and to call back with one value per row; it wants
//! one per entry here. So for the length of that one call the heap relation carries a copy of its routine table whose scan
//! function fans rows out into entries, and the index names btree as its access method, which PostgreSQL's sort checks.
//! Both are put back before anything else looks: the first thing our scan function does is to restore the real table.

use core::ffi::c_void;
use std::cell::Cell;

use engine::key::marker;
use pgrx::pg_sys::{self, Datum};

use super::insert::row_id;
use super::options::Definition;
use super::{BTREE, definition, nbtree, present};
use crate::error::{boundary_as, internal};
use crate::sys::{guarded, payload, varlena};

thread_local! {
    /// The heap's real routine table, while our scan function is in its place.
    static REAL: Cell<*const pg_sys::TableAmRoutine> = const { Cell::new(core::ptr::null()) };
    /// Our scan function ran.
    static RAN: Cell<bool> = const { Cell::new(false) };
}

/// Puts the relations' fields back, also when an ERROR unwinds.
struct Disguise {
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    table: *const pg_sys::TableAmRoutine,
    am: pg_sys::Oid,
}

impl Drop for Disguise {
    fn drop(&mut self) {
        // SAFETY: both relations stay open for the whole build.
        unsafe {
            (*self.heap).rd_tableam = self.table;
            (*(*self.index).rd_rel).relam = self.am;
        }
        REAL.set(core::ptr::null());
    }
}

/// `ambuild`.
pub unsafe extern "C-unwind" fn build(
    heap: pg_sys::Relation,
    index: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
) -> *mut pg_sys::IndexBuildResult {
    // SAFETY: PostgreSQL calls with open relations; `Disguise` undoes what is changed in them.
    unsafe {
        boundary_as(|| {
            definition(index)?;
            let bulk = present(nbtree().ambuild)?;
            (*info).ii_ParallelWorkers = 0;
            let table = (*heap).rd_tableam;
            let mut ours = *table;
            ours.index_build_range_scan = Some(scan);
            let disguise = Disguise { heap, index, table, am: (*(*index).rd_rel).relam };
            REAL.set(table);
            RAN.set(false);
            (*heap).rd_tableam = &raw const ours;
            (*(*index).rd_rel).relam = pg_sys::Oid::from(BTREE);
            let built = guarded(|| bulk(heap, index, info));
            drop(disguise);
            if !RAN.get() {
                return Err(internal("the index build did not go through our scan"));
            }
            Ok(built)
        })
    }
}

/// What the fan-out needs while the heap is scanned.
struct Fan<'a> {
    callback: unsafe extern "C-unwind" fn(
        pg_sys::Relation,
        pg_sys::ItemPointer,
        *mut Datum,
        *mut bool,
        bool,
        *mut c_void,
    ),
    state: *mut c_void,
    definition: &'a Definition,
    /// Emptied after every row.
    scratch: pg_sys::MemoryContext,
}

#[allow(clippy::too_many_arguments, reason = "the signature is PostgreSQL's")]
unsafe extern "C-unwind" fn scan(
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
    allow_sync: bool,
    anyvisible: bool,
    progress: bool,
    start: pg_sys::BlockNumber,
    blocks: pg_sys::BlockNumber,
    callback: pg_sys::IndexBuildCallback,
    state: *mut c_void,
    scan: pg_sys::TableScanDesc,
) -> f64 {
    // SAFETY: nbtree's build calls this in place of the real function, with that function's arguments.
    unsafe {
        boundary_as(|| {
            let real = REAL.get();
            if real.is_null() {
                return Err(internal("an index build scan outside a build"));
            }
            (*table).rd_tableam = real;
            RAN.set(true);
            let definition = definition(index)?;
            let name = c"bson_btree build".as_ptr();
            let parent = pg_sys::CurrentMemoryContext;
            let scratch = pg_sys::AllocSetContextCreateInternal(parent, name, 0, 8 << 10, 8 << 20);
            let mut fan = Fan { callback: present(callback)?, state, definition: &definition, scratch };
            let real = present((*real).index_build_range_scan)?;
            let fan = (&raw mut fan).cast();
            let rows = guarded(|| {
                real(
                    table,
                    index,
                    info,
                    allow_sync,
                    anyvisible,
                    progress,
                    start,
                    blocks,
                    Some(row),
                    fan,
                    scan,
                )
            });
            pg_sys::MemoryContextDelete(scratch);
            Ok(rows)
        })
    }
}

unsafe extern "C-unwind" fn row(
    index: pg_sys::Relation,
    tid: pg_sys::ItemPointer,
    values: *mut Datum,
    isnull: *mut bool,
    alive: bool,
    state: *mut c_void,
) {
    // SAFETY: `state` is the `Fan` of `scan` above; the rest is what PostgreSQL gives a build callback.
    unsafe {
        boundary_as(|| {
            let fan = &*state.cast::<Fan<'_>>();
            if *isnull {
                return Ok(());
            }
            let old = pg_sys::MemoryContextSwitchTo(fan.scratch);
            let (doc, _) = payload(*values);
            let entries = fan.definition.entries(doc)?;
            let row = fan.definition.spec.unique.then(|| row_id(*tid));
            let markers = entries.markers.iter().map(|m| marker(m, row));
            for key in markers.chain(entries.keys) {
                let (mut value, mut null) = (varlena(&key), false);
                let (v, n, callback, state) = (&raw mut value, &raw mut null, fan.callback, fan.state);
                guarded(|| callback(index, tid, v, n, alive, state));
            }
            pg_sys::MemoryContextSwitchTo(old);
            pg_sys::MemoryContextReset(fan.scratch);
            Ok(())
        });
    }
}
