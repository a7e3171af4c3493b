//! The configuration: read as text, checked as a whole, then only typed values.
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// What a listener stands for. Decides which node reads go to and whether writes are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Reads and writes on the primary.
    Primary,
    /// Reads on a standby; writes are refused.
    Secondary,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        })
    }
}

/// Everything the process needs to know, checked. Passed as `Arc<Config>`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where clients connect.
    pub listeners: Vec<Listener>,
    /// The PostgreSQL primary. None: only a secondary endpoint is served.
    pub primary: Option<PgTarget>,
    /// The PostgreSQL standbys, tried in turn.
    pub standbys: Vec<PgTarget>,
    /// Sizes and waits of the connection pools.
    pub pool: Pool,
    /// Limits on clients, cursors and requests.
    pub limits: Limits,
    /// False: commands run without login (as the pool's PostgreSQL user).
    pub auth: bool,
    /// What the process writes to its log.
    pub log: Log,
}

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// What clients of this address get.
    pub endpoint: Endpoint,
    /// The address.
    pub address: Address,
}

/// A place to listen or to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A name or an IP address (empty: all interfaces) and a port (0: any free one).
    Tcp {
        /// Without brackets, also for IPv6.
        host: String,
        /// The port.
        port: u16,
    },
    /// Path of a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// One PostgreSQL node, or a host list that leads to it.
#[derive(Debug, Clone)]
pub struct PgTarget {
    /// For logs and metrics: `primary`, `standby-0`, …
    pub name: String,
    /// How to connect; its Debug form hides the password.
    pub postgres: tokio_postgres::Config,
}

/// Connection pools; every number is per node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Connections for requests.
    pub max_connections: NonZeroUsize,
    /// Connections that open cursors may hold, beside `max_connections`.
    pub max_cursor_connections: NonZeroUsize,
    /// How long a request waits for a free connection before it fails.
    pub wait_timeout: Duration,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How often an idle node is asked for its role and health.
    pub health_interval: Duration,
}

/// Limits on what clients can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Client connections over all listeners; one more is closed at once.
    pub max_client_connections: NonZeroUsize,
    /// An idle cursor is closed after this time.
    pub cursor_timeout: Duration,
    /// A session, with its cursors, ends after this time without use.
    pub session_timeout: Duration,
}

/// Logging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A tracing filter: a level, or directives such as `info,ermine::server=debug`.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line per event.
    Text,
    /// One JSON object per event.
    Json,
}
