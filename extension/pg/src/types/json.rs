//! Extended JSON, from the engine.

use engine::{Doc, Val, extjson};

use crate::error::{Error, Result};

/// Reads one document (or an array, kept as a document of its positions).
pub fn parse(text: &str) -> Result<Vec<u8>> {
    let syntax = |e: engine::Error| Error::native(b"M0001", format!("invalid input syntax JSON for BSON: {}", e.message));
    extjson::parse(text).map_err(syntax)
}

/// Writes a document so that it can be read back.
pub fn document(doc: Doc<'_>) -> String {
    extjson::canonical(doc)
}

/// Writes a document for people.
pub fn relaxed(doc: Doc<'_>) -> String {
    extjson::relaxed(doc)
}

/// Writes a value so that it can be read back.
pub fn value(v: Val<'_>) -> String {
    extjson::canonical_value(v)
}
