//! What a view may be defined as.

use engine::collation::Collation;
use engine::expr::Variables;
use engine::stage::{ParseContext, Pipeline};
use engine::{Doc, codes};

use super::fail;
use crate::catalog;
use crate::error::Result;

/// Deepest chain of views (MongoDB manual, "Views").
const DEPTH: usize = 20;

/// Checks a definition `{viewOn, pipeline}` of the view `db.name`.
///
/// # Errors
/// GraphContainsCycle, ViewDepthLimitExceeded, OptionNotSupportedOnView for a view over one of another collation, and what is wrong with the pipeline.
pub fn check(db: &str, name: &str, definition: Doc<'_>, collation: &Collation) -> Result<()> {
    let pipeline = definition.get("pipeline").and_then(|v| v.as_array()).unwrap_or(Doc::EMPTY);
    check_pipeline(&format!("{db}.{name}"), pipeline, collation)?;
    let mut on = definition.get("viewOn").and_then(|v| v.as_str()).unwrap_or("").to_owned();
    let mut chain = format!("{db}.{name}");
    for _ in 0..DEPTH {
        if on == name {
            // The official extension's text has two blanks before the name that closes a longer circle.
            let gap = if chain.contains("->") { "  " } else { " " };
            return Err(fail(
                codes::GRAPH_CONTAINS_CYCLE,
                format!("View cycle detected: {chain} ->{gap}{db}.{name}"),
            ));
        }
        chain = format!("{chain} -> {db}.{on}");
        let Some(next) = catalog::find(db, &on)? else { return Ok(()) };
        let Some(view) = &next.view else { return Ok(()) };
        if next.collation != *collation {
            return Err(fail(
                codes::OPTION_NOT_SUPPORTED_ON_VIEW,
                format!("View {db}.{name} has conflicting collation with view {db}.{on}"),
            ));
        }
        on = Doc::trusted(view).get("viewOn").and_then(|v| v.as_str()).unwrap_or("").to_owned();
    }
    Err(fail(
        codes::VIEW_DEPTH_LIMIT_EXCEEDED,
        format!("View depth limit exceeded; maximum depth is {DEPTH}"),
    ))
}

/// A view's pipeline must be one that an aggregation would take, and only read.
fn check_pipeline(view: &str, pipeline: Doc<'_>, collation: &Collation) -> Result<()> {
    let invalid =
        |code, why: &str| fail(code, format!("Invalid pipeline for view {view} :: caused by :: {why}"));
    let mut cx = ParseContext::new(Variables::new(), 0);
    cx.collation = collation.clone();
    Pipeline::parse(pipeline, &cx).map_err(|e| invalid(e.code, &e.message))?;
    for (i, stage) in pipeline.values().filter_map(|s| s.as_doc()?.first()).enumerate() {
        let name = stage.name();
        if matches!(name, "$out" | "$merge") {
            let why = format!(
                "The aggregation stage {name} in location {i} of the pipeline cannot be used in the view definition of {view} because it writes to disk"
            );
            return Err(invalid(codes::OPTION_NOT_SUPPORTED_ON_VIEW, &why));
        }
    }
    Ok(())
}
