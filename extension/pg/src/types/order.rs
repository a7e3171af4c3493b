//! Comparison operators, btree and hash support of bson and bsonquery: MongoDB's order.

use core::cmp::Ordering;

use engine::{Doc, compare};
use pgrx::pg_sys::{self, Datum};

use crate::error::{Result, internal};
use crate::sys::{Call, payload};

/// Compares the two arguments. Copies that had to be made are freed: btree code does not reset memory between calls.
fn cmp(call: Call<'_>) -> Result<Ordering> {
    let (Some(a), Some(b)) = (call.arg(0), call.arg(1)) else {
        return Err(internal("bson operators are strict"));
    };
    // SAFETY: both arguments are declared bson; the copies are ours to free and not used after.
    unsafe {
        let ((a, copy_a), (b, copy_b)) = (payload(a), payload(b));
        let order = compare::docs(Doc::trusted(a), Doc::trusted(b));
        for copy in [copy_a, copy_b] {
            if !copy.is_null() {
                pg_sys::pfree(copy);
            }
        }
        Ok(order)
    }
}

pgfn! {
    /// btree support function 1.
    fn bson_compare(call) { Ok(Datum::from(cmp(call)? as i32)) }
}
pgfn! {
    /// `=`
    fn bson_equal(call) { Ok(Datum::from(cmp(call)?.is_eq())) }
}
pgfn! {
    /// `<>`
    fn bson_not_equal(call) { Ok(Datum::from(cmp(call)?.is_ne())) }
}
pgfn! {
    /// `<`
    fn bson_lt(call) { Ok(Datum::from(cmp(call)?.is_lt())) }
}
pgfn! {
    /// `<=`
    fn bson_lte(call) { Ok(Datum::from(cmp(call)?.is_le())) }
}
pgfn! {
    /// `>`
    fn bson_gt(call) { Ok(Datum::from(cmp(call)?.is_gt())) }
}
pgfn! {
    /// `>=`
    fn bson_gte(call) { Ok(Datum::from(cmp(call)?.is_ge())) }
}
pgfn! {
    /// hash support function 1.
    fn bson_hash_int4(call) { Ok(Datum::from(hash(call.bytes(0)?, 0) as u32 as i32)) }
}
pgfn! {
    /// hash support function 2: with a seed.
    fn bson_hash_int8(call) { Ok(Datum::from(hash(call.bytes(0)?, call.i64(1)? as u64) as i64)) }
}

/// A hash that is equal for values that compare equal, whatever their types are. Stable: hash indexes store it.
pub fn hash(bytes: &[u8], seed: u64) -> u64 {
    engine::hash::document(Doc::trusted(bytes), seed)
}
