//! Hexadecimal digits.

use super::PREFIX;
use crate::error::Result;
use crate::{bail, codes};
use std::fmt::Write;

/// `BSONHEX` and two lower-case digits for each byte.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(PREFIX.len() + bytes.len() * 2);
    out.push_str(PREFIX);
    for b in bytes {
        let _ = write!(out, "{b:02x}");
    }
    out
}

/// Bytes from pairs of digits.
///
/// # Errors
/// `BadValue` for an odd number of digits or a character that is none.
pub fn from_hex(digits: &str) -> Result<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    let mut bytes = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let [Some(high), Some(low)] = [pair.first(), pair.get(1)].map(|c| c.and_then(digit)) else {
            bail!(
                codes::BAD_VALUE,
                "invalid input syntax for BSON: not a sequence of hexadecimal digit pairs"
            );
        };
        bytes.push(high << 4 | low);
    }
    Ok(bytes)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape `Option<&u8>::and_then` wants")]
fn digit(c: &u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        b'A'..=b'F' => Some(c - b'A' + 10),
        _ => None,
    }
}
