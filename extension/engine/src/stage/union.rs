//! `$unionWith`.

use super::parse::Place;
use super::{Docs, ParseContext, Pipeline, Run, Stage, Wanted, deferred, ready};
use crate::error::Result;
use crate::raw::{Doc, Val, View};
use crate::{bail, codes};
use std::rc::Rc;

#[derive(Debug)]
struct UnionWith {
    db: Option<String>,
    collection: Option<String>,
    filter: Option<Vec<u8>>,
    /// What is left to do behind the filter.
    rest: Pipeline,
    cx: ParseContext,
}

impl Stage for UnionWith {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        Box::new(input.chain(deferred(move || {
            let source = match &self.collection {
                Some(name) => {
                    let filter = self.filter.as_deref().map(Doc::trusted);
                    let wanted = Wanted { db: self.db.as_deref(), collection: name, filter, cx: &self.cx };
                    match self.rest.leading_geo_near() {
                        Some(near) => cx.host.open_near(&wanted, near)?,
                        None => cx.host.open(&wanted)?,
                    }
                }
                None => ready(Vec::new()),
            };
            Ok(self.rest.run_in(source, cx))
        })))
    }

    fn reads(&self, names: &mut Vec<String>) {
        names.extend(self.collection.clone());
        self.rest.collect_reads(names);
    }
}

pub(super) fn union_with(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let (mut db, mut collection, mut list) = (None, None, None);
    match v.view() {
        View::String(s) => collection = Some(s.to_owned()),
        View::Document(d) => {
            for e in d {
                match e.name() {
                    "coll" => collection = Some(text("coll", e.val)?),
                    "db" => db = Some(text("db", e.val)?),
                    "pipeline" => match e.val.as_array() {
                        Some(a) => list = Some(a),
                        None => bail!(
                            codes::TYPE_MISMATCH,
                            "BSON field '$unionWith.pipeline' is the wrong type '{}', expected type 'array'",
                            e.val.type_name()
                        ),
                    },
                    other => {
                        bail!(codes::LOCATION40415, "BSON field '$unionWith.{other}' is an unknown field.")
                    }
                }
            }
        }
        _ => bail!(
            codes::FAILED_TO_PARSE,
            "the $unionWith stage specification must be an object or string, but found {}",
            v.type_name()
        ),
    }
    let cx = cx.inside(Place::Union)?;
    let pipeline = Pipeline::parse(list.unwrap_or(Doc::EMPTY), &cx)?;
    if collection.is_none() && !pipeline.is_source() {
        bail!(
            codes::BAD_VALUE,
            "$unionWith stage without explicit collection must have a pipeline with $documents as first stage"
        );
    }
    let (filter, rest) = pipeline.split_match();
    Ok(Rc::new(UnionWith { db, collection, filter, rest, cx }))
}

fn text(field: &str, v: Val<'_>) -> Result<String> {
    match v.as_str() {
        Some(s) => Ok(s.to_owned()),
        None => bail!(
            codes::TYPE_MISMATCH,
            "BSON field '$unionWith.{field}' is the wrong type '{}', expected type 'string'",
            v.type_name()
        ),
    }
}
