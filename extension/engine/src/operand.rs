//! Integers in operators and commands, read as MongoDB's `BSONElement::parseIntegerElementToLong` does.

use crate::error::Result;
use crate::number::{self, Truncated};
use crate::raw::{Val, View};
use crate::{bail, codes, display};

/// The integer `v` stands for; `name` is the field it came in, for the message.
///
/// # Errors
/// `FailedToParse` for what is no number, no whole number, or beyond 64 bits.
pub fn integer(name: &str, v: Val<'_>) -> Result<i64> {
    let shown = || format!("{name}: {}", display::value(v));
    if !v.is_number() {
        bail!(codes::FAILED_TO_PARSE, "Expected a number in: {}", shown());
    }
    if let Some(i) = number::exact_i64(v) {
        return Ok(i);
    }
    match (v.view(), number::truncate_i64(v)) {
        (View::Double(d), _) if d.is_nan() => {
            bail!(codes::FAILED_TO_PARSE, "Expected an integer, but found NaN in: {}", shown())
        }
        (View::Double(_), Some(Truncated::Int(_))) => {
            bail!(codes::FAILED_TO_PARSE, "Expected an integer: {}", shown())
        }
        _ => bail!(codes::FAILED_TO_PARSE, "Cannot represent as a 64-bit integer: {}", shown()),
    }
}
