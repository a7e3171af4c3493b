//! Conditions on a field: an implicit equality or a document of operators.

use super::super::bits::{BitTest, Bits};
use super::super::context::Place;
use super::super::geo::GeoPredicate;
use super::super::modulo::Modulo;
use super::super::node::Node;
use super::super::operand::Operand;
use super::super::predicate::{Predicate, Relation};
use super::super::regex::Regex;
use super::super::type_set::TypeSet;
use super::{At, and, array, is_operators, truthy, unknown_operator};
use crate::error::{Error, Result};
use crate::geo::near::{self, Near};
use crate::path::Path;
use crate::raw::{Doc, Elem, Val, View, ty};
use crate::{bail, codes, display};

/// One operator's meaning before it is bound to a path.
pub(super) enum Test {
    /// A value at the path satisfies the predicate.
    Some(Predicate),
    /// No value at the path does.
    None(Predicate),
    /// Not all of these hold at the path (`$not`).
    NotAll(Vec<Test>),
    /// All of these hold at the path (`$all`).
    All(Vec<Test>),
    /// Nothing matches (`$all: []`).
    Never,
}

/// Parses one element of a filter whose name is a field path, adding its conditions to `all`.
pub(super) fn condition(e: &Elem<'_>, at: At<'_>, all: &mut Vec<Node>) -> Result<()> {
    let path = Path::new(e.name());
    if !is_operators(e.val, false) {
        let predicate = match e.val.view() {
            View::Regex { pattern, options } => Predicate::Regex(Box::new(Regex::new(pattern, options)?)),
            _ => equality(e.val, at)?,
        };
        all.push(Node::At(path, predicate));
        return Ok(());
    }
    for test in operators(e.val.as_doc().unwrap_or(Doc::EMPTY), path.as_str(), at)? {
        super::conjoin(all, bind(&path, test));
    }
    Ok(())
}

/// A test as a condition on all values the path leads to.
fn bind(path: &Path, test: Test) -> Node {
    match test {
        Test::Some(p) => Node::At(path.clone(), p),
        Test::None(p) => Node::Not(Box::new(Node::At(path.clone(), p))),
        Test::NotAll(tests) => Node::Not(Box::new(and(tests.into_iter().map(|t| bind(path, t)).collect()))),
        Test::All(tests) => and(tests.into_iter().map(|t| bind(path, t)).collect()),
        Test::Never => Node::False,
    }
}

/// A test as a predicate on one array element.
pub(super) fn on_element(test: Test) -> Predicate {
    match test {
        Test::Some(p) => p,
        Test::None(p) => Predicate::Not(Box::new(p)),
        Test::NotAll(tests) => {
            Predicate::Not(Box::new(Predicate::All(tests.into_iter().map(on_element).collect())))
        }
        Test::All(tests) => Predicate::All(tests.into_iter().map(on_element).collect()),
        Test::Never => Predicate::Not(Box::new(Predicate::All(Vec::new()))),
    }
}

/// Parses a document of operators on `path`.
pub(super) fn operators(d: Doc<'_>, path: &str, at: At<'_>) -> Result<Vec<Test>> {
    if d.iter().any(|e| near::is_operator(e.name())) {
        if matches!(at.cx.place, Place::Match | Place::Validator | Place::PartialIndex | Place::Element) {
            bail!(codes::LOCATION5626500, "$geoNear, $near, and $nearSphere are not allowed in this context");
        }
        return Ok(vec![Test::Some(Predicate::Near(Box::new(Near::parse(d)?)))]);
    }
    let mut tests = Vec::new();
    for e in d {
        if let Some(test) = operator(&e, d, path, at)? {
            tests.push(test);
        }
    }
    Ok(tests)
}

