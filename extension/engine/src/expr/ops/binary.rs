//! `$convert` between binary data and strings or numbers, and numbers in other bases.

use super::convert::failure;
use super::is_null;
use super::num::Num;
use crate::bail;
use crate::codes::{self, Code};
use crate::error::Result;
use crate::expr::render;
use crate::raw::ty;
use crate::value::Value;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// How values are written: the arguments of `$convert` beside the type.
#[derive(Clone, Copy, Default)]
pub(super) struct How<'a> {
    /// `format`, checked.
    pub format: Option<&'a str>,
    /// The binary subtype wanted.
    pub subtype: u8,
    /// `byteOrder: "big"`
    pub big: bool,
    /// `base`: 2, 8, 10 or 16.
    pub base: Option<u32>,
}

/// Reads an argument that is one of some words.
///
/// # Errors
/// `no_string` for what is no string, `unknown` for another one.
fn word<'v>(
    v: Option<&'v Value>,
    name: &str,
    words: &[&str],
    [no_string, unknown]: [Code; 2],
) -> Result<Option<&'v str>> {
    match v {
        v if is_null(v) => Ok(None),
        Some(Value::String(s)) if words.contains(&s.as_str()) => Ok(Some(s)),
        Some(Value::String(s)) => bail!(unknown, "Invalid '{name}' argument for $convert: {s}"),
        v => bail!(
            no_string,
            "$convert requires that '{name}' be a string, found: {} with value {}",
            render::type_of(v),
            render::value(v)
        ),
    }
}

/// Reads `format`.
///
/// # Errors
/// 4341114 for what is no string, 4341125 for an unknown one.
pub(super) fn format(v: Option<&Value>) -> Result<Option<&str>> {
    let formats = ["auto", "base64", "base64url", "hex", "utf8", "uuid"];
    word(v, "format", &formats, [codes::LOCATION4341114, codes::LOCATION4341125])
}

/// Reads `byteOrder`: is it "big"?
///
/// # Errors
/// 9130001 for what is no string, 9130002 for an unknown one.
pub(super) fn is_big(v: Option<&Value>) -> Result<bool> {
    let order = word(v, "byteOrder", &["big", "little"], [codes::LOCATION9130001, codes::LOCATION9130002])?;
    Ok(order == Some("big"))
}

/// Reads `base`.
///
/// # Errors
/// 3501300 for what is no whole number, 3501301 for another base than 2, 8, 10 and 16.
pub(super) fn base(v: Option<&Value>) -> Result<Option<u32>> {
    if is_null(v) {
        return Ok(None);
    }
    let Some(n) = v.and_then(Num::of).and_then(Num::to_i64_exact) else {
        bail!(codes::LOCATION3501300, "In $convert, 'base' argument is not an integer")
    };
    match u32::try_from(n) {
        Ok(n @ (2 | 8 | 10 | 16)) => Ok(Some(n)),
        _ => bail!(
            codes::LOCATION3501301,
            "In $convert, 'base' argument is not a valid base: must be one of 2, 8, 10 and 16"
        ),
    }
}

/// Reads the `subtype` of `to`.
///
/// # Errors
/// 4341106, 4341107 and 4341108 for what is no subtype.
pub(super) fn subtype(v: Option<&Value>) -> Result<u8> {
    let Some(v) = v else { return Ok(0) };
    let Some(n) = Num::of(v) else {
        bail!(
            codes::LOCATION4341108,
            "For BinData, $convert's 'subtype' argument must be a number, but is {}",
            v.type_name()
        )
    };
    let Some(n) = n.to_i64_exact() else {
        bail!(codes::LOCATION4341106, "In $convert, numeric 'subtype' argument is not an integer")
    };
    match u8::try_from(n) {
        Ok(n @ (0..=9 | 128..=255)) => Ok(n),
        _ => bail!(
            codes::LOCATION4341107,
            "In $convert, numeric value for 'subtype' does not correspond to a BinData type: {n}"
        ),
    }
}

fn needs_format<'a>(format: Option<&'a str>, from: &str, to: &str) -> Result<&'a str> {
    match format {
        Some(f) => Ok(f),
        None => {
            bail!(codes::LOCATION4341115, "Format must be specified when converting from '{from}' to '{to}'")
        }
    }
}

/// Binary data as text.
pub(super) fn text(kind: u8, bytes: &[u8], how: How<'_>) -> Result<String> {
    let is_uuid = kind == 4 && bytes.len() == 16;
    let bad = |why: &str| {
        let shown = render::value(Some(&Value::Binary { subtype: kind, bytes: bytes.to_vec() }));
        failure(format!("Failed to convert '{shown}' to string in $convert with no onError value: {why}"))
    };
    Ok(match needs_format(how.format, "binData", "string")? {
        "auto" | "uuid" if is_uuid => uuid_text(bytes),
        "uuid" => return Err(bad("BinData does not represent a valid UUID")),
        "base64url" => URL_SAFE_NO_PAD.encode(bytes),
        "hex" => render::hex(bytes).to_ascii_uppercase(),
        "utf8" => match std::str::from_utf8(bytes) {
            Ok(s) => s.to_owned(),
            Err(_) => return Err(bad("BinData does not represent a valid UTF-8 string")),
        },
        _ => STANDARD.encode(bytes),
    })
}

