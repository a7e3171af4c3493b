//! The text forms of documents: `BSONHEX…` and Extended JSON v2 (MongoDB manual, "MongoDB Extended JSON (v2)").
//!
//! Duplicate field names and their order survive in both directions.

mod date;
mod hex;
mod lexer;
mod parse;
mod wrapper;
mod write;

pub use hex::{from_hex, to_hex};
pub use parse::parse;
pub use write::{canonical, canonical_value, relaxed};

use crate::error::Result;

/// What every hexadecimal form starts with.
const PREFIX: &str = "BSONHEX";

/// Reads a document in either form.
///
/// # Errors
/// `BadValue` for what is neither, or whose content is not one well-formed document.
pub fn read(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix(PREFIX) {
        Some(digits) => {
            let bytes = from_hex(digits)?;
            crate::raw::validate(&bytes)?;
            Ok(bytes)
        }
        None => parse(text),
    }
}

#[cfg(test)]
mod tests;
