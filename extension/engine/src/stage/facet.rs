//! `$facet`.

use super::parse::Place;
use super::{Budget, Docs, ParseContext, Pipeline, Run, Stage, blocking, ready};
use crate::error::Result;
use crate::raw::{Val, ty};
use crate::value::{ArrayWriter, DocWriter, Value};
use crate::{bail, codes};
use std::rc::Rc;

#[derive(Debug)]
struct Facet(Vec<(String, Pipeline)>);

impl Stage for Facet {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        blocking(move || {
            let docs = Budget::new("$facet", cx).collect(input)?;
            let mut out = DocWriter::new();
            for (name, pipeline) in &self.0 {
                let mut list = ArrayWriter::new();
                for doc in pipeline.run_in(ready(docs.clone()), cx) {
                    list.push_val(Val { ty: ty::DOCUMENT, bytes: &doc? });
                }
                out.put(name, &Value::Array(list.finish()));
            }
            Ok([out.finish()].into())
        })
    }

    fn reads(&self, names: &mut Vec<String>) {
        for (_, p) in &self.0 {
            p.collect_reads(names);
        }
    }
}

pub(super) fn facet(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(spec) = v.as_doc() else {
        bail!(codes::LOCATION15947, "a facet's fields must be specified in an object")
    };
    if spec.is_empty() {
        bail!(codes::LOCATION40169, "the $facet specification must be a non-empty object");
    }
    let inner = cx.inside(Place::Facet)?;
    let mut facets = Vec::new();
    for e in spec {
        let name = e.name();
        let Some(list) = e.val.as_array() else {
            bail!(
                codes::TYPE_MISMATCH,
                "BSON field '$facet.pipeline' is the wrong type '{}', expected type 'array'",
                e.val.type_name()
            )
        };
        if list.values().any(|s| s.as_doc().is_none()) {
            bail!(codes::BAD_VALUE, "Pipeline stage for facet {name} must be a document");
        }
        if name.is_empty() || name.contains('.') || name.starts_with('$') {
            let problem =
                if name.contains('.') { "cannot contain '.'" } else { "cannot be an operator name or empty" };
            bail!(codes::FAILED_TO_PARSE, "The facet name '{name}' {problem}");
        }
        facets.push((name.to_owned(), Pipeline::parse(list, &inner)?));
    }
    Ok(Rc::new(Facet(facets)))
}
