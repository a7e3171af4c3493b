//! Extended JSON, from the engine.

use engine::{Doc, Val, extjson};

use crate::error::Result;

/// Reads one document (or an array, kept as a document of its positions).
pub fn parse(text: &str) -> Result<Vec<u8>> {
    Ok(extjson::parse(text)?)
}

/// Writes a document so that it can be read back.
pub fn document(doc: Doc<'_>) -> String {
    extjson::canonical(doc)
}

/// Writes a document for people.
pub fn relaxed(doc: Doc<'_>) -> String {
    extjson::relaxed(doc)
}

/// Writes a value for people: numbers and booleans as they are.
pub fn value(v: Val<'_>) -> String {
    let wrapped = extjson::relaxed(Doc::trusted(&super::wrap(v)));
    let inner = wrapped.strip_prefix("{ \"\" : ").and_then(|s| s.strip_suffix(" }"));
    inner.unwrap_or(&wrapped).to_owned()
}
