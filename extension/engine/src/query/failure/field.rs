//! Conditions on a field.

use super::{Subject, clauses, operator};
use crate::error::Result;
use crate::path::{Leaf, Path};
use crate::raw::{Doc, Elem, Val};
use crate::value::{ArrayWriter, DocWriter, Value};

/// Why an operator fails.
fn reason(name: &str) -> &'static str {
    match name {
        "$eq" | "$lt" | "$lte" | "$gt" | "$gte" => "comparison failed",
        "$ne" => "comparison succeeded",
        "$in" => "no matching value found in array",
        "$nin" => "matching value found in array",
        "$exists" => "path does not exist",
        "$type" => "type did not match",
        "$regex" => "regular expression did not match",
        "$mod" => "$mod did not evaluate to expected remainder",
        "$size" => "array length was not equal to given size",
        "$all" => "array did not contain all specified values",
        "$elemMatch" => "array did not satisfy the child predicate",
        "$bitsAllSet" | "$bitsAnySet" | "$bitsAllClear" | "$bitsAnyClear" => {
            "bitwise operator failed to match"
        }
        "$geoWithin" => "none of the considered geometries were contained within the expression's geometry",
        "$geoIntersects" => "none of the considered geometries intersected the expression's geometry",
        "$not" => "child expression matched",
        _ => "condition failed",
    }
}

/// The explanation of `path: value` or `path: {operators}`.
pub(super) fn explain(e: &Elem<'_>, subject: Subject<'_>) -> Result<Vec<u8>> {
    let operators = e.val.as_doc().filter(|d| d.first().is_some_and(|f| f.name().starts_with('$')));
    let Some(operators) = operators else {
        return Ok(leaf(e.name(), "$eq", e.val, subject.doc));
    };
    let mut failures = Vec::new();
    for (i, op) in operators.iter().enumerate() {
        if op.name() == "$options" {
            continue;
        }
        let mut single = DocWriter::new();
        single.put_elem(&op);
        if let (Some(options), "$regex") = (operators.get("$options"), op.name()) {
            single.put_val("$options", options);
        }
        let single = single.finish();
        let mut condition = DocWriter::new();
        condition.put_doc(e.name(), Doc::trusted(&single));
        let condition = condition.finish();
        let failed = match Doc::trusted(&condition).first() {
            Some(condition) => !super::holds(&condition, subject)?,
            None => false,
        };
        if failed {
            failures.push((i, leaf(e.name(), op.name(), op.val, subject.doc)));
        }
    }
    match failures.len() {
        1 => Ok(failures.pop().map(|(_, details)| details).unwrap_or_default()),
        _ => Ok(clauses("$and", "clausesNotSatisfied", &failures)),
    }
}

fn leaf(path: &str, name: &str, operand: Val<'_>, doc: Doc<'_>) -> Vec<u8> {
    let mut condition = DocWriter::new();
    condition.put_val(name, operand);
    let mut specified = DocWriter::new();
    specified.put_doc(path, Doc::trusted(&condition.finish()));
    let mut w = operator(name);
    w.put("specifiedAs", &Value::Document(specified.finish()));
    let values = considered(path, doc);
    let negative = matches!(name, "$ne" | "$nin" | "$not" | "$exists");
    w.put_str("reason", if values.is_empty() && !negative { "field was missing" } else { reason(name) });
    match values.as_slice() {
        [] => {}
        [one] => {
            w.put_val("consideredValue", *one);
            if name == "$type" {
                w.put_str("consideredType", one.type_name());
            }
        }
        many => {
            let mut list = ArrayWriter::new();
            for v in many {
                list.push_val(*v);
            }
            w.put("consideredValues", &Value::Array(list.finish()));
        }
    }
    w.finish()
}

/// The values at the path, at most ten.
fn considered<'d>(path: &str, doc: Doc<'d>) -> Vec<Val<'d>> {
    let mut values = Vec::new();
    let found = Path::new(path).visit(doc, Leaf::Whole, &mut |v, _| {
        values.extend(v);
        Ok(values.len() >= 10)
    });
    if found.is_err() {
        values.clear();
    }
    values
}
