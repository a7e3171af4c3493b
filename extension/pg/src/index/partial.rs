//! What a `partialFilterExpression` may say.

use engine::query::{ParseContext, Place, Query};
use engine::{Doc, Elem, Val, codes};

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
            format!("Expression not supported in partial index: {what}\n"),
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
                    match op.name() {
                        "$eq" | "$gt" | "$gte" | "$lt" | "$lte" | "$type" | "$in" => {}
                        "$exists" if engine::key::truthy(op.val) => {}
                        _ => return unsupported(parsed(name, op)),
                    }
                }
            }
        }
    }
    Ok(())
}

/// A predicate as MongoDB's parser has it, where negations are nodes of their own.
fn parsed(path: &str, op: Elem<'_>) -> String {
    let not = |inner: String| format!("$not\n    {inner}");
    match op.name() {
        "$ne" => not(format!("{path} $eq {}", show::value(op.val))),
        "$nin" => not(format!("{path} $in {}", show::value(op.val))),
        "$exists" => not(format!("{path} $exists")),
        "$not" => match op.val.as_doc().and_then(Doc::first) {
            Some(inner) => not(format!("{path} {} {}", inner.name(), show::value(inner.val))),
            None => not(format!("{path} {}", show::value(op.val))),
        },
        "$regex" => match op.val.as_str() {
            Some(pattern) => format!("{path} regex /{pattern}/"),
            None => format!("{path} regex {}", show::value(op.val)),
        },
        "$size" => format!("{path} $size : {}", show::value(op.val)),
        name => format!("{path} {name} {}", show::value(op.val)),
    }
}
