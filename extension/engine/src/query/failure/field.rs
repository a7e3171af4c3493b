//! Conditions on a field.

use super::{Clause, Subject, all_of, operator};
use crate::error::Result;
use crate::geo::parse::stored;
use crate::path::{Leaf, Path};
use crate::query::parse;
use crate::raw::{Doc, Val, View, ty};
use crate::value::{ArrayWriter, DocWriter, Value};
use std::collections::BTreeSet;

/// Values that are shown of many.
const MAX_CONSIDERED: usize = 10;

const NUMBERS: &[&str] = &["decimal", "double", "int", "long"];

/// What MongoDB says of an operator.
struct Words {
    /// Why it does not match, and below a negation why it does.
    reasons: [&'static str; 2],
    /// The types of values it can match, in the order of their names; all when there are none.
    types: &'static [&'static str],
    /// What it looks at where the path ends in an array.
    leaf: Leaf,
}

fn words(name: &str) -> Words {
    let (reasons, types, leaf): (_, &[&str], _) = match name {
        "$in" | "$nin" => {
            (["no matching value found in array", "matching value found in array"], &[], Leaf::Elements)
        }
        "$exists" => (["path does not exist", "path does exist"], &[], Leaf::Elements),
        "$type" => (["type did not match", "type did match"], &[], Leaf::Elements),
        "$regex" => (
            ["regular expression did not match", "regular expression did match"],
            &["regex", "string", "symbol"],
            Leaf::Elements,
        ),
        "$mod" => (
            ["$mod did not evaluate to expected remainder", "$mod did evaluate to expected remainder"],
            NUMBERS,
            Leaf::Elements,
        ),
        "$size" => (
            ["array length was not equal to given size", "array length was equal to given size"],
            &["array"],
            Leaf::Whole,
        ),
        "$elemMatch" => (
            ["array did not satisfy the child predicate", "array did satisfy the child predicate"],
            &["array"],
            Leaf::Whole,
        ),
        "$all" => (
            ["array did not contain all specified values", "array did contain all specified values"],
            &[],
            Leaf::Whole,
        ),
        "$bitsAllSet" | "$bitsAnySet" | "$bitsAllClear" | "$bitsAnyClear" => (
            ["bitwise operator failed to match", "bitwise operator matched successfully"],
            &["binData", "decimal", "double", "int", "long"],
            Leaf::Elements,
        ),
        "$geoWithin" | "$within" => (
            [
                "none of the considered geometries were contained within the expression’s geometry",
                "at least one of considered geometries was contained within the expression’s geometry",
            ],
            &[],
            Leaf::Elements,
        ),
        "$geoIntersects" => (
            [
                "none of the considered geometries intersected the expression’s geometry",
                "at least one of considered geometries intersected the expression’s geometry",
            ],
            &[],
            Leaf::Elements,
        ),
        _ => (["comparison failed", "comparison succeeded"], &[], Leaf::Elements),
    };
    Words { reasons, types, leaf }
}

/// The explanation of `path: value` or `path: {$operator: operand}`.
pub(super) fn explain(clause: &Clause<'_>, subject: Subject<'_>) -> Result<Vec<u8>> {
    let (path, name, operand) = match clause {
        Clause::Operator { path, operator, .. } => (*path, operator.name(), operator.val),
        Clause::Value(e) | Clause::Top(e) if e.val.ty == ty::REGEX => (e.name(), "$regex", e.val),
        Clause::Value(e) | Clause::Top(e) => (e.name(), "$eq", e.val),
    };
    if name == "$not" {
        return not(path, operand, subject.negated());
    }
    let mut w = operator(name);
    w.put("specifiedAs", &Value::Document(clause.filter()));
    let negative = matches!(name, "$ne" | "$nin") || (name == "$exists" && !parse::truthy(operand));
    let subject = if negative { subject.negated() } else { subject };
    let words = words(name);
    let [failed, succeeded] = words.reasons;
    if name == "$all" && operand.as_array().is_some_and(Doc::is_empty) {
        w.put_str("reason", "expression always evaluates to false");
        return Ok(w.finish());
    }
    if name == "$exists" {
        subject.put_reason(&mut w, failed, succeeded);
        return Ok(w.finish());
    }
    let path = Path::new(path);
    let Some(found) = Considered::new(&path, subject.doc, words.leaf)? else {
        w.put_str("reason", "field was missing");
        return Ok(w.finish());
    };
    if !words.types.is_empty() && !found.values.iter().any(|v| words.types.contains(&v.type_name())) {
        w.put_str("reason", "type did not match");
        found.put_types(&mut w);
        put_names(&mut w, "expectedType", words.types);
    } else if name.starts_with("$geo") && !found.has_geometry(&path, subject.doc) {
        w.put_str("reason", "could not find a valid geometry at the given path");
    } else {
        subject.put_reason(&mut w, failed, succeeded);
    }
    found.put(&mut w);
    if name == "$type" {
        found.put_types(&mut w);
    }
    Ok(w.finish())
}

