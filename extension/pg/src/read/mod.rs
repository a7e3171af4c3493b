//! Reads: find, aggregate, getMore, count, distinct, the lists. None of them writes, so they all run on a standby.
//!
//! | file | holds |
//! |---|---|
//! | `find`, `more`, `count`, `distinct` | the commands |
//! | `spec` | their fields |
//! | `walk` | documents of a collection: filtered, ordered, projected, from a place on |
//! | `pipeline`, `host`, `output`, `statistics` | aggregations: over views and collections, and what stages reach beyond |
//! | `page` | the reply under construction |
//! | `cursor`, `spool`, `held` | how a cursor goes on: the continuation, files, results held by the backend |
//! | `sorter` | PostgreSQL's sort over documents |

mod aggregate;
mod count;
mod cursor;
mod distinct;
mod find;
mod gone;
mod held;
mod host;
mod lists;
mod more;
mod output;
mod page;
mod pipeline;
mod sorter;
mod spec;
mod spool;
mod srf;
mod statistics;
mod tail;
mod walk;

pub use aggregate::{run_of, run_of_find};
pub use count::{parse as parse_count, reply as count_reply};
pub use distinct::{parts as distinct_parts, reply as distinct_reply};
pub use lists::index_entry;
pub use pipeline::Run;
pub use spec::{Aggregate, Find};
pub use spool::random;
pub use srf::{collected, found};
pub use walk::{Opened, Parsed, now};
