//! Stages that look at one document at a time: $match, $limit, $skip, $count, $sample, $replaceRoot.

use super::{Budget, Docs, ParseContext, Run, Stage, blocking};
use crate::error::{Error, Result};
use crate::expr::{EvalContext, Expr, render};
use crate::meta::Known;
use crate::number::{self, Truncated};
use crate::query::Query;
use crate::raw::{Doc, Val};
use crate::value::{DocWriter, Value};
use crate::{bail, codes};
use std::rc::Rc;

/// `$match`
#[derive(Debug)]
struct Match(Query);

impl Stage for Match {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, _: Run<'h>) -> Docs<'h> {
        Box::new(input.filter_map(move |doc| match doc {
            Ok(d) => match self.0.matches(Doc::trusted(&d)) {
                Ok(true) => Some(Ok(d)),
                Ok(false) => None,
                Err(e) => Some(Err(e)),
            },
            Err(e) => Some(Err(e)),
        }))
    }

    fn streams(&self) -> bool {
        true
    }

    fn filter(&self) -> Option<Doc<'_>> {
        Some(self.0.source())
    }
}

pub(super) fn matching(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(d) = v.as_doc() else {
        bail!(codes::LOCATION15959, "the match filter must be an expression in an object")
    };
    Ok(Rc::new(Match(Query::parse(d, &cx.query())?)))
}

/// `$limit`
#[derive(Debug)]
struct Limit(u64);

impl Stage for Limit {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, _: Run<'h>) -> Docs<'h> {
        Box::new(input.take(usize::try_from(self.0).unwrap_or(usize::MAX)))
    }

    fn streams(&self) -> bool {
        self.0 == 1
    }

    fn at_most(&self) -> Option<u64> {
        Some(self.0)
    }
}

pub(super) fn limit(v: Val<'_>, _: &ParseContext) -> Result<Rc<dyn Stage>> {
    let n = whole("$limit", codes::LOCATION5107201, v)?;
    match u64::try_from(n) {
        Ok(0) => bail!(codes::LOCATION15958, "the limit must be positive"),
        Ok(n) => Ok(Rc::new(Limit(n))),
        Err(_) => bail!(
            codes::LOCATION5107201,
            "invalid argument to $limit stage: Expected a non-negative number in: $limit: {n}"
        ),
    }
}

fn whole(name: &str, code: crate::Code, v: Val<'_>) -> Result<i64> {
    let why = if v.is_number() { "Cannot represent as a 64-bit integer:" } else { "Expected a number in:" };
    number::exact_i64(v).ok_or_else(|| {
        let shown = render::val(v);
        Error::new(code, format!("invalid argument to {name} stage: {why} {name}: {shown}"))
    })
}

/// `$skip`
#[derive(Debug)]
struct Skip(u64);

impl Stage for Skip {
    fn skips(&self) -> Option<u64> {
        Some(self.0)
    }

    fn run<'h>(self: Rc<Self>, mut input: Docs<'h>, _: Run<'h>) -> Docs<'h> {
        // Not `Iterator::skip`: that would drop errors among the skipped.
        let mut left = self.0;
        Box::new(std::iter::from_fn(move || {
            while left > 0 {
                left -= 1;
                match input.next() {
                    Some(Ok(_)) => {}
                    other => return other,
                }
            }
            input.next()
        }))
    }

    fn streams(&self) -> bool {
        self.0 == 0
    }
}

pub(super) fn skip(v: Val<'_>, _: &ParseContext) -> Result<Rc<dyn Stage>> {
    let n = whole("$skip", codes::LOCATION5107200, v)?;
    match u64::try_from(n) {
        Ok(n) => Ok(Rc::new(Skip(n))),
        Err(_) => bail!(
            codes::LOCATION5107200,
            "invalid argument to $skip stage: Expected a non-negative number in: $skip: {n}"
        ),
    }
}

/// `$count`
#[derive(Debug)]
struct Count(String);

impl Stage for Count {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, _: Run<'h>) -> Docs<'h> {
        blocking(move || {
            let mut n = 0i64;
            for doc in input {
                doc?;
                n += 1;
            }
            if n == 0 {
                return Ok([].into());
            }
            let mut out = DocWriter::new();
            out.put(&self.0, &i32::try_from(n).map_or(Value::Int64(n), Value::Int32));
            Ok([out.finish()].into())
        })
    }

    fn counts(&self) -> bool {
        true
    }
}

