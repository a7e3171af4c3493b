//! The `hint` of a command: which index to use.

use engine::raw::View;
use engine::{Doc, Error, Val, codes};

use crate::catalog::{Collection, Index};
use crate::error::Result;

/// A hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// The server chooses.
    None,
    /// The table in its own order, or in the reverse.
    Natural {
        /// From the end.
        backward: bool,
    },
    /// The primary key.
    Id,
    /// The secondary index at this place of [`Collection::indexes`].
    Index(usize),
}

impl Hint {
    /// Reads a hint: an index's name or its key pattern, or `{$natural: …}`.
    ///
    /// # Errors
    /// FailedToParse for other types; BadValue when no such index exists.
    pub fn parse(c: &Collection, v: Option<Val<'_>>) -> Result<Hint> {
        let Some(v) = v else { return Ok(Hint::None) };
        let unknown = || {
            let text = "index specified by index hint is not found: hint provided does not correspond to an existing index";
            Error::new(codes::BAD_VALUE, text)
        };
        let found = match v.view() {
            View::String("_id_") if c.clustered().is_none() => return Ok(Hint::Id),
            View::String(name)
                if c.clustered().is_some_and(|i| i.get("name").and_then(Val::as_str) == Some(name)) =>
            {
                return Ok(Hint::Id);
            }
            View::String(name) => c.indexes.iter().position(|i| shown(i) && i.name == name),
            View::Document(d) => {
                let Some(first) = d.first() else { return Ok(Hint::None) };
                if first.name() == "$natural" {
                    let backward = match engine::number::exact_i64(first.val) {
                        Some(1) => false,
                        Some(-1) => true,
                        _ => {
                            let text = "$natural hint cannot be set to a value other than -1 or 1.";
                            return Err(Error::new(codes::BAD_VALUE, text).into());
                        }
                    };
                    return Ok(Hint::Natural { backward });
                }
                if is_id_pattern(d) {
                    return Ok(Hint::Id);
                }
                c.indexes.iter().position(|i| shown(i) && same_pattern(Doc::trusted(&i.key), d))
            }
            _ => {
                return Err(not_a_hint());
            }
        };
        match found {
            Some(i) => Ok(Hint::Index(i)),
            None => Err(unknown().into()),
        }
    }

    /// Checks a hint's type where there is no collection to look it up in.
    pub fn check(v: Option<Val<'_>>) -> Result<()> {
        match v {
            Some(v) if v.as_str().is_none() && v.as_doc().is_none() => Err(not_a_hint()),
            _ => Ok(()),
        }
    }
}

fn not_a_hint() -> crate::error::Error {
    Error::new(codes::FAILED_TO_PARSE, "Hint must be a string or an object").into()
}

/// Neither hidden nor unfinished: for commands there are no others.
fn shown(i: &Index) -> bool {
    let options = i.options.as_deref().map(Doc::trusted);
    i.valid && !options.and_then(|d| d.get("hidden")).and_then(Val::as_bool).unwrap_or(false)
}

/// `{_id: 1}`
pub fn is_id_pattern(d: Doc<'_>) -> bool {
    let mut it = d.iter();
    let first = it.next().is_some_and(|e| {
        e.name() == "_id" && e.val.is_number() && engine::compare::values(e.val, Val::ZERO).is_gt()
    });
    first && it.next().is_none()
}

/// The same fields in the same order with the same directions or kinds.
pub fn same_pattern(a: Doc<'_>, b: Doc<'_>) -> bool {
    engine::compare::docs(a, b).is_eq()
}
