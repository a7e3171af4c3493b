//! Decimals from and to the other numeric types.

use super::{Parts, decode};
use crate::raw::{Val, View};

/// A number of any type, a double with 34 digits; `None` for anything that is not a number.
#[must_use]
pub fn of_value(v: Val<'_>) -> Option<Parts> {
    Some(match v.view() {
        View::Decimal128(d) => decode(d),
        View::Int32(i) => from_i64(i64::from(i)),
        View::Int64(i) => from_i64(i),
        View::Double(d) => from_f64(d),
        _ => return None,
    })
}

/// An integer, exactly.
#[must_use]
pub fn from_i64(i: i64) -> Parts {
    Parts::Finite { negative: i < 0, coefficient: u128::from(i.unsigned_abs()), exponent: 0 }
}

/// A double as MongoDB compares it: rounded to 34 significant digits.
#[must_use]
pub fn from_f64(d: f64) -> Parts {
    double(d, 33)
}

/// A double as MongoDB converts it (`$toDecimal`, arithmetic with a decimal): rounded to 15 significant digits, all of
/// them kept.
#[must_use]
pub fn from_f64_15(d: f64) -> Parts {
    double(d, 14)
}

fn double(d: f64, fraction: i32) -> Parts {
    if d.is_nan() {
        return Parts::NaN;
    }
    if d.is_infinite() {
        return Parts::Infinity { negative: d < 0.0 };
    }
    let negative = d.is_sign_negative();
    if d == 0.0 {
        return Parts::Finite { negative, coefficient: 0, exponent: 0 };
    }
    let text = format!("{:.*e}", usize::try_from(fraction).unwrap_or(0), d.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let coefficient =
        digits.bytes().filter(u8::is_ascii_digit).fold(0u128, |n, c| n * 10 + u128::from(c - b'0'));
    Parts::Finite { negative, coefficient, exponent: exponent.parse::<i32>().unwrap_or(0) - fraction }
}

/// The number without its fraction.
#[must_use]
pub fn truncate_i64(parts: Parts) -> crate::number::Truncated {
    use crate::number::Truncated::{Int, NotFinite, OutOfRange};
    let Parts::Finite { negative, coefficient, exponent } = parts else { return NotFinite };
    let power = 10u128.checked_pow(exponent.unsigned_abs());
    let whole = match (coefficient, exponent) {
        (0, _) => Some(0),
        (c, e) if e < 0 => Some(power.map_or(0, |p| c / p)),
        (c, _) => power.and_then(|p| c.checked_mul(p)),
    };
    let signed = whole.and_then(|w| i128::try_from(w).ok()).map(|w| if negative { -w } else { w });
    signed.and_then(|w| i64::try_from(w).ok()).map_or(OutOfRange, Int)
}

/// The nearest double.
#[must_use]
pub fn to_f64(parts: Parts) -> f64 {
    match parts {
        Parts::NaN => f64::NAN,
        Parts::Infinity { negative } => {
            if negative {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            }
        }
        Parts::Finite { negative, coefficient, exponent } => {
            // The standard library's parser rounds correctly, which powers of ten in floating point would not.
            let d: f64 = format!("{coefficient}e{exponent}").parse().unwrap_or(f64::NAN);
            if negative { -d } else { d }
        }
    }
}
