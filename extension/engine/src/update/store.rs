//! What a stored document must be (MongoDB manual, "MongoDB Limits and Thresholds", "Documents: the _id field").

use super::operand::depth;
use crate::codes::Code;
use crate::error::{Error, Result};
use crate::raw::{Doc, Val, View, ty};
use crate::value::{DocWriter, Value};
use crate::{bail, codes};
use std::borrow::Cow;

/// Largest stored document in bytes.
pub const MAX_SIZE: usize = 16 << 20;

/// Deepest nesting of a stored document; a field of the document itself is at level 1.
pub const MAX_DEPTH: usize = 180;

/// Checks an `_id`.
///
/// # Errors
/// `BadValue` for an array, a regular expression or undefined, `DollarPrefixedFieldName` for a document with such
/// a name in it.
pub fn check_id(id: Val<'_>) -> Result<()> {
    match id.view() {
        View::Array(_) | View::Regex { .. } | View::Undefined => {
            bail!(codes::INVALID_ID_FIELD, "The '_id' value cannot be of type {}", id.type_name())
        }
        View::Document(d) => {
            if let Some(e) = d.iter().find(|e| e.name().starts_with('$')) {
                bail!(
                    codes::DOLLAR_PREFIXED_FIELD_NAME,
                    "_id fields may not contain '$'-prefixed fields: {} is not valid for storage.",
                    e.name()
                );
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_size(bytes: usize, code: Code) -> Result<()> {
    if bytes > MAX_SIZE {
        bail!(code, "Size {bytes} is larger than MaxDocumentSize {MAX_SIZE}");
    }
    Ok(())
}

/// Checks the size of an updated document.
///
/// # Errors
/// 17419.
pub(super) fn check_result_size(bytes: usize) -> Result<()> {
    if bytes > MAX_SIZE {
        bail!(codes::LOCATION17419, "Resulting document after update is larger than {MAX_SIZE}");
    }
    Ok(())
}

/// The error a top-level name with a dollar sign is in what an update stores.
#[must_use]
pub(super) fn dollar_prefixed(name: &str, full: &str) -> Error {
    Error::new(
        codes::DOLLAR_PREFIXED_FIELD_NAME,
        format!(
            "The dollar ($) prefixed field '{name}' in '{full}' is not allowed in the context of an update's \
             replacement document. Consider using an aggregation pipeline with $replaceWith."
        ),
    )
}

/// Refuses to put anything at a path that begins with a dollar sign.
///
/// # Errors
/// `DollarPrefixedFieldName`.
pub(super) fn check_dollar(path: &[Cow<'_, str>]) -> Result<()> {
    match path.first() {
        Some(name) if name.starts_with('$') => Err(dollar_prefixed(name, &path.join("."))),
        _ => Ok(()),
    }
}

/// The error another `_id` is in a replaced document.
#[must_use]
pub(super) fn id_altered(id: Val<'_>) -> Error {
    Error::new(
        codes::IMMUTABLE_FIELD,
        format!(
            "After applying the update, the (immutable) field '_id' was found to have been altered to {}",
            super::text::field("_id", id)
        ),
    )
}

/// Checks levels of nesting.
///
/// # Errors
/// `Overflow`.
pub(super) fn check_depth(levels: usize) -> Result<()> {
    if levels > MAX_DEPTH {
        bail!(codes::OVERFLOW, "Document exceeds maximum nesting depth of {MAX_DEPTH}");
    }
    Ok(())
}

/// Checks a whole document that is to be stored: `_id`, nesting, size.
///
/// # Errors
/// Those of [`check_id`], `Overflow` for too deep a nesting, `BadValue` for too many bytes.
pub fn check_stored(doc: Doc<'_>) -> Result<()> {
    if let Some(id) = doc.get("_id") {
        check_id(id)?;
    }
    check_depth(depth(Val { ty: ty::DOCUMENT, bytes: doc.bytes() }))?;
    check_size(doc.bytes().len(), codes::BAD_VALUE)
}

/// Gives timestamps that are zero in fields of the document itself, apart from `_id`, the statement's time
/// (`now`, milliseconds): MongoDB does so on insert and replacement. `None` when there is none.
#[must_use]
pub fn fill_timestamps(doc: Doc<'_>, now: i64) -> Option<Vec<u8>> {
    let empty = |e: &crate::raw::Elem<'_>| {
        e.val.ty == ty::TIMESTAMP && e.val.bytes.iter().all(|b| *b == 0) && e.name() != "_id"
    };
    if !doc.iter().any(|e| empty(&e)) {
        return None;
    }
    let mut w = DocWriter::with_capacity(doc.bytes().len());
    let mut made = 0;
    for e in doc {
        if empty(&e) {
            made += 1;
            w.put(e.name(), &timestamp(now, made));
        } else {
            w.put_elem(&e);
        }
    }
    Some(w.finish())
}

/// A timestamp of this time, the `i`th of the statement.
pub(super) fn timestamp(now: i64, i: u32) -> Value {
    Value::Timestamp { t: u32::try_from(now / 1000).unwrap_or(0), i }
}
