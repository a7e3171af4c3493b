//! A local PostgreSQL primary with streaming hot standbys and the extension in them: the one piece of code
//! behind `make run`, the tests and the benchmarks.
//!
//! ```no_run
//! # fn main() -> ermine_cluster::Result<()> {
//! use ermine_cluster::{Cluster, Extension};
//! let cluster = Cluster::builder().extension(Extension::of_this_tree()?).standbys(2).log_statements().start()?;
//! let mark = cluster.standby().log_mark();
//! // … talk to cluster.primary().url() and cluster.standby().url() …
//! cluster.wait_replayed()?;
//! assert!(mark.ran("documentdb_api.find_cursor_first_page"));
//! cluster.standby().kill()?;
//! cluster.standby().start()?;
//! # Ok(()) }
//! ```
//!
//! Nothing is installed outside the cluster's own directory, and everything is stopped and removed however the
//! process ends. All waiting is for a condition, with an end.

mod account;
mod cluster;
mod control;
mod error;
mod install;
mod log;
mod node;
mod ports;
mod proxy;
pub mod run;
mod watchdog;

pub use cluster::{Builder, Cluster, Login};
pub use error::{Error, Result};
pub use install::{Extension, build_extension};
pub use log::LogMark;
pub use node::{Node, Stop};
pub use ports::{free_port, is_free};
pub use proxy::Proxy;
