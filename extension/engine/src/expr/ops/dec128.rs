//! Decimal128 arithmetic with IBM's decNumber (the `dec` crate), 34 digits, MongoDB's rounding.

use crate::decimal::{MAX_COEFFICIENT, Parts, decode};
use dec::{Context, Decimal, Rounding};

/// A decimal during computation: room for more digits than a decimal128 keeps, so that one rounding is left.
pub(crate) type D = Decimal<24>;

/// A context that rounds to `digits`, half to even.
pub(crate) fn context(digits: usize) -> Context<D> {
    let mut cx = Context::<D>::default();
    cx.set_rounding(Rounding::HalfEven);
    // The limits are within decNumber's, so these cannot fail.
    let _ = cx.set_precision(digits);
    let _ = cx.set_max_exponent(if digits == 34 { 6144 } else { 99_999 });
    let _ = cx.set_min_exponent(if digits == 34 { -6143 } else { -99_999 });
    cx
}

/// The context of decimal128 itself.
pub(crate) fn standard() -> Context<D> {
    context(34)
}

pub(crate) fn from_bytes(bytes: [u8; 16]) -> D {
    match decode(bytes) {
        Parts::NaN => D::nan(),
        Parts::Infinity { negative } => {
            let mut d = D::infinity();
            if negative {
                standard().neg(&mut d);
            }
            d
        }
        Parts::Finite { negative, coefficient, exponent } => from_parts(negative, coefficient, exponent),
    }
}

pub(crate) fn from_parts(negative: bool, coefficient: u128, exponent: i32) -> D {
    let sign = if negative { "-" } else { "" };
    context(60).parse(format!("{sign}{coefficient}E{exponent}").as_str()).unwrap_or_else(|_| D::nan())
}

/// BSON's encoding, rounded to 34 digits; too large becomes infinity.
pub(crate) fn to_bytes(d: &D) -> [u8; 16] {
    const NAN: u128 = 0x1f << 122;
    const INFINITY: u128 = 0x1e << 122;
    let sign = |negative: bool| u128::from(negative) << 127;
    if d.is_nan() {
        return NAN.to_le_bytes();
    }
    let mut r = d.to_owned();
    if !r.is_infinite() {
        standard().plus_keeping_zero_sign(&mut r);
    }
    if r.is_infinite() {
        return (INFINITY | sign(r.is_negative())).to_le_bytes();
    }
    let mut coefficient = r.coefficient_digits().iter().fold(0u128, |n, c| n * 10 + u128::from(*c));
    let mut exponent = r.exponent();
    // Fold down: an exponent above 6111 is written with trailing zeros; below -6176 only zero is left.
    while exponent > 6111 && coefficient != 0 && coefficient * 10 <= MAX_COEFFICIENT {
        coefficient *= 10;
        exponent -= 1;
    }
    let exponent = exponent.clamp(-6176, 6111);
    let biased = u128::try_from(exponent + 6176).unwrap_or(0);
    (sign(r.is_negative()) | (biased << 113) | coefficient).to_le_bytes()
}

trait PlusKeepingZeroSign {
    fn plus_keeping_zero_sign(&mut self, n: &mut D);
}

impl PlusKeepingZeroSign for Context<D> {
    /// decNumber's plus turns -0 into 0; decimal128 keeps it.
    fn plus_keeping_zero_sign(&mut self, n: &mut D) {
        let negative_zero = n.is_zero() && n.is_negative();
        self.plus(n);
        if negative_zero && !n.is_negative() {
            *n = from_parts(true, 0, n.exponent());
        }
    }
}

pub(crate) fn from_i64(i: i64) -> D {
    standard().from_i64(i)
}

/// 15 significant digits, as MongoDB converts a double that meets a decimal.
pub(crate) fn from_f64(x: f64) -> D {
    if x.is_nan() {
        return D::nan();
    }
    if x.is_infinite() {
        let mut d = D::infinity();
        if x < 0.0 {
            standard().neg(&mut d);
        }
        return d;
    }
    if x == 0.0 {
        return from_parts(x.is_sign_negative(), 0, 0);
    }
    let text = format!("{:.14e}", x.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let coefficient =
        digits.bytes().filter(u8::is_ascii_digit).fold(0u128, |n, c| n * 10 + u128::from(c - b'0'));
    from_parts(x < 0.0, coefficient, exponent.parse::<i32>().unwrap_or(0) - 14)
}

/// The nearest double.
pub(crate) fn to_f64(d: &D) -> f64 {
    if d.is_nan() {
        return f64::NAN;
    }
    if d.is_infinite() {
        return if d.is_negative() { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    d.to_string().parse().unwrap_or(f64::NAN)
}

/// The whole part as an int64, when it fits and the value is finite.
pub(crate) fn to_i64_truncating(d: &D) -> Option<i64> {
    if !d.is_finite() {
        return None;
    }
    let mut cx = context(60);
    cx.set_rounding(Rounding::Down);
    let mut r = *d;
    cx.round(&mut r);
    if r.is_zero() {
        return Some(0);
    }
    // A whole number beyond 19 digits can't be an int64; asking first keeps the expansion below small.
    if i64::from(r.exponent()) + i64::from(r.digits()) > 19 {
        return None;
    }
    let text = r.to_standard_notation_string();
    text.parse().ok()
}

/// Parses MongoDB's text form of a decimal.
pub(crate) fn parse(text: &str) -> Option<D> {
    let mut cx = standard();
    let d = cx.parse(text).ok()?;
    let status = cx.status();
    (!status.conversion_syntax()).then_some(d)
}

/// Decimal128's text form: plain digits while the exponent is small, else scientific with `E+`.
pub(crate) fn to_text(bytes: [u8; 16]) -> String {
    match decode(bytes) {
        Parts::NaN => "NaN".into(),
        Parts::Infinity { negative } => if negative { "-Infinity" } else { "Infinity" }.into(),
        Parts::Finite { negative, coefficient, exponent } => {
            let digits = coefficient.to_string();
            let len = i32::try_from(digits.len()).unwrap_or(0);
            let adjusted = exponent + len - 1;
            let mut out = String::from(if negative { "-" } else { "" });
            if exponent > 0 || adjusted < -6 {
                let (first, rest) = digits.split_at(1);
                out.push_str(first);
                if !rest.is_empty() {
                    out.push('.');
                    out.push_str(rest);
                }
                out.push('E');
                out.push(if adjusted < 0 { '-' } else { '+' });
                out.push_str(&adjusted.unsigned_abs().to_string());
            } else if exponent == 0 {
                out.push_str(&digits);
            } else if adjusted >= 0 {
                let at = usize::try_from(len + exponent).unwrap_or(0);
                let (whole, part) = digits.split_at(at);
                out.push_str(whole);
                out.push('.');
                out.push_str(part);
            } else {
                out.push_str("0.");
                out.push_str(&"0".repeat(usize::try_from(-adjusted - 1).unwrap_or(0)));
                out.push_str(&digits);
            }
            out
        }
    }
}
