//! Stages that make their documents: `$documents` and the statistics of the host.

use super::{Docs, ParseContext, Run, Stage, Statistics, deferred, ready};
use crate::error::Result;
use crate::expr::{EvalContext, Expr, nullish};
use crate::raw::{Doc, Val};
use crate::value::Value;
use crate::{bail, codes};
use std::rc::Rc;

#[derive(Debug)]
struct Documents(Expr);

impl Stage for Documents {
    fn run<'h>(self: Rc<Self>, _: Docs<'h>, _: Run<'h>) -> Docs<'h> {
        deferred(move || {
            let v = self.0.eval(&EvalContext::new(Doc::EMPTY))?;
            let Some(list) = v.as_ref().and_then(Value::as_array) else {
                bail!(codes::LOCATION5858203, "error during aggregation :: caused by :: an array is expected")
            };
            let mut docs = Vec::new();
            for item in list.values() {
                match item.as_doc() {
                    Some(d) => docs.push(d.bytes().to_vec()),
                    None if nullish(&Some(Value::from(item))) => {}
                    None => bail!(
                        codes::LOCATION40228,
                        "$documents expects every element to be an object, but found {}",
                        item.type_name()
                    ),
                }
            }
            Ok(ready(docs))
        })
    }

    fn is_source(&self) -> bool {
        true
    }
}

pub(super) fn documents(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let e = Expr::parse(v, &cx.expr())?;
    if e.is_object_literal() {
        bail!(codes::LOCATION5858203, "error during aggregation :: caused by :: an array is expected");
    }
    Ok(Rc::new(Documents(e)))
}

#[derive(Debug)]
enum Report {
    Collection(Vec<u8>),
    Indexes,
    Operations(Vec<u8>),
}

impl Stage for Report {
    fn run<'h>(self: Rc<Self>, _: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        deferred(move || match &*self {
            Report::Collection(options) => cx.host.statistics(Statistics::Collection(Doc::trusted(options))),
            Report::Indexes => cx.host.statistics(Statistics::Indexes),
            Report::Operations(options) => cx.host.statistics(Statistics::Operations(Doc::trusted(options))),
        })
    }

    fn is_source(&self) -> bool {
        true
    }
}

pub(super) fn coll_stats(v: Val<'_>, _: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(d) = v.as_doc() else {
        bail!(
            codes::TYPE_MISMATCH,
            "BSON field '$collStats' is the wrong type '{}', expected type 'object'",
            v.type_name()
        )
    };
    for e in d {
        if !matches!(e.name(), "count" | "storageStats" | "latencyStats" | "queryExecStats") {
            bail!(codes::LOCATION40415, "BSON field $collStats.{} is an unknown field", e.name());
        }
        if e.val.as_doc().is_none() {
            bail!(
                codes::TYPE_MISMATCH,
                "BSON field '$collStats.{}' is the wrong type '{}', expected type 'object'",
                e.name(),
                e.val.type_name()
            );
        }
    }
    Ok(Rc::new(Report::Collection(d.bytes().to_vec())))
}

pub(super) fn index_stats(v: Val<'_>, _: &ParseContext) -> Result<Rc<dyn Stage>> {
    if !v.as_doc().is_some_and(Doc::is_empty) {
        bail!(codes::LOCATION28803, "The $indexStats stage specification must be an empty object");
    }
    Ok(Rc::new(Report::Indexes))
}

pub(super) fn current_op(v: Val<'_>, _: &ParseContext) -> Result<Rc<dyn Stage>> {
    match v.as_doc() {
        Some(d) => Ok(Rc::new(Report::Operations(d.bytes().to_vec()))),
        None => bail!(
            codes::FAILED_TO_PARSE,
            "$currentOp options must be specified in an object, but found: {}",
            v.type_name()
        ),
    }
}
