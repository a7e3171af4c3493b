//! Comparison operators, btree and hash support of bson and bsonquery: MongoDB's order.

use core::cmp::Ordering;
use core::hash::{Hash, Hasher};
use std::hash::DefaultHasher;

use engine::decimal::{self, Parts};
use engine::raw::View;
use engine::{Doc, Val, compare};
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

/// A hash that is equal for values that compare equal, whatever their types are.
pub fn hash(bytes: &[u8], seed: u64) -> u64 {
    let mut h = DefaultHasher::new();
    seed.hash(&mut h);
    hash_doc(Doc::trusted(bytes), true, &mut h);
    h.finish()
}

fn hash_doc(doc: Doc<'_>, names: bool, h: &mut DefaultHasher) {
    for e in doc {
        if names {
            e.name_bytes().hash(h);
        }
        hash_value(e.val, h);
    }
    u8::MAX.hash(h);
}

fn hash_value(v: Val<'_>, h: &mut DefaultHasher) {
    compare::bracket(v.ty).hash(h);
    match v.view() {
        // Numbers that are equal are equal when rounded to the same width.
        View::Int32(i) => hash_f64(f64::from(i), h),
        View::Int64(i) => hash_f64(i as f64, h),
        View::Double(x) => hash_f64(x, h),
        View::Decimal128(d) => hash_f64(decimal_f64(d), h),
        View::Document(d) => hash_doc(d, true, h),
        View::Array(d) => hash_doc(d, false, h),
        View::String(_) | View::Symbol(_) => v.string_bytes().hash(h),
        View::Null | View::Undefined | View::MinKey | View::MaxKey => {}
        _ => v.bytes.hash(h),
    }
}

fn hash_f64(x: f64, h: &mut DefaultHasher) {
    let canonical = if x.is_nan() { f64::NAN } else { x + 0.0 };
    canonical.to_bits().hash(h);
}

fn decimal_f64(bytes: [u8; 16]) -> f64 {
    match decimal::decode(bytes) {
        Parts::NaN => f64::NAN,
        Parts::Infinity { negative } => {
            if negative {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            }
        }
        Parts::Finite { negative, coefficient, exponent } => {
            let x: f64 = format!("{coefficient}e{exponent}").parse().unwrap_or(0.0);
            if negative { -x } else { x }
        }
    }
}
