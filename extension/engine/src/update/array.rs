//! `$push`, `$addToSet`, `$pull` on the elements of an array.

use super::operand::Operand;
use super::tree::Node;
use crate::collation::Collation;
use crate::compare;
use crate::error::Result;
use crate::expr::check_sort_by;
use crate::query::{ParseContext, Place, Query};
use crate::raw::{Val, ty};
use crate::value::DocWriter;
use crate::{bail, codes};
use std::cmp::Ordering;

/// `$push` with its modifiers.
#[derive(Clone, Debug, Default)]
pub struct Push {
    /// Values to add, in order.
    pub values: Vec<Operand>,
    position: Option<i64>,
    slice: Option<i64>,
    sort: Option<PushSort>,
    collation: Collation,
}

/// `$sort`: the whole element, or fields of it.
#[derive(Clone, Debug)]
enum PushSort {
    Whole { descending: bool },
    Fields(Vec<(Box<str>, bool)>),
}

impl Push {
    /// Parses a `$push` argument: a value, or a document with `$each` and modifiers.
    ///
    /// # Errors
    /// `BadValue` for unknown clauses and arguments of wrong types.
    pub fn parse(v: Val<'_>, collation: &Collation) -> Result<Self> {
        let Some(clauses) = v.as_doc().filter(|d| d.get("$each").is_some()) else {
            return Ok(Self { values: vec![v.into()], ..Self::default() });
        };
        let mut push = Self { collation: collation.clone(), ..Self::default() };
        for e in clauses {
            match e.name() {
                "$each" => {
                    let Some(values) = e.val.as_array() else {
                        bail!(
                            codes::BAD_VALUE,
                            "The argument to $each in $push must be an array but it was of type: {}",
                            e.val.type_name()
                        );
                    };
                    push.values = values.values().map(Operand::from).collect();
                }
                "$slice" => match crate::number::exact_i64(e.val) {
                    Some(n) => push.slice = Some(n),
                    None => bail!(
                        codes::BAD_VALUE,
                        "The value for $slice must be an integer value but was given type: {}",
                        e.val.type_name()
                    ),
                },
                "$position" => match crate::number::exact_i64(e.val) {
                    Some(n) => push.position = Some(n),
                    None => bail!(
                        codes::BAD_VALUE,
                        "The value for $position must be an integer value, not of type: {}",
                        e.val.type_name()
                    ),
                },
                "$sort" => push.sort = Some(PushSort::parse(e.val)?),
                other => bail!(codes::BAD_VALUE, "Unrecognized clause in $push: {other}"),
            }
        }
        Ok(push)
    }

    /// Adds the values, sorts, cuts; true when the array may have changed.
    pub fn apply<'d>(&'d self, items: &mut Vec<Node<'d>>) -> bool {
        let mut changed = !self.values.is_empty();
        let at = insert_at(self.position, items.len());
        items.splice(at..at, self.values.iter().map(|v| Node::Raw(v.val())));
        if let Some(sort) = &self.sort {
            sort.apply(items, &self.collation);
            changed = true;
        }
        if let Some(slice) = self.slice {
            let keep = usize::try_from(slice.unsigned_abs()).unwrap_or(usize::MAX);
            if items.len() > keep {
                changed = true;
                if slice >= 0 {
                    items.truncate(keep);
                } else {
                    items.drain(..items.len() - keep);
                }
            }
        }
        changed
    }
}

/// A negative position counts from the end; beyond either end is that end.
fn insert_at(position: Option<i64>, len: usize) -> usize {
    let Some(p) = position else { return len };
    let distance = usize::try_from(p.unsigned_abs()).unwrap_or(usize::MAX);
    if p >= 0 { distance.min(len) } else { len.saturating_sub(distance) }
}

impl PushSort {
    fn parse(v: Val<'_>) -> Result<Self> {
        check_sort_by(v)?;
        Ok(match v.as_doc() {
            Some(d) => PushSort::Fields(d.iter().map(|e| (e.name().into(), descending(e.val))).collect()),
            None => PushSort::Whole { descending: descending(v) },
        })
    }

    fn apply(&self, items: &mut [Node<'_>], collation: &Collation) {
        let order = |o: Ordering, descending: bool| if descending { o.reverse() } else { o };
        items.sort_by(|a, b| {
            a.with_val(|a| {
                b.with_val(|b| match self {
                    PushSort::Whole { descending } => order(compare::collated(a, b, collation), *descending),
                    PushSort::Fields(fields) => {
                        fields.iter().fold(Ordering::Equal, |o, (path, descending)| {
                            o.then_with(|| {
                                let found = compare::collated(at(a, path), at(b, path), collation);
                                order(found, *descending)
                            })
                        })
                    }
                })
            })
        });
    }
}

/// A direction that was checked is -1.
fn descending(v: Val<'_>) -> bool {
    crate::number::exact_i64(v) == Some(-1)
}

/// The value at a dotted path, positions in arrays by number; null when there is none.
fn at<'v>(v: Val<'v>, path: &str) -> Val<'v> {
    path.split('.')
        .try_fold(v, |v, name| match v.ty {
            ty::DOCUMENT | ty::ARRAY => crate::raw::Doc::trusted(v.bytes).get(name),
            _ => None,
        })
        .unwrap_or(Val::NULL)
}

