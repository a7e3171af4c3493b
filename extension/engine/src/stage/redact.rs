//! `$redact`.

use super::{Docs, ParseContext, Run, Stage};
use crate::error::Result;
use crate::expr::{self, EvalContext, Expr, render};
use crate::raw::{Doc, Val, View};
use crate::value::{ArrayWriter, DocWriter, Value};
use crate::{bail, codes};
use std::rc::Rc;

#[derive(Debug)]
struct Redact(Expr);

impl Redact {
    /// What is left of a document; `None` when it is pruned.
    fn level(&self, d: Doc<'_>) -> Result<Option<Vec<u8>>> {
        let v = self.0.eval(&EvalContext::new(d))?;
        match &v {
            Some(Value::String(s)) if s == "keep" => Ok(Some(d.bytes().to_vec())),
            Some(Value::String(s)) if s == "prune" => Ok(None),
            Some(Value::String(s)) if s == "descend" => self.descend(d).map(Some),
            v => bail!(
                codes::LOCATION17053,
                "$redact's expression should not return anything aside from the variables $$KEEP, $$DESCEND, and $$PRUNE, but returned '{}'.",
                render::value(v.as_ref())
            ),
        }
    }

    fn descend(&self, d: Doc<'_>) -> Result<Vec<u8>> {
        let mut out = DocWriter::with_capacity(d.bytes().len());
        for e in d {
            if let Some(v) = self.value(e.val)? {
                out.put(e.name(), &v);
            }
        }
        Ok(out.finish())
    }

    fn value(&self, v: Val<'_>) -> Result<Option<Value>> {
        match v.view() {
            View::Document(d) => Ok(self.level(d)?.map(Value::Document)),
            View::Array(a) => {
                let mut out = ArrayWriter::new();
                for item in a.values() {
                    if let Some(v) = self.value(item)? {
                        out.push(&v);
                    }
                }
                Ok(Some(Value::Array(out.finish())))
            }
            _ => Ok(Some(Value::from(v))),
        }
    }
}

impl Stage for Redact {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, _: Run<'h>) -> Docs<'h> {
        Box::new(input.filter_map(move |doc| match doc {
            Ok(d) => self.level(Doc::trusted(&d)).transpose(),
            Err(e) => Some(Err(e)),
        }))
    }
}

pub(super) fn redact(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let cx = expr::ParseContext { redact: true, ..cx.expr() };
    let e = Expr::parse(v, &cx)?;
    if let Some(constant) = e.as_constant()
        && !matches!(constant, Some(Value::String(s)) if matches!(s.as_str(), "keep" | "prune" | "descend"))
    {
        bail!(
            codes::LOCATION17053,
            "$redact's parameter must be an expression or string valued as $$KEEP, $$DESCEND, and $$PRUNE, but input as '{}'.",
            render::value(constant.as_ref())
        );
    }
    Ok(Rc::new(Redact(e)))
}
