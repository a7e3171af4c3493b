//! Collections, views and databases as objects: create, drop, rename, change.

mod table;
mod version;

pub use table::ensure;
