//! Strings.

use super::{any_nullish, arg, array, is_null, null, num};
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::{Computed, nullish, render};
use crate::value::Value;
use std::cmp::Ordering;

/// MongoDB's coercion to a string for the old operators: numbers and dates as text, nothing as "".
fn coerce(v: Option<&Value>) -> Result<String> {
    match v {
        None | Some(Value::Null | Value::Undefined) => Ok(String::new()),
        Some(Value::String(s)) => Ok(s.clone()),
        Some(Value::Int32(_) | Value::Int64(_) | Value::Double(_) | Value::Decimal128(_)) => {
            Ok(render::value(v))
        }
        Some(Value::DateTime(ms)) => Ok(super::date::iso(*ms)),
        Some(Value::Timestamp { t, i }) => Ok(super::date::timestamp_text(*t, *i)),
        Some(Value::Other { ty: crate::raw::ty::CODE, bytes }) => {
            let v = crate::raw::Val { ty: crate::raw::ty::CODE, bytes };
            Ok(String::from_utf8_lossy(v.string_bytes()).into_owned())
        }
        Some(v) => bail!(codes::LOCATION16007, "can't convert from BSON type {} to String", v.type_name()),
    }
}

fn string(s: impl Into<String>) -> Result<Computed> {
    Ok(Some(Value::String(s.into())))
}

fn int(n: usize) -> Result<Computed> {
    Ok(Some(Value::Int32(i32::try_from(n).unwrap_or(i32::MAX))))
}

pub(in crate::expr) fn to_lower(_: &'static str, args: &[Computed]) -> Result<Computed> {
    string(coerce(arg(args, 0))?.to_ascii_lowercase())
}

pub(in crate::expr) fn to_upper(_: &'static str, args: &[Computed]) -> Result<Computed> {
    string(coerce(arg(args, 0))?.to_ascii_uppercase())
}

pub(in crate::expr) fn strcasecmp(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let (a, b) = (coerce(arg(args, 0))?.to_ascii_lowercase(), coerce(arg(args, 1))?.to_ascii_lowercase());
    let n = match a.cmp(&b) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    };
    Ok(Some(Value::Int32(n)))
}

pub(in crate::expr) fn concat(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let mut out = String::new();
    for a in args {
        match a {
            Some(Value::String(s)) => out.push_str(s),
            a if nullish(a) => return null(),
            a => bail!(
                codes::LOCATION16702,
                "$concat only supports strings, not {}",
                render::type_of(a.as_ref())
            ),
        }
    }
    string(out)
}

fn only_string<'a>(name: &str, code: crate::Code, args: &'a [Computed]) -> Result<&'a str> {
    match arg(args, 0) {
        Some(Value::String(s)) => Ok(s),
        v => bail!(code, "{name} requires a string argument, found: {}", render::type_of(v)),
    }
}

pub(in crate::expr) fn len_bytes(name: &'static str, args: &[Computed]) -> Result<Computed> {
    int(only_string(name, codes::LOCATION34473, args)?.len())
}

pub(in crate::expr) fn len_cp(name: &'static str, args: &[Computed]) -> Result<Computed> {
    int(only_string(name, codes::LOCATION34471, args)?.chars().count())
}

/// `$substr` is the old name of `$substrBytes`.
pub(in crate::expr) fn substr_bytes(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let number = |i: usize, what: &str, code| -> Result<i64> {
        match arg(args, i).and_then(num::Num::of) {
            Some(n) => Ok(n.to_i64_truncating().unwrap_or(i64::MAX)),
            None => bail!(
                code,
                "$substrBytes: {what} must be a numeric type (is BSON type {})",
                render::type_of(arg(args, i))
            ),
        }
    };
    let s = coerce(arg(args, 0))?;
    let start = number(1, "starting index", codes::LOCATION16034)?;
    let len = number(2, "length", codes::LOCATION16035)?;
    let Ok(start) = usize::try_from(start) else {
        bail!(codes::LOCATION50752, "$substrBytes: starting index must be non-negative (got: {start})")
    };
    if start >= s.len() {
        return string("");
    }
    if !s.is_char_boundary(start) {
        bail!(
            codes::LOCATION28656,
            "$substrBytes: Invalid range, starting index is a UTF-8 continuation byte."
        );
    }
    let end = usize::try_from(len).map_or(s.len(), |n| start.saturating_add(n)).min(s.len());
    match s.get(start..end) {
        Some(part) => string(part),
        None => bail!(
            codes::LOCATION28657,
            "$substrBytes: Invalid range, ending index is in the middle of a UTF-8 character."
        ),
    }
}

