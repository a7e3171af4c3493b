//! Numbers of all four types in one order.
//!
//! Layout: the largest double that is not above the number (8 bytes, made sortable), then 0 when that double is
//! the number, else 1 and the number's decimal digits. Ten bytes for every double, int32 and nearly every int64.

use crate::compare;
use crate::decimal::{Parts, decode};
use crate::raw::{Val, View, ty};

/// Appends the encoding of the numeric value `v`, without its rank.
pub fn encode(out: &mut Vec<u8>, v: Val<'_>) {
    match v.view() {
        View::Double(d) => exact(out, d),
        View::Int32(i) => exact(out, f64::from(i)),
        View::Int64(i) => {
            #[allow(
                clippy::cast_precision_loss,
                reason = "the nearest double is what is wanted; `floor` corrects it"
            )]
            let near = i as f64;
            // Integers of up to 53 bits are doubles.
            if i.unsigned_abs() <= 1 << 53 {
                exact(out, near);
            } else {
                between(out, v, near, i < 0, u128::from(i.unsigned_abs()), 0);
            }
        }
        View::Decimal128(bytes) => match decode(bytes) {
            Parts::NaN => exact(out, f64::NAN),
            Parts::Infinity { negative } => {
                exact(out, if negative { f64::NEG_INFINITY } else { f64::INFINITY })
            }
            Parts::Finite { coefficient: 0, .. } => exact(out, 0.0),
            Parts::Finite { negative, coefficient, exponent } => {
                let text = format!("{}{coefficient}e{exponent}", if negative { "-" } else { "" });
                between(out, v, text.parse().unwrap_or(0.0), negative, coefficient, exponent);
            }
        },
        _ => {}
    }
}

/// A number that is the double `d`.
fn exact(out: &mut Vec<u8>, d: f64) {
    out.extend_from_slice(&sortable(d).to_be_bytes());
    out.push(0);
}

/// A number that may lie between two doubles; `near` is one of the two.
fn between(out: &mut Vec<u8>, v: Val<'_>, near: f64, negative: bool, coefficient: u128, exponent: i32) {
    let against = |d: f64| compare::values(Val { ty: ty::DOUBLE, bytes: &d.to_le_bytes() }, v);
    let mut d = near;
    while against(d).is_gt() {
        d = d.next_down();
    }
    while !against(d.next_up()).is_gt() && d < f64::INFINITY {
        d = d.next_up();
    }
    if against(d).is_eq() {
        return exact(out, d);
    }
    out.extend_from_slice(&sortable(d).to_be_bytes());
    out.push(1);
    digits(out, negative, coefficient, exponent);
}

/// Orders decimals: exponent of the first digit, then the digits in pairs, complemented for negative numbers.
fn digits(out: &mut Vec<u8>, negative: bool, coefficient: u128, exponent: i32) {
    let start = out.len();
    let text = coefficient.to_string();
    let lead = exponent + i32::try_from(text.len()).unwrap_or(0);
    // Decimal128 exponents lie within ±6200, so the sum fits 16 bits.
    out.extend_from_slice(&u16::try_from(lead + 0x4000).unwrap_or(0).to_be_bytes());
    for pair in text.trim_end_matches('0').as_bytes().chunks(2) {
        let tens = pair.first().map_or(0, |c| c - b'0');
        let ones = pair.get(1).map_or(0, |c| c - b'0');
        out.push(tens * 10 + ones + 1);
    }
    out.push(0);
    if negative {
        out[start..].iter_mut().for_each(|b| *b = !*b);
    }
}

/// Maps doubles to integers of the same order: NaN lowest, both zeros one.
fn sortable(d: f64) -> u64 {
    if d.is_nan() {
        return 0;
    }
    let bits = if d == 0.0 { 0 } else { d.to_bits() };
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}
