//! Collections, views and databases as objects: create, drop, rename, change.

mod capped;
mod case;
mod coll_mod;
mod create;
mod drop;
mod lock;
mod options;
mod rename;
mod shard;
mod storage;
mod table;
mod version;
mod view;

pub use lock::one as lock;
pub use table::{AsAdmin, ensure};

use engine::Code;

use crate::error::Error;

/// An error with MongoDB's code.
fn fail(code: Code, message: impl Into<String>) -> Error {
    engine::Error::new(code, message).into()
}