fn operator(e: &Elem<'_>, whole: Doc<'_>, path: &str, at: At<'_>) -> Result<Option<Test>> {
    let v = e.val;
    let name = e.name();
    let predicate = match name {
        "$eq" => equality(v, at)?,
        "$ne" => {
            if v.ty == ty::REGEX {
                bail!(codes::BAD_VALUE, "Can't have regex as arg to $ne.");
            }
            return Ok(Some(Test::None(equality(v, at)?)));
        }
        "$lt" => range(Relation::Lt, v, path, at)?,
        "$lte" => range(Relation::Lte, v, path, at)?,
        "$gt" => range(Relation::Gt, v, path, at)?,
        "$gte" => range(Relation::Gte, v, path, at)?,
        "$in" => array::in_list(name, v, at)?,
        "$nin" => return Ok(Some(Test::None(array::in_list(name, v, at)?))),
        "$all" => return array::all(v, at).map(Some),
        "$elemMatch" => array::elem_match(v, path, at)?,
        "$size" => Predicate::Size(size(v)?),
        "$exists" if truthy(v) => Predicate::Exists,
        "$exists" => return Ok(Some(Test::None(Predicate::Exists))),
        "$type" => Predicate::Type(TypeSet::parse(v, path)?),
        "$mod" => Predicate::Mod(Modulo::parse(v)?),
        "$regex" => Predicate::Regex(Box::new(regex(v, whole)?)),
        "$options" => {
            if whole.get("$regex").is_none() {
                bail!(codes::BAD_VALUE, "$options needs a $regex");
            }
            return Ok(None);
        }
        "$not" => return not(v, path, at).map(Some),
        "$bitsAllSet" => Predicate::Bits(Bits::parse(BitTest::AllSet, name, path, v)?),
        "$bitsAnySet" => Predicate::Bits(Bits::parse(BitTest::AnySet, name, path, v)?),
        "$bitsAllClear" => Predicate::Bits(Bits::parse(BitTest::AllClear, name, path, v)?),
        "$bitsAnyClear" => Predicate::Bits(Bits::parse(BitTest::AnyClear, name, path, v)?),
        "$geoWithin" | "$within" | "$geoIntersects" => {
            Predicate::Geo(Box::new(GeoPredicate::parse(name, v)?))
        }
        _ => return unknown_operator(e),
    };
    Ok(Some(Test::Some(predicate)))
}

fn defined(v: Val<'_>) -> Result<()> {
    if v.ty == ty::UNDEFINED {
        bail!(codes::BAD_VALUE, "cannot compare to undefined");
    }
    Ok(())
}

pub(super) fn equality(v: Val<'_>, at: At<'_>) -> Result<Predicate> {
    defined(v)?;
    Ok(Predicate::Eq(Operand::new(v, at.cx.strings())))
}

fn range(relation: Relation, v: Val<'_>, path: &str, at: At<'_>) -> Result<Predicate> {
    defined(v)?;
    if v.ty == ty::REGEX {
        bail!(codes::BAD_VALUE, "Can't have RegEx as arg to predicate over field '{path}'.");
    }
    Ok(Predicate::Compare(relation, Operand::new(v, at.cx.strings())))
}

fn size(v: Val<'_>) -> Result<i64> {
    let n = crate::operand::integer("$size", v)
        .map_err(|e| Error::new(codes::BAD_VALUE, format!("Failed to parse $size. {}", e.message)))?;
    if n < 0 {
        bail!(
            codes::BAD_VALUE,
            "Failed to parse $size. Expected a non-negative number in: $size: {}",
            display::value(v)
        );
    }
    Ok(n)
}

/// `$regex` together with the `$options` beside it.
pub(super) fn regex(v: Val<'_>, whole: Doc<'_>) -> Result<Regex> {
    let (pattern, own) = match v.view() {
        View::String(pattern) => (pattern, ""),
        View::Regex { pattern, options } => (pattern, options),
        _ => bail!(codes::BAD_VALUE, "$regex has to be a string"),
    };
    let options = match whole.get("$options").map(Val::view) {
        None => own,
        Some(View::String(options)) if own.is_empty() => options,
        Some(View::String(_)) => {
            bail!(codes::LOCATION51075, "options set in both $regex and $options")
        }
        Some(_) => bail!(codes::BAD_VALUE, "$options has to be a string"),
    };
    if pattern.contains('\0') {
        bail!(codes::LOCATION51109, "Regular expression cannot contain an embedded null byte");
    }
    Regex::new(pattern, options)
}

fn not(v: Val<'_>, path: &str, at: At<'_>) -> Result<Test> {
    if let View::Regex { pattern, options } = v.view() {
        return Ok(Test::None(Predicate::Regex(Box::new(Regex::new(pattern, options)?))));
    }
    let Some(d) = v.as_doc() else {
        bail!(codes::BAD_VALUE, "$not needs a regex or a document");
    };
    if d.is_empty() {
        bail!(codes::BAD_VALUE, "$not cannot be empty");
    }
    Ok(Test::NotAll(operators(d, path, at.deeper()?)?))
}
