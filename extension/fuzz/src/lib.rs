//! What the fuzz targets have in common.
//!
//! Random bytes are hardly ever a document, because of the lengths in it. So the targets that are about meaning read
//! lines of Extended JSON: the specification, then the documents it is tried on. Lines that are no document are left out.

use engine::{Doc, raw};

/// The documents of an input.
#[must_use]
pub fn documents(input: &[u8]) -> Vec<Vec<u8>> {
    let Ok(text) = std::str::from_utf8(input) else { return Vec::new() };
    text.lines().take(8).filter_map(|line| engine::extjson::parse(line).ok()).collect()
}

/// A document that the engine has made.
///
/// # Panics
/// When it is not well-formed: whoever reads it next would be led astray.
pub fn check(made: &[u8]) {
    if let Err(e) = raw::validate(made) {
        // Results may be nested a little deeper than what may come in.
        assert!(e.message.contains("nested too deeply"), "{e}: {made:?}");
    }
}

/// The value of `path` as text, for comparisons.
#[must_use]
pub fn at(document: &[u8], path: &str) -> Option<Vec<u8>> {
    let v = Doc::trusted(document).get(path)?;
    Some([&[v.ty], v.bytes].concat())
}
