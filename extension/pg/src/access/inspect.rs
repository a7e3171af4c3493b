//! What has to be known of an index before a plan may use it.

use std::rc::Rc;

use engine::Doc;
use engine::key::bounds::Traits;
use engine::key::{TRUNCATED, marker};
use pgrx::pg_sys;

use crate::am::{Definition, definition, marker_numbers};
use crate::catalog::Index;
use crate::error::Result;
use crate::storage::{Table, first_key};

/// The index has such a marker.
pub(super) fn marked(table: &Table, relation: pg_sys::Oid, body: &[u8]) -> Result<bool> {
    let key = marker(body, None);
    // No path contains a NUL, so nothing but this marker lies in between.
    let end = [key.as_slice(), &[0]].concat();
    // SAFETY: the index was there a moment ago under a lock that the transaction still has.
    unsafe {
        let index = pg_sys::relation_open(relation, pg_sys::AccessShareLock as i32);
        let found = first_key(table, index, &key, &end);
        pg_sys::relation_close(index, pg_sys::NoLock as i32);
        Ok(found)
    }
}

/// `hidden: true`: kept, and used only by a hint.
pub(super) fn hidden(index: &Index) -> bool {
    let options = index.options.as_deref().map(Doc::trusted);
    options.and_then(|d| d.get("hidden")).and_then(|v| v.as_bool()).unwrap_or(false)
}

/// Definition and traits of an index; `None` when this snapshot must not use it.
pub(super) fn inspect(table: &Table, relation: pg_sys::Oid) -> Result<Option<(Rc<Definition>, Traits)>> {
    // SAFETY: the index is locked and closed here; its catalog row lives with the open relation.
    unsafe {
        let index = pg_sys::try_relation_open(relation, pg_sys::AccessShareLock as i32);
        if index.is_null() {
            return Ok(None);
        }
        let result = usable(index).then(|| {
            let definition = definition(index)?;
            let traits = traits(table, index, definition.spec.fields.len());
            Ok((definition, traits))
        });
        pg_sys::relation_close(index, pg_sys::NoLock as i32);
        result.transpose()
    }
}

/// What PostgreSQL's planner asks of an index before it takes it (plancat.c): valid, and not younger than this
/// snapshot when its build met rows with a history.
///
/// # Safety
/// `index` is open.
unsafe fn usable(index: pg_sys::Relation) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let form = &*(*index).rd_index;
        if !form.indisvalid {
            return false;
        }
        let row = (*(*index).rd_indextuple).t_data;
        let frozen = u32::from((*row).t_infomask) & pg_sys::HEAP_XMIN_FROZEN == pg_sys::HEAP_XMIN_FROZEN;
        let made = if frozen { pg_sys::FrozenTransactionId } else { (*row).t_choice.t_heap.t_xmin };
        !form.indcheckxmin || pg_sys::TransactionIdPrecedes(made, pg_sys::TransactionXmin)
    }
}

fn traits(table: &Table, index: pg_sys::Relation, components: usize) -> Traits {
    let marked = |number: u8| {
        let end = if number == TRUNCATED { vec![1] } else { vec![0, number + 1] };
        first_key(table, index, &[0, number], &end)
    };
    if !first_key(table, index, &[0], &[1]) {
        return Traits { multi: vec![false; components], truncated: false };
    }
    let mut flags: Vec<bool> = marker_numbers(components).map(marked).collect();
    let truncated = flags.pop().unwrap_or(true);
    Traits { multi: flags, truncated }
}
