//! Pipeline-style updates: a document through `$set`, `$unset`, `$project`, `$replaceWith` and their synonyms
//! (MongoDB manual, "Updates with Aggregation Pipeline").

use super::operand::depth;
use super::{Outcome, store};
use crate::compare;
use crate::error::Result;
use crate::query::ParseContext;
use crate::raw::{Doc, Val, ty};
use crate::stage::{self, NoHost, Pipeline};
use crate::value::DocWriter;
use crate::{bail, codes};

/// A parsed pipeline.
#[derive(Debug)]
pub struct PipelineUpdate(Pipeline);

impl PipelineUpdate {
    /// Parses the stages.
    ///
    /// # Errors
    /// `InvalidOptions` for a stage that has no place in an update, `BadValue` together with array filters, and
    /// those of the stages.
    pub fn parse(stages: Doc<'_>, array_filters: Option<Doc<'_>>, cx: &ParseContext<'_>) -> Result<Self> {
        if array_filters.is_some_and(|f| !f.is_empty()) {
            bail!(codes::FAILED_TO_PARSE, "arrayFilters may not be specified for pipeline-style updates");
        }
        for v in stages.values() {
            // What is no stage at all is left to the parser of pipelines.
            if let Some(e) = v.as_doc().filter(|d| d.iter().count() == 1).and_then(Doc::first)
                && !is_allowed(e.name())
                && stage::is_known(e.name())
            {
                bail!(codes::INVALID_OPTIONS, "{} is not allowed to be used within an update", e.name());
            }
        }
        let cx = stage::ParseContext {
            variables: cx.variables.cloned().unwrap_or_default(),
            now: cx.now,
            collation: cx.strings().clone(),
            ..stage::ParseContext::default()
        };
        Ok(Self(Pipeline::parse(stages, &cx)?))
    }

    /// The document after the stages, `_id` first; one the stages dropped is kept.
    ///
    /// # Errors
    /// `ImmutableField` for another `_id`, `Overflow` for too deep a result, and those of the stages.
    pub fn apply(&self, old: Doc<'_>) -> Result<Outcome> {
        let source = Box::new(std::iter::once(Ok(old.bytes().to_vec())));
        let Some(new) = self.0.run(source, &NoHost).next().transpose()? else { return Ok(Outcome::NoOp) };
        let new = Doc::trusted(&new);
        let id = match (old.get("_id"), new.get("_id")) {
            (Some(a), Some(b)) if compare::values(a, b).is_ne() => return Err(store::id_altered(b)),
            (Some(a), _) => Some(a),
            (None, b) => b,
        };
        let mut w = DocWriter::with_capacity(new.bytes().len() + 24);
        if let Some(id) = id {
            w.put_val("_id", id);
        }
        for e in new.iter().filter(|e| e.name() != "_id") {
            w.put_elem(&e);
        }
        let result = w.finish();
        if result == old.bytes() {
            return Ok(Outcome::NoOp);
        }
        store::check_depth(depth(Val { ty: ty::DOCUMENT, bytes: &result }))?;
        Ok(Outcome::Changed(result))
    }
}

fn is_allowed(stage: &str) -> bool {
    matches!(stage, "$set" | "$addFields" | "$unset" | "$project" | "$replaceRoot" | "$replaceWith")
}
