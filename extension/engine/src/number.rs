//! Numbers of different types against each other, exactly.

use crate::raw::{Val, View};
use std::cmp::Ordering;

/// Orders two numeric values by mathematical value; NaN is smaller than every other number and equal to itself.
#[must_use]
pub fn compare(a: Val<'_>, b: Val<'_>) -> Ordering {
    match (a.view(), b.view()) {
        (View::Int32(x), View::Int32(y)) => x.cmp(&y),
        (View::Int32(x), View::Int64(y)) => i64::from(x).cmp(&y),
        (View::Int64(x), View::Int32(y)) => x.cmp(&i64::from(y)),
        (View::Int64(x), View::Int64(y)) => x.cmp(&y),
        (View::Double(x), View::Double(y)) => doubles(x, y),
        (View::Int32(x), View::Double(y)) => doubles(f64::from(x), y),
        (View::Double(x), View::Int32(y)) => doubles(x, f64::from(y)),
        (View::Int64(x), View::Double(y)) => int_double(x, y),
        (View::Double(x), View::Int64(y)) => int_double(y, x).reverse(),
        _ => crate::decimal::compare(a, b),
    }
}

fn doubles(x: f64, y: f64) -> Ordering {
    x.partial_cmp(&y).unwrap_or_else(|| y.is_nan().cmp(&x.is_nan()))
}

fn int_double(i: i64, d: f64) -> Ordering {
    // 2^63 as a double: every int64 is below it, and below -2^63 no int64 exists.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if d.is_nan() || d < -LIMIT {
        return Ordering::Greater;
    }
    if d >= LIMIT {
        return Ordering::Less;
    }
    let whole = d.trunc();
    #[allow(clippy::cast_possible_truncation, reason = "within int64 by the two checks above")]
    let order = i.cmp(&(whole as i64));
    order.then_with(|| doubles(whole, d))
}

/// A number with its fraction cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truncated {
    /// Fits.
    Int(i64),
    /// NaN or an infinity.
    NotFinite,
    /// Beyond 64 bits.
    OutOfRange,
}

/// The number without its fraction; `None` when `v` is not a number.
#[must_use]
pub fn truncate_i64(v: Val<'_>) -> Option<Truncated> {
    Some(match v.view() {
        View::Int32(i) => Truncated::Int(i64::from(i)),
        View::Int64(i) => Truncated::Int(i),
        View::Double(d) => truncate_f64(d),
        View::Decimal128(d) => crate::decimal::truncate_i64(crate::decimal::decode(d)),
        _ => return None,
    })
}

fn truncate_f64(d: f64) -> Truncated {
    if !d.is_finite() {
        return Truncated::NotFinite;
    }
    // -2^63 is an int64, 2^63 is not; both are exact doubles.
    if !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&d) {
        return Truncated::OutOfRange;
    }
    #[allow(clippy::cast_possible_truncation, reason = "in range by the check above")]
    let i = d as i64;
    Truncated::Int(i)
}

/// The number as an int64, when it is one exactly.
#[must_use]
pub fn exact_i64(v: Val<'_>) -> Option<i64> {
    let Truncated::Int(i) = truncate_i64(v)? else { return None };
    let bytes = i.to_le_bytes();
    let whole = Val { ty: crate::raw::ty::INT64, bytes: &bytes };
    (compare(v, whole) == Ordering::Equal).then_some(i)
}

/// The nearest double; NaN for anything that is not a number.
#[must_use]
pub fn to_f64(v: Val<'_>) -> f64 {
    match v.view() {
        View::Int32(i) => f64::from(i),
        #[allow(clippy::cast_precision_loss, reason = "the nearest double is wanted")]
        View::Int64(i) => i as f64,
        View::Double(d) => d,
        View::Decimal128(d) => crate::decimal::to_f64(crate::decimal::decode(d)),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decimal;
    use crate::value::Value;

    fn decimal(text: &str) -> Value {
        Value::Decimal128(decimal::encode(decimal::parse(text).unwrap()))
    }

    #[test]
    fn compares_exactly_across_types() {
        use std::cmp::Ordering::{Equal, Greater, Less};
        for (a, b, expected) in [
            (Value::Int64((1 << 53) + 1), Value::Double(9_007_199_254_740_992.0), Greater),
            (Value::Int64(i64::MAX), Value::Double(9_223_372_036_854_775_808.0), Less),
            (Value::Int64(i64::MIN), Value::Double(-9_223_372_036_854_775_808.0), Equal),
            (Value::Int32(1), Value::Double(f64::NAN), Greater),
            (Value::Double(f64::NAN), decimal("NaN"), Equal),
            (Value::Double(-0.0), Value::Int32(0), Equal),
            (Value::Double(0.1), decimal("0.1"), Greater),
            (decimal("1.50"), Value::Double(1.5), Equal),
            (decimal("1E+6000"), Value::Double(f64::INFINITY), Less),
            (Value::Int64(i64::MAX), decimal("9223372036854775807.5"), Less),
        ] {
            let found = a.with_val(|a| b.with_val(|b| compare(a, b)));
            assert_eq!(found, expected, "{a:?} {b:?}");
        }
    }

    #[test]
    fn integers_of_any_type() {
        for (v, truncated, exact) in [
            (Value::Double(5.7), Some(Truncated::Int(5)), None),
            (Value::Double(-5.0), Some(Truncated::Int(-5)), Some(-5)),
            (Value::Double(9_223_372_036_854_775_808.0), Some(Truncated::OutOfRange), None),
            (Value::Double(f64::INFINITY), Some(Truncated::NotFinite), None),
            (decimal("-1.9"), Some(Truncated::Int(-1)), None),
            (decimal("1.0E+2"), Some(Truncated::Int(100)), Some(100)),
            (decimal("-9223372036854775808"), Some(Truncated::Int(i64::MIN)), Some(i64::MIN)),
            (decimal("9223372036854775808"), Some(Truncated::OutOfRange), None),
            (decimal("1E-6000"), Some(Truncated::Int(0)), None),
            (Value::Bool(true), None, None),
        ] {
            assert_eq!(v.with_val(truncate_i64), truncated, "{v:?}");
            assert_eq!(v.with_val(exact_i64), exact, "{v:?}");
        }
    }
}
