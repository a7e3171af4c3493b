//! Why a document does not match: the `details` of a failed validation (MongoDB manual, "Schema Validation", errInfo).
//!
//! Works on the filter's own text, condition by condition, and is meant for the rare document that is refused.

mod field;
mod schema;

use super::context::ParseContext;
use super::expr::ExprFilter;
use super::parse;
use crate::error::Result;
use crate::raw::{Doc, Elem, Val, ty};
use crate::value::{ArrayWriter, DocWriter, Value};

/// What the explanation needs to know everywhere.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) doc: Doc<'a>,
    pub(super) cx: &'a ParseContext<'a>,
}

/// Explains why the document does not match; the empty document when it does.
pub(super) fn explain(filter: Doc<'_>, subject: Subject<'_>) -> Result<Vec<u8>> {
    let mut failures = Vec::new();
    for (i, e) in filter.iter().enumerate() {
        if !holds(&e, subject)? {
            failures.push((i, condition(&e, subject)?));
        }
    }
    if filter.iter().nth(1).is_none() {
        return Ok(failures.pop().map_or_else(|| Doc::EMPTY.bytes().to_vec(), |(_, details)| details));
    }
    Ok(clauses("$and", "clausesNotSatisfied", &failures))
}

/// Does one condition of a filter hold?
fn holds(e: &Elem<'_>, subject: Subject<'_>) -> Result<bool> {
    let mut w = DocWriter::new();
    w.put_elem(e);
    parse::parse(Doc::trusted(&w.finish()), subject.cx)?.matches(subject.doc, None)
}

fn condition(e: &Elem<'_>, subject: Subject<'_>) -> Result<Vec<u8>> {
    let name = e.name();
    let list = e.val.as_array().unwrap_or(Doc::EMPTY);
    match name {
        "$and" | "$or" | "$nor" => {
            let mut found = Vec::new();
            for (i, clause) in list.values().filter_map(Val::as_doc).enumerate() {
                let matches = parse::parse(clause, subject.cx)?.matches(subject.doc, None)?;
                if matches == (name == "$nor") {
                    let details = if matches { satisfied(clause) } else { explain(clause, subject)? };
                    found.push((i, details));
                }
            }
            let member = if name == "$nor" { "clausesSatisfied" } else { "clausesNotSatisfied" };
            Ok(clauses(name, member, &found))
        }
        "$jsonSchema" => {
            let schema = e.val.as_doc().unwrap_or(Doc::EMPTY);
            let value = Val { ty: ty::DOCUMENT, bytes: subject.doc.bytes() };
            let rules = schema::rules(schema, value)?;
            let mut w = operator(name);
            schema::annotations(&mut w, schema);
            w.put("schemaRulesNotSatisfied", &Value::Array(rules));
            Ok(w.finish())
        }
        "$expr" => {
            let mut w = operator(name);
            specified(&mut w, e);
            w.put_str("reason", "expression did not match");
            if let Some(value) = ExprFilter::parse(e.val, subject.cx)?.value(subject.doc)? {
                w.put("expressionResult", &value);
            }
            Ok(w.finish())
        }
        _ if name.starts_with('$') => {
            let mut w = operator(name);
            specified(&mut w, e);
            w.put_str("reason", &format!("{name} did not match"));
            Ok(w.finish())
        }
        _ => field::explain(e, subject),
    }
}

/// The start of every explanation.
fn operator(name: &str) -> DocWriter {
    let mut w = DocWriter::new();
    w.put_str("operatorName", name);
    w
}

/// `specifiedAs: {name: operand}`
fn specified(w: &mut DocWriter, e: &Elem<'_>) {
    let mut s = DocWriter::new();
    s.put_elem(e);
    w.put("specifiedAs", &Value::Document(s.finish()));
}

fn satisfied(clause: Doc<'_>) -> Vec<u8> {
    let mut w = DocWriter::new();
    w.put_doc("specifiedAs", clause);
    w.put_str("reason", "the clause matched");
    w.finish()
}

/// `{operatorName, <member>: [{index, details}, …]}`
fn clauses(name: &str, member: &str, failures: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let mut list = ArrayWriter::new();
    for (i, details) in failures {
        let mut w = DocWriter::new();
        w.put("index", &Value::Int32(i32::try_from(*i).unwrap_or(i32::MAX)));
        w.put_doc("details", Doc::trusted(details));
        list.push(&Value::Document(w.finish()));
    }
    let mut w = operator(name);
    w.put(member, &Value::Array(list.finish()));
    w.finish()
}

#[cfg(test)]
mod tests;
