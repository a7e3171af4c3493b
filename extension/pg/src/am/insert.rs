//! Entries for one row.

use engine::key::{TRUNCATED, marker};
use pgrx::pg_sys::{self, Datum};

use super::{definition, nbtree, present};
use crate::error::boundary_as;
use crate::sys::{guarded, payload, varlena};

/// `aminsert`: gives nbtree one entry per key of the document.
pub unsafe extern "C-unwind" fn insert(
    index: pg_sys::Relation,
    values: *mut Datum,
    isnull: *mut bool,
    tid: pg_sys::ItemPointer,
    heap: pg_sys::Relation,
    unique: pg_sys::IndexUniqueCheck::Type,
    unchanged: bool,
    info: *mut pg_sys::IndexInfo,
) -> bool {
    // SAFETY: PostgreSQL calls with the open index and heap and one value (the index has one column).
    unsafe {
        boundary_as(|| {
            if *isnull {
                return Ok(false);
            }
            let definition = definition(index)?;
            let (doc, copy) = payload(*values);
            let entries = definition.entries(doc)?;
            if !copy.is_null() {
                pg_sys::pfree(copy);
            }
            let put = present(nbtree().aminsert)?;
            let one = |key: &[u8], check| {
                let (mut value, mut null) = (varlena(key), false);
                let (v, n) = (&raw mut value, &raw mut null);
                let ok = guarded(|| put(index, v, n, tid, heap, check, unchanged, info));
                pg_sys::pfree(value.cast_mut_ptr());
                ok
            };
            // Markers first: whoever sees the row's keys sees them too.
            let row = definition.spec.unique.then(|| row_id(*tid));
            for m in &entries.markers {
                one(&marker(m, row), pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO);
            }
            let mut satisfied = true;
            for key in &entries.keys {
                satisfied &= one(key, unique);
            }
            Ok(satisfied)
        })
    }
}

/// A row's place as bytes in the order of places.
pub fn row_id(tid: pg_sys::ItemPointerData) -> [u8; 6] {
    let [a, b] = tid.ip_blkid.bi_hi.to_be_bytes();
    let [c, d] = tid.ip_blkid.bi_lo.to_be_bytes();
    let [e, f] = tid.ip_posid.to_be_bytes();
    [a, b, c, d, e, f]
}

/// Which traits of an index its markers can tell, in the order of [`markers`]: components, then truncation.
pub fn marker_numbers(components: usize) -> impl Iterator<Item = u8> {
    (0..TRUNCATED).take(components).chain([TRUNCATED])
}
