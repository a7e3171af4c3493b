//! `$project`, `$addFields`/`$set`, `$unset`: projections as stages.

use super::{Docs, ParseContext, Run, Stage};
use crate::error::Result;
use crate::expr::FieldPath;
use crate::project::{Kind, Projection};
use crate::raw::{Doc, Val, View};
use crate::{bail, codes};
use std::rc::Rc;

#[derive(Debug)]
struct Shape(Projection);

impl Stage for Shape {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, _: Run<'h>) -> Docs<'h> {
        Box::new(input.map(move |doc| self.0.apply(Doc::trusted(&doc?), None)))
    }

    fn streams(&self) -> bool {
        true
    }

    fn keeps_field(&self, name: &str) -> bool {
        self.0.keeps(name)
    }

    fn keeps_count(&self) -> bool {
        true
    }
}

pub(super) fn add_fields(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(spec) = v.as_doc() else {
        bail!(codes::LOCATION40272, "$addFields specification stage must be an object, got {}", v.type_name())
    };
    if spec.is_empty() {
        bail!(
            codes::LOCATION40177,
            "Invalid $addFields :: caused by :: specification must have at least one field"
        );
    }
    Ok(Rc::new(Shape(Projection::add_fields(spec, &cx.query())?)))
}

pub(super) fn project(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(spec) = v.as_doc() else {
        bail!(codes::LOCATION15969, "$project specification must be an object")
    };
    if spec.is_empty() {
        bail!(
            codes::LOCATION51272,
            "Invalid $project :: caused by :: projection specification must have at least one field"
        );
    }
    Ok(Rc::new(Shape(Projection::parse(spec, Kind::Aggregate, &cx.query())?)))
}

pub(super) fn unset(v: Val<'_>, _: &ParseContext) -> Result<Rc<dyn Stage>> {
    let list: Vec<Val<'_>> = match v.view() {
        View::String(_) => vec![v],
        View::Array(a) => a.values().collect(),
        _ => bail!(codes::LOCATION31002, "$unset specification must be a string or an array"),
    };
    if list.is_empty() {
        bail!(
            codes::LOCATION31119,
            "$unset specification must be a string or an array with at least one field"
        );
    }
    let mut paths = Vec::with_capacity(list.len());
    for path in list {
        let Some(path) = path.as_str() else {
            bail!(
                codes::LOCATION31120,
                "$unset specification must be a string or an array containing only string values"
            )
        };
        if path.starts_with('$') {
            bail!(codes::LOCATION16410, "FieldPath field names may not start with '$'");
        }
        FieldPath::parse(path)?;
        paths.push(path);
    }
    Ok(Rc::new(Shape(Projection::unset(paths)?)))
}
