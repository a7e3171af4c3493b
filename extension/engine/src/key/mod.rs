//! Index keys: byte strings that `memcmp` orders as [`crate::compare`] orders the values they stand for.
//!
//! [`encode`] turns a value into bytes, [`KeySpec`] says what an index covers, [`KeySpec::extract`] gives the keys
//! of one document (several when it goes through arrays), [`bounds`] turns a filter into ranges of keys.
//!
//! A key is the concatenation of its components. Each component's encoding is prefix-free, so concatenation keeps
//! the order, and a descending component is the complement of its bytes. Component encodings start with a byte
//! between 1 and 0xFE; a first byte of 0 is left for [`marker`] keys.

pub mod bounds;
mod decide;
mod encode;
mod extract;
mod filter;
pub mod geo;
mod number;
mod spec;
#[cfg(test)]
mod tests;
mod wildcard;

pub use decide::decided;
pub use encode::{encode, encode_by, encode_text};
pub use extract::{Extracted, TRUNCATED, finish, marker};
pub use filter::{Interval, Predicate, Strings, points, predicates, truthy};
pub use spec::{KeyField, KeySpec};
pub use wildcard::{Choice, Wildcard, is_wildcard, path_marker};

/// The component of a text index for a word.
#[must_use]
pub fn text_component(term: &str) -> Vec<u8> {
    let mut out = vec![crate::compare::bracket(crate::raw::ty::STRING)];
    encode_text(&mut out, term.as_bytes());
    out
}

/// Longest key stored, in bytes. PostgreSQL's btree takes entries up to a third of a page (2704 bytes with headers).
pub const MAX_KEY: usize = 2048;

/// Component of a field that is missing or null.
pub const NULL: u8 = 5;

/// Component of an empty array: MongoDB indexes it as undefined, which sorts before null.
pub const EMPTY_ARRAY: u8 = 4;
