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

/// Bytes of the document that the stage makes (MongoDB's `internalQueryFacetMaxOutputDocSizeBytes`).
const RESULT_LIMIT: usize = 100 * 1024 * 1024;

impl Stage for Facet {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        blocking(move || {
            let docs = Rc::new(Budget::new("$facet", cx).collect(input)?);
            let mut out = DocWriter::new();
            let mut size = 0usize;
            for (name, pipeline) in &self.0 {
                let mut list = ArrayWriter::new();
                let held = Rc::clone(&docs);
                let each = (0..docs.len()).filter_map(move |i| held.get(i).cloned());
                for doc in pipeline.run_in(ready(each), cx) {
                    let doc = doc?;
                    size = size.saturating_add(doc.len());
                    if size > RESULT_LIMIT {
                        bail!(
                            codes::LOCATION4031700,
                            "document constructed by $facet is {size} bytes, which exceeds the limit of {RESULT_LIMIT} bytes"
                        );
                    }
                    list.push_val(Val { ty: ty::DOCUMENT, bytes: &doc });
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
    let Some(spec) = v.as_doc().filter(|d| !d.is_empty()) else {
        bail!(
            codes::LOCATION40169,
            "the $facet specification must be a non-empty object, but found: $facet: {}",
            crate::expr::render::val(v)
        )
    };
    let inner = cx.inside(Place::Facet)?;
    let mut facets = Vec::new();
    for e in spec {
        let name = e.name();
        let Some(list) = e.val.as_array() else {
            bail!(
                codes::LOCATION40170,
                "arguments to $facet must be arrays, {name} is type {}",
                e.val.type_name()
            )
        };
        if let Some(e) = list.iter().find(|e| e.val.as_doc().is_none()) {
            bail!(
                codes::LOCATION40171,
                "elements of arrays in $facet spec must be non-empty objects, {name} argument contained an element of type {}: {}: {}",
                e.val.type_name(),
                e.name(),
                crate::expr::render::val(e.val)
            );
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
