//! One PostgreSQL node as configured.
use std::fmt;
use std::path::PathBuf;

use super::pg_url::{self, Fallback};

/// One PostgreSQL node, or a host list that leads to it.
#[derive(Debug, Clone)]
pub struct PgTarget {
    /// For logs and metrics: `primary`, `standby-0`, …
    pub name: String,
    /// How to connect; its Debug form hides the password.
    pub postgres: tokio_postgres::Config,
    /// What TLS to it is like.
    pub tls: PgTls,
    /// Where the URL came from, if that was a file, so that it can be read again.
    pub(super) file: Option<(PathBuf, Fallback)>,
}

/// `sslmode` of libpq, the laxer ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum PgTlsMode {
    /// No TLS.
    Disable,
    /// TLS if the server has it (`allow`, `prefer`).
    #[default]
    Prefer,
    /// TLS, whoever the server is; with a root certificate as `VerifyCa`.
    Require,
    /// TLS with a certificate of a known authority.
    VerifyCa,
    /// And with the name of the host.
    VerifyFull,
}

/// TLS to a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PgTls {
    /// How strict.
    pub mode: PgTlsMode,
    /// PEM file of authorities; `system` or none: the system's.
    pub root: Option<PathBuf>,
    /// PEM file of the client's certificate.
    pub cert: Option<PathBuf>,
    /// PEM file of its key.
    pub key: Option<PathBuf>,
}

impl PgTarget {
    /// A node that is reached as this says.
    pub fn new(name: impl Into<String>, postgres: tokio_postgres::Config) -> Self {
        Self { name: name.into(), postgres, tls: PgTls::default(), file: None }
    }

    /// How to connect now: a URL from a file is read again, and a file that is not usable changes nothing.
    pub fn now(&self) -> (tokio_postgres::Config, PgTls) {
        let again = self.file.as_ref().and_then(|(path, fallback)| {
            let content = std::fs::read_to_string(path).ok()?;
            let parsed = pg_url::parse(content.trim(), fallback);
            Some((parsed.postgres?, parsed.tls))
        });
        again.unwrap_or_else(|| (self.postgres.clone(), self.tls.clone()))
    }
}

impl fmt::Display for PgTarget {
    /// Name, user, hosts and database; never the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let postgres = &self.postgres;
        write!(f, "{} {}@", self.name, postgres.get_user().unwrap_or_default())?;
        for (n, host) in postgres.get_hosts().iter().enumerate() {
            let host = match host {
                tokio_postgres::config::Host::Tcp(host) => host.clone(),
                tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
            };
            let port = postgres.get_ports().get(n).copied().unwrap_or_default();
            write!(f, "{}{host}:{port}", if n == 0 { "" } else { "," })?;
        }
        write!(f, "/{}", postgres.get_dbname().unwrap_or_default())
    }
}
