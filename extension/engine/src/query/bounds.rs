//! What access paths may use of a filter: its top-level conditions `path operator value`.

use super::Query;
use super::geo::GeoPredicate;
use super::node::Node;
use super::operand::Operand;
use super::predicate::{Predicate, Relation};
use super::regex::Regex;
use crate::geo::near::Near;
use crate::path::Path;
use crate::raw::Val;

/// A condition that every matching document satisfies.
#[derive(Clone, Copy, Debug)]
pub struct Conjunct<'q> {
    /// The path.
    pub path: &'q Path,
    /// What holds for at least one of the values the path leads to.
    pub bound: Bound<'q>,
}

/// The operator and value of a [`Conjunct`].
///
/// An array at the end of the path counts with each of its elements and as a whole, so two conjuncts on one path may
/// be satisfied by different elements: intersect their ranges only where the path is known to meet no array
/// (`_id` never holds one). A missing field counts as null for `Eq(null)`, `In` with null, `Lte(null)`, `Gte(null)`,
/// and is compared with `MinKey` and `MaxKey` as every value is.
#[derive(Clone, Copy, Debug)]
pub enum Bound<'q> {
    /// Equal in MongoDB's order. Exact: every value equal to it satisfies the condition.
    Eq(Val<'q>),
    /// `$lt`, `$lte`, `$gt`, `$gte`. Exact within the operand's type bracket (all of it up to or from the operand):
    /// values of other brackets never match, unless the operand is `MinKey` or `MaxKey`, which are compared with all.
    /// A NaN operand matches only NaN, and only with `$lte` and `$gte`; a NaN value matches no other operand.
    Range(Relation, Val<'q>),
    /// Equal to one of these; sorted in MongoDB's order, no two equal. Exact.
    In(&'q [Operand]),
    /// The field exists.
    Exists,
    /// A regular expression finds a match. Not exact for an index unless rechecked.
    Regex(&'q Regex),
}

impl Query {
    /// The conditions joined by the filter's top-level "and" that have a form an index can use. A document matches
    /// the filter only if it satisfies all of them; the converse holds when [`Query::is_exactly_conjuncts`].
    pub fn conjuncts(&self) -> impl Iterator<Item = Conjunct<'_>> {
        let implied = self.implied.as_deref().map_or(&[][..], Query::top_nodes);
        self.top_nodes().iter().chain(implied).filter_map(conjunct)
    }

    /// Do the conjuncts say everything the filter says? Then a document found by exact bounds for each of them needs
    /// no recheck.
    #[must_use]
    pub fn is_exactly_conjuncts(&self) -> bool {
        self.top_nodes().iter().all(|n| conjunct(n).is_some())
    }

    /// Matches every document.
    #[must_use]
    pub fn is_always_true(&self) -> bool {
        matches!(self.root(), Node::True)
    }

    /// Matches no document.
    #[must_use]
    pub fn is_always_false(&self) -> bool {
        self.top_nodes().iter().any(|n| matches!(n, Node::False))
    }

    /// Where and how the filter sorts by distance (`$near` and its kin).
    #[must_use]
    pub fn near(&self) -> Option<(&Path, &Near)> {
        self.top_nodes().iter().find_map(|n| match n {
            Node::At(path, Predicate::Near(near)) => Some((path, &**near)),
            _ => None,
        })
    }

    /// The geospatial conditions joined by the filter's top-level "and".
    pub fn geo(&self) -> impl Iterator<Item = (&Path, &GeoPredicate)> {
        self.top_nodes().iter().filter_map(|n| match n {
            Node::At(path, Predicate::Geo(g)) => Some((path, &**g)),
            _ => None,
        })
    }

    fn top_nodes(&self) -> &[Node] {
        match self.root() {
            Node::True => &[],
            Node::And(all) => all,
            one => std::slice::from_ref(one),
        }
    }
}

fn conjunct(node: &Node) -> Option<Conjunct<'_>> {
    let Node::At(path, predicate) = node else { return None };
    let bound = match predicate {
        Predicate::Eq(o) => Bound::Eq(o.val()),
        Predicate::Compare(relation, o) => Bound::Range(*relation, o.val()),
        Predicate::In(set, regexes) if regexes.is_empty() => Bound::In(set.values()),
        Predicate::Exists => Bound::Exists,
        Predicate::Regex(r) => Bound::Regex(r),
        _ => return None,
    };
    Some(Conjunct { path, bound })
}
