//! `$convert` and the conversions with a name of their own.

use super::binary::How;
use super::num::Num;
use super::{arg, binary, date, dec128, is_null};
use crate::bail;
use crate::codes;
use crate::error::{Error, Result};
use crate::expr::{Computed, EvalContext, Expr, render, truthy};
use crate::raw::ty;
use crate::value::Value;

pub(super) fn failure(why: impl Into<String>) -> Error {
    Error::new(codes::CONVERSION_FAILURE, why.into())
}

/// `[input, to, onError, onNull, format, byteOrder, base]`
pub(in crate::expr) fn convert(_: &'static str, args: &[Expr], cx: &EvalContext<'_>) -> Result<Computed> {
    let get = |i: usize| args.get(i).map(|e| e.eval(cx)).transpose().map(Option::flatten);
    let given = |i: usize| args.get(i).is_some_and(Expr::is_given);
    let to = get(1)?;
    let (to, subtype) = match &to {
        Some(Value::Document(d)) => {
            let d = crate::raw::Doc::trusted(d);
            (d.get("type").map(Value::from), d.get("subtype").map(Value::from))
        }
        v => (v.clone(), None),
    };
    let input = get(0)?;
    if is_null(input.as_ref()) {
        return if given(3) { get(3) } else { Ok(Some(Value::Null)) };
    }
    if is_null(to.as_ref()) {
        return Ok(Some(Value::Null));
    }
    let target = target(to.as_ref())?;
    let format = get(4)?;
    let how = How {
        format: binary::format(format.as_ref())?,
        subtype: if target == ty::BINARY { binary::subtype(subtype.as_ref())? } else { 0 },
        big: binary::is_big(get(5)?.as_ref())?,
        base: binary::base(get(6)?.as_ref())?,
    };
    let Some(input) = input else { return Ok(Some(Value::Null)) };
    match to_type(&input, target, how) {
        Ok(v) => Ok(Some(v)),
        Err(e) if given(2) && e.code == codes::CONVERSION_FAILURE => get(2),
        Err(e) => Err(e),
    }
}

/// The element type that `to` names.
fn target(v: Option<&Value>) -> Result<u8> {
    match v {
        Some(Value::String(s)) => match crate::query::type_of_alias(s) {
            Some(t) => Ok(t),
            None => bail!(codes::BAD_VALUE, "Unknown type name: {s}"),
        },
        Some(v) if Num::of(v).is_some() => {
            let Some(n) = Num::of(v).and_then(Num::to_i64_exact) else {
                bail!(codes::FAILED_TO_PARSE, "In $convert, numeric 'to' argument is not an integer")
            };
            match u8::try_from(n).ok().filter(|t| (1..=19).contains(t)) {
                Some(t) => Ok(t),
                None => bail!(
                    codes::FAILED_TO_PARSE,
                    "In $convert, numeric value for 'to' does not correspond to a BSON type: {n}"
                ),
            }
        }
        v => bail!(
            codes::FAILED_TO_PARSE,
            "$convert's 'to' argument must be a string or number, but is {}",
            render::type_of(v)
        ),
    }
}

/// `$toInt` and its kin.
pub(in crate::expr) fn named(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let v = match arg(args, 0) {
        v if is_null(v) => return Ok(Some(Value::Null)),
        Some(v) => v,
        None => return Ok(Some(Value::Null)),
    };
    let target = match name {
        "$toBool" => ty::BOOL,
        "$toDate" => ty::DATE,
        "$toDecimal" => ty::DECIMAL128,
        "$toDouble" => ty::DOUBLE,
        "$toInt" => ty::INT32,
        "$toLong" => ty::INT64,
        "$toObjectId" => ty::OBJECT_ID,
        "$toString" => ty::STRING,
        "$toUUID" => ty::BINARY,
        _ => bail!(codes::INTERNAL_ERROR, "{name} has no target type"),
    };
    let how = match name {
        "$toUUID" => How { format: Some("uuid"), subtype: 4, ..How::default() },
        _ => How { format: Some("auto"), ..How::default() },
    };
    to_type(v, target, how).map(Some)
}

