//! Scan keys over the primary key (shard_key_value, object_id).

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
    all.push(scan_key(index, 1, pg_sys::BTEqualStrategyNumber as u16, Datum::from(shard)));
    for k in keys {
        all.push(scan_key(index, 2, k.strategy, varlena(&k.object_id)));
    }
    Ok(all)
}

fn scan_key(index: pg_sys::Relation, column: i16, strategy: u16, value: Datum) -> pg_sys::ScanKeyData {
    let mut key = pg_sys::ScanKeyData::default();
    // SAFETY: the index is open; its operator classes are btree classes of the column's own type, so that every strategy
    // from 1 to 5 has an operator with a function.
    unsafe {
        let at = column as usize - 1;
        let (family, class_type) = (*(*index).rd_opfamily.add(at), *(*index).rd_opcintype.add(at));
        let operator = pg_sys::get_opfamily_member(family, class_type, class_type, strategy as i16);
        pg_sys::ScanKeyEntryInitialize(
            &mut key,
            0,
            column,
            strategy,
            pg_sys::InvalidOid,
            pg_sys::InvalidOid,
            pg_sys::get_opcode(operator),
            value,
        );
    }
    key
}
