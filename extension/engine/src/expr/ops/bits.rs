//! Bitwise operators on int and long.

use super::{any_nullish, arg, null};
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::{Computed, nullish, render};
use crate::value::Value;

fn fold(
    name: &str,
    args: &[Computed],
    start: i32,
    ints: fn(i32, i32) -> i32,
    longs: fn(i64, i64) -> i64,
) -> Result<Computed> {
    if let Some(Some(bad)) =
        args.iter().find(|a| !nullish(a) && !matches!(a, Some(Value::Int32(_) | Value::Int64(_))))
    {
        let _ = bad;
        bail!(codes::TYPE_MISMATCH, "{name} only supports int and long operands.");
    }
    if any_nullish(args) {
        return null();
    }
    let mut total = Value::Int32(start);
    for a in args.iter().flatten() {
        total = match (&total, a) {
            (Value::Int32(x), Value::Int32(y)) => Value::Int32(ints(*x, *y)),
            (x, y) => Value::Int64(longs(long(x), long(y))),
        };
    }
    Ok(Some(total))
}

fn long(v: &Value) -> i64 {
    match v {
        Value::Int32(i) => i64::from(*i),
        Value::Int64(i) => *i,
        _ => 0,
    }
}

pub(in crate::expr) fn and(name: &'static str, args: &[Computed]) -> Result<Computed> {
    fold(name, args, -1, |a, b| a & b, |a, b| a & b)
}

pub(in crate::expr) fn or(name: &'static str, args: &[Computed]) -> Result<Computed> {
    fold(name, args, 0, |a, b| a | b, |a, b| a | b)
}

pub(in crate::expr) fn xor(name: &'static str, args: &[Computed]) -> Result<Computed> {
    fold(name, args, 0, |a, b| a ^ b, |a, b| a ^ b)
}

pub(in crate::expr) fn not(_: &'static str, args: &[Computed]) -> Result<Computed> {
    match arg(args, 0) {
        Some(Value::Int32(i)) => Ok(Some(Value::Int32(!i))),
        Some(Value::Int64(i)) => Ok(Some(Value::Int64(!i))),
        v if super::is_null(v) => null(),
        v @ Some(Value::Double(_) | Value::Decimal128(_)) => {
            bail!(codes::TYPE_MISMATCH, "$bitNot only supports int and long, not: {}.", render::type_of(v))
        }
        v => bail!(codes::LOCATION28765, "$bitNot only supports numeric types, not {}", render::type_of(v)),
    }
}
