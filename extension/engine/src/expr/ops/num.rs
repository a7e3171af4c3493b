//! Numbers of the four types in arithmetic: promotion and conversion.

use super::dec128::{self, D};
use crate::value::Value;

/// A number taken out of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Num {
    Int(i32),
    Long(i64),
    Double(f64),
    Decimal(D),
}

impl Num {
    pub(crate) fn of(v: &Value) -> Option<Num> {
        Some(match v {
            Value::Int32(i) => Num::Int(*i),
            Value::Int64(i) => Num::Long(*i),
            Value::Double(x) => Num::Double(*x),
            Value::Decimal128(d) => Num::Decimal(dec128::from_bytes(*d)),
            _ => return None,
        })
    }

    pub(crate) fn value(self) -> Value {
        match self {
            Num::Int(i) => Value::Int32(i),
            Num::Long(i) => Value::Int64(i),
            Num::Double(x) => Value::Double(x),
            Num::Decimal(d) => Value::Decimal128(dec128::to_bytes(&d)),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "MongoDB's conversion is the nearest double")]
    pub(crate) fn to_f64(self) -> f64 {
        match self {
            Num::Int(i) => f64::from(i),
            Num::Long(i) => i as f64,
            Num::Double(x) => x,
            Num::Decimal(d) => dec128::to_f64(&d),
        }
    }

    pub(crate) fn to_decimal(self) -> D {
        match self {
            Num::Int(i) => dec128::from_i64(i64::from(i)),
            Num::Long(i) => dec128::from_i64(i),
            Num::Double(x) => dec128::from_f64(x),
            Num::Decimal(d) => d,
        }
    }

    pub(crate) fn is_nan(self) -> bool {
        match self {
            Num::Double(x) => x.is_nan(),
            Num::Decimal(d) => d.is_nan(),
            _ => false,
        }
    }

    pub(crate) fn is_infinite(self) -> bool {
        match self {
            Num::Double(x) => x.is_infinite(),
            Num::Decimal(d) => d.is_infinite(),
            _ => false,
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        match self {
            Num::Int(i) => i == 0,
            Num::Long(i) => i == 0,
            Num::Double(x) => x == 0.0,
            Num::Decimal(d) => d.is_zero(),
        }
    }

    /// The whole part, when it fits.
    pub(crate) fn to_i64_truncating(self) -> Option<i64> {
        match self {
            Num::Int(i) => Some(i64::from(i)),
            Num::Long(i) => Some(i),
            Num::Double(x) => double_to_i64(x),
            Num::Decimal(d) => dec128::to_i64_truncating(&d),
        }
    }

    /// The value, when it is whole and fits.
    pub(crate) fn to_i64_exact(self) -> Option<i64> {
        let i = self.to_i64_truncating()?;
        let same = match self {
            Num::Int(_) | Num::Long(_) => true,
            Num::Double(x) => x.fract() == 0.0,
            Num::Decimal(d) => {
                let mut cx = dec128::standard();
                cx.partial_cmp(&d, &dec128::from_i64(i)) == Some(std::cmp::Ordering::Equal)
            }
        };
        same.then_some(i)
    }
}

/// The whole part of a double, when it is within int64.
#[allow(clippy::cast_possible_truncation, reason = "the range is checked first")]
pub(crate) fn double_to_i64(x: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (-LIMIT..LIMIT).contains(&x).then_some(x as i64)
}

/// A whole number within int32, of any numeric type.
pub(crate) fn to_i32_exact(v: &Value) -> Option<i32> {
    i32::try_from(Num::of(v)?.to_i64_exact()?).ok()
}

/// A whole number within int64, of any numeric type.
pub(crate) fn to_i64_exact(v: &Value) -> Option<i64> {
    Num::of(v)?.to_i64_exact()
}

/// int32 when it fits, else int64.
pub(crate) fn int_or_long(i: i64) -> Num {
    i32::try_from(i).map_or(Num::Long(i), Num::Int)
}

macro_rules! arithmetic {
    ($name:ident, $checked:ident, $op:tt, $decimal:ident, $what:literal) => {
        #[doc = concat!($what, " int grows to long, long to double, anything with a decimal is decimal.")]
        #[allow(clippy::cast_precision_loss, reason = "MongoDB widens to the nearest double")]
        pub(crate) fn $name(a: Num, b: Num) -> Num {
            match (a, b) {
                (Num::Decimal(_), _) | (_, Num::Decimal(_)) => {
                    let mut cx = dec128::standard();
                    let mut r = a.to_decimal();
                    cx.$decimal(&mut r, &b.to_decimal());
                    Num::Decimal(r)
                }
                (Num::Double(_), _) | (_, Num::Double(_)) => Num::Double(a.to_f64() $op b.to_f64()),
                (Num::Int(x), Num::Int(y)) => {
                    // Two int32 never overflow an int64.
                    int_or_long(i64::from(x).$checked(i64::from(y)).unwrap_or(0))
                }
                _ => {
                    let (x, y) = (a.to_i64_truncating().unwrap_or(0), b.to_i64_truncating().unwrap_or(0));
                    x.$checked(y).map_or_else(|| Num::Double(x as f64 $op y as f64), Num::Long)
                }
            }
        }
    };
}

arithmetic!(add, checked_add, +, add, "Sum:");
arithmetic!(sub, checked_sub, -, sub, "Difference:");
arithmetic!(mul, checked_mul, *, mul, "Product:");
