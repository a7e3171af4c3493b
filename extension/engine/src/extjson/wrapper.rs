//! Objects that stand for a value: `{"$oid": …}` and the others.

use super::date;
use super::lexer::syntax;
use crate::decimal;
use crate::error::Result;
use crate::raw::{Doc, Val, View, ty};
use crate::value::Value;

/// Names of the wrappers with one field.
const NAMES: [&str; 16] = [
    "$oid",
    "$numberInt",
    "$numberLong",
    "$numberDouble",
    "$numberDecimal",
    "$date",
    "$binary",
    "$uuid",
    "$regularExpression",
    "$timestamp",
    "$minKey",
    "$maxKey",
    "$undefined",
    "$symbol",
    "$code",
    "$dbPointer",
];

/// What the object wraps; `None` when its fields are not those of a wrapper, so that it is a plain document.
pub(super) fn unwrap(object: &[u8]) -> Result<Option<Value>> {
    let d = Doc::trusted(object);
    let mut fields = d.iter();
    let (Some(first), second, None) = (fields.next(), fields.next(), fields.next()) else { return Ok(None) };
    let v = first.val;
    let found = match (first.name(), second.map(|e| (e.name(), e.val))) {
        ("$code", Some(("$scope", scope))) => code_with_scope(v, scope),
        ("$scope", Some(("$code", code))) => code_with_scope(code, v),
        ("$binary", Some(("$type", kind))) => binary(v, kind),
        (_, Some(_)) => return Ok(None),
        (name, None) if NAMES.contains(&name) => single(name, v),
        (_, None) => return Ok(None),
    };
    match found {
        Some(v) => Ok(Some(v)),
        None => Err(syntax(&format!("invalid value for {}", first.name()))),
    }
}

fn single(name: &str, v: Val<'_>) -> Option<Value> {
    let text = v.as_str();
    Some(match name {
        "$oid" => Value::ObjectId(object_id(text?)?),
        "$numberInt" => Value::Int32(text?.parse().ok()?),
        "$numberLong" => Value::Int64(text?.parse().ok()?),
        "$numberDouble" => Value::Double(double(text?)?),
        "$numberDecimal" => Value::Decimal128(decimal::encode(decimal::parse(text?)?)),
        "$date" => Value::DateTime(match v.view() {
            View::String(s) => date::parse(s)?,
            View::Int64(ms) => ms,
            View::Int32(ms) => i64::from(ms),
            _ => return None,
        }),
        "$binary" => {
            let d = v.as_doc()?;
            return binary(d.get("base64")?, d.get("subType")?);
        }
        "$uuid" => {
            let digits: String = text?.chars().filter(|c| *c != '-').collect();
            let bytes = super::from_hex(&digits).ok().filter(|b| b.len() == 16)?;
            Value::Binary { subtype: 4, bytes }
        }
        "$regularExpression" => {
            let d = v.as_doc()?;
            let text = |name| d.get(name).and_then(Val::as_str).filter(|s| !s.contains('\0'));
            let mut options: Vec<char> = text("options")?.chars().collect();
            options.sort_unstable();
            Value::Regex { pattern: text("pattern")?.to_owned(), options: options.into_iter().collect() }
        }
        "$timestamp" => {
            let d = v.as_doc()?;
            let part =
                |name| d.get(name).and_then(crate::number::exact_i64).and_then(|i| u32::try_from(i).ok());
            Value::Timestamp { t: part("t")?, i: part("i")? }
        }
        "$minKey" => Value::MinKey,
        "$maxKey" => Value::MaxKey,
        "$undefined" => Value::Undefined,
        "$symbol" if text.is_some() => Value::Other { ty: ty::SYMBOL, bytes: v.bytes.to_vec() },
        "$code" if text.is_some() => Value::Other { ty: ty::CODE, bytes: v.bytes.to_vec() },
        "$dbPointer" => {
            let d = v.as_doc()?;
            let namespace = d.get("$ref").filter(|v| v.ty == ty::STRING)?;
            let id = d.get("$id").filter(|v| v.ty == ty::OBJECT_ID)?;
            Value::Other { ty: ty::DB_POINTER, bytes: [namespace.bytes, id.bytes].concat() }
        }
        _ => return None,
    })
}

fn object_id(text: &str) -> Option<[u8; 12]> {
    super::from_hex(text).ok()?.try_into().ok()
}

fn double(text: &str) -> Option<f64> {
    match text {
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ => text.parse().ok(),
    }
}

fn binary(data: Val<'_>, kind: Val<'_>) -> Option<Value> {
    let subtype = match kind.view() {
        View::String(s) => u8::from_str_radix(s, 16).ok()?,
        View::Int32(i) => u8::try_from(i).ok()?,
        _ => return None,
    };
    Some(Value::Binary { subtype, bytes: from_base64(data.as_str()?)? })
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let body = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(body.len() * 3 / 4);
    let mut bits = 0u32;
    let mut have = 0;
    for c in body.bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        have += 6;
        if have >= 8 {
            have -= 8;
            out.push(u8::try_from(bits >> have & 0xff).ok()?);
        }
    }
    (body.len() % 4 != 1 && text.len() - body.len() <= 2).then_some(out)
}

fn code_with_scope(code: Val<'_>, scope: Val<'_>) -> Option<Value> {
    let (code, scope) = (code.as_str().map(|_| code.bytes)?, scope.as_doc()?.bytes());
    let len = i32::try_from(4 + code.len() + scope.len()).ok()?;
    Some(Value::Other { ty: ty::CODE_WITH_SCOPE, bytes: [&len.to_le_bytes(), code, scope].concat() })
}
