//! One value to bytes.

use super::number;
use crate::collation::Collation;
use crate::compare::bracket;
use crate::raw::{Doc, Val, View};

/// Appends the encoding of `v`: its type's rank, then bytes ordered as the type's values are.
pub fn encode(out: &mut Vec<u8>, v: Val<'_>) {
    encode_by(out, v, &Collation::SIMPLE);
}

/// As [`encode`], strings by the sort keys of `collation`, also those in documents and arrays.
pub fn encode_by(out: &mut Vec<u8>, v: Val<'_>, collation: &Collation) {
    out.push(bracket(v.ty));
    match v.view() {
        View::Double(_) | View::Int32(_) | View::Int64(_) | View::Decimal128(_) => number::encode(out, v),
        View::String(_) | View::Symbol(_) => match collation.collator() {
            None => encode_text(out, v.string_bytes()),
            Some(c) => encode_text(out, &c.sort_key(v.string_bytes())),
        },
        View::Code(_) => encode_text(out, v.string_bytes()),
        View::Document(d) | View::Array(d) => encode_doc(out, d, collation),
        View::Binary { subtype, bytes } => {
            out.extend_from_slice(&len32(bytes.len()));
            out.push(subtype);
            out.extend_from_slice(bytes);
        }
        View::ObjectId(id) => out.extend_from_slice(&id),
        View::Bool(b) => out.push(u8::from(b)),
        View::DateTime(ms) => out.extend_from_slice(&(ms.cast_unsigned() ^ (1 << 63)).to_be_bytes()),
        View::Timestamp { t, i } => {
            out.extend_from_slice(&t.to_be_bytes());
            out.extend_from_slice(&i.to_be_bytes());
        }
        View::Regex { pattern, options } => {
            encode_text(out, pattern.as_bytes());
            encode_text(out, options.as_bytes());
        }
        View::DbPointer { ns, id } => {
            out.extend_from_slice(&len32(ns.len()));
            out.extend_from_slice(ns.as_bytes());
            out.extend_from_slice(&id);
        }
        View::CodeWithScope { code, scope } => {
            encode_text(out, code.as_bytes());
            encode_doc(out, scope, &Collation::SIMPLE);
        }
        View::Undefined | View::Null | View::MinKey | View::MaxKey => {}
    }
}

/// Appends a byte string so that it ends before any longer one: NUL becomes `00 FF`, the end is `00 00`.
pub fn encode_text(out: &mut Vec<u8>, s: &[u8]) {
    let mut rest = s;
    while let Some(at) = memchr::memchr(0, rest) {
        let (head, tail) = rest.split_at(at + 1);
        out.extend_from_slice(head);
        out.push(0xFF);
        rest = tail;
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0, 0]);
}

/// Documents compare element by element: rank, name, value; the end is lower than any rank.
fn encode_doc(out: &mut Vec<u8>, d: Doc<'_>, collation: &Collation) {
    for e in d {
        out.push(bracket(e.val.ty));
        // Names hold no NUL, so one NUL ends them.
        out.extend_from_slice(e.name_bytes());
        out.push(0);
        encode_by(out, e.val, collation);
    }
    out.push(0);
}

fn len32(n: usize) -> [u8; 4] {
    u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes()
}
