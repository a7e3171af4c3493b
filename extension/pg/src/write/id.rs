//! `_id`: its rules, making one, moving it to the front (MongoDB manual, "The _id Field").

use std::borrow::Cow;
use std::cell::Cell;

use engine::raw::{Val, ty};
use engine::{Doc, DocWriter, Value, codes};

use super::fail;
use crate::error::{Result, internal};

/// Largest document in bytes.
pub const MAX_DOCUMENT: usize = 16 * 1024 * 1024;

/// A document ready to be stored.
pub struct Prepared<'a> {
    /// `{"": _id}`
    pub object_id: Vec<u8>,
    /// The document, `_id` in front.
    pub document: Cow<'a, [u8]>,
}

/// Checks a value that is to be an `_id`.
///
/// # Errors
/// InvalidIdField for arrays, regular expressions and undefined, DollarPrefixedFieldName for documents with such fields.
pub fn check(v: Val<'_>) -> Result<()> {
    if matches!(v.ty, ty::ARRAY | ty::REGEX | ty::UNDEFINED) {
        return Err(fail(
            codes::INVALID_ID_FIELD,
            format!("The '_id' value cannot be of type {}", v.type_name()),
        ));
    }
    if let Some(d) = v.as_doc()
        && let Some(e) = d.iter().find(|e| e.name_bytes().starts_with(b"$"))
    {
        let message =
            format!("_id fields may not contain '$'-prefixed fields: {} is not valid for storage.", e.name());
        return Err(fail(codes::DOLLAR_PREFIXED_FIELD_NAME, message));
    }
    Ok(())
}

/// Makes a document storable: gives it an `_id`, moves it to the front, sets empty timestamps of top-level fields to the
/// current time.
///
/// # Errors
/// Those of [`check`]; BadValue for a second `_id`.
pub fn prepare(doc: Doc<'_>) -> Result<Prepared<'_>> {
    let mut id = None;
    let (mut rebuild, mut first) = (false, true);
    for e in doc {
        if e.name_bytes() == b"_id" {
            if id.replace(e.val).is_some() {
                return Err(fail(codes::BAD_VALUE, "can't have multiple _id fields in one document"));
            }
            rebuild |= !first;
        } else if e.val.ty == ty::TIMESTAMP && e.val.bytes == [0; 8] {
            rebuild = true;
        }
        first = false;
    }
    let made;
    let id = match id {
        Some(v) => v,
        None => {
            rebuild = true;
            made = object_id()?;
            Val { ty: ty::OBJECT_ID, bytes: &made }
        }
    };
    check(id)?;
    let document = if rebuild { Cow::Owned(rebuilt(doc, id)) } else { Cow::Borrowed(doc.bytes()) };
    Ok(Prepared { object_id: crate::types::wrap(id), document })
}

fn rebuilt(doc: Doc<'_>, id: Val<'_>) -> Vec<u8> {
    let mut w = DocWriter::with_capacity(doc.bytes().len() + 24);
    w.put_val("_id", id);
    let mut seen = false;
    for e in doc {
        if !seen && e.name_bytes() == b"_id" {
            seen = true;
        } else if e.val.ty == ty::TIMESTAMP && e.val.bytes == [0; 8] {
            w.put(e.name(), &now());
        } else {
            w.put_elem(&e);
        }
    }
    w.finish()
}

fn seconds() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |d| d.as_secs() as u32)
}

/// The current time as a timestamp; within one second the ordinals go up.
fn now() -> Value {
    thread_local! { static LAST: Cell<(u32, u32)> = const { Cell::new((0, 0)) }; }
    let t = seconds();
    let (last, ordinal) = LAST.get();
    let i = if last == t { ordinal + 1 } else { 1 };
    LAST.set((t, i));
    Value::Timestamp { t, i }
}

/// A new ObjectId: seconds, five bytes that are this backend's own, a counter.
pub fn object_id() -> Result<[u8; 12]> {
    thread_local! { static STATE: Cell<Option<([u8; 5], u32)>> = const { Cell::new(None) }; }
    let (own, counter) = match STATE.get() {
        Some(state) => state,
        None => {
            let mut random = [0u8; 9];
            // SAFETY: the buffer has the length that is given.
            if !unsafe { pgrx::pg_sys::pg_strong_random(random.as_mut_ptr().cast(), random.len()) } {
                return Err(internal("no random bytes"));
            }
            let [a, b, c, d, e, rest @ ..] = random;
            ([a, b, c, d, e], u32::from_le_bytes(rest))
        }
    };
    STATE.set(Some((own, counter.wrapping_add(1))));
    let mut id = [0; 12];
    id[..4].copy_from_slice(&seconds().to_be_bytes());
    id[4..9].copy_from_slice(&own);
    id[9..].copy_from_slice(&counter.to_be_bytes()[1..]);
    Ok(id)
}
