//! `$in`, `$all`, `$elemMatch`.

use super::super::operand::{Operand, OperandSet};
use super::super::predicate::Predicate;
use super::super::regex::Regex;
use super::field::{self, Test, equality, on_element, operators};
use super::{At, document, is_operators, top};
use crate::error::Result;
use crate::raw::{Val, View, ty};
use crate::{bail, codes};

/// The list of `$in` or `$nin`.
pub(super) fn in_list(name: &str, v: Val<'_>, at: At<'_>) -> Result<Predicate> {
    let Some(list) = v.as_array() else {
        bail!(codes::BAD_VALUE, "{name} needs an array");
    };
    let mut values = Vec::new();
    let mut regexes = Vec::new();
    for v in list.values() {
        match v.view() {
            View::Undefined => {
                bail!(codes::BAD_VALUE, "InMatchExpression equality cannot be undefined")
            }
            View::Regex { pattern, options } => regexes.push(Regex::new(pattern, options)?),
            _ if is_operators(v, false) => bail!(codes::BAD_VALUE, "cannot nest $ under $in"),
            _ => values.push(Operand::new(v, at.cx.strings())),
        }
    }
    Ok(Predicate::In(OperandSet::new(values, at.cx.strings()), regexes))
}

/// The list of `$all`: values, regular expressions, or only `$elemMatch`es.
pub(super) fn all(v: Val<'_>, at: At<'_>) -> Result<Test> {
    let Some(list) = v.as_array() else {
        bail!(codes::BAD_VALUE, "$all needs an array");
    };
    if list.is_empty() {
        return Ok(Test::Never);
    }
    let is_elem_match =
        |v: Val<'_>| v.as_doc().and_then(|d| d.first()).is_some_and(|e| e.name() == "$elemMatch");
    let elem_matches = list.values().next().is_some_and(is_elem_match);
    let mut tests = Vec::new();
    for v in list.values() {
        let predicate = if elem_matches {
            if !is_elem_match(v) {
                bail!(codes::BAD_VALUE, "$all/$elemMatch has to be consistent");
            }
            let operand = v.as_doc().and_then(|d| d.get("$elemMatch")).unwrap_or(Val::NULL);
            elem_match(operand, "", at)?
        } else if let View::Regex { pattern, options } = v.view() {
            Predicate::Regex(Box::new(Regex::new(pattern, options)?))
        } else if is_operators(v, false) {
            bail!(codes::BAD_VALUE, "no $ expressions in $all");
        } else {
            equality(v, at)?
        };
        tests.push(Test::Some(predicate));
    }
    Ok(Test::All(tests))
}

/// `$elemMatch`: operators on the element itself, or a filter on elements that are documents.
pub(super) fn elem_match(v: Val<'_>, path: &str, at: At<'_>) -> Result<Predicate> {
    if v.ty != ty::DOCUMENT {
        bail!(codes::BAD_VALUE, "$elemMatch needs an Object");
    }
    let Some(d) = v.as_doc() else {
        bail!(codes::BAD_VALUE, "$elemMatch needs an Object");
    };
    let at = at.deeper()?;
    let on_value = is_operators(v, true) && !d.first().is_some_and(|e| top::exists(e.name()));
    if !on_value {
        let node = document(d, At { sub_document: true, ..at })?;
        return Ok(Predicate::ElemMatchObject(Box::new(node)));
    }
    if let Some(e) = d.iter().find(|e| e.name() == "$where") {
        bail!(codes::BAD_VALUE, "{} cannot be applied to a value of an array", e.name());
    }
    let tests: Vec<field::Test> = operators(d, path, at)?;
    Ok(Predicate::ElemMatchValue(tests.into_iter().map(on_element).collect()))
}