fn to_type(v: &Value, target: u8, how: How<'_>) -> Result<Value> {
    let in_base;
    let v = match (v, how.base) {
        (Value::String(s), Some(base))
            if matches!(target, ty::DOUBLE | ty::INT32 | ty::INT64 | ty::DECIMAL128) =>
        {
            in_base = binary::parse(s, base)?;
            &in_base
        }
        (v, Some(base)) if target == ty::STRING && Num::of(v).is_some() => {
            return binary::digits(v, base).map(Value::String);
        }
        (v, _) => v,
    };
    let converted = match target {
        ty::DOUBLE | ty::INT32 | ty::INT64 if matches!(v, Value::Binary { .. }) => match v {
            Value::Binary { subtype, bytes } => Some(binary::number(bytes, *subtype, target, how)?),
            _ => None,
        },
        ty::BOOL => Some(Value::Bool(truthy(Some(v)))),
        ty::DOUBLE => to_double(v)?,
        ty::INT32 => to_int(v)?,
        ty::INT64 => to_long(v)?,
        ty::DECIMAL128 => to_decimal(v)?,
        ty::STRING => to_string(v, how)?,
        ty::DATE => to_date(v)?,
        ty::OBJECT_ID => to_object_id(v)?,
        ty::BINARY => binary::binary(v, how)?,
        t if t == v.ty() => Some(v.clone()),
        _ => None,
    };
    converted.ok_or_else(|| {
        failure(format!(
            "Unsupported conversion from {} to {} in $convert with no onError value",
            v.type_name(),
            crate::raw::type_name(target)
        ))
    })
}

fn to_double(v: &Value) -> Result<Option<Value>> {
    Ok(Some(Value::Double(match v {
        Value::Bool(b) => f64::from(u8::from(*b)),
        Value::DateTime(ms) => Num::Long(*ms).to_f64(),
        Value::String(s) => text_double(s)?,
        Value::Decimal128(_) => {
            let Some(n) = Num::of(v) else { return Ok(None) };
            let x = n.to_f64();
            if x.is_infinite() && !n.is_infinite() {
                return Err(overflow(v));
            }
            x
        }
        v => match Num::of(v) {
            Some(n) => n.to_f64(),
            None => return Ok(None),
        },
    })))
}

fn overflow(v: &Value) -> Error {
    failure(format!(
        "Conversion would overflow target type in $convert with no onError value: {}",
        render::value(Some(v))
    ))
}

fn bad_number(s: &str, why: &str) -> Error {
    failure(format!("Failed to parse number '{s}' in $convert with no onError value: {why}"))
}

fn no_hex(s: &str) -> Result<()> {
    if s.starts_with("0x") || s.starts_with("0X") {
        return Err(failure(format!("Illegal hexadecimal input in $convert with no onError value: {s}")));
    }
    Ok(())
}

fn text_double(s: &str) -> Result<f64> {
    no_hex(s)?;
    if s.is_empty() {
        return Err(bad_number(s, "Empty string"));
    }
    if s.starts_with(char::is_whitespace) {
        return Err(bad_number(s, "Leading whitespace"));
    }
    match s.parse::<f64>() {
        Ok(x) if x.is_infinite() && s.bytes().any(|b| b.is_ascii_digit()) => {
            Err(bad_number(s, "Out of range"))
        }
        Ok(x) => Ok(x),
        Err(_) => {
            // What a number could begin with is read as far as it goes, which is not far enough.
            let begins = s.trim_start_matches(['+', '-', '.']).starts_with(|c: char| c.is_ascii_digit());
            let why = if begins { "Did not consume whole string." } else { "Did not consume any digits" };
            Err(bad_number(s, why))
        }
    }
}

fn text_decimal(s: &str) -> Result<dec128::D> {
    no_hex(s)?;
    let bad = |why: &str| bad_number(s, why);
    if s.is_empty() {
        return Err(bad("Empty string"));
    }
    if s.starts_with(char::is_whitespace) {
        return Err(bad("Failed to parse string to decimal"));
    }
    dec128::parse(s).ok_or_else(|| bad("Failed to parse string to decimal"))
}

