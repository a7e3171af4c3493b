//! Scan keys over the primary key (shard_key_value, object_id).

use std::cell::Cell;

use pgrx::pg_sys::{self, Datum};

use crate::error::Result;
use crate::sys::varlena;

/// One condition on the primary key. The object id is compared as `{"": value}`.
#[derive(Clone, Debug)]
pub struct Key {
    /// Strategy number of the btree: 1 `<`, 2 `<=`, 3 `=`, 4 `>=`, 5 `>`.
    pub strategy: u16,
    /// `{"": value}`
    pub object_id: Vec<u8>,
}

impl Key {
    /// `object_id = {"": v}`
    pub fn equal(v: engine::Val<'_>) -> Key {
        Key { strategy: pg_sys::BTEqualStrategyNumber as u16, object_id: crate::types::wrap(v) }
    }
}

/// The scan keys of `shard_key_value = shard AND …`, allocated in the current memory context.
pub(super) fn scan_keys(
    index: pg_sys::Relation,
    shard: i64,
    keys: &[Key],
) -> Result<Vec<pg_sys::ScanKeyData>> {
    let mut all = Vec::with_capacity(keys.len() + 1);
    let equal = pg_sys::BTEqualStrategyNumber as u16;
    all.push(scan_key(1, equal, pg_sys::Oid::from(pg_sys::F_INT8EQ), Datum::from(shard)));
    for k in keys {
        all.push(scan_key(2, k.strategy, comparison(index, k.strategy), varlena(&k.object_id)));
    }
    Ok(all)
}

thread_local! {
    /// What [`comparison`] found last: operator family, strategy, function.
    static FOUND: Cell<Option<(pg_sys::Oid, u16, pg_sys::Oid)>> = const { Cell::new(None) };
}

/// The function of the operator that compares object ids by this strategy. A family's operators stay what they are as long
/// as there is the family, so that the catalog is not asked again for the same.
fn comparison(index: pg_sys::Relation, strategy: u16) -> pg_sys::Oid {
    // SAFETY: the index is open and has two columns; its operator classes are btree classes of the column's own type, so
    // that every strategy from 1 to 5 has an operator with a function.
    unsafe {
        let family = *(*index).rd_opfamily.add(1);
        if let Some((of, with, function)) = FOUND.get()
            && (of, with) == (family, strategy)
        {
            return function;
        }
        let class_type = *(*index).rd_opcintype.add(1);
        let operator = pg_sys::get_opfamily_member(family, class_type, class_type, strategy as i16);
        let function = pg_sys::get_opcode(operator);
        FOUND.set(Some((family, strategy, function)));
        function
    }
}

fn scan_key(column: i16, strategy: u16, function: pg_sys::Oid, value: Datum) -> pg_sys::ScanKeyData {
    let mut key = pg_sys::ScanKeyData::default();
    let none = pg_sys::InvalidOid;
    // SAFETY: fills the entry; the function compares what the column stores.
    unsafe {
        pg_sys::ScanKeyEntryInitialize(&mut key, 0, column, strategy, none, none, function, value);
    }
    key
}
