//! Reads: find, aggregate, getMore, count, distinct, the lists. None of them writes, so they all run on a standby.
//!
//! | file | holds |
//! |---|---|
//! | `find`, `more`, `count`, `distinct` | the commands |
//! | `spec` | their fields |
//! | `walk` | documents of a collection: filtered, ordered, projected, from a place on |
//! | `page` | the reply under construction |
//! | `cursor`, `spool`, `held` | how a cursor goes on: the continuation, files, results held by the backend |
//! | `sorter` | PostgreSQL's sort over documents |

mod count;
mod cursor;
mod distinct;
mod find;
mod held;
mod lists;
mod more;
mod page;
mod sorter;
mod spec;
mod spool;
mod walk;

pub use lists::index_entry;
pub use sorter::Sorter;
