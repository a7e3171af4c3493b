//! Document semantics in pure Rust: what a BSON value is, how values compare, which documents match a filter,
//! what an update does. No PostgreSQL here: the extension's glue in `../pg` calls this crate.
//!
//! `raw` (borrowed) and `value` (owned) are the two forms of BSON, `compare` is MongoDB's order, `codes` and
//! `error` are what goes wrong. Everything else builds on these.
#![forbid(unsafe_code)]

mod accumulator;
pub mod codes;
pub mod collation;
pub mod compare;
pub mod decimal;
pub mod display;
pub mod distinct;
pub mod error;
pub mod expr;
pub mod extjson;
pub mod geo;
pub mod hash;
pub mod interrupt;
pub mod key;
pub mod meta;
pub mod number;
mod operand;
pub mod path;
pub mod project;
pub mod query;
pub mod raw;
pub mod sort;
pub mod stage;
pub mod text;
pub mod update;
pub mod value;

pub use codes::Code;
pub use error::{Error, Result};
pub use raw::{Doc, Elem, Val, View};
pub use value::{ArrayWriter, DocWriter, Value};