pub(super) fn count(v: Val<'_>, _: &ParseContext) -> Result<Rc<dyn Stage>> {
    match v.as_str() {
        None => bail!(codes::LOCATION40156, "the count field must be a non-empty string"),
        Some("") => bail!(codes::LOCATION40157, "the count field must be a non-empty string"),
        Some(s) if s.starts_with('$') => {
            bail!(codes::LOCATION40158, "the count field cannot be a $-prefixed path")
        }
        Some(s) if s.contains('\0') => {
            bail!(codes::LOCATION40159, "the count field cannot contain a null byte")
        }
        Some(s) if s.contains('.') => bail!(codes::LOCATION40160, "the count field cannot contain '.'"),
        Some(s) => Ok(Rc::new(Count(s.to_owned()))),
    }
}

/// `$sample`
#[derive(Debug)]
struct Sample(usize);

impl Stage for Sample {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        blocking(move || {
            // One pass with a reservoir: only the sample is held.
            let mut kept: Vec<Vec<u8>> = Vec::new();
            let mut budget = Budget::new("$sample", cx);
            for (seen, doc) in input.enumerate() {
                let doc = doc?;
                if kept.len() < self.0 {
                    budget.take(doc.len())?;
                    kept.push(doc);
                } else if let Some(slot) = kept.get_mut(fastrand::usize(..=seen)) {
                    *slot = doc;
                }
            }
            fastrand::shuffle(&mut kept);
            Ok(kept.into())
        })
    }
}

pub(super) fn sample(v: Val<'_>, _: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(d) = v.as_doc() else {
        bail!(codes::LOCATION28745, "The $sample stage specification must be an object.")
    };
    let mut size = None;
    for e in d {
        if e.name() != "size" {
            bail!(codes::LOCATION28748, "unrecognized option to $sample");
        }
        let Some(n) = number::truncate_i64(e.val) else {
            bail!(codes::LOCATION28746, "size argument to $sample must be a number")
        };
        size = match n {
            Truncated::Int(n) => usize::try_from(n).ok(),
            Truncated::NotFinite | Truncated::OutOfRange => None,
        };
        if size.is_none() {
            bail!(codes::LOCATION28747, "size argument to $sample must be a number");
        }
    }
    match size {
        Some(n) => Ok(Rc::new(Sample(n))),
        None => bail!(codes::LOCATION28749, "$sample stage must specify a size"),
    }
}

/// `$replaceRoot`, `$replaceWith`
#[derive(Debug)]
struct ReplaceRoot {
    root: Expr,
    known: Known,
}

impl ReplaceRoot {
    fn apply(&self, doc: &[u8]) -> Result<Vec<u8>> {
        let v = self.root.eval(&EvalContext::new(Doc::trusted(doc)))?;
        match v {
            Some(Value::Document(d)) if self.known.any() => Ok(self.carried(doc, &d)),
            Some(Value::Document(d)) => Ok(d),
            None => bail!(
                codes::LOCATION40228,
                "'newRoot' expression must evaluate to an object, but resulting value was: : MISSING. Type of resulting value: 'missing'"
            ),
            Some(v) => bail!(
                codes::LOCATION40228,
                "'newRoot' expression must evaluate to an object, but resulting value was: {}. Type of resulting value: '{}'.",
                render::value(Some(&v)),
                v.type_name()
            ),
        }
    }
}

impl ReplaceRoot {
    /// The new document with what the old one carried.
    fn carried(&self, old: &[u8], new: &[u8]) -> Vec<u8> {
        let (old, new) = (Doc::trusted(old), Doc::trusted(new));
        let mut w = DocWriter::new();
        w.put_elements(new.elements());
        for field in self.known.fields().filter(|field| new.get(field).is_none()) {
            if let Some(v) = old.get(field) {
                w.put_val(field, v);
            }
        }
        w.finish()
    }
}

impl Stage for ReplaceRoot {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, _: Run<'h>) -> Docs<'h> {
        Box::new(input.map(move |doc| self.apply(&doc?)))
    }

    fn streams(&self) -> bool {
        true
    }

    fn keeps_count(&self) -> bool {
        true
    }
}

pub(super) fn replace_root(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(d) = v.as_doc() else {
        bail!(
            codes::LOCATION40229,
            "expected an object as specification for $replaceRoot stage, got {}",
            v.type_name()
        )
    };
    let mut root = None;
    for e in d {
        if e.name() != "newRoot" {
            bail!(codes::LOCATION40415, "BSON fields '$replaceRoot.{}' is an unknown field", e.name());
        }
        root = Some(e.val);
    }
    match root {
        Some(v) => replace_with(v, cx),
        None => {
            bail!(codes::LOCATION40414, "BSON field '$replaceRoot.newRoot' is missing but a required field")
        }
    }
}

pub(super) fn replace_with(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    Ok(Rc::new(ReplaceRoot { root: Expr::parse(v, &cx.expr())?, known: cx.known }))
}
