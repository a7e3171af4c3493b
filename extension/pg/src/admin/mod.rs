//! Administration: users and their SCRAM verifiers, sizes of databases and collections, running operations.
//!
//! None of it is on a hot path, so it asks PostgreSQL's own catalogs through SPI.

mod ops;
mod privileges;
mod roles;
mod scram;
mod spi;
pub mod stats;
mod users;
mod validate;

use crate::error::Error;
use engine::raw::ty;
use engine::{Val, codes};

/// MongoDB's truth of an option: false and zero are false, other booleans and numbers true, the rest false.
fn is_true(v: Val<'_>) -> bool {
    match v.ty {
        ty::BOOL => v.as_bool().unwrap_or(false),
        _ => v.is_number() && !engine::compare::values(v, Val { ty: ty::INT32, bytes: &[0; 4] }).is_eq(),
    }
}

/// TypeMismatch, as the SQL surface words it; `expected` is `type 'string'` or `types '[…]'`.
fn wrong_type(field: &str, v: Val<'_>, expected: &str) -> Error {
    let message = format!("BSON field '{field}' is the wrong type '{}', expected {expected}", v.type_name());
    engine::Error::new(codes::TYPE_MISMATCH, message).into()
}
