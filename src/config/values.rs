//! The configuration as typed values.
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::target::PgTarget;
use super::tls::{TlsFiles, TlsMode, X509Users};
use super::version::ServerVersion;

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
    /// Where metrics and probes are served over HTTP; None: nowhere.
    pub debug: Option<Address>,
    /// The certificate of those listeners that speak TLS; None if none does.
    pub tls: Option<TlsFiles>,
    /// Which users may log in with a client certificate.
    pub x509_users: X509Users,
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
    /// The version of MongoDB that clients are told.
    pub server_version: ServerVersion,
    /// Commands that take longer are logged; none: no command is.
    pub slow_command_threshold: Option<Duration>,
    /// Users may do what their roles allow; false: everything.
    pub roles: bool,
    /// What the process writes to its log.
    pub log: Log,
    /// What it sends to an OpenTelemetry collector.
    pub otel: Otel,
}

/// Traces and metrics by OTLP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Otel {
    /// Where traces go; None: none are made.
    pub traces_url: Option<String>,
    /// Where metrics go; None: none are sent.
    pub metrics_url: Option<String>,
    /// How often metrics go there.
    pub metrics_interval: Duration,
    /// `service.name`.
    pub service_name: String,
}

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// What clients of this address get.
    pub endpoint: Endpoint,
    /// The address.
    pub address: Address,
    /// Whether its clients speak TLS.
    pub tls: TlsMode,
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

/// Connection pools; every number is per node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Connections for requests.
    pub max_connections: NonZeroUsize,
    /// Connections that open cursors may hold, beside `max_connections`.
    pub max_cursor_connections: NonZeroUsize,
    /// An idle connection that is older is closed; None: none is.
    pub max_lifetime: Option<Duration>,
    /// A connection that was not used for so long is closed; None: none is.
    pub max_idle: Option<Duration>,
    /// How long a request waits for a free connection before it fails.
    pub wait_timeout: Duration,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How often an idle node is asked for its role and health.
    pub health_interval: Duration,
    /// Whether statements of users run as their own roles.
    pub run_as_user: RunAsUser,
}

/// Whether statements of users run as their own roles of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAsUser {
    /// Where the URL's role may act as the user's.
    Auto,
    /// Else the statement is refused.
    Required,
    /// They run as the URL's role.
    Off,
}

/// Limits on what clients can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Client connections over all listeners; one more is closed at once.
    pub max_client_connections: NonZeroUsize,
    /// The first message has to be there after this time.
    pub handshake_timeout: Duration,
    /// A client that says nothing for longer is disconnected; None: never, once it has logged in.
    pub idle_timeout: Option<Duration>,
    /// A standby that is further behind makes its endpoint not ready.
    pub max_standby_lag: Option<Duration>,
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
