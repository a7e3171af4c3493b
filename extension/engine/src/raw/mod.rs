//! Borrowed BSON: walking documents and reading values without decoding them.
//!
//! A [`Doc`] is made from bytes that [`validate`] has accepted, once, where bytes enter the engine. The
//! readers below still never index past the end: on bytes that were not validated they stop early.

pub mod ty;
mod validate;

pub use validate::validate;

use crate::error::Result;
use std::fmt;

/// Deepest nesting accepted (MongoDB's limit for stored documents is 180, commands add a few levels).
pub const MAX_DEPTH: usize = 210;

/// Binary subtype 2 repeats its length before its bytes (bsonspec.org); [`View::Binary`] gives the bytes alone.
pub const OLD_BINARY: u8 = 2;

/// One whole document (or array) in its encoded form: length prefix to trailing NUL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Doc<'a>(&'a [u8]);

/// One value in its encoded form: its type and its bytes without type and name.
#[derive(Clone, Copy)]
pub struct Val<'a> {
    /// Element type, one of [`ty`].
    pub ty: u8,
    /// The encoded value.
    pub bytes: &'a [u8],
}

/// One element of a document.
#[derive(Clone, Copy)]
pub struct Elem<'a> {
    name: &'a [u8],
    /// The element's value.
    pub val: Val<'a>,
}

/// A value read into Rust types; documents and arrays stay encoded.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "variants are BSON's types")]
pub enum View<'a> {
    Double(f64),
    String(&'a str),
    Document(Doc<'a>),
    Array(Doc<'a>),
    Binary { subtype: u8, bytes: &'a [u8] },
    Undefined,
    ObjectId([u8; 12]),
    Bool(bool),
    DateTime(i64),
    Null,
    Regex { pattern: &'a str, options: &'a str },
    DbPointer { ns: &'a str, id: [u8; 12] },
    Code(&'a str),
    Symbol(&'a str),
    CodeWithScope { code: &'a str, scope: Doc<'a> },
    Int32(i32),
    Timestamp { t: u32, i: u32 },
    Int64(i64),
    Decimal128([u8; 16]),
    MaxKey,
    MinKey,
}

const EMPTY: &[u8] = &[5, 0, 0, 0, 0];

fn i32_at(b: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_le_bytes(b.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn len_at(b: &[u8], at: usize) -> Option<usize> {
    usize::try_from(i32_at(b, at)?).ok()
}

fn cstr_len(b: &[u8]) -> Option<usize> {
    memchr::memchr(0, b)
}

fn array<const N: usize>(b: &[u8]) -> [u8; N] {
    b.get(..N).and_then(|s| s.try_into().ok()).unwrap_or([0; N])
}

/// Validated bytes are UTF-8; anything else reads as empty rather than as garbage.
fn text(b: &[u8]) -> &str {
    std::str::from_utf8(b).unwrap_or("")
}

/// Encoded size of a value of type `t` at the start of `b`; `None` when `b` is too short to say or the type is unknown.
fn value_len(t: u8, b: &[u8]) -> Option<usize> {
    let n = match t {
        ty::DOUBLE | ty::DATE | ty::TIMESTAMP | ty::INT64 => 8,
        ty::INT32 => 4,
        ty::BOOL => 1,
        ty::OBJECT_ID => 12,
        ty::DECIMAL128 => 16,
        ty::UNDEFINED | ty::NULL | ty::MIN_KEY | ty::MAX_KEY => 0,
        ty::STRING | ty::CODE | ty::SYMBOL => len_at(b, 0)?.checked_add(4)?,
        ty::DOCUMENT | ty::ARRAY | ty::CODE_WITH_SCOPE => len_at(b, 0)?,
        ty::BINARY => len_at(b, 0)?.checked_add(5)?,
        ty::DB_POINTER => len_at(b, 0)?.checked_add(16)?,
        ty::REGEX => {
            let first = cstr_len(b)?;
            let second = cstr_len(b.get(first + 1..)?)?;
            first + second + 2
        }
        _ => return None,
    };
    Some(n)
}

impl<'a> Doc<'a> {
    /// The empty document.
    pub const EMPTY: Doc<'static> = Doc(EMPTY);

    /// Checks `bytes` in depth ([`validate`]) and borrows them.
    ///
    /// # Errors
    /// `BadValue` when the bytes are not one well-formed document.
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        validate(bytes)?;
        Ok(Doc(bytes))
    }

    /// Borrows bytes that were validated before (a stored document, a part of a validated one).
    #[must_use]
    pub fn trusted(bytes: &'a [u8]) -> Self {
        Doc(bytes)
    }

    /// The whole encoded document.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The encoded elements, without length prefix and trailing NUL.
    #[must_use]
    pub fn elements(self) -> &'a [u8] {
        self.0.get(4..self.0.len().saturating_sub(1)).unwrap_or(&[])
    }

    /// Has no element.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.len() <= 5
    }

    /// The elements in order.
    #[must_use]
    pub fn iter(self) -> Iter<'a> {
        Iter { buf: self.0, pos: 4 }
    }

    /// First element named `name`.
    #[must_use]
    #[inline]
    pub fn get(self, name: &str) -> Option<Val<'a>> {
        self.iter().find(|e| e.name == name.as_bytes()).map(|e| e.val)
    }

    /// First element.
    #[must_use]
    pub fn first(self) -> Option<Elem<'a>> {
        self.iter().next()
    }

    /// The values in order, for arrays.
    pub fn values(self) -> impl Iterator<Item = Val<'a>> + Clone {
        self.iter().map(|e| e.val)
    }
}

impl<'a> IntoIterator for Doc<'a> {
    type Item = Elem<'a>;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Iterator over a document's elements.
#[derive(Clone)]
pub struct Iter<'a> {
    buf: &'a [u8],
    pos: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Elem<'a>;

    #[inline]
    fn next(&mut self) -> Option<Elem<'a>> {
        let t = *self.buf.get(self.pos)?;
        if t == 0 {
            return None;
        }
        let rest = self.buf.get(self.pos + 1..)?;
        let n = cstr_len(rest)?;
        let (name, body) = (rest.get(..n)?, rest.get(n + 1..)?);
        let len = value_len(t, body)?;
        let bytes = body.get(..len)?;
        self.pos += n + len + 2;
        Some(Elem { name, val: Val { ty: t, bytes } })
    }
}

