//! The tree of a projection's paths.

use super::slice::Slice;
use crate::error::Result;
use crate::expr::Expr;
use crate::query::Query;
use crate::{bail, codes};

/// What happens at the end of a path.
#[derive(Debug)]
pub enum Leaf {
    /// Shown.
    Include,
    /// Left out.
    Exclude,
    /// The value of an expression.
    Compute(Expr),
    /// Part of an array.
    Slice(Slice),
    /// The first matching element of an array; the filter is `{"": {$elemMatch: …}}`.
    ElemMatch(Query),
    /// The element the query matched.
    Positional,
}

/// A field of a [`Branch`].
#[derive(Debug)]
pub enum Node {
    /// The path ends here.
    Leaf(Leaf),
    /// Paths continue.
    Branch(Branch),
}

/// The fields named at one level, in the order of the specification.
#[derive(Debug, Default)]
pub struct Branch {
    children: Vec<(Box<str>, Node)>,
    /// Something below is computed, so that missing values have to be made.
    computes: bool,
    /// The positional projection is below.
    positional: bool,
}

impl Branch {
    /// Nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// Something below is computed.
    #[must_use]
    pub fn computes(&self) -> bool {
        self.computes
    }

    /// The positional projection is below.
    #[must_use]
    pub fn positional(&self) -> bool {
        self.positional
    }

    /// What the specification says of `name`.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&Node> {
        self.children.iter().find(|(n, _)| n.as_bytes() == name).map(|(_, v)| v)
    }

    /// All children in the order of the specification.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.children.iter().map(|(n, v)| (&**n, v))
    }

    /// Adds a path.
    ///
    /// # Errors
    /// 31249 when an earlier path ends on the way, 31250 when there is already something at its end, `Overflow` for
    /// more components than a document has levels.
    pub fn insert(&mut self, path: &[&str], leaf: Leaf) -> Result<()> {
        if path.len() > crate::raw::MAX_DEPTH {
            bail!(codes::OVERFLOW, "FieldPath is too long");
        }
        self.insert_below(path, 0, leaf)
    }

    fn insert_below(&mut self, path: &[&str], depth: usize, leaf: Leaf) -> Result<()> {
        let Some(name) = path.get(depth) else { return Ok(()) };
        self.computes |= matches!(leaf, Leaf::Compute(_));
        self.positional |= matches!(leaf, Leaf::Positional);
        let last = depth + 1 == path.len();
        let known = self.children.iter_mut().find(|(n, _)| &**n == *name);
        match known {
            Some((_, Node::Branch(branch))) if !last => branch.insert_below(path, depth + 1, leaf),
            Some((_, Node::Leaf(_))) if !last => bail!(
                codes::LOCATION31249,
                "Path collision at {} remaining portion {}",
                path.join("."),
                path.get(1..).unwrap_or(&[]).join(".")
            ),
            Some(_) => bail!(codes::LOCATION31250, "Path collision at {}", path.join(".")),
            None if last => {
                self.children.push(((*name).into(), Node::Leaf(leaf)));
                Ok(())
            }
            None => {
                let mut branch = Branch::default();
                branch.insert_below(path, depth + 1, leaf)?;
                self.children.push(((*name).into(), Node::Branch(branch)));
                Ok(())
            }
        }
    }
}
