//! Rows of data tables through the table and index access methods, without parser, planner and executor.
//!
//! Everything is PostgreSQL's own beneath: WAL, MVCC, locks, vacuum. What is skipped is only the way there; so what the
//! executor would have checked is checked here: privileges, read-only transactions ([`crate::guard`]).

mod hot;
mod key;
mod keys;
mod scan;
mod skim;
mod table;
mod writer;

pub use key::Key;
pub use keys::{KeyScan, Piece, first_key};
pub use scan::{Row, Scan, Tid};
pub use skim::Skim;
pub use table::{Access, Table};
pub use writer::{Change, NewRow, Writer};