fn text_integer(s: &str, low: i64, high: i64) -> Result<i64> {
    no_hex(s)?;
    let bad = |why: &str| bad_number(s, why);
    if s.is_empty() {
        return Err(bad("No digits"));
    }
    let digits = s.strip_prefix(['+', '-']).unwrap_or(s);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad("Did not consume whole string."));
    }
    s.parse::<i64>().ok().filter(|n| (low..=high).contains(n)).ok_or_else(|| bad("Overflow"))
}

fn integer(v: &Value, low: i64, high: i64) -> Result<Option<i64>> {
    Ok(Some(match v {
        Value::Bool(b) => i64::from(*b),
        Value::String(s) => text_integer(s, low, high)?,
        v => {
            let Some(n) = Num::of(v) else { return Ok(None) };
            if n.is_nan() {
                return Err(failure(
                    "Attempt to convert NaN value to integer type in $convert with no onError value",
                ));
            }
            if n.is_infinite() {
                return Err(failure(
                    "Attempt to convert infinity value to integer type in $convert with no onError value",
                ));
            }
            n.to_i64_truncating().filter(|i| (low..=high).contains(i)).ok_or_else(|| overflow(v))?
        }
    }))
}

fn to_int(v: &Value) -> Result<Option<Value>> {
    Ok(integer(v, i64::from(i32::MIN), i64::from(i32::MAX))?
        .and_then(|i| i32::try_from(i).ok())
        .map(Value::Int32))
}

fn to_long(v: &Value) -> Result<Option<Value>> {
    if let Value::DateTime(ms) = v {
        return Ok(Some(Value::Int64(*ms)));
    }
    Ok(integer(v, i64::MIN, i64::MAX)?.map(Value::Int64))
}

fn to_decimal(v: &Value) -> Result<Option<Value>> {
    Ok(Some(match v {
        Value::Bool(b) => Num::Decimal(dec128::from_i64(i64::from(*b))).value(),
        Value::DateTime(ms) => Num::Decimal(dec128::from_i64(*ms)).value(),
        Value::String(s) => Num::Decimal(text_decimal(s)?).value(),
        v => match Num::of(v) {
            Some(n) => Num::Decimal(n.to_decimal()).value(),
            None => return Ok(None),
        },
    }))
}

fn to_string(v: &Value, how: How<'_>) -> Result<Option<Value>> {
    Ok(Some(Value::String(match v {
        Value::String(s) => s.clone(),
        Value::Bool(b) => b.to_string(),
        Value::ObjectId(o) => render::hex(o),
        Value::DateTime(ms) => date::iso(*ms),
        Value::Int32(_) | Value::Int64(_) | Value::Double(_) | Value::Decimal128(_) => render::value(Some(v)),
        Value::Other { ty: ty::SYMBOL, bytes } => {
            let v = crate::raw::Val { ty: ty::SYMBOL, bytes };
            String::from_utf8_lossy(v.string_bytes()).into_owned()
        }
        Value::Binary { subtype, bytes } => binary::text(*subtype, bytes, how)?,
        _ => return Ok(None),
    })))
}

fn to_date(v: &Value) -> Result<Option<Value>> {
    Ok(Some(Value::DateTime(match v {
        Value::Int64(i) => *i,
        Value::Double(_) | Value::Decimal128(_) => {
            let ms = Num::of(v).and_then(Num::to_i64_truncating);
            ms.ok_or_else(|| overflow(v))?
        }
        Value::String(s) => date::read::parse(s, None, date::zone::Zone::UTC, false)?,
        v => match date::moment(v) {
            Some(ms) => ms,
            None => return Ok(None),
        },
    })))
}

fn to_object_id(v: &Value) -> Result<Option<Value>> {
    match v {
        Value::ObjectId(_) => Ok(Some(v.clone())),
        Value::String(s) => {
            let bad = |why: String| {
                failure(format!("Failed to parse objectId '{s}' in $convert with no onError value: {why}"))
            };
            if s.len() != 24 {
                return Err(bad(format!(
                    "Invalid string length for parsing to OID, expected 24 but found {}",
                    s.len()
                )));
            }
            let bytes = crate::extjson::from_hex(s)
                .map_err(|_| bad("Invalid character found in hex string".into()))?;
            Ok(bytes.try_into().ok().map(Value::ObjectId))
        }
        _ => Ok(None),
    }
}
