//! The one check that bytes from outside go through.

use super::{Doc, MAX_DEPTH, OLD_BINARY, Val, len_at, ty};
use crate::codes;
use crate::error::{Error, Result};

fn invalid<T>(what: &str) -> Result<T> {
    Err(Error::new(codes::BAD_VALUE, format!("invalid BSON: {what}")))
}

/// Checks in one pass that `bytes` are exactly one well-formed document: lengths, terminators, known types,
/// UTF-8, nesting of at most [`MAX_DEPTH`].
///
/// # Errors
/// `BadValue` naming what is wrong.
pub fn validate(bytes: &[u8]) -> Result<()> {
    check_doc(bytes, 0)
}

fn check_doc(doc: &[u8], depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return invalid("nested too deeply");
    }
    if doc.len() < 5 || len_at(doc, 0) != Some(doc.len()) || doc.last() != Some(&0) {
        return invalid("length and content disagree");
    }
    let mut it = Doc(doc).iter();
    for e in it.by_ref() {
        if std::str::from_utf8(e.name).is_err() {
            return invalid("a field name is not UTF-8");
        }
        check_value(e.val, depth)?;
    }
    if it.pos + 1 == doc.len() { Ok(()) } else { invalid("an element is truncated or of unknown type") }
}

fn check_value(v: Val<'_>, depth: usize) -> Result<()> {
    match v.ty {
        ty::DOCUMENT | ty::ARRAY => check_doc(v.bytes, depth + 1),
        ty::STRING | ty::CODE | ty::SYMBOL => check_string(v.bytes),
        ty::BINARY if v.bytes.get(4) == Some(&OLD_BINARY) && !inner_length_fits(v.bytes) => {
            invalid("the inner length of a binary of subtype 2 is wrong")
        }
        ty::BOOL if v.bytes.first().is_some_and(|b| *b > 1) => invalid("a bool is neither 0 nor 1"),
        ty::REGEX if std::str::from_utf8(v.bytes).is_err() => invalid("a regular expression is not UTF-8"),
        ty::DB_POINTER => match v.bytes.len().checked_sub(12).and_then(|n| v.bytes.get(..n)) {
            Some(s) => check_string(s),
            None => invalid("a dbPointer is truncated"),
        },
        ty::CODE_WITH_SCOPE => {
            let end = len_at(v.bytes, 4).and_then(|n| n.checked_add(8));
            match end.and_then(|e| Some((v.bytes.get(4..e)?, v.bytes.get(e..)?))) {
                Some((code, scope)) => check_string(code).and_then(|()| check_doc(scope, depth + 1)),
                None => invalid("a code with scope is truncated"),
            }
        }
        _ => Ok(()),
    }
}

fn check_string(b: &[u8]) -> Result<()> {
    if b.len() < 5 || b.last() != Some(&0) || len_at(b, 0) != Some(b.len() - 4) {
        return invalid("a string's length is wrong");
    }
    match b.get(4..).map(std::str::from_utf8) {
        Some(Ok(_)) => Ok(()),
        _ => invalid("a string is not UTF-8"),
    }
}

/// Does the second length of an old binary name the bytes that follow it?
fn inner_length_fits(b: &[u8]) -> bool {
    len_at(b, 5).and_then(|inner| inner.checked_add(9)) == Some(b.len())
}
