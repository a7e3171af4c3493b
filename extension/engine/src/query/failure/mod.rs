//! Why a document does not match: the `details` of a failed validation (MongoDB manual, "Schema Validation", errInfo).
//!
//! Works on the filter's own text, condition by condition, and is meant for the rare document that is refused. Takes
//! filters apart as MongoDB's `doc_validation_error` does: each operator of a field is a condition of its own.

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
    doc: Doc<'a>,
    cx: &'a ParseContext<'a>,
    /// Below an odd number of negations: told is why the document does match.
    inverted: bool,
}

impl<'a> Subject<'a> {
    pub(super) fn new(doc: Doc<'a>, cx: &'a ParseContext<'a>) -> Self {
        Self { doc, cx, inverted: false }
    }

    fn negated(self) -> Self {
        Self { inverted: !self.inverted, ..self }
    }

    fn matches(&self, filter: Doc<'_>) -> Result<bool> {
        parse::parse(filter, self.cx)?.matches(self.doc, None)
    }

    fn put_reason(&self, w: &mut DocWriter, failed: &str, succeeded: &str) {
        w.put_str("reason", if self.inverted { succeeded } else { failed });
    }
}

/// Explains why the document does not match; the empty document when it does.
pub(super) fn explain(filter: Doc<'_>, subject: Subject<'_>) -> Result<Vec<u8>> {
    if subject.matches(filter)? {
        return Ok(Doc::EMPTY.bytes().to_vec());
    }
    all_of(&Clause::of(filter), subject)
}

/// One condition of a filter.
enum Clause<'f> {
    /// `$and: […]`, `$expr: …`
    Top(Elem<'f>),
    /// `path: value`
    Value(Elem<'f>),
    /// `path: {$operator: operand}`, of a `$regex` with the `$options` beside it.
    Operator { path: &'f str, operator: Elem<'f>, options: Option<Val<'f>> },
}

impl<'f> Clause<'f> {
    fn of(filter: Doc<'f>) -> Vec<Self> {
        let mut all = Vec::new();
        for e in filter {
            if e.name() == "$comment" {
                continue;
            } else if e.name().starts_with('$') {
                all.push(Clause::Top(e));
            } else if parse::is_operators(e.val, false) {
                all.extend(Self::operators(e.name(), e.val.as_doc().unwrap_or(Doc::EMPTY)));
            } else {
                all.push(Clause::Value(e));
            }
        }
        all
    }

    /// The conditions of a document of operators on `path`.
    fn operators(path: &'f str, operators: Doc<'f>) -> Vec<Self> {
        let mut all = Vec::new();
        for operator in operators {
            if operator.name() != "$options" {
                let options = operators.get("$options").filter(|_| operator.name() == "$regex");
                all.push(Clause::Operator { path, operator, options });
            }
        }
        all
    }

    /// The condition as a filter.
    fn filter(&self) -> Vec<u8> {
        let mut w = DocWriter::new();
        match self {
            Clause::Top(e) | Clause::Value(e) => {
                w.put_elem(e);
            }
            Clause::Operator { path, operator, options } => {
                let mut condition = DocWriter::new();
                condition.put_elem(operator);
                if let Some(options) = options {
                    condition.put_val("$options", *options);
                }
                w.put_doc(path, Doc::trusted(&condition.finish()));
            }
        }
        w.finish()
    }

    fn explain(&self, subject: Subject<'_>) -> Result<Vec<u8>> {
        match self {
            Clause::Top(e) => top(e, subject),
            _ => field::explain(self, subject),
        }
    }
}

/// The explanation of conditions that hold together; a single one stands for itself.
fn all_of(all: &[Clause<'_>], subject: Subject<'_>) -> Result<Vec<u8>> {
    if let [one] = all {
        return one.explain(subject);
    }
    let mut found = Vec::new();
    for (i, clause) in all.iter().enumerate() {
        if subject.matches(Doc::trusted(&clause.filter()))? == subject.inverted {
            found.push((i, clause.explain(subject)?));
        }
    }
    Ok(clauses("$and", subject, &found))
}

fn top(e: &Elem<'_>, subject: Subject<'_>) -> Result<Vec<u8>> {
    let name = e.name();
    let mut w = operator(name);
    match name {
        "$and" | "$or" | "$nor" => {
            let subject = if name == "$nor" { subject.negated() } else { subject };
            let list = e.val.as_array().unwrap_or(Doc::EMPTY);
            let mut found = Vec::new();
            for (i, clause) in list.values().filter_map(Val::as_doc).enumerate() {
                if subject.matches(clause)? == subject.inverted {
                    found.push((i, all_of(&Clause::of(clause), subject)?));
                }
            }
            return Ok(clauses(name, subject, &found));
        }
        "$jsonSchema" if subject.inverted => {
            w.put_str("reason", "schema matched");
        }
        "$jsonSchema" => {
            let value = Val { ty: ty::DOCUMENT, bytes: subject.doc.bytes() };
            let spec = e.val.as_doc().unwrap_or(Doc::EMPTY);
            if schema::is_for_no_document(spec)? {
                specified(&mut w, e);
                w.put_str("reason", "expression always evaluates to false");
            } else {
                let rules = schema::rules(spec, value)?;
                schema::annotations(&mut w, spec);
                w.put("schemaRulesNotSatisfied", &Value::Array(rules));
            }
        }
        "$expr" => {
            specified(&mut w, e);
            subject.put_reason(&mut w, "expression did not match", "expression did match");
            if let Some(value) = ExprFilter::parse(e.val, subject.cx)?.value(subject.doc)? {
                w.put("expressionResult", &value);
            }
        }
        "$alwaysTrue" | "$alwaysFalse" => {
            specified(&mut w, e);
            let [failed, succeeded] =
                ["expression always evaluates to false", "expression always evaluates to true"];
            subject.put_reason(&mut w, failed, succeeded);
        }
        _ => {
            specified(&mut w, e);
            subject.put_reason(&mut w, &format!("{name} did not match"), &format!("{name} did match"));
        }
    }
    Ok(w.finish())
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

fn position(i: usize) -> Value {
    Value::Int32(i32::try_from(i).unwrap_or(i32::MAX))
}

/// `{operatorName, clausesNotSatisfied: [{index, details}, …]}`, or `clausesSatisfied` below a negation.
fn clauses(name: &str, subject: Subject<'_>, found: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let mut list = ArrayWriter::new();
    for (i, details) in found {
        let mut w = DocWriter::new();
        w.put("index", &position(*i));
        w.put_doc("details", Doc::trusted(details));
        list.push(&Value::Document(w.finish()));
    }
    let mut w = operator(name);
    let member = if subject.inverted { "clausesSatisfied" } else { "clausesNotSatisfied" };
    w.put(member, &Value::Array(list.finish()));
    w.finish()
}

#[cfg(test)]
mod tests;
