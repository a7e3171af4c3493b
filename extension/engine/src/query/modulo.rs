//! `$mod`.

use crate::error::Result;
use crate::number::{self, Truncated};
use crate::raw::Val;
use crate::{bail, codes};

/// A divisor that is not zero, and the remainder wanted.
#[derive(Clone, Copy, Debug)]
pub struct Modulo {
    divisor: i64,
    remainder: i64,
}

impl Modulo {
    /// Parses `[divisor, remainder]`; fractions are cut off.
    ///
    /// # Errors
    /// `BadValue` when it is not an array of two numbers that fit 64 bits, or the divisor is 0.
    pub fn parse(v: Val<'_>) -> Result<Self> {
        let Some(list) = v.as_array() else {
            bail!(codes::BAD_VALUE, "malformed mod, needs to be an array");
        };
        let mut values = list.values();
        let (divisor, remainder) = match (values.next(), values.next(), values.next()) {
            (Some(d), Some(r), None) => (d, r),
            (_, _, Some(_)) => bail!(codes::BAD_VALUE, "malformed mod, too many elements"),
            _ => bail!(codes::BAD_VALUE, "malformed mod, not enough elements"),
        };
        let divisor = integer(divisor, "divisor")?;
        let remainder = integer(remainder, "remainder")?;
        if divisor == 0 {
            bail!(codes::BAD_VALUE, "divisor cannot be 0");
        }
        Ok(Self { divisor, remainder })
    }

    /// Tests a number, its fraction cut off; everything else fails, as do NaN, infinities and numbers beyond 64 bits.
    #[must_use]
    pub fn test(&self, v: Val<'_>) -> bool {
        match number::truncate_i64(v) {
            Some(Truncated::Int(i)) => i.wrapping_rem(self.divisor) == self.remainder,
            _ => false,
        }
    }
}

fn integer(v: Val<'_>, what: &str) -> Result<i64> {
    match number::truncate_i64(v) {
        Some(Truncated::Int(i)) => Ok(i),
        None => bail!(codes::BAD_VALUE, "malformed mod, {what} not a number"),
        Some(Truncated::NotFinite) => bail!(
            codes::BAD_VALUE,
            "malformed mod, {what} value is invalid :: caused by :: Unable to coerce NaN/Inf to integral type"
        ),
        Some(Truncated::OutOfRange) => bail!(
            codes::BAD_VALUE,
            "malformed mod, {what} value is invalid :: caused by :: Out of bounds coercing to integral value"
        ),
    }
}