/// `subject` is negated already.
fn not(path: &str, operand: Val<'_>, subject: Subject<'_>) -> Result<Vec<u8>> {
    let mut w = operator("$not");
    let details = match (operand.view(), operand.as_doc()) {
        (View::Regex { .. }, _) => {
            let mut filter = DocWriter::new();
            filter.put_val(path, operand);
            all_of(&Clause::of(Doc::trusted(&filter.finish())), subject)?
        }
        (_, operators) => all_of(&Clause::operators(path, operators.unwrap_or(Doc::EMPTY)), subject)?,
    };
    w.put_doc("details", Doc::trusted(&details));
    Ok(w.finish())
}

/// The values at a path.
struct Considered<'d> {
    values: Vec<Val<'d>>,
    /// There are more than are shown.
    more: bool,
}

impl<'d> Considered<'d> {
    /// `None` when there is nothing at the path; an empty array is something.
    fn new(path: &Path, doc: Doc<'d>, leaf: Leaf) -> Result<Option<Self>> {
        let mut found = Self { values: Vec::new(), more: false };
        path.visit(doc, leaf, &mut |v, _| {
            let Some(v) = v else { return Ok(true) };
            found.more = found.values.len() == MAX_CONSIDERED;
            if !found.more {
                found.values.push(v);
            }
            Ok(found.more)
        })?;
        let mut exists = !found.values.is_empty();
        if !exists {
            path.visit(doc, Leaf::Expand, &mut |v, _| {
                exists = v.is_some();
                Ok(true)
            })?;
        }
        Ok(exists.then_some(found))
    }

    fn put(&self, w: &mut DocWriter) {
        match self.values.as_slice() {
            [one] => {
                w.put_val("consideredValue", *one);
            }
            many => {
                let mut list = ArrayWriter::new();
                for v in many {
                    list.push_val(*v);
                }
                w.put("consideredValues", &Value::Array(list.finish()));
            }
        }
        if self.more {
            w.put("consideredValuesTruncated", &Value::Bool(true));
        }
    }

    fn put_types(&self, w: &mut DocWriter) {
        let names: BTreeSet<&str> = self.values.iter().map(|v| v.type_name()).collect();
        if !names.is_empty() {
            put_names(w, "consideredType", &names.into_iter().collect::<Vec<_>>());
        }
    }

    /// Is one of the values, or a field of this very name, a geometry?
    fn has_geometry(&self, path: &Path, doc: Doc<'_>) -> bool {
        let field = doc.get(path.as_str());
        self.values.iter().copied().chain(field).any(|v| stored(v).is_ok())
    }
}

/// `consideredType: name` or `consideredTypes: [name, …]`
fn put_names(w: &mut DocWriter, member: &str, names: &[&str]) {
    if let [one] = names {
        w.put_str(member, one);
        return;
    }
    let mut list = ArrayWriter::new();
    for name in names {
        list.push(&Value::String((*name).to_owned()));
    }
    w.put(&format!("{member}s"), &Value::Array(list.finish()));
}
