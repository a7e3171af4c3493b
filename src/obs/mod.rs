//! What the process writes to its log: set-up of tracing. Lines go to standard error.
//!
//! Levels: `info` for the life of the process and of connections, `warn` for what an operator should look into,
//! `debug` for requests and for everything a client can cause by a mistake of its own.
pub mod metrics;
pub mod operation;
pub mod profile;
pub mod trace;
pub mod usage;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, LogFormat};

/// PostgreSQL's notices ("creating collection") come at info; a directive of the setting for the same target wins.
const BELOW: &str = "tokio_postgres=warn";

/// Starts logging for the whole process. A second call changes nothing.
pub fn start(log: &Log) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::builder().parse_lossy(format!("{BELOW},{}", log.filter)))
        .with_writer(std::io::stderr);
    // The only error is that a subscriber is set already.
    let _ = match log.format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
}
