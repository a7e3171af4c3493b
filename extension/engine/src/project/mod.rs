//! Projections: which fields of a document are shown, and which are computed (MongoDB manual, "Project Fields to
//! Return", "$project", "$addFields", "$unset").
//!
//! A specification becomes a tree of paths with what happens at each; `exec` walks it along a document.

mod exec;
mod parse;
mod path;
mod slice;
#[cfg(test)]
mod tests;
mod tree;

use crate::error::Result;
use crate::query::{ParseContext, Query};
use crate::raw::Doc;
use exec::Scope;
use tree::Branch;

/// Where a projection stands; the language differs a little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `projection` of find, `fields` of findAndModify: also `$slice`, `$elemMatch` and the positional `path.$`.
    Find,
    /// `$project`
    Aggregate,
}

/// What happens to fields the specification does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// They go.
    Include,
    /// They stay.
    Exclude,
    /// They stay; named ones are computed (`$addFields`).
    Add,
}

/// A parsed projection.
#[derive(Debug)]
pub struct Projection {
    mode: Mode,
    root: Branch,
    positional: bool,
    scored: bool,
}

impl Projection {
    /// Parses a projection document. An empty one shows documents as they are.
    ///
    /// # Errors
    /// MongoDB's codes for what is no projection: mixed inclusion and exclusion (31254), paths in each other's way
    /// (31249, 31250), positional projections (31276, 31395), bad names, and the errors of expressions.
    pub fn parse(spec: Doc<'_>, kind: Kind, cx: &ParseContext<'_>) -> Result<Self> {
        parse::projection(spec, kind, cx)
    }

    /// Parses the fields of `$addFields` or `$set`.
    ///
    /// # Errors
    /// As [`Projection::parse`].
    pub fn add_fields(spec: Doc<'_>, cx: &ParseContext<'_>) -> Result<Self> {
        parse::add_fields(spec, cx)
    }

    /// The projection of `$unset`.
    ///
    /// # Errors
    /// As [`Projection::parse`].
    pub fn unset<'p>(paths: impl IntoIterator<Item = &'p str>) -> Result<Self> {
        parse::unset(paths)
    }

    /// Shows every document as it is.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.mode != Mode::Include && self.root.is_empty()
    }

    /// The value of this field of the top level is the same before and after.
    #[must_use]
    pub fn keeps(&self, name: &str) -> bool {
        match (self.mode, self.root.get(name.as_bytes())) {
            (Mode::Include, Some(node)) => matches!(node, tree::Node::Leaf(tree::Leaf::Include)),
            (Mode::Include, None) => false,
            (Mode::Exclude | Mode::Add, node) => node.is_none(),
        }
    }

    /// Has a `path.$`, so that [`Projection::apply`] needs the query.
    #[must_use]
    pub fn is_positional(&self) -> bool {
        self.positional
    }

    /// Shows the score of `$text`, which it expects in the field [`crate::text::SCORE`].
    #[must_use]
    pub fn is_scored(&self) -> bool {
        self.scored
    }

    /// The projected document, encoded. `query` is the filter that found it, for the positional `path.$`.
    ///
    /// # Errors
    /// Those of expressions; 51246 when a positional projection finds no matched element.
    pub fn apply(&self, doc: Doc<'_>, query: Option<&Query>) -> Result<Vec<u8>> {
        let position = match query {
            Some(q) if self.positional => q.match_position(doc)?.and_then(|d| d.position),
            _ => None,
        };
        exec::document(&self.root, self.mode, doc, &Scope::new(doc, position))
    }
}