fn uuid_text(bytes: &[u8]) -> String {
    let hex = render::hex(bytes);
    let part = |a: usize, b: usize| hex.get(a..b).unwrap_or("");
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

/// A string, a number or binary data as binary data; `None` for other types.
pub(super) fn binary(v: &Value, how: How<'_>) -> Result<Option<Value>> {
    let ordered = |mut bytes: Vec<u8>| {
        if how.big {
            bytes.reverse();
        }
        bytes
    };
    let (kind, bytes) = match v {
        Value::Binary { subtype, bytes } if *subtype == how.subtype => (*subtype, bytes.clone()),
        Value::Binary { .. } => {
            return Err(failure("Conversions between different BinData subtypes are not supported"));
        }
        Value::String(s) => return from_text(s, how).map(Some),
        // The bytes of a number are no UUID.
        _ if how.subtype == 4 => return Ok(None),
        Value::Int32(i) => (how.subtype, ordered(i.to_le_bytes().to_vec())),
        Value::Int64(i) => (how.subtype, ordered(i.to_le_bytes().to_vec())),
        Value::Double(x) => (how.subtype, ordered(x.to_le_bytes().to_vec())),
        _ => return Ok(None),
    };
    Ok(Some(Value::Binary { subtype: kind, bytes }))
}

fn from_text(s: &str, how: How<'_>) -> Result<Value> {
    let bad = |why: &str| {
        failure(format!("Failed to parse BinData '{s}' in $convert with no onError value: {why}"))
    };
    let format = needs_format(how.format, "string", "binData")?;
    if (format == "uuid") != (how.subtype == 4) {
        return Err(bad("Only the 'uuid' format is allowed with the UUID subtype"));
    }
    let bytes = match format {
        "base64" => STANDARD.decode(s).map_err(|_| bad("Invalid base64"))?,
        "base64url" => {
            URL_SAFE_NO_PAD.decode(s.trim_end_matches('=')).map_err(|_| bad("Invalid base64url"))?
        }
        "hex" => crate::extjson::from_hex(s).map_err(|_| bad("Invalid hexadecimal digits"))?,
        "utf8" => s.as_bytes().to_vec(),
        "uuid" => uuid_bytes(s).ok_or_else(|| bad(&format!("Invalid UUID string: {s}")))?,
        other => return Err(bad(&format!("Invalid format '{other}'"))),
    };
    Ok(Value::Binary { subtype: how.subtype, bytes })
}

fn uuid_bytes(s: &str) -> Option<Vec<u8>> {
    let shape: Vec<usize> = s.split('-').map(str::len).collect();
    if shape != [8, 4, 4, 4, 12] {
        return None;
    }
    crate::extjson::from_hex(&s.replace('-', "")).ok()
}

/// Binary data as the number that its bytes are.
pub(super) fn number(bytes: &[u8], kind: u8, target: u8, how: How<'_>) -> Result<Value> {
    let mut le = bytes.to_vec();
    if how.big {
        le.reverse();
    }
    let wrong = || {
        let shown = render::value(Some(&Value::Binary { subtype: kind, bytes: bytes.to_vec() }));
        failure(format!(
            "Failed to convert '{shown}' to number in $convert because of invalid length: {}",
            bytes.len()
        ))
    };
    let four = |b: &[u8]| b.first_chunk::<4>().copied().unwrap_or_default();
    let eight = |b: &[u8]| b.first_chunk::<8>().copied().unwrap_or_default();
    if target == ty::DOUBLE {
        return match le.len() {
            4 => Ok(Value::Double(f64::from(f32::from_le_bytes(four(&le))))),
            8 => Ok(Value::Double(f64::from_le_bytes(eight(&le)))),
            _ => Err(wrong()),
        };
    }
    let whole = match (le.as_slice(), target) {
        ([a], _) => i64::from(a.cast_signed()),
        ([a, b], _) => i64::from(i16::from_le_bytes([*a, *b])),
        (four_bytes, _) if four_bytes.len() == 4 => i64::from(i32::from_le_bytes(four(four_bytes))),
        (eight_bytes, ty::INT64) if eight_bytes.len() == 8 => i64::from_le_bytes(eight(eight_bytes)),
        _ => return Err(wrong()),
    };
    match i32::try_from(whole) {
        Ok(i) if target == ty::INT32 => Ok(Value::Int32(i)),
        _ => Ok(Value::Int64(whole)),
    }
}

/// A whole number in another base than ten.
pub(super) fn digits(v: &Value, base: u32) -> Result<String> {
    let Some(n) = Num::of(v).and_then(Num::to_i64_exact) else {
        return Err(failure(format!(
            "Base conversion is not supported for non-integers in $convert with no onError value: {}",
            render::value(Some(v))
        )));
    };
    let sign = if n < 0 { "-" } else { "" };
    let n = n.unsigned_abs();
    Ok(match base {
        2 => format!("{sign}{n:b}"),
        8 => format!("{sign}{n:o}"),
        16 => format!("{sign}{n:X}"),
        _ => format!("{sign}{n}"),
    })
}

/// The whole number that a text in another base stands for.
pub(super) fn parse(s: &str, base: u32) -> Result<Value> {
    i64::from_str_radix(s, base).map(Value::Int64).map_err(|_| {
        failure(format!(
            "Failed to parse number '{s}' in $convert with no onError value: Did not consume whole string."
        ))
    })
}
