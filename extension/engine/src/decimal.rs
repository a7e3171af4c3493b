//! Decimal128.

use crate::raw::{Val, View};
use std::cmp::Ordering;

/// A decoded decimal128: BSON's binary-integer encoding taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// `(-1)^negative * coefficient * 10^exponent`
    Finite { negative: bool, coefficient: u128, exponent: i32 },
    /// Positive or negative infinity.
    Infinity { negative: bool },
    /// Not a number.
    NaN,
}

/// Largest coefficient: 34 nines.
pub const MAX_COEFFICIENT: u128 = 9_999_999_999_999_999_999_999_999_999_999_999;

/// Takes the encoding (IEEE 754-2008 BID, little endian) apart. A coefficient beyond 34 digits counts as zero,
/// as the standard has it.
#[must_use]
pub fn decode(bytes: [u8; 16]) -> Parts {
    let bits = u128::from_le_bytes(bytes);
    let negative = bits >> 127 == 1;
    let top = (bits >> 122) & 0x1f;
    if top == 0x1f {
        return Parts::NaN;
    }
    if top == 0x1e {
        return Parts::Infinity { negative };
    }
    // Two leading ones in the combination field announce a coefficient that is always too large.
    let (biased, coefficient) = if top >> 3 == 0b11 {
        ((bits >> 111) & 0x3fff, 0)
    } else {
        ((bits >> 113) & 0x3fff, bits & ((1 << 113) - 1))
    };
    let coefficient = if coefficient > MAX_COEFFICIENT { 0 } else { coefficient };
    Parts::Finite { negative, coefficient, exponent: i32::try_from(biased).unwrap_or(0) - 6176 }
}

/// Orders two numbers of which at least one is a decimal128.
#[must_use]
pub fn compare(a: Val<'_>, b: Val<'_>) -> Ordering {
    match (to_parts(a), to_parts(b)) {
        (Some(x), Some(y)) => compare_parts(x, y),
        _ => Ordering::Equal,
    }
}

fn to_parts(v: Val<'_>) -> Option<Parts> {
    Some(match v.view() {
        View::Decimal128(d) => decode(d),
        View::Int32(i) => int_parts(i64::from(i)),
        View::Int64(i) => int_parts(i),
        View::Double(d) => double_parts(d),
        _ => return None,
    })
}

fn int_parts(i: i64) -> Parts {
    Parts::Finite { negative: i < 0, coefficient: u128::from(i.unsigned_abs()), exponent: 0 }
}

fn double_parts(d: f64) -> Parts {
    if d.is_nan() {
        return Parts::NaN;
    }
    if d.is_infinite() {
        return Parts::Infinity { negative: d < 0.0 };
    }
    // 34 significant digits, as MongoDB converts a double before it compares it with a decimal.
    let text = format!("{:.33e}", d.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let coefficient =
        digits.bytes().filter(u8::is_ascii_digit).fold(0u128, |n, c| n * 10 + u128::from(c - b'0'));
    Parts::Finite { negative: d < 0.0, coefficient, exponent: exponent.parse::<i32>().unwrap_or(0) - 33 }
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

/// The number as MongoDB writes it (IEEE 754-2008 to-scientific-string).
#[must_use]
pub fn to_text(parts: Parts) -> String {
    let (negative, coefficient, exponent) = match parts {
        Parts::NaN => return "NaN".into(),
        Parts::Infinity { negative } => return if negative { "-Infinity" } else { "Infinity" }.into(),
        Parts::Finite { negative, coefficient, exponent } => (negative, coefficient, exponent),
    };
    let digits = coefficient.to_string();
    let sign = if negative { "-" } else { "" };
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let adjusted = exponent + count - 1;
    if exponent > 0 || adjusted < -6 {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        return format!("{sign}{first}{dot}{rest}E{adjusted:+}");
    }
    let point = count + exponent;
    match usize::try_from(point) {
        Ok(point) if point >= digits.len() => format!("{sign}{digits}"),
        Ok(point) if point > 0 => {
            let (whole, fraction) = digits.split_at(point);
            format!("{sign}{whole}.{fraction}")
        }
        _ => format!("{sign}0.{}{digits}", "0".repeat(usize::try_from(-point).unwrap_or(0))),
    }
}
