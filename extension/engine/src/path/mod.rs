//! Dotted paths and the way MongoDB walks them through documents and arrays.
//!
//! Known to queries, updates, projections, sort keys and index keys. Knows nothing of operators.

mod walk;

pub use walk::{Leaf, walk};

use crate::error::Result;
use crate::raw::{Doc, Val};

/// One component of a dotted path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    name: Box<str>,
    index: Option<usize>,
}

impl Part {
    fn new(name: &str) -> Self {
        Self { name: name.into(), index: array_index(name) }
    }

    /// The component as written.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The array position the component can also stand for: digits without a leading zero.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.index
    }
}

/// The array position a path component names: `"0"`, `"17"`, but neither `"01"` nor `"+1"`.
#[must_use]
pub fn array_index(name: &str) -> Option<usize> {
    let plain = name.bytes().all(|c| c.is_ascii_digit()) && (name.len() == 1 || !name.starts_with('0'));
    if plain { name.parse().ok() } else { None }
}

/// A dotted path taken apart once. Empty components (`"a..b"`, `""`) are kept: they name fields without a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    full: Box<str>,
    parts: Box<[Part]>,
}

impl Path {
    /// Takes `full` apart at its dots.
    #[must_use]
    pub fn new(full: &str) -> Self {
        Self { full: full.into(), parts: full.split('.').map(Part::new).collect() }
    }

    /// The path as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The components; at least one.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Calls `found` for each value the path leads to ([`walk`]).
    ///
    /// # Errors
    /// Those of `found`.
    pub fn visit<'d, F>(&self, doc: Doc<'d>, leaf: Leaf, found: &mut F) -> Result<bool>
    where
        F: FnMut(Option<Val<'d>>, Option<usize>) -> Result<bool>,
    {
        walk(doc, &self.parts, leaf, found)
    }

    /// The value at the path where no array is entered: `None` when a component is missing or its parent is
    /// not a document.
    #[must_use]
    pub fn get_plain<'d>(&self, doc: Doc<'d>) -> Option<Val<'d>> {
        let (last, parents) = self.parts.split_last()?;
        let mut at = doc;
        for part in parents {
            at = at.get(&part.name)?.as_doc()?;
        }
        at.get(&last.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_plain_decimal_numbers() {
        for (name, want) in [
            ("0", Some(0)),
            ("10", Some(10)),
            ("01", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1a", None),
        ] {
            assert_eq!(array_index(name), want, "{name:?}");
        }
    }

    #[test]
    fn empty_components_are_kept() {
        let names = |p: &str| Path::new(p).parts().iter().map(|p| p.name().to_owned()).collect::<Vec<_>>();
        assert_eq!(names("a..b"), ["a", "", "b"]);
        assert_eq!(names(""), [""]);
        assert_eq!(names("a."), ["a", ""]);
    }
}