pub(in crate::expr) fn substr_cp(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let s = coerce(arg(args, 0))?;
    let whole = |i: usize, what: &str, numeric, exact| -> Result<i32> {
        let v = arg(args, i);
        if v.and_then(num::Num::of).is_none() {
            bail!(numeric, "$substrCP: {what} must be a numeric type (is BSON type {})", render::type_of(v));
        }
        match v.and_then(num::to_i32_exact) {
            Some(n) => Ok(n),
            None => bail!(exact, "$substrCP: {what} cannot be represented as a 32-bit integral value"),
        }
    };
    let start = whole(1, "starting index", codes::LOCATION34450, codes::LOCATION34451)?;
    let len = whole(2, "length", codes::LOCATION34452, codes::LOCATION34453)?;
    let Ok(len) = usize::try_from(len) else {
        bail!(codes::LOCATION34454, "$substrCP: length must be a nonnegative integer.")
    };
    let Ok(start) = usize::try_from(start) else {
        bail!(codes::LOCATION34455, "$substrCP: the starting index must be nonnegative integer.")
    };
    string(s.chars().skip(start).take(len).collect::<String>())
}

/// Where to look, what for, from and to which position.
type Search<'a> = (&'a str, &'a str, usize, Option<usize>);

/// The two strings and the range of `$indexOfBytes` and `$indexOfCP`; `None` for a null first string.
fn search<'a>(
    name: &'static str,
    args: &'a [Computed],
    codes: [crate::Code; 2],
) -> Result<Option<Search<'a>>> {
    let mut found = ["", ""];
    for (i, (slot, code)) in found.iter_mut().zip(codes).enumerate() {
        match arg(args, i) {
            Some(Value::String(s)) => *slot = s,
            v if i == 0 && is_null(v) => return Ok(None),
            v => bail!(
                code,
                "{name} requires a string as the {} argument, found: {}",
                if i == 0 { "first" } else { "second" },
                render::type_of(v)
            ),
        }
    }
    let start = array::position(name, "start", arg(args, 2))?.unwrap_or(0);
    let end = array::position(name, "end", arg(args, 3))?;
    Ok(Some((found[0], found[1], start, end)))
}

fn found(at: Option<usize>) -> Result<Computed> {
    Ok(Some(Value::Int32(at.and_then(|n| i32::try_from(n).ok()).unwrap_or(-1))))
}

pub(in crate::expr) fn index_of_bytes(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let Some((s, part, start, end)) = search(name, args, [codes::LOCATION40091, codes::LOCATION40092])?
    else {
        return null();
    };
    let end = end.unwrap_or(s.len()).min(s.len());
    let at = s
        .as_bytes()
        .get(start..end)
        .and_then(|hay| memchr::memmem::find(hay, part.as_bytes()).map(|i| i + start));
    found(at)
}

pub(in crate::expr) fn index_of_cp(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let Some((s, part, start, end)) = search(name, args, [codes::LOCATION40093, codes::LOCATION40094])?
    else {
        return null();
    };
    // Byte offsets of the characters, and the end: position n is offset n.
    let offsets: Vec<usize> = s.char_indices().map(|(i, _)| i).chain([s.len()]).collect();
    let Some(from) = offsets.get(start) else { return found(None) };
    let to = end.and_then(|e| offsets.get(e)).copied().unwrap_or(s.len());
    let at = s.get(*from..to).and_then(|hay| hay.find(part)).map(|i| i + from);
    found(at.and_then(|at| offsets.binary_search(&at).ok()))
}

