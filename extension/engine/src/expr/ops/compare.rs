//! Comparison and `$type`.

use super::arg;
use crate::collation::Collation;
use crate::error::Result;
use crate::expr::{Computed, render};
use crate::value::Value;
use std::cmp::Ordering;

/// MongoDB's order of computed values: missing before everything but minKey.
fn order(a: Option<&Value>, b: Option<&Value>, collation: &Collation) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(Value::MinKey)) => Ordering::Greater,
        (Some(Value::MinKey), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(a), Some(b)) => collated(a, b, collation),
    }
}

/// MongoDB's order of two values, strings by `collation`.
pub(crate) fn collated(a: &Value, b: &Value, collation: &Collation) -> Ordering {
    a.with_val(|a| b.with_val(|b| crate::compare::collated(a, b, collation)))
}

/// MongoDB's order of two values, strings by their bytes.
pub(crate) fn values(a: &Value, b: &Value) -> Ordering {
    a.with_val(|a| b.with_val(|b| crate::compare::values(a, b)))
}

macro_rules! comparison {
    ($($name:ident $test:ident)*) => {
        $(pub(in crate::expr) fn $name(
            _: &'static str,
            args: &[Computed],
            collation: &Collation,
        ) -> Result<Computed> {
            Ok(Some(Value::Bool(order(arg(args, 0), arg(args, 1), collation).$test())))
        })*
    };
}

comparison! { eq is_eq ne is_ne lt is_lt lte is_le gt is_gt gte is_ge }

pub(in crate::expr) fn cmp(_: &'static str, args: &[Computed], collation: &Collation) -> Result<Computed> {
    let n = match order(arg(args, 0), arg(args, 1), collation) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    };
    Ok(Some(Value::Int32(n)))
}

pub(in crate::expr) fn type_of(_: &'static str, args: &[Computed]) -> Result<Computed> {
    Ok(Some(Value::String(render::type_of(arg(args, 0)).into())))
}

pub(in crate::expr) fn is_number(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let yes = matches!(
        arg(args, 0),
        Some(Value::Int32(_) | Value::Int64(_) | Value::Double(_) | Value::Decimal128(_))
    );
    Ok(Some(Value::Bool(yes)))
}
