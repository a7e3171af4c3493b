//! What the operators do, by family.

pub(crate) mod arith;
pub(crate) mod array;
pub(super) mod binary;
pub(super) mod bits;
pub(super) mod collect;
pub(crate) mod compare;
pub(super) mod convert;
pub(super) mod date;
pub(crate) mod dec128;
pub(super) mod dec_trig;
pub(super) mod fields;
pub(super) mod hashed;
pub(super) mod logic;
pub(super) mod misc;
pub(crate) mod num;
pub(crate) mod object;
pub(crate) mod order;
pub(super) mod power;
pub(super) mod regex;
pub(super) mod set;
pub(super) mod text;
pub(super) mod trig;

use super::{Computed, nullish};
use crate::value::Value;

/// The argument at `i`; one that was not given is missing.
fn arg(args: &[Computed], i: usize) -> Option<&Value> {
    args.get(i).and_then(Option::as_ref)
}

/// Any of the arguments is null or missing.
fn any_nullish(args: &[Computed]) -> bool {
    args.iter().any(nullish)
}

fn is_null(v: Option<&Value>) -> bool {
    matches!(v, None | Some(Value::Null | Value::Undefined))
}

/// `Ok(Some(Value::Null))`
#[allow(clippy::unnecessary_wraps, reason = "the shape every operator answers in")]
fn null() -> crate::error::Result<Computed> {
    Ok(Some(Value::Null))
}
