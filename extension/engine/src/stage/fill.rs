//! `$fill`: null and missing values replaced by a constant, the last value, or a line between neighbours.

use super::window::{Bounds, Function, Output, Windows, sort_by};
use super::{ParseContext, Stage};
use crate::error::Result;
use crate::expr::{self, Expr, FieldPath};
use crate::raw::{Doc, Val, View};
use crate::value::{DocWriter, Value};
use crate::{bail, codes};
use std::rc::Rc;

pub(super) fn fill(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(spec) = v.as_doc() else {
        bail!(
            codes::FAILED_TO_PARSE,
            "the $fill stage specification must be an object, found {}",
            v.type_name()
        )
    };
    let cx = cx.expr();
    let (mut partition, mut by_fields, mut sort, mut output) = (None, None, None, None);
    for e in spec {
        match e.name() {
            "partitionBy" => match e.val.view() {
                View::String(_) | View::Document(_) => partition = Some(Expr::parse(e.val, &cx)?),
                _ => bail!(
                    codes::TYPE_MISMATCH,
                    "BSON field '$fill.partitionBy' is the wrong type '{}', expected types '[string, object]'",
                    e.val.type_name()
                ),
            },
            "partitionByFields" => by_fields = Some(fields_expression(e.val, &cx)?),
            "sortBy" => sort = Some(object("sortBy", e.val)?),
            "output" => output = Some(object("output", e.val)?),
            other => bail!(codes::LOCATION40415, "BSON field '$fill.{other}' is an unknown field."),
        }
    }
    let Some(output) = output else {
        bail!(codes::LOCATION40414, "BSON field '$fill.output' is missing but a required field")
    };
    if partition.is_some() && by_fields.is_some() {
        bail!(
            codes::LOCATION6050204,
            "Maximum one of 'partitionBy' and 'partitionByFields can be specified in '$fill'"
        );
    }
    if output.is_empty() {
        bail!(
            codes::LOCATION6050203,
            "The output field in '$fill' must contain an object with at least one element"
        );
    }
    let (sort, sort_field) = sort_by(sort, &cx.collation)?;
    let (mut outputs, mut constants) = (Vec::new(), Vec::new());
    for e in output {
        let path = FieldPath::parse(e.name())?;
        let function = method(e.name(), e.val, &cx, sort_field.is_some())?;
        let list = if matches!(function, Function::Constant(_)) { &mut constants } else { &mut outputs };
        list.push(Output { path, function, bounds: Bounds::Partition });
    }
    // Values alone need no neighbours: the documents stay in their order.
    let ordered = !outputs.is_empty();
    outputs.append(&mut constants);
    Ok(Rc::new(Windows {
        partition: partition.or(by_fields).filter(|_| ordered),
        sort: sort.filter(|_| ordered),
        sort_field: sort_field.filter(|_| ordered),
        outputs,
        name: "$fill",
        collation: cx.collation,
    }))
}

fn object<'a>(field: &str, v: Val<'a>) -> Result<Doc<'a>> {
    match v.as_doc() {
        Some(d) => Ok(d),
        None => bail!(
            codes::TYPE_MISMATCH,
            "BSON field '$fill.{field}' is the wrong type '{}', expected type 'object'",
            v.type_name()
        ),
    }
}

/// The partition of documents that agree in these fields.
fn fields_expression(v: Val<'_>, cx: &expr::ParseContext) -> Result<Expr> {
    let Some(list) = v.as_array() else {
        bail!(
            codes::TYPE_MISMATCH,
            "BSON field '$fill.partitionByFields' is the wrong type '{}', expected type 'array'",
            v.type_name()
        )
    };
    let mut key = DocWriter::new();
    for (i, f) in list.values().enumerate() {
        let Some(path) = f.as_str() else {
            bail!(
                codes::TYPE_MISMATCH,
                "BSON field '$fill.partitionByFields.{i}' is the wrong type '{}', expected type 'string'",
                f.type_name()
            )
        };
        FieldPath::parse(path)?;
        key.put_str(&format!("f{i}"), &format!("${path}"));
    }
    Value::Document(key.finish()).with_val(|v| Expr::parse(v, cx))
}

fn method(name: &str, v: Val<'_>, cx: &expr::ParseContext, single: bool) -> Result<Function> {
    let field = || {
        let path = format!("${name}");
        Value::String(path).with_val(|v| Expr::parse(v, cx))
    };
    let Some(d) = v.as_doc() else {
        bail!(
            codes::LOCATION6050200,
            "Each fill output specification must be an object with exactly one field"
        )
    };
    if let Some(e) = d.iter().find(|e| !matches!(e.name(), "method" | "value")) {
        bail!(codes::LOCATION40415, "BSON field '$fill.{}' is an unknown field.", e.name());
    }
    if d.get("value").is_some() && d.get("method").is_some() {
        bail!(
            codes::LOCATION6050201,
            "Each fill output specification must have exactly one of 'method' or 'value' fields, not both"
        );
    }
    if let Some(value) = d.get("value") {
        return Ok(Function::Constant(Expr::parse(value, cx)?));
    }
    match d.get("method").map(|m| m.as_str()) {
        Some(Some("linear")) => {
            if !single {
                bail!(
                    codes::LOCATION605001,
                    "$linearFill must be specified with a top level sortBy expression with exactly one element"
                );
            }
            Ok(Function::LinearFill(field()?))
        }
        Some(Some("locf")) => Ok(Function::Locf(field()?)),
        _ => bail!(codes::LOCATION6050202, "Method must be either locf or linear"),
    }
}
