//! What a `partialFilterExpression` may say.

use engine::query::{ParseContext, Place, Query};
use engine::{Doc, Val, codes};

use super::parse::wrong;
use super::show;
use crate::error::Result;

/// A partial index's filter: MongoDB allows equality, `$exists: true`, ranges, `$type`, `$and`, and lately `$or` and `$in`.
pub(super) fn check_partial(d: Doc<'_>, filter: Doc<'_>) -> Result<()> {
    check_filter(d, filter)?;
    let cx = ParseContext { place: Place::PartialIndex, ..ParseContext::default() };
    Query::parse(filter, &cx).map_err(|e| wrong(d, e.code, e.message))?;
    Ok(())
}

fn check_filter(d: Doc<'_>, filter: Doc<'_>) -> Result<()> {
    let unsupported = |what: String| {
        Err(wrong(
            d,
            codes::CANNOT_CREATE_INDEX,
            format!("unsupported expression in partial index: {what}\n"),
        ))
    };
    for e in filter {
        match e.name() {
            "$and" | "$or" => {
                for part in e.val.as_array().into_iter().flat_map(Doc::values).filter_map(Val::as_doc) {
                    check_filter(d, part)?;
                }
            }
            name if name.starts_with('$') => return unsupported(format!("{name} {}", show::value(e.val))),
            name => {
                let Some(ops) =
                    e.val.as_doc().filter(|o| o.first().is_some_and(|f| f.name().starts_with('$')))
                else {
                    continue;
                };
                for op in ops {
                    let shown = || format!("{name} {} {}", op.name(), show::value(op.val));
                    match op.name() {
                        "$eq" | "$gt" | "$gte" | "$lt" | "$lte" | "$type" | "$in" => {}
                        "$exists" if engine::key::truthy(op.val) => {}
                        _ => return unsupported(shown()),
                    }
                }
            }
        }
    }
    Ok(())
}
