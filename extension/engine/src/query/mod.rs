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
pub(crate) use operand::is_nan;
pub use operand::{Operand, OperandSet};
pub use predicate::Relation;
pub(crate) use regex::LIMITS as REGEX_LIMITS;
pub use regex::Regex;
pub use type_set::{TypeSet, type_of_alias};

use crate::collation::Collation;
use crate::error::Result;
use crate::raw::{Doc, Val, ty};
use crate::value::{ArrayWriter, DocWriter, Value};
use node::Node;

/// A parsed filter.
#[derive(Debug)]
pub struct Query {
    root: Node,
    source: Vec<u8>,
    collation: Collation,
    /// What the `$expr`s of the top level say in the words of a filter; only for choosing a way to the documents.
    implied: Option<Box<Query>>,
}

impl Query {
    /// Parses a filter.
    ///
    /// # Errors
    /// MongoDB's code and message for what is not a filter, or `CommandNotSupported` naming what is not supported.
    pub fn parse(filter: Doc<'_>, cx: &ParseContext<'_>) -> Result<Self> {
        let root = parse::parse(filter, cx)?;
        restrict::place(&root, cx)?;
        let collation = cx.strings().clone();
        let implied = implied(filter, &root, cx)?.map(Box::new);
        Ok(Self { root, source: filter.bytes().to_vec(), collation, implied })
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

    /// The filter with what its `$expr`s imply about single fields: selects the same documents, and tells more to who
    /// looks for an index.
    #[must_use]
    pub fn conditions(&self) -> Doc<'_> {
        self.implied.as_ref().map_or(self.source(), |q| q.source())
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
        failure::explain(self.source(), failure::Subject::new(doc, cx))
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

/// The filter together with the equalities that its `$expr`s, joined by the top-level "and", state.
fn implied(filter: Doc<'_>, root: &Node, cx: &ParseContext<'_>) -> Result<Option<Query>> {
    let expressions = match root {
        Node::And(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut found = Vec::new();
    for e in expressions {
        if let Node::Expr(e) = e {
            e.equalities(&mut found);
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    let mut list = ArrayWriter::new();
    list.push_val(Val { ty: ty::DOCUMENT, bytes: filter.bytes() });
    let mut plain = ArrayWriter::new();
    for (path, values) in found {
        let mut w = DocWriter::new();
        w.put("$in", &Value::array_of(&values));
        let mut condition = DocWriter::new();
        condition.put(&path, &Value::Document(w.finish()));
        let condition = Value::Document(condition.finish());
        list.push(&condition);
        plain.push(&condition);
    }
    let mut all = DocWriter::new();
    all.put("$and", &Value::Array(list.finish()));
    let mut conditions = DocWriter::new();
    conditions.put("$and", &Value::Array(plain.finish()));
    let conditions = conditions.finish();
    Ok(Some(Query {
        root: parse::parse(Doc::trusted(&conditions), cx)?,
        source: all.finish(),
        collation: cx.strings().clone(),
        implied: None,
    }))
}

#[cfg(test)]
mod tests;