/// Parses a `$addToSet` argument: a value, or `{$each: […]}`; duplicates are dropped.
///
/// # Errors
/// `TypeMismatch` when `$each` is no array, `BadValue` for anything beside it.
pub fn parse_add_to_set(v: Val<'_>, collation: &Collation) -> Result<Vec<Operand>> {
    let each = v.as_doc().and_then(|d| d.first().filter(|e| e.name() == "$each").map(|e| (d, e)));
    let Some((doc, each)) = each else { return Ok(vec![v.into()]) };
    let Some(values) = each.val.as_array() else {
        bail!(
            codes::TYPE_MISMATCH,
            "The argument to $each in $addToSet must be an array but it was of type {}",
            each.val.type_name()
        );
    };
    if doc.iter().nth(1).is_some() {
        bail!(
            codes::BAD_VALUE,
            "Found unexpected fields after $each in $addToSet: {}",
            crate::display::document(doc)
        );
    }
    let mut distinct: Vec<Operand> = Vec::new();
    for v in values.values() {
        crate::interrupt::check();
        if distinct.iter().all(|d| compare::collated(d.val(), v, collation).is_ne()) {
            distinct.push(v.into());
        }
    }
    Ok(distinct)
}

/// Appends the values that are not there yet; true when there was one.
pub fn add_to_set<'d>(items: &mut Vec<Node<'d>>, values: &'d [Operand], collation: &Collation) -> bool {
    let before = items.len();
    for v in values {
        crate::interrupt::check();
        let equal = |i: &Node<'_>| i.with_val(|i| compare::collated(i, v.val(), collation)).is_eq();
        let known = items.iter().take(before).any(equal);
        if !known {
            items.push(Node::Raw(v.val()));
        }
    }
    items.len() > before
}

/// Keeps the elements `keep` accepts; true when one went.
///
/// # Errors
/// Those of `keep`.
pub fn retain(items: &mut Vec<Node<'_>>, keep: impl Fn(Val<'_>) -> Result<bool>) -> Result<bool> {
    let mut kept = Vec::with_capacity(items.len());
    for item in items.iter() {
        crate::interrupt::check();
        kept.push(item.with_val(&keep)?);
    }
    let before = items.len();
    let mut flags = kept.into_iter();
    items.retain(|_| flags.next().unwrap_or(true));
    Ok(items.len() < before)
}

/// The condition of `$pull`.
#[derive(Debug)]
pub enum Pull {
    /// Equal to a value.
    Equals(Operand, Collation),
    /// A document that matches a filter.
    Document(Query),
    /// Any value that satisfies operators or a regular expression.
    Condition(Query),
}

impl Pull {
    /// Parses a `$pull` argument.
    ///
    /// # Errors
    /// Those of a filter.
    pub fn parse(v: Val<'_>, cx: &ParseContext<'_>) -> Result<Self> {
        let cx = ParseContext { place: Place::Element, ..*cx };
        if let Some(doc) = v.as_doc() {
            if !doc.first().is_some_and(|e| is_value_operator(e.name())) {
                return Ok(Pull::Document(Query::parse(doc, &cx)?));
            }
        } else if v.ty != ty::REGEX {
            return Ok(Pull::Equals(v.into(), cx.strings().clone()));
        }
        let mut filter = DocWriter::new();
        filter.put_val("", v);
        let filter = filter.finish();
        Ok(Pull::Condition(Query::parse(crate::raw::Doc::trusted(&filter), &cx)?))
    }

    /// Is the element to be removed?
    ///
    /// # Errors
    /// Those of matching.
    pub fn matches(&self, v: Val<'_>) -> Result<bool> {
        match self {
            Pull::Equals(wanted, collation) => Ok(compare::collated(v, wanted.val(), collation).is_eq()),
            Pull::Document(query) => v.as_doc().map_or(Ok(false), |d| query.matches(d)),
            Pull::Condition(query) => query.matches_value("", v),
        }
    }
}

/// Operators that test a value, as against `$and` and the like, which test a document.
fn is_value_operator(name: &str) -> bool {
    matches!(
        name,
        "$eq"
            | "$ne"
            | "$gt"
            | "$gte"
            | "$lt"
            | "$lte"
            | "$in"
            | "$nin"
            | "$all"
            | "$size"
            | "$exists"
            | "$type"
            | "$mod"
            | "$regex"
            | "$options"
            | "$elemMatch"
            | "$near"
            | "$nearSphere"
            | "$geoNear"
            | "$within"
            | "$geoWithin"
            | "$geoIntersects"
            | "$bitsAllSet"
            | "$bitsAllClear"
            | "$bitsAnySet"
            | "$bitsAnyClear"
    )
}
