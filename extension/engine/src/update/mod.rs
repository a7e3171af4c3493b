//! Updates: what `u` of an update statement makes of a document (MongoDB manual, "Update Operators").
//!
//! [`Update::parse`] reads a replacement, operators or a pipeline once; [`Update::apply`] then changes documents
//! one by one. The caller finds the documents, stores them and generates `_id`s; [`Update::may_change`] tells it
//! which indexes a statement can touch.

mod apply;
mod arith;
mod array;
mod bits;
mod filters;
mod op;
mod operand;
mod parse;
mod paths;
mod pipeline;
mod replace;
mod store;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod upsert;

pub use store::{MAX_DEPTH, MAX_SIZE, check_id, check_stored, fill_timestamps};
pub use upsert::{check_upsert_filter, upsert_document};

use crate::error::Result;
use crate::query::{ParseContext, Query};
use crate::raw::{Doc, Val};
use crate::{bail, codes};
use apply::Operators;
use pipeline::PipelineUpdate;
use replace::Replacement;

/// What an update did to a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The document is as it was: it counts as matched, not as modified.
    NoOp,
    /// The new document, encoded, `_id` first.
    Changed(Vec<u8>),
}

/// A parsed update.
#[derive(Debug)]
pub struct Update {
    kind: Kind,
    clock: Clock,
}

/// The forms of an update.
#[derive(Debug)]
enum Kind {
    Replacement(Replacement),
    Operators(Operators),
    Pipeline(PipelineUpdate),
}

/// The time of the statement.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub now: i64,
}

impl Update {
    /// Parses `u` of an update statement: a document whose first field begins with `$` holds operators, any other
    /// document replaces, an array is a pipeline. `cx.now` is the time `$currentDate` and empty timestamps get.
    ///
    /// # Errors
    /// `FailedToParse` for what is no update, and the operators' own codes for their arguments.
    pub fn parse(u: Val<'_>, array_filters: Option<Doc<'_>>, cx: &ParseContext<'_>) -> Result<Self> {
        let clock = Clock { now: cx.now };
        let kind = if let Some(doc) = u.as_doc() {
            if doc.first().is_some_and(|e| e.name().starts_with('$')) {
                Kind::Operators(parse::operators(doc, array_filters, cx)?)
            } else {
                Kind::Replacement(Replacement::new(doc, clock))
            }
        } else if let Some(stages) = u.as_array() {
            Kind::Pipeline(PipelineUpdate::parse(stages, array_filters, cx)?)
        } else {
            bail!(codes::FAILED_TO_PARSE, "Update argument must be either an object or an array");
        };
        Ok(Self { kind, clock })
    }

    /// Replaces whole documents.
    #[must_use]
    pub fn is_replacement(&self) -> bool {
        matches!(self.kind, Kind::Replacement(_))
    }

    /// Refuses what can't be done to several documents.
    ///
    /// # Errors
    /// `FailedToParse` for a replacement.
    pub fn check_multi(&self) -> Result<()> {
        if self.is_replacement() {
            bail!(codes::FAILED_TO_PARSE, "multi update is not supported for replacement-style update");
        }
        Ok(())
    }

    /// Needs to know which array element the query matched (`$` in a path): then `apply` wants the query.
    #[must_use]
    pub fn is_positional(&self) -> bool {
        matches!(&self.kind, Kind::Operators(o) if o.is_positional())
    }

    /// Can the value at the dotted `path` of any document be changed? False is certain, true is not; an index on
    /// other paths needs no maintenance.
    #[must_use]
    pub fn may_change(&self, path: &str) -> bool {
        match &self.kind {
            Kind::Operators(o) => o.may_change(path),
            Kind::Replacement(_) | Kind::Pipeline(_) => path != "_id",
        }
    }

    /// Applies the update to a document that is stored. `query` is the statement's filter, for the positional `$`.
    ///
    /// # Errors
    /// The operators' codes, `ImmutableField` when `_id` would change, 17419 and `Overflow` when the result is
    /// too large or too deep.
    pub fn apply(&self, doc: Doc<'_>, query: Option<&Query>) -> Result<Outcome> {
        let matched = match query {
            Some(q) if self.is_positional() => q.match_position(doc)?.and_then(|d| d.position),
            _ => None,
        };
        self.run(doc, matched, false)
    }

    fn run(&self, doc: Doc<'_>, matched: Option<usize>, insert: bool) -> Result<Outcome> {
        let outcome = match &self.kind {
            Kind::Operators(o) => o.apply(doc, matched, insert, self.clock)?,
            Kind::Replacement(r) => r.apply(doc)?,
            Kind::Pipeline(p) => p.apply(doc)?,
        };
        if let Outcome::Changed(new) = &outcome {
            store::check_result_size(new.len())?;
        }
        Ok(outcome)
    }
}
