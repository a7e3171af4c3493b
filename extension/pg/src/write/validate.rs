//! A collection's validator.

use engine::collation::Collation;
use engine::query::{ParseContext, Place, Query};
use engine::{Doc, DocWriter, codes};

use super::fail;
use crate::catalog::{Collection, Level};
use crate::error::Result;
use crate::guc;

/// The validator of a command's collection, parsed; checks nothing where there is none or it is off.
pub struct Check {
    query: Option<Query>,
    collation: Collation,
    level: Level,
    refuse: bool,
}

impl Check {
    /// For a command with this `bypassDocumentValidation`.
    pub fn new(collection: &Collection, bypass: bool) -> Result<Check> {
        let collation = collection.collation.clone();
        let none = Check { query: None, collation: Collation::SIMPLE, level: Level::Off, refuse: false };
        let Some(v) = &collection.validator else { return Ok(none) };
        let bypass = bypass && guc::flag(c"documentdb.enableBypassDocumentValidation");
        if bypass || v.level == Level::Off || !guc::flag(c"documentdb.enableSchemaValidation") {
            return Ok(none);
        }
        let query = Query::parse(Doc::trusted(&v.filter), &context(&collation))?;
        Ok(Check { query: Some(query), collation, level: v.level, refuse: v.refuse })
    }

    /// Checks a new document, or the new version of `old`.
    ///
    /// # Errors
    /// DocumentFailedValidation 121.
    pub fn document(&self, old: Option<Doc<'_>>, new: Doc<'_>) -> Result<()> {
        let Some(query) = &self.query else { return Ok(()) };
        if query.matches(new)? {
            return Ok(());
        }
        if let Some(old) = old
            && self.level == Level::Moderate
            && !query.matches(old)?
        {
            return Ok(());
        }
        if !self.refuse {
            pgrx::log!("a document failed validation; the collection's validationAction is warn");
            return Ok(());
        }
        let refused = fail(codes::DOCUMENT_VALIDATION_FAILURE, "Document failed validation");
        Err(refused.with_info(&self.info(query, new)?))
    }

    /// `errInfo`: which document, and why.
    fn info(&self, query: &Query, document: Doc<'_>) -> Result<Vec<u8>> {
        let mut w = DocWriter::new();
        if let Some(id) = document.get("_id") {
            w.put_val("failingDocumentId", id);
        }
        let details = query.failure(document, &context(&self.collation))?;
        w.put_doc("details", Doc::trusted(&details));
        Ok(w.finish())
    }
}

fn context(collation: &Collation) -> ParseContext<'_> {
    ParseContext { place: Place::Validator, collation: Some(collation), ..ParseContext::default() }
}
