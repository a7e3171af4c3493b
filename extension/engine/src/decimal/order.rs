//! Order of decimals, and of decimals and other numbers.

use super::{Parts, of_value};
use crate::raw::Val;
use std::cmp::Ordering;

/// Orders two numbers of which at least one is a decimal128.
#[must_use]
pub fn compare(a: Val<'_>, b: Val<'_>) -> Ordering {
    match (of_value(a), of_value(b)) {
        (Some(x), Some(y)) => compare_parts(x, y),
        _ => Ordering::Equal,
    }
}

/// Orders by value; NaN lowest.
#[must_use]
pub fn compare_parts(a: Parts, b: Parts) -> Ordering {
    use Parts::{Finite, Infinity, NaN};
    match (a, b) {
        (NaN, NaN) => Ordering::Equal,
        (NaN, _) => Ordering::Less,
        (_, NaN) => Ordering::Greater,
        (Infinity { negative: x }, Infinity { negative: y }) => y.cmp(&x),
        (Infinity { negative }, _) => {
            if negative {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
        (_, Infinity { negative }) => {
            if negative {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
        (
            Finite { negative: n, coefficient: c, exponent: e },
            Finite { negative: m, coefficient: d, exponent: f },
        ) => match (c == 0, d == 0) {
            (true, true) => Ordering::Equal,
            (true, false) => {
                if m {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (false, true) => {
                if n {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (false, false) if n != m => m.cmp(&n),
            (false, false) => {
                let order = magnitude(c, e, d, f);
                if n { order.reverse() } else { order }
            }
        },
    }
}

/// Compares `c * 10^e` with `d * 10^f`, both coefficients non-zero.
fn magnitude(c: u128, e: i32, d: u128, f: i32) -> Ordering {
    let digits = |n: u128| i32::try_from(n.ilog10()).unwrap_or(0);
    let order = (digits(c) + e).cmp(&(digits(d) + f));
    if order != Ordering::Equal {
        return order;
    }
    // Same leading digit position: the exponents differ by fewer than 35, so the scaling fits 128 bits.
    let scale = |n: u128, by: i32| {
        u32::try_from(by).ok().and_then(|p| 10u128.checked_pow(p)).and_then(|p| n.checked_mul(p))
    };
    if e >= f {
        scale(c, e - f).map_or(Ordering::Greater, |c| c.cmp(&d))
    } else {
        scale(d, f - e).map_or(Ordering::Less, |d| c.cmp(&d))
    }
}
