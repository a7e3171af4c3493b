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
