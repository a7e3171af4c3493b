//! `$inc` and `$mul`: numbers of four types, promoted as MongoDB does.

use super::text;
use crate::error::Result;
use crate::expr::num::{self, Num};
use crate::raw::{Doc, Val, View, ty};
use crate::value::Value;
use crate::{bail, codes};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `$inc`
    Add,
    /// `$mul`
    Multiply,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Add => "$inc",
            Kind::Multiply => "$mul",
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Kind::Add => "increment",
            Kind::Multiply => "multiply",
        }
    }
}

/// Checks an argument.
///
/// # Errors
/// `TypeMismatch` when it is no number.
pub fn check_argument(kind: Kind, name: &str, v: Val<'_>) -> Result<()> {
    match kind {
        _ if v.is_number() => Ok(()),
        _ => bail!(
            codes::TYPE_MISMATCH,
            "Cannot {} with non-numeric argument: {{{}}}",
            kind.verb(),
            text::field(name, v)
        ),
    }
}

/// The value of a missing field: the increment itself, or the factor times the integer zero.
#[must_use]
pub fn initial(kind: Kind, v: Val<'_>) -> Value {
    match (kind, v.ty, Num::of(&Value::from(v)), Num::of(&Value::Int32(0))) {
        (Kind::Multiply, ty::INT64, ..) => Value::Int64(0),
        (Kind::Multiply, ty::INT32, ..) => Value::Int32(0),
        (Kind::Multiply, _, Some(factor), Some(zero)) => num::mul(factor, zero).value(),
        _ => Value::from(v),
    }
}

/// `old + v` or `old * v`.
///
/// # Errors
/// `TypeMismatch` when the old value is no number, `BadValue` when the result leaves int64.
pub fn apply(kind: Kind, old: Val<'_>, v: Val<'_>, path: &str, doc: Doc<'_>) -> Result<Value> {
    if !old.is_number() {
        bail!(
            codes::TYPE_MISMATCH,
            "Cannot apply {} to a value of non-numeric type. {{{}}} has the field '{}' of non-numeric type {}",
            kind.name(),
            text::id(doc),
            path.rsplit('.').next().unwrap_or(path),
            old.type_name()
        );
    }
    if let (Some(a), Some(b)) = (whole(old), whole(v)) {
        let result = match kind {
            Kind::Add => a.checked_add(b),
            Kind::Multiply => a.checked_mul(b),
        };
        let both_short = old.ty == ty::INT32 && v.ty == ty::INT32;
        return match result {
            Some(r) => Ok(match i32::try_from(r) {
                Ok(r) if both_short => Value::Int32(r),
                _ => Value::Int64(r),
            }),
            None => bail!(
                codes::BAD_VALUE,
                "Failed to apply {} operations to current value ({}) for document {{{}}}",
                kind.name(),
                text::typed(old),
                text::id(doc)
            ),
        };
    }
    Ok(match (Num::of(&Value::from(old)), Num::of(&Value::from(v))) {
        (Some(a), Some(b)) if kind == Kind::Add => num::add(a, b).value(),
        (Some(a), Some(b)) => num::mul(a, b).value(),
        // Both were checked to be numbers.
        _ => Value::from(old),
    })
}

fn whole(v: Val<'_>) -> Option<i64> {
    match v.view() {
        View::Int32(i) => Some(i64::from(i)),
        View::Int64(i) => Some(i),
        _ => None,
    }
}
