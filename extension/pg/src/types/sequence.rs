//! bsonsequence: documents one after the other, as an OP_MSG document sequence carries them.

use super::{check as check_document, invalid, io};
use crate::error::Result;

/// The documents of a value of type bsonsequence.
pub fn documents(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let (document, tail) = rest.split_at_checked(length(rest)?)?;
        rest = tail;
        Some(document)
    })
}

fn length(bytes: &[u8]) -> Option<usize> {
    usize::try_from(i32::from_le_bytes(*bytes.first_chunk::<4>()?)).ok().filter(|n| *n >= 5)
}

/// Checks in depth that `bytes` are whole documents and nothing else.
pub fn check(bytes: &[u8]) -> Result<()> {
    let mut size = 0;
    for d in documents(bytes) {
        check_document(d)?;
        size += d.len();
    }
    if size == bytes.len() { Ok(()) } else { Err(invalid()) }
}

/// A JSON array of documents, or one document.
pub fn from_json(text: &str) -> Result<Vec<u8>> {
    let parsed = io::parse_json(text)?;
    if !text.trim_start().starts_with('[') {
        return Ok(parsed);
    }
    let mut all = Vec::with_capacity(parsed.len());
    for v in engine::Doc::trusted(&parsed).values() {
        all.extend_from_slice(v.as_doc().ok_or_else(invalid)?.bytes());
    }
    Ok(all)
}
