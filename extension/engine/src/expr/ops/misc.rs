//! Operators of no family: sizes, timestamps, chance, hashes.

use super::{arg, is_null, null};
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::{Computed, render};
use crate::value::Value;

pub(in crate::expr) fn rand(_: &'static str, _: &[Computed]) -> Result<Computed> {
    Ok(Some(Value::Double(fastrand::f64())))
}

pub(in crate::expr) fn bson_size(_: &'static str, args: &[Computed]) -> Result<Computed> {
    match arg(args, 0) {
        v if is_null(v) => null(),
        Some(Value::Document(d)) => Ok(Some(Value::Int32(i32::try_from(d.len()).unwrap_or(i32::MAX)))),
        v => {
            bail!(codes::LOCATION31393, "$bsonSize requires a document input, found: {}", render::type_of(v))
        }
    }
}

pub(in crate::expr) fn binary_size(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let n = match arg(args, 0) {
        v if is_null(v) => return null(),
        Some(Value::String(s)) => s.len(),
        Some(Value::Binary { bytes, .. }) => bytes.len(),
        v => bail!(
            codes::LOCATION51276,
            "$binarySize requires a string or BinData argument, found: {}",
            render::type_of(v)
        ),
    };
    Ok(Some(Value::Int32(i32::try_from(n).unwrap_or(i32::MAX))))
}

fn timestamp(name: &str, args: &[Computed], part: fn(u32, u32) -> u32) -> Result<Computed> {
    match arg(args, 0) {
        v if is_null(v) => null(),
        Some(Value::Timestamp { t, i }) => Ok(Some(Value::Int64(i64::from(part(*t, *i))))),
        v if name == "$tsIncrement" => bail!(
            codes::LOCATION5687302,
            "Argument to {name} must be a timestamp, but is {}",
            render::type_of(v)
        ),
        v => bail!(
            codes::LOCATION5687301,
            "{name} requires a timestamp argument, found: {}",
            render::type_of(v)
        ),
    }
}

pub(in crate::expr) fn ts_second(name: &'static str, args: &[Computed]) -> Result<Computed> {
    timestamp(name, args, |t, _| t)
}

pub(in crate::expr) fn ts_increment(name: &'static str, args: &[Computed]) -> Result<Computed> {
    timestamp(name, args, |_, i| i)
}
