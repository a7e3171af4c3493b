//! `$slice` of find projections.

use crate::number::{Truncated, to_f64, truncate_i64};
use crate::raw::{Doc, Val};
use crate::value::ArrayWriter;

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
    /// Parses the argument: a number, or `[skip, limit]`.
    ///
    /// # Errors
    /// Why it is neither, as MongoDB words it: it may still be the argument of the expression of that name.
    pub fn parse(v: Val<'_>) -> Result<Self, String> {
        if v.is_number() {
            let (n, negative) = magnitude(v);
            return Ok(if negative { Slice::Last(n) } else { Slice::First(n) });
        }
        let Some(array) = v.as_array() else {
            return Err("Location31273: $slice only supports numbers and [skip, limit] arrays".into());
        };
        let mut args = array.values();
        let (Some(skip), Some(limit), None) = (args.next(), args.next(), args.next()) else {
            return Err("Location31272: $slice array argument should be of form [skip, limit]".into());
        };
        if !skip.is_number() {
            let found = skip.type_name();
            return Err(format!(
                "Location31257: $slice expects the skip argument to be a number, got {found}"
            ));
        }
        if !limit.is_number() {
            let found = limit.type_name();
            return Err(format!(
                "Location31258: $slice expects the limit argument to be a number, got {found}"
            ));
        }
        let (n, negative) = magnitude(limit);
        if negative || n == 0 {
            let sign = if negative { "-" } else { "" };
            return Err(format!("Location31259: $slice limit must be positive, got {sign}{n}"));
        }
        let (skip, from_end) = magnitude(skip);
        Ok(Slice::Range { skip, from_end, limit: n })
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
