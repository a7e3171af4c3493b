//! `$slice` of find projections.

use crate::error::Result;
use crate::number::{Truncated, to_f64, truncate_i64};
use crate::raw::{Doc, Val};
use crate::value::ArrayWriter;
use crate::{bail, codes};

/// Which elements are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slice {
    /// The first elements.
    First(usize),
    /// The last elements.
    Last(usize),
    /// At most `limit` elements from a position; `from_end` counts it from the end.
    Range {
        /// Distance of the first element shown.
        skip: usize,
        /// The distance is from the end.
        from_end: bool,
        /// Most elements shown.
        limit: usize,
    },
}

impl Slice {
    /// Parses the argument: a number, or `[skip, limit]`. `None` when it is an aggregation expression's argument.
    ///
    /// # Errors
    /// 28667 and 28724 for what is neither.
    pub fn parse(v: Val<'_>) -> Result<Option<Self>> {
        if v.is_number() {
            let (n, negative) = magnitude(v);
            return Ok(Some(if negative { Slice::Last(n) } else { Slice::First(n) }));
        }
        let Some(array) = v.as_array() else {
            bail!(
                codes::LOCATION28667,
                "First argument to $slice must be an number, but is of type: {}",
                v.type_name()
            );
        };
        let args: Vec<Val<'_>> = array.values().take(4).collect();
        match args.as_slice() {
            [skip, limit] if skip.is_number() => {
                if !limit.is_number() {
                    bail!(
                        codes::LOCATION28724,
                        "Second argument to $slice must be a number, but is of type: {}",
                        limit.type_name()
                    );
                }
                let (n, negative) = magnitude(*limit);
                if negative || n == 0 {
                    bail!(codes::LOCATION28724, "Second argument to $slice must be a positive number");
                }
                let (skip, from_end) = magnitude(*skip);
                Ok(Some(Slice::Range { skip, from_end, limit: n }))
            }
            [_, _] | [_, _, _] => Ok(None),
            other => {
                bail!(codes::LOCATION28667, "$slice takes 2 arguments, but {} were passed in.", other.len())
            }
        }
    }

    /// The elements shown.
    #[must_use]
    pub fn apply(self, array: Doc<'_>) -> Vec<u8> {
        let len = || array.values().count();
        let (from, count) = match self {
            Slice::First(n) => (0, n),
            Slice::Last(n) => (len().saturating_sub(n), n),
            Slice::Range { skip, from_end: false, limit } => (skip, limit),
            Slice::Range { skip, from_end: true, limit } => (len().saturating_sub(skip), limit),
        };
        let mut w = ArrayWriter::new();
        for v in array.values().skip(from).take(count) {
            w.push_val(v);
        }
        w.finish()
    }
}

/// The whole part's distance from zero, and whether it is negative.
fn magnitude(v: Val<'_>) -> (usize, bool) {
    #[allow(clippy::cast_possible_truncation, reason = "the cast saturates, which is what is wanted")]
    let n = match truncate_i64(v) {
        Some(Truncated::Int(n)) => n,
        _ => to_f64(v) as i64,
    };
    (usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX), n < 0)
}
