//! Extended JSON, from the engine.

use engine::{Doc, Val};

use crate::error::{Error, Result};

/// Reads one document (or an array, kept as a document of its positions).
pub fn parse(_text: &str) -> Result<Vec<u8>> {
    Err(Error::native(b"0A000", "Extended JSON input is not supported"))
}

/// Writes a document.
pub fn document(doc: Doc<'_>) -> String {
    format!("{doc:?}")
}

/// Writes a value.
pub fn value(v: Val<'_>) -> String {
    format!("{v:?}")
}
