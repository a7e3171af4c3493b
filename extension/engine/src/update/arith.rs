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
}

/// Checks an argument.
///
/// # Errors
/// `TypeMismatch` when it is no number.
pub fn check_argument(kind: Kind, name: &str, v: Val<'_>) -> Result<()> {
    match kind {
        _ if v.is_number() => Ok(()),
        Kind::Add => bail!(codes::TYPE_MISMATCH, "Increment should be numeric"),
        Kind::Multiply => bail!(
            codes::TYPE_MISMATCH,
            "Cannot multiply with non-numeric argument: {{ {name} : {} }}",
            crate::display::value(v)
        ),
    }
}

/// The value of a missing field: the increment itself, or zero of the factor's type.
#[must_use]
pub fn initial(kind: Kind, v: Val<'_>) -> Value {
    if kind == Kind::Add {
        return Value::from(v);
    }
    match v.ty {
        ty::INT64 => Value::Int64(0),
        ty::DOUBLE => Value::Double(0.0),
        ty::DECIMAL128 => Value::Decimal128(DECIMAL_ZERO),
        _ => Value::Int32(0),
    }
}

/// 0E0 in BSON's encoding: exponent bias 6176, shifted past the 113 bits of the coefficient.
const DECIMAL_ZERO: [u8; 16] = (6176u128 << 113).to_le_bytes();

/// `old + v` or `old * v`.
///
/// # Errors
/// `TypeMismatch` when the old value is no number, `BadValue` when the result leaves int64.
pub fn apply(kind: Kind, old: Val<'_>, v: Val<'_>, path: &str, doc: Doc<'_>) -> Result<Value> {
    if !old.is_number() {
        bail!(
            codes::TYPE_MISMATCH,
            "Cannot apply {} to a value of non-numeric type. {{ {} }} has the field '{}' of non-numeric type {}",
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
        return match (result, kind) {
            (Some(r), _) => Ok(match i32::try_from(r) {
                Ok(r) if both_short => Value::Int32(r),
                _ => Value::Int64(r),
            }),
            (None, Kind::Add) => bail!(
                codes::BAD_VALUE,
                "Failed to apply $inc operations to current value ({}) for document {{{}}}",
                text::typed(old),
                text::id(doc)
            ),
            (None, Kind::Multiply) => bail!(
                codes::BAD_VALUE,
                "Failed to apply $mul operations to current ({}) value for document {{ {} }}",
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
