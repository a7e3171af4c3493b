//! Replacement documents.

use super::{Clock, Outcome, store};
use crate::compare;
use crate::error::{Error, Result};
use crate::raw::Doc;
use crate::value::DocWriter;

/// A replacement, as it will be stored apart from `_id`.
#[derive(Debug)]
pub struct Replacement {
    doc: Vec<u8>,
    /// Found when parsed, reported when a document is to be replaced: without one the statement is no error.
    refused: Option<Error>,
}

impl Replacement {
    /// Takes the document over; zero timestamps get the statement's time.
    #[must_use]
    pub fn new(doc: Doc<'_>, clock: Clock) -> Self {
        let dollar = doc
            .iter()
            .find(|e| e.name().starts_with('$'))
            .map(|e| store::dollar_prefixed(e.name(), e.name()));
        let refused = dollar.or_else(|| store::check_stored(doc).err());
        let doc = store::fill_timestamps(doc, clock.now).unwrap_or_else(|| doc.bytes().to_vec());
        Self { doc, refused }
    }

    /// The replaced document: the old `_id` first, then the fields of the replacement.
    ///
    /// # Errors
    /// `ImmutableField` for another `_id`; what is wrong with the replacement.
    pub fn apply(&self, old: Doc<'_>) -> Result<Outcome> {
        if let Some(e) = &self.refused {
            return Err(e.clone());
        }
        let new = Doc::trusted(&self.doc);
        let id = match (old.get("_id"), new.get("_id")) {
            (Some(a), Some(b)) if compare::values(a, b).is_ne() => return Err(store::id_altered(b)),
            (Some(a), _) => Some(a),
            (None, b) => b,
        };
        let mut w = DocWriter::with_capacity(self.doc.len() + 24);
        if let Some(id) = id {
            w.put_val("_id", id);
        }
        for e in new.iter().filter(|e| e.name() != "_id") {
            w.put_elem(&e);
        }
        let result = w.finish();
        Ok(if result == old.bytes() { Outcome::NoOp } else { Outcome::Changed(result) })
    }
}
