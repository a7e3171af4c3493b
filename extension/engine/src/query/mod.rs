//! Filters: which documents a query selects (MongoDB manual, "Query and Projection Operators").
//!
//! [`Query::parse`] reads a filter once, with MongoDB's checks; [`Query::matches`] then tests documents on their
//! encoded bytes. Uses `path`, `compare` and `number`; knows nothing of updates, projections or storage.

mod bits;
mod bounds;
mod context;
mod expr;
mod failure;
mod geo;
mod modulo;
mod node;
mod operand;
mod parse;
mod predicate;
mod regex;
mod restrict;
mod sample;
mod schema;
mod type_set;

pub use bounds::{Bound, Conjunct};
pub use context::{ParseContext, Place};
pub use geo::GeoPredicate;
pub use node::Details;
pub use operand::{Operand, OperandSet};
pub use predicate::Relation;
pub(crate) use regex::LIMITS as REGEX_LIMITS;
pub use regex::Regex;
pub use type_set::{TypeSet, type_of_alias};

use crate::collation::Collation;
use crate::error::Result;
use crate::raw::{Doc, Val};
use node::Node;

/// A parsed filter.
#[derive(Debug)]
pub struct Query {
    root: Node,
    source: Vec<u8>,
    collation: Collation,
}

impl Query {
    /// Parses a filter.
    ///
    /// # Errors
    /// MongoDB's code and message for what is not a filter, or `CommandNotSupported` naming what is not supported.
    pub fn parse(filter: Doc<'_>, cx: &ParseContext<'_>) -> Result<Self> {
        let root = parse::parse(filter, cx)?;
        restrict::place(&root, cx)?;
        Ok(Self { root, source: filter.bytes().to_vec(), collation: cx.strings().clone() })
    }

    /// How the filter compares strings.
    #[must_use]
    pub fn collation(&self) -> &Collation {
        &self.collation
    }

    /// The filter, and documents by their distance at `path`: what `$geoNear` asks for.
    #[must_use]
    pub fn with_near(self, path: &str, near: crate::geo::near::Near) -> Self {
        let near = Node::At(crate::path::Path::new(path), predicate::Predicate::Near(Box::new(near)));
        let root = match self.root {
            Node::True => near,
            Node::And(mut all) => {
                all.push(near);
                Node::And(all)
            }
            other => Node::And(vec![other, near]),
        };
        Self { root, ..self }
    }

    /// The filter as it was given.
    #[must_use]
    pub fn source(&self) -> Doc<'_> {
        Doc::trusted(&self.source)
    }

    /// Does the document match?
    ///
    /// # Errors
    /// When the evaluation fails: an expression with operands of wrong types, a regular expression beyond its limits.
    pub fn matches(&self, doc: Doc<'_>) -> Result<bool> {
        self.root.matches(doc, None)
    }

    /// Does the document match, and if so, which array element does the positional `$` mean? `None`: no match.
    /// `Some(details)` without a position: no array took part in the match.
    ///
    /// # Errors
    /// As [`Query::matches`].
    pub fn match_position(&self, doc: Doc<'_>) -> Result<Option<Details>> {
        let mut details = Details::default();
        Ok(self.root.matches(doc, Some(&mut details))?.then_some(details))
    }

    /// Does an array element match a filter whose conditions are on the field `name` (`arrayFilters`,
    /// `$pull` with operators)? The value takes the place of that field.
    ///
    /// # Errors
    /// As [`Query::matches`].
    pub fn matches_value(&self, name: &str, v: Val<'_>) -> Result<bool> {
        let mut w = crate::value::DocWriter::with_capacity(v.bytes.len() + name.len() + 8);
        w.put_val(name, v);
        self.matches(Doc::trusted(&w.finish()))
    }

    /// Why the document does not match, as MongoDB's `errInfo.details` tells it for a validator; the empty document
    /// when it does match. `cx` is the one the filter was parsed with.
    ///
    /// # Errors
    /// As [`Query::matches`].
    pub fn failure(&self, doc: Doc<'_>, cx: &ParseContext<'_>) -> Result<Vec<u8>> {
        failure::explain(self.source(), failure::Subject { doc, cx })
    }

    /// The equalities an upsert takes over into the new document: `path: value` and `path: {$eq: value}`, also
    /// below `$and` and in an `$or` or `$in` with a single choice.
    #[must_use]
    pub fn equalities(&self) -> Vec<(&crate::path::Path, Val<'_>)> {
        let mut found = Vec::new();
        self.root.equalities(&mut found);
        found
    }

    /// How many choices the filter's top-level `$or` has; 0 without one.
    #[must_use]
    pub fn choices(&self) -> usize {
        self.top_or().map_or(0, <[Node]>::len)
    }

    /// The first choice of the filter's top-level `$or` that the document matches.
    ///
    /// # Errors
    /// As [`Query::matches`].
    pub fn first_choice(&self, doc: Doc<'_>) -> Result<Option<usize>> {
        for (i, node) in self.top_or().unwrap_or(&[]).iter().enumerate() {
            if node.matches(doc, None)? {
                return Ok(Some(i));
            }
        }
        Ok(None)
    }

    fn top_or(&self) -> Option<&[Node]> {
        let or = |n: &'_ Node| matches!(n, Node::Or(_));
        match &self.root {
            Node::Or(any) => Some(any),
            Node::And(all) => match all.iter().find(|n| or(n)) {
                Some(Node::Or(any)) => Some(any),
                _ => None,
            },
            _ => None,
        }
    }

    /// The filter's `$text`, wherever it stands.
    #[must_use]
    pub fn text(&self) -> Option<&crate::text::TextFilter> {
        self.root.texts().first().copied()
    }

    /// Every match satisfies the `$text`.
    #[must_use]
    pub fn requires_text(&self) -> bool {
        match &self.root {
            Node::Text(_) => true,
            Node::And(all) => all.iter().any(|n| matches!(n, Node::Text(_))),
            _ => false,
        }
    }

    /// How well a document satisfies the `$text`, if there is one.
    ///
    /// # Errors
    /// IndexNotFound before it is bound to an index.
    pub fn text_score(&self, doc: Doc<'_>) -> Result<Option<f64>> {
        self.text().map(|t| t.score(doc)).transpose()
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }
}

#[cfg(test)]
mod tests;
