//! Decimals from and to text.

use super::{Parts, arithmetic};

/// Reads a number: digits with an optional point and exponent, `Infinity`, `NaN`. More than 34 digits are rounded
/// (half to even). `None` when the text is no number.
#[must_use]
pub fn parse(text: &str) -> Option<Parts> {
    let (negative, body) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    match body.to_ascii_lowercase().as_str() {
        "nan" => return Some(Parts::NaN),
        "inf" | "infinity" => return Some(Parts::Infinity { negative }),
        _ => {}
    }
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((m, e)) => {
            (m, e.strip_prefix('+').map_or(e.parse::<i64>(), |e| e.parse::<u32>().map(i64::from)).ok()?)
        }
        None => (body, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    Some(arithmetic::rounded(negative, &digits, exponent))
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
