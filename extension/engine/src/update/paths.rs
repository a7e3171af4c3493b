//! Paths of an update: what they may look like, which may stand together, in which order they are applied.

use super::store::check_depth;
use crate::error::Result;
use crate::{bail, codes};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// One component of an update path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A field name, or an array position.
    Name(Box<str>),
    /// `$`: the element the query matched.
    Matched,
    /// `$[]`: every element.
    All,
    /// `$[identifier]`: the elements an array filter matches.
    Filtered(Box<str>),
}

impl Step {
    fn parse(part: &str) -> Self {
        match part.strip_prefix("$[").and_then(|p| p.strip_suffix(']')) {
            Some("") => Step::All,
            Some(id) => Step::Filtered(id.into()),
            None if part == "$" => Step::Matched,
            None => Step::Name(part.into()),
        }
    }

    /// Stands for elements chosen when the update runs.
    fn is_dynamic(&self) -> bool {
        !matches!(self, Step::Name(_))
    }

    /// Needs an array at its place: `$[]` or `$[identifier]`.
    fn over_elements(&self) -> bool {
        matches!(self, Step::All | Step::Filtered(_))
    }
}

/// A checked path.
#[derive(Clone, Debug)]
pub struct UpdatePath {
    full: Box<str>,
    steps: Box<[Step]>,
}

impl UpdatePath {
    /// Takes `full` apart and checks it.
    ///
    /// # Errors
    /// `EmptyFieldName` for empty components, `Overflow` for too many of them, `BadValue` for elements chosen when the update runs at the start
    /// and for more than one positional `$`.
    pub fn parse(full: &str) -> Result<Self> {
        if full.is_empty() {
            bail!(codes::EMPTY_FIELD_NAME, "An empty update path is not valid");
        }
        if full.split('.').any(str::is_empty) {
            bail!(
                codes::EMPTY_FIELD_NAME,
                "The update path '{full}' contains an empty field name, which is not allowed."
            );
        }
        // No document is that deep, so nothing could be there and nothing be put there.
        check_depth(full.split('.').count())?;
        let steps: Box<[Step]> = full.split('.').map(Step::parse).collect();
        if steps.iter().filter(|s| **s == Step::Matched).count() > 1 {
            bail!(codes::BAD_VALUE, "Too many positional (i.e. '$') elements found in path '{full}'");
        }
        match steps.first() {
            Some(Step::Matched) => bail!(
                codes::BAD_VALUE,
                "Cannot have positional (i.e. '$') element in the first position in path '{full}'"
            ),
            Some(Step::All | Step::Filtered(_)) => bail!(
                codes::BAD_VALUE,
                "Cannot have array filter identifier (i.e. '$[<id>]') element in the first position in path '{full}'"
            ),
            _ => Ok(Self { full: full.into(), steps }),
        }
    }

    /// The path as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The components; at least one, the first a name.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Has `$`, `$[]` or `$[identifier]` in it.
    #[must_use]
    pub fn is_dynamic(&self) -> bool {
        self.steps.iter().any(Step::is_dynamic)
    }

    /// Has the positional `$`.
    #[must_use]
    pub fn is_positional(&self) -> bool {
        self.steps.contains(&Step::Matched)
    }
}

/// The paths of one update so far, to find two that touch each other.
#[derive(Debug, Default)]
pub struct Conflicts<'u> {
    leaves: HashSet<&'u str>,
    /// Proper prefixes of the leaves, with whether their next component runs over elements.
    inner: HashMap<&'u str, bool>,
}

impl<'u> Conflicts<'u> {
    /// Takes in `path`, which was written as `full`.
    ///
    /// # Errors
    /// `ConflictingUpdateOperators` when an earlier path is the same, a part of it, or a continuation of it.
    pub fn add(&mut self, full: &'u str, path: &UpdatePath) -> Result<()> {
        let conflict = |at: &str| {
            Err(crate::Error::new(
                codes::CONFLICTING_UPDATE_OPERATORS,
                format!("Updating the path '{full}' would create a conflict at '{at}'"),
            ))
        };
        let ends = full.match_indices('.').map(|(i, _)| i);
        for (end, next) in ends.zip(path.steps().iter().skip(1)) {
            let prefix = full.get(..end).unwrap_or(full);
            if self.leaves.contains(prefix) {
                return conflict(prefix);
            }
            let over_elements = next.over_elements();
            if *self.inner.entry(prefix).or_insert(over_elements) != over_elements {
                return conflict(prefix);
            }
        }
        if self.inner.contains_key(full) || !self.leaves.insert(full) {
            return conflict(full);
        }
        Ok(())
    }
}

/// The order of application (MongoDB manual, "Update Operators: Process Order"): names in lexicographic order,
/// array positions and other numeric names by value, before the rest.
#[must_use]
pub fn compare_names(a: &str, b: &str) -> Ordering {
    let numeric = |s: &str| !s.is_empty() && s.bytes().all(|c| c.is_ascii_digit());
    match (numeric(a), numeric(b)) {
        (true, true) => {
            let (x, y) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y)).then_with(|| a.cmp(b))
        }
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.cmp(b),
    }
}

/// [`compare_names`] component by component; a path comes before its continuations.
pub fn compare<'a>(a: impl Iterator<Item = &'a str>, b: impl Iterator<Item = &'a str>) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        return match (a.next(), b.next()) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(x), Some(y)) => match compare_names(x, y) {
                Ordering::Equal => continue,
                other => other,
            },
        };
    }
}