impl<'a> Elem<'a> {
    /// Field name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        text(self.name)
    }

    /// Field name as bytes: cheaper than [`Elem::name`] where only equality matters.
    #[must_use]
    pub fn name_bytes(&self) -> &'a [u8] {
        self.name
    }
}

impl<'a> Val<'a> {
    /// BSON null.
    pub const NULL: Val<'static> = Val { ty: ty::NULL, bytes: &[] };

    /// The int32 0.
    pub const ZERO: Val<'static> = Val { ty: ty::INT32, bytes: &[0; 4] };

    /// Reads the value.
    #[must_use]
    pub fn view(self) -> View<'a> {
        let b = self.bytes;
        match self.ty {
            ty::DOUBLE => View::Double(f64::from_le_bytes(array(b))),
            ty::STRING => View::String(self.string_body()),
            ty::DOCUMENT => View::Document(Doc(b)),
            ty::ARRAY => View::Array(Doc(b)),
            ty::BINARY => {
                let subtype = b.get(4).copied().unwrap_or(0);
                let start = if subtype == OLD_BINARY { 9 } else { 5 };
                View::Binary { subtype, bytes: b.get(start..).unwrap_or(&[]) }
            }
            ty::UNDEFINED => View::Undefined,
            ty::OBJECT_ID => View::ObjectId(array(b)),
            ty::BOOL => View::Bool(b.first().is_some_and(|x| *x != 0)),
            ty::DATE => View::DateTime(i64::from_le_bytes(array(b))),
            ty::REGEX => {
                let n = cstr_len(b).unwrap_or(0);
                let options = b.get(n + 1..b.len().saturating_sub(1)).unwrap_or(&[]);
                View::Regex { pattern: text(b.get(..n).unwrap_or(&[])), options: text(options) }
            }
            ty::DB_POINTER => {
                let n = b.len().saturating_sub(12);
                View::DbPointer {
                    ns: text(b.get(4..n.saturating_sub(1)).unwrap_or(&[])),
                    id: array(b.get(n..).unwrap_or(&[])),
                }
            }
            ty::CODE => View::Code(self.string_body()),
            ty::SYMBOL => View::Symbol(self.string_body()),
            ty::CODE_WITH_SCOPE => {
                let n = len_at(b, 4).unwrap_or(0);
                View::CodeWithScope {
                    code: text(b.get(8..(8 + n).saturating_sub(1)).unwrap_or(&[])),
                    scope: Doc(b.get(8 + n..).unwrap_or(EMPTY)),
                }
            }
            ty::INT32 => View::Int32(i32::from_le_bytes(array(b))),
            ty::TIMESTAMP => View::Timestamp {
                i: u32::from_le_bytes(array(b)),
                t: u32::from_le_bytes(array(b.get(4..).unwrap_or(&[]))),
            },
            ty::INT64 => View::Int64(i64::from_le_bytes(array(b))),
            ty::DECIMAL128 => View::Decimal128(array(b)),
            ty::MAX_KEY => View::MaxKey,
            ty::MIN_KEY => View::MinKey,
            _ => View::Null,
        }
    }

    /// Bytes of a string, code or symbol without length prefix and NUL: enough for comparison.
    #[must_use]
    pub fn string_bytes(self) -> &'a [u8] {
        self.bytes.get(4..self.bytes.len().saturating_sub(1)).unwrap_or(&[])
    }

    fn string_body(self) -> &'a str {
        text(self.string_bytes())
    }

    /// The string, when it is one.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        (self.ty == ty::STRING).then(|| self.string_body())
    }

    /// The document, when it is one (arrays are not).
    #[must_use]
    pub fn as_doc(self) -> Option<Doc<'a>> {
        (self.ty == ty::DOCUMENT).then_some(Doc(self.bytes))
    }

    /// The array, when it is one.
    #[must_use]
    pub fn as_array(self) -> Option<Doc<'a>> {
        (self.ty == ty::ARRAY).then_some(Doc(self.bytes))
    }

    /// The bool, when it is one.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        (self.ty == ty::BOOL).then(|| self.bytes.first().is_some_and(|x| *x != 0))
    }

    /// Is int32, int64, double or decimal128.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self.ty, ty::DOUBLE | ty::INT32 | ty::INT64 | ty::DECIMAL128)
    }

    /// Is null or undefined.
    #[must_use]
    pub fn is_nullish(self) -> bool {
        matches!(self.ty, ty::NULL | ty::UNDEFINED)
    }

    /// MongoDB's name of the value's type, as `$type` and error messages give it.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        type_name(self.ty)
    }
}

impl fmt::Debug for Val<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(f)
    }
}

impl fmt::Debug for Doc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|e| (e.name(), e.val))).finish()
    }
}

/// MongoDB's alias of a BSON type (MongoDB manual, "BSON Types").
#[must_use]
pub fn type_name(t: u8) -> &'static str {
    match t {
        ty::DOUBLE => "double",
        ty::STRING => "string",
        ty::DOCUMENT => "object",
        ty::ARRAY => "array",
        ty::BINARY => "binData",
        ty::UNDEFINED => "undefined",
        ty::OBJECT_ID => "objectId",
        ty::BOOL => "bool",
        ty::DATE => "date",
        ty::NULL => "null",
        ty::REGEX => "regex",
        ty::DB_POINTER => "dbPointer",
        ty::CODE => "javascript",
        ty::SYMBOL => "symbol",
        ty::CODE_WITH_SCOPE => "javascriptWithScope",
        ty::INT32 => "int",
        ty::TIMESTAMP => "timestamp",
        ty::INT64 => "long",
        ty::DECIMAL128 => "decimal",
        ty::MAX_KEY => "maxKey",
        ty::MIN_KEY => "minKey",
        _ => "missing",
    }
}

#[cfg(test)]
mod tests;
