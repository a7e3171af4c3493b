//! MongoDB's order of values (MongoDB manual, "Comparison/Sort Order").

use crate::collation::{Collation, Collator};
use crate::raw::{Doc, Val, View, ty};
use std::cmp::Ordering;

/// How two strings compare. A type parameter, so that the comparison by bytes asks for no collation on its way.
trait Strings {
    fn order(&self, a: &[u8], b: &[u8]) -> Ordering;
}

struct Bytes;

impl Strings for Bytes {
    #[inline]
    fn order(&self, a: &[u8], b: &[u8]) -> Ordering {
        a.cmp(b)
    }
}

impl Strings for Collator {
    fn order(&self, a: &[u8], b: &[u8]) -> Ordering {
        self.compare(a, b)
    }
}

/// Rank of a type in the order between types. Types of one rank compare by value.
#[must_use]
pub fn bracket(t: u8) -> u8 {
    match t {
        ty::MIN_KEY => 1,
        ty::UNDEFINED | ty::NULL => 5,
        ty::DOUBLE | ty::INT32 | ty::INT64 | ty::DECIMAL128 => 10,
        ty::STRING | ty::SYMBOL => 15,
        ty::DOCUMENT => 20,
        ty::ARRAY => 25,
        ty::BINARY => 30,
        ty::OBJECT_ID => 35,
        ty::BOOL => 40,
        ty::DATE => 45,
        ty::TIMESTAMP => 47,
        ty::REGEX => 50,
        ty::DB_POINTER => 55,
        ty::CODE => 60,
        ty::CODE_WITH_SCOPE => 65,
        ty::MAX_KEY => 127,
        _ => 0,
    }
}

/// Compares two values of any types, strings by their bytes.
#[must_use]
pub fn values(a: Val<'_>, b: Val<'_>) -> Ordering {
    values_by(a, b, &Bytes)
}

/// Compares two values of any types, strings by `collation`, also those in documents and arrays.
#[must_use]
#[inline]
pub fn collated(a: Val<'_>, b: Val<'_>, collation: &Collation) -> Ordering {
    match collation.collator() {
        None => values_by(a, b, &Bytes),
        Some(c) => values_by(a, b, c),
    }
}

/// Has a string, itself or in it, whose order depends on a collation.
#[must_use]
pub fn has_string(v: Val<'_>) -> bool {
    match v.view() {
        View::String(_) | View::Symbol(_) => true,
        View::Document(d) | View::Array(d) => d.values().any(has_string),
        _ => false,
    }
}

fn values_by<S: Strings>(a: Val<'_>, b: Val<'_>, strings: &S) -> Ordering {
    let rank = bracket(a.ty).cmp(&bracket(b.ty));
    if rank != Ordering::Equal {
        return rank;
    }
    match (a.view(), b.view()) {
        (View::Document(x), View::Document(y)) | (View::Array(x), View::Array(y)) => docs_by(x, y, strings),
        (View::Binary { subtype: s, bytes: x }, View::Binary { subtype: t, bytes: y }) => {
            x.len().cmp(&y.len()).then(s.cmp(&t)).then_with(|| x.cmp(y))
        }
        (View::ObjectId(x), View::ObjectId(y)) => x.cmp(&y),
        (View::Bool(x), View::Bool(y)) => x.cmp(&y),
        (View::DateTime(x), View::DateTime(y)) => x.cmp(&y),
        (View::Timestamp { t, i }, View::Timestamp { t: u, i: j }) => (t, i).cmp(&(u, j)),
        (View::Regex { pattern, options }, View::Regex { pattern: p, options: o }) => {
            pattern.cmp(p).then_with(|| options.cmp(o))
        }
        (View::DbPointer { ns, id }, View::DbPointer { ns: m, id: j }) => {
            ns.len().cmp(&m.len()).then_with(|| ns.cmp(m)).then(id.cmp(&j))
        }
        (View::CodeWithScope { code, scope }, View::CodeWithScope { code: c, scope: s }) => {
            code.cmp(c).then_with(|| docs_by(scope, s, &Bytes))
        }
        (View::String(_) | View::Symbol(_), _) => strings.order(a.string_bytes(), b.string_bytes()),
        (View::Code(_), _) => a.string_bytes().cmp(b.string_bytes()),
        _ if a.is_number() => crate::number::compare(a, b),
        _ => Ordering::Equal,
    }
}

/// Compares two documents field by field: type rank, then name, then value; a prefix is smaller.
#[must_use]
pub fn docs(a: Doc<'_>, b: Doc<'_>) -> Ordering {
    ids(a.bytes(), b.bytes()).unwrap_or_else(|| docs_by(a, b, &Bytes))
}

/// [`docs`] for what the primary key mostly compares: `{"": value}` with integers, ObjectIds or strings. `None` for all else.
#[inline]
fn ids(a: &[u8], b: &[u8]) -> Option<Ordering> {
    let ((s, x), (t, y)) = (only_value(a)?, only_value(b)?);
    match (s, t) {
        (ty::OBJECT_ID, ty::OBJECT_ID) => Some(x.cmp(y)),
        (ty::INT32 | ty::INT64, ty::INT32 | ty::INT64) => Some(integer(x)?.cmp(&integer(y)?)),
        (ty::STRING, ty::STRING) => Some(text(x)?.cmp(text(y)?)),
        _ => None,
    }
}

/// Type and bytes of the first value, if its name is empty and the document ends with it.
#[inline]
fn only_value(d: &[u8]) -> Option<(u8, &[u8])> {
    let [_, _, _, _, t, 0, value @ .., 0] = d else { return None };
    let length = match *t {
        ty::INT32 => 4,
        ty::INT64 => 8,
        ty::OBJECT_ID => 12,
        ty::STRING => 4 + u32::from_le_bytes(*value.first_chunk()?) as usize,
        _ => return None,
    };
    (value.len() == length).then_some((*t, value))
}

#[inline]
fn integer(value: &[u8]) -> Option<i64> {
    match <[u8; 4]>::try_from(value) {
        Ok(short) => Some(i64::from(i32::from_le_bytes(short))),
        Err(_) => Some(i64::from_le_bytes(value.try_into().ok()?)),
    }
}

/// A string without its length and its end.
#[inline]
fn text(value: &[u8]) -> Option<&[u8]> {
    value.get(4..value.len().checked_sub(1)?)
}

fn docs_by<S: Strings>(a: Doc<'_>, b: Doc<'_>, strings: &S) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (mut x, mut y) = (a.iter(), b.iter());
    loop {
        let (e, f) = match (x.next(), y.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(e), Some(f)) => (e, f),
        };
        let order = bracket(e.val.ty)
            .cmp(&bracket(f.val.ty))
            .then_with(|| e.name_bytes().cmp(f.name_bytes()))
            .then_with(|| values_by(e.val, f.val, strings));
        if order != Ordering::Equal {
            return order;
        }
    }
}
