//! Decimal128: BSON's encoding, order, text and arithmetic correct to 34 digits.

mod arithmetic;
mod convert;
mod order;
mod text;

pub use arithmetic::{Rounding, abs, add, div, exp, ln, log10, mul, neg, pow, quantize, rem, sqrt, sub};
pub use convert::{from_f64, from_f64_15, from_i64, of_value, to_f64, truncate_i64};
pub use order::{compare, compare_parts};
pub use text::{parse, to_text};

/// Exponent of the encoding's zero.
const BIAS: i32 = 6176;

/// Largest exponent of a coefficient of 34 digits.
const MAX_EXPONENT: i32 = 6111;

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
    Parts::Finite { negative, coefficient, exponent: i32::try_from(biased).unwrap_or(0) - BIAS }
}

/// Puts a number into the encoding. The parts must be within the format's limits, as those of [`decode`] and of this
/// module's arithmetic are; what lies beyond becomes infinity or zero.
#[must_use]
pub fn encode(parts: Parts) -> [u8; 16] {
    let (negative, bits) = match parts {
        Parts::NaN => (false, 0x1f << 122),
        Parts::Infinity { negative } => (negative, 0x1e << 122),
        Parts::Finite { negative, coefficient, exponent } => match u128::try_from(exponent + BIAS) {
            Ok(biased) if exponent <= MAX_EXPONENT && coefficient <= MAX_COEFFICIENT => {
                (negative, biased << 113 | coefficient)
            }
            Ok(_) => (negative, 0x1e << 122),
            Err(_) => (negative, 0),
        },
    };
    (bits | u128::from(negative) << 127).to_le_bytes()
}

#[cfg(test)]
mod tests;
