//! The parsed filter: predicates at paths, joined by the logical operators.

use super::expr::ExprFilter;
use super::predicate::Predicate;
use super::sample::SampleRate;
use super::schema::Schema;
use crate::error::Result;
use crate::path::Path;
use crate::raw::{Doc, Val};
use crate::text::TextFilter;

/// What a match leaves behind for the positional `$` of updates and projections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Position of the array element that satisfied the last array predicate of the filter.
    pub position: Option<usize>,
}

/// One node of a filter.
#[derive(Debug)]
pub enum Node {
    /// Matches everything (`{}`, `$comment`, `$alwaysTrue`).
    True,
    /// Matches nothing (`$alwaysFalse`).
    False,
    /// All of these; nested conjunctions are flattened into one.
    And(Vec<Node>),
    /// One of these.
    Or(Vec<Node>),
    /// None of these.
    Nor(Vec<Node>),
    /// Not this one.
    Not(Box<Node>),
    /// A value at the path satisfies the predicate.
    At(Path, Predicate),
    /// `$expr`
    Expr(Box<ExprFilter>),
    /// `$jsonSchema`
    Schema(Box<Schema>),
    /// `$sampleRate`
    Sample(SampleRate),
    /// `$text`
    Text(Box<TextFilter>),
}

impl Node {
    /// Does the document match? `details` receives array positions.
    ///
    /// # Errors
    /// When evaluation itself fails: a regular expression beyond its limits, an expression with a wrong type.
    pub fn matches(&self, doc: Doc<'_>, mut details: Option<&mut Details>) -> Result<bool> {
        match self {
            Node::True => Ok(true),
            Node::False => Ok(false),
            Node::And(all) => {
                for node in all {
                    if !node.matches(doc, details.as_deref_mut())? {
                        if let Some(d) = details {
                            d.position = None;
                        }
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Node::Or(any) => {
                for node in any {
                    if node.matches(doc, details.as_deref_mut())? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Node::Nor(none) => {
                for node in none {
                    if node.matches(doc, None)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Node::Not(node) => Ok(!node.matches(doc, None)?),
            Node::At(path, predicate) => at_path(path, predicate, doc, details),
            Node::Expr(e) => e.matches(doc),
            Node::Schema(s) => s.matches(doc),
            Node::Sample(s) => Ok(s.keep()),
            Node::Text(t) => t.matches(doc),
        }
    }

    /// Every `$text` of the filter; it can only stand below the logical operators.
    pub(super) fn texts(&self) -> Vec<&TextFilter> {
        match self {
            Node::Text(t) => vec![t],
            Node::And(list) | Node::Or(list) | Node::Nor(list) => list.iter().flat_map(Node::texts).collect(),
            Node::Not(node) => node.texts(),
            _ => Vec::new(),
        }
    }

    pub(super) fn equalities<'q>(&'q self, found: &mut Vec<(&'q Path, Val<'q>)>) {
        match self {
            Node::And(all) => all.iter().for_each(|n| n.equalities(found)),
            Node::Or(any) => {
                if let [one] = any.as_slice() {
                    one.equalities(found);
                }
            }
            Node::At(path, Predicate::Eq(o)) => found.push((path, o.val())),
            Node::At(path, Predicate::In(set, regexes)) if regexes.is_empty() => {
                if let [one] = set.values() {
                    found.push((path, one.val()));
                }
            }
            _ => {}
        }
    }
}

fn at_path(
    path: &Path,
    predicate: &Predicate,
    doc: Doc<'_>,
    mut details: Option<&mut Details>,
) -> Result<bool> {
    path.visit(doc, predicate.leaf(), &mut |v, position| {
        if !predicate.test(v, details.as_deref_mut())? {
            return Ok(false);
        }
        if let (Some(d), Some(_)) = (details.as_deref_mut(), position) {
            d.position = position;
        }
        Ok(true)
    })
}
