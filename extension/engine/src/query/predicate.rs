//! Predicates on one value: what stands behind a path.

use super::bits::Bits;
use super::modulo::Modulo;
use super::node::{Details, Node};
use super::operand::{Operand, OperandSet};
use super::regex::Regex;
use super::type_set::TypeSet;
use crate::error::Result;
use crate::path::Leaf;
use crate::raw::{Doc, Val};
use std::cmp::Ordering;

/// A relation of `$lt`, `$lte`, `$gt`, `$gte`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `$lt`
    Lt,
    /// `$lte`
    Lte,
    /// `$gt`
    Gt,
    /// `$gte`
    Gte,
}

impl Relation {
    /// Does the order of the document's value to the operand satisfy the relation?
    #[must_use]
    pub fn holds(self, order: Ordering) -> bool {
        match self {
            Relation::Lt => order == Ordering::Less,
            Relation::Lte => order != Ordering::Greater,
            Relation::Gt => order == Ordering::Greater,
            Relation::Gte => order != Ordering::Less,
        }
    }
}

/// A predicate on a single value, `None` being a missing one.
#[derive(Debug)]
pub enum Predicate {
    /// Equality.
    Eq(Operand),
    /// A range.
    Compare(Relation, Operand),
    /// One of these values, or a match of one of these regular expressions.
    In(OperandSet, Vec<Regex>),
    /// A string that matches, or an equal regular expression value.
    Regex(Box<Regex>),
    /// Any value.
    Exists,
    /// A value of one of these types.
    Type(TypeSet),
    /// A number with this remainder.
    Mod(Modulo),
    /// A number or binary with these bits.
    Bits(Bits),
    /// An array of this length.
    Size(i64),
    /// An array with an element that satisfies all of these.
    ElemMatchValue(Vec<Predicate>),
    /// An array with a document (or array) that matches.
    ElemMatchObject(Box<Node>),
    /// A geometry in the given relation.
    Geo(Box<super::geo::GeoPredicate>),
    /// A geometry in the given distance.
    Near(Box<crate::geo::near::Near>),
    /// Not this one. Only below `$elemMatch`: elsewhere a negation covers all values of a path.
    Not(Box<Predicate>),
    /// All of these.
    All(Vec<Predicate>),
}

impl Predicate {
    /// How an array at the end of the path is given to this predicate.
    #[must_use]
    pub fn leaf(&self) -> Leaf {
        match self {
            Predicate::Size(_)
            | Predicate::ElemMatchValue(_)
            | Predicate::ElemMatchObject(_)
            | Predicate::Near(_) => Leaf::Whole,
            _ => Leaf::Expand,
        }
    }

    /// Tests one value. `details` receives the position of the array element that satisfied an `$elemMatch`.
    ///
    /// # Errors
    /// When a regular expression or an expression below `$elemMatch` fails.
    pub fn test(&self, v: Option<Val<'_>>, details: Option<&mut Details>) -> Result<bool> {
        Ok(match self {
            Predicate::Eq(o) => o.equals(v),
            Predicate::Compare(relation, o) => o.order(v).is_some_and(|order| relation.holds(order)),
            Predicate::In(set, regexes) => {
                if set.contains(v) {
                    return Ok(true);
                }
                for r in regexes {
                    if r.matches(v)? {
                        return Ok(true);
                    }
                }
                false
            }
            Predicate::Regex(r) => r.matches(v)?,
            Predicate::Exists => v.is_some(),
            Predicate::Type(set) => v.is_some_and(|v| set.contains(v.ty)),
            Predicate::Mod(m) => v.is_some_and(|v| m.test(v)),
            Predicate::Bits(b) => v.is_some_and(|v| b.test(v)),
            Predicate::Size(n) => v
                .and_then(Val::as_array)
                .is_some_and(|a| i64::try_from(a.iter().count()).is_ok_and(|count| count == *n)),
            Predicate::ElemMatchValue(all) => {
                let Some(array) = v.and_then(Val::as_array) else { return Ok(false) };
                elem_match(array, details, |e| all_hold(all, e))?
            }
            Predicate::ElemMatchObject(node) => {
                let Some(array) = v.and_then(Val::as_array) else { return Ok(false) };
                elem_match(array, details, |e| match e.as_doc().or_else(|| e.as_array()) {
                    Some(d) => node.matches(d, None),
                    None => Ok(false),
                })?
            }
            Predicate::Geo(g) => v.is_some_and(|v| g.test(v)),
            Predicate::Near(n) => v.is_some_and(|v| n.test(v)),
            Predicate::Not(p) => !p.test(v, None)?,
            Predicate::All(all) => {
                for p in all {
                    if !p.test(v, None)? {
                        return Ok(false);
                    }
                }
                true
            }
        })
    }
}

fn all_hold(all: &[Predicate], e: Val<'_>) -> Result<bool> {
    for p in all {
        if !p.test(Some(e), None)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn elem_match<'d>(
    array: Doc<'d>,
    details: Option<&mut Details>,
    mut test: impl FnMut(Val<'d>) -> Result<bool>,
) -> Result<bool> {
    for (i, e) in array.values().enumerate() {
        if test(e)? {
            if let Some(d) = details {
                d.position = Some(i);
            }
            return Ok(true);
        }
    }
    Ok(false)
}
