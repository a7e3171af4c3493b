//! The types bson, bsonsequence and bsonquery of schema `documentdb_core` (sql-api.md 2).
//!
//! A value of these types is always well-formed: input, receive and the casts from bytea check in depth, and every
//! function that makes one makes a good one. So nothing behind them checks again. (The official extension's bytea cast
//! checks nothing; bytes that are not BSON are refused here.)

mod access;
mod filter;
mod io;
pub mod json;
mod order;
mod sequence;

pub use access::{bson_type, wrap};
pub use sequence::documents;

use crate::error::{Error, Result};

/// Checks in depth that `bytes` are one document.
pub fn check(bytes: &[u8]) -> Result<()> {
    engine::raw::validate(bytes).map_err(|_| invalid())
}

fn invalid() -> Error {
    Error::native(b"M0001", "invalid input syntax for BSON")
}