pub(in crate::expr) fn split(_: &'static str, args: &[Computed]) -> Result<Computed> {
    if any_nullish(args) {
        return null();
    }
    let (a, b) = (arg(args, 0), arg(args, 1));
    let Some(Value::String(s)) = a else {
        bail!(
            codes::LOCATION40085,
            "$split requires an expression that evaluates to a string as a first argument, found: {}",
            render::type_of(a)
        )
    };
    let Some(Value::String(separator)) = b else {
        bail!(
            codes::LOCATION40086,
            "$split requires an expression that evaluates to a string as a second argument, found: {}",
            render::type_of(b)
        )
    };
    if separator.is_empty() {
        bail!(codes::LOCATION40087, "$split requires a non-empty separator");
    }
    let parts: Vec<Value> = s.split(separator.as_str()).map(|p| Value::String(p.into())).collect();
    Ok(Some(Value::array_of(&parts)))
}

/// What `$trim` removes when `chars` is not given (MongoDB manual, "$trim").
const SPACES: &[char] = &[
    '\0', ' ', '\t', '\n', '\u{b}', '\u{c}', '\r', '\u{a0}', '\u{1680}', '\u{2000}', '\u{2001}', '\u{2002}',
    '\u{2003}', '\u{2004}', '\u{2005}', '\u{2006}', '\u{2007}', '\u{2008}', '\u{2009}', '\u{200a}',
];

fn trimmed(name: &str, args: &[Computed], left: bool, right: bool) -> Result<Computed> {
    if any_nullish(args) {
        return null();
    }
    let Some(Value::String(s)) = arg(args, 0) else {
        bail!(
            codes::LOCATION50699,
            "{name} requires its input to be a string, got {} (of type {}) instead.",
            render::value(arg(args, 0)),
            render::type_of(arg(args, 0))
        )
    };
    let chars: Vec<char> = match arg(args, 1) {
        None => SPACES.to_vec(),
        Some(Value::String(c)) => c.chars().collect(),
        v => bail!(
            codes::LOCATION50700,
            " {name} requires 'chars' to be a string, got {} (of type {}) instead.",
            render::value(v),
            render::type_of(v)
        ),
    };
    let mut s = s.as_str();
    if left {
        s = s.trim_start_matches(chars.as_slice());
    }
    if right {
        s = s.trim_end_matches(chars.as_slice());
    }
    string(s)
}

pub(in crate::expr) fn trim(name: &'static str, args: &[Computed]) -> Result<Computed> {
    trimmed(name, args, true, true)
}

pub(in crate::expr) fn ltrim(name: &'static str, args: &[Computed]) -> Result<Computed> {
    trimmed(name, args, true, false)
}

pub(in crate::expr) fn rtrim(name: &'static str, args: &[Computed]) -> Result<Computed> {
    trimmed(name, args, false, true)
}

fn replaced(name: &str, args: &[Computed], f: fn(&str, &str, &str) -> String) -> Result<Computed> {
    let mut parts = ["", "", ""];
    let names = ["input", "find", "replacement"];
    let wrong = [codes::LOCATION51746, codes::LOCATION51745, codes::LOCATION51744];
    for (i, ((slot, what), code)) in parts.iter_mut().zip(names).zip(wrong).enumerate() {
        match arg(args, i) {
            Some(Value::String(s)) => *slot = s,
            v if is_null(v) => {}
            v => bail!(code, "{name} requires that '{what}' be a string, found: {}", render::value(v)),
        }
    }
    if any_nullish(args) {
        return null();
    }
    string(f(parts[0], parts[1], parts[2]))
}

pub(in crate::expr) fn replace_one(name: &'static str, args: &[Computed]) -> Result<Computed> {
    replaced(name, args, |s, find, with| s.replacen(find, with, 1))
}

pub(in crate::expr) fn replace_all(name: &'static str, args: &[Computed]) -> Result<Computed> {
    replaced(name, args, |s, find, with| s.replace(find, with))
}
