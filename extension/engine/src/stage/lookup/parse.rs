//! Reading a `$lookup`.

use super::{Lookup, Sub};
use crate::error::Result;
use crate::expr::{Binding, Expr, FieldPath, Variables, check_name};
use crate::path::Path;
use crate::raw::{Doc, Val};
use crate::stage::parse::Place;
use crate::stage::{ParseContext, Pipeline, Stage};
use crate::{bail, codes};
use std::rc::Rc;

pub(in crate::stage) fn lookup(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(spec) = v.as_doc() else {
        bail!(
            codes::FAILED_TO_PARSE,
            "the $lookup stage specification must be an object, but found {}",
            v.type_name()
        )
    };
    let (mut from, mut db, mut output, mut local, mut foreign) = (None, None, None, None, None);
    let (mut list, mut vars) = (None, None);
    for e in spec {
        match e.name() {
            "from" => match e.val.as_str() {
                Some("") => bail!(codes::INVALID_NAMESPACE, "invalid $lookup namespace: "),
                Some(s) => from = Some(s.to_owned()),
                None => bail!(
                    codes::FAILED_TO_PARSE,
                    "$lookup 'from' field must be a string, but found {}",
                    e.val.type_name()
                ),
            },
            "as" => output = Some(text("as", e.val)?),
            "localField" => local = Some(text("localField", e.val)?),
            "foreignField" => foreign = Some(text("foreignField", e.val)?),
            "pipeline" => match e.val.as_array() {
                Some(a) => list = Some(a),
                None => bail!(
                    codes::TYPE_MISMATCH,
                    "BSON field '$lookup.pipeline' is the wrong type '{}', expected type 'array'",
                    e.val.type_name()
                ),
            },
            "let" => match e.val.as_doc() {
                Some(d) => vars = Some(d),
                None => bail!(
                    codes::FAILED_TO_PARSE,
                    "lookup argument 'let' must be a document, is type {}",
                    e.val.type_name()
                ),
            },
            "db" => db = Some(text("db", e.val)?.to_owned()),
            other => bail!(codes::FAILED_TO_PARSE, "unknown argument to $lookup: {other}"),
        }
    }
    let Some(output) = output else { bail!(codes::FAILED_TO_PARSE, "must specify 'as' field for a $lookup") };
    let output = FieldPath::parse(output)?;
    let sub = list.map(|list| sub_pipeline(list, vars, cx)).transpose()?;
    if from.is_none() {
        let Some(sub) = &sub else {
            bail!(codes::FAILED_TO_PARSE, "must specify 'pipeline' when 'from' is empty")
        };
        if !sub.pipeline.is_source() {
            bail!(
                codes::FAILED_TO_PARSE,
                "$lookup stage without explicit collection must have a pipeline with $documents as first stage"
            );
        }
    }
    if vars.is_some() && sub.is_none() {
        bail!(codes::FAILED_TO_PARSE, "$lookup with a 'let' argument must also specify 'pipeline'");
    }
    let fields = match (local, foreign) {
        (Some(l), Some(f)) => {
            for path in [l, f] {
                FieldPath::parse(path)?;
            }
            Some((Path::new(l), f.to_owned()))
        }
        (None, None) if sub.is_some() => None,
        _ => bail!(
            codes::FAILED_TO_PARSE,
            "$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified"
        ),
    };
    Ok(Rc::new(Lookup { db, from, output, fields, sub, cx: cx.inside(Place::Lookup)? }))
}

fn text<'a>(field: &str, v: Val<'a>) -> Result<&'a str> {
    match v.as_str() {
        Some(s) => Ok(s),
        None => bail!(
            codes::FAILED_TO_PARSE,
            "lookup argument '{field}' must be a string, is type {}",
            v.type_name()
        ),
    }
}

fn sub_pipeline(list: Doc<'_>, vars: Option<Doc<'_>>, cx: &ParseContext) -> Result<Sub> {
    let mut inner = cx.inside(Place::Lookup)?;
    let outer = cx.expr();
    let mut variables = Vec::new();
    for e in vars.into_iter().flatten() {
        check_name(e.name(), true)?;
        variables.push((e.name().to_owned(), Expr::parse(e.val, &outer)?));
    }
    let mut known: Variables = inner.variables.clone();
    for (name, _) in &variables {
        known.set(name.as_str(), Binding::Unknown);
    }
    inner.variables = known;
    let pipeline = Pipeline::parse(list, &inner)?;
    Ok(Sub { source: list.bytes().to_vec(), variables, pipeline })
}
