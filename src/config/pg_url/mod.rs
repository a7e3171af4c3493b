//! PostgreSQL URLs. An own parser, because the URLs that operators generate hold passwords unencoded, with `@`,
//! `;`, `'` and others in them (deployment.md 1.9): the user ends at the first `:`, the password at the last `@`
//! before the path.
//!
//! No message repeats a part of the URL, except the name of a parameter.
use std::fmt::Display;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{ChannelBinding, Config, LoadBalanceHosts, SslMode, TargetSessionAttrs};

use super::target::{PgTls, PgTlsMode};
use super::units;

/// What the application calls itself to PostgreSQL unless the URL says otherwise.
const APPLICATION_NAME: &str = "ermine";
const DEFAULT_PORT: u16 = 5432;
/// How long nothing comes before the server is asked whether it is still there, how long between questions, how many of them.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;
/// How long what was sent may stay without an acknowledgement.
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// What a URL may leave out.
#[derive(Debug, Clone)]
pub(in crate::config) struct Fallback {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) connect_timeout: Duration,
}

/// What a URL says.
#[derive(Debug)]
pub(super) struct Parsed {
    /// None if there are problems.
    pub(super) postgres: Option<Config>,
    /// FerretDB's `pool_max_conns`.
    pub(super) pool_max_connections: Option<NonZeroUsize>,
    /// FerretDB's `pool_max_conn_lifetime`.
    pub(super) pool_max_lifetime: Option<Duration>,
    /// FerretDB's `pool_max_conn_idle_time`.
    pub(super) pool_max_idle: Option<Duration>,
    /// `sslmode` and its files.
    pub(super) tls: PgTls,
    pub(super) problems: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// Reads a URL, collecting everything that is wrong with it.
pub(super) fn parse(url: &str, fallback: &Fallback) -> Parsed {
    let mut parser = Parser::default();
    // A server that vanished without a word is noticed after about a minute, whatever the system's own patience is.
    parser.config.keepalives_idle(KEEPALIVE_IDLE);
    parser.config.keepalives_interval(KEEPALIVE_INTERVAL);
    parser.config.keepalives_retries(KEEPALIVE_RETRIES);
    parser.config.tcp_user_timeout(USER_TIMEOUT);
    parser.url(url);
    parser.finish(fallback)
}

#[derive(Debug, Default)]
struct Parser {
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
    hosts: Vec<(String, u16)>,
    options: Vec<String>,
    connect_timeout: Option<Duration>,
    /// Settings that go to the configuration as they are.
    config: Config,
    application_name: Option<String>,
    tls: PgTls,
    channel_binding: Option<ChannelBinding>,
    pool_max_connections: Option<NonZeroUsize>,
    pool_max_lifetime: Option<Duration>,
    pool_max_idle: Option<Duration>,
    problems: Vec<String>,
    notes: Vec<String>,
}

impl Parser {
    fn problem(&mut self, text: impl Display) {
        self.problems.push(text.to_string());
    }

    fn decode(&mut self, text: &str, what: &str) -> String {
        let bytes = text.as_bytes();
        let broken = bytes.iter().enumerate().any(|(at, byte)| {
            *byte == b'%'
                && !bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
        });
        match percent_decode_str(text).decode_utf8() {
            Ok(text) if !broken => text.into_owned(),
            _ => {
                self.problem(format_args!("the percent-encoding of the {what} is broken"));
                String::new()
            }
        }
    }

    fn url(&mut self, url: &str) {
        let Some(rest) = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://")) else {
            return self.problem("expected a URL that begins with postgres:// or postgresql://");
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains('@') && !authority.contains('@') {
            self.problem("a / or ? in the user or the password must be written %2F or %3F");
        }
        let hosts = match authority.rsplit_once('@') {
            Some((userinfo, hosts)) => {
                self.userinfo(userinfo);
                hosts
            }
            None => authority,
        };
        if path.contains('@') {
            self.problem("a / or ? in the user or the password must be written %2F or %3F");
        }
        self.hosts(hosts);
        let database = path.strip_prefix('/').unwrap_or(path);
        if !database.is_empty() {
            self.database = Some(self.decode(database, "database name"));
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = self.decode(name, "parameters");
            let value = self.decode(value, "parameters");
            if let Err(expected) = self.parameter(&name, &value) {
                self.problem(format_args!("parameter {name}: {expected}"));
            }
        }
    }

    fn userinfo(&mut self, userinfo: &str) {
        let (user, password) = match userinfo.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (userinfo, None),
        };
        if !user.is_empty() {
            self.user = Some(self.decode(user, "user"));
        }
        if let Some(password) = password {
            self.password = Some(self.decode(password, "password"));
        }
    }

    /// `host:port,host:port`; a host can be `[ipv6]` or the encoded path of a directory with a Unix socket.
    fn hosts(&mut self, hosts: &str) {
        for host in hosts.split(',').filter(|host| !host.is_empty()) {
            let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                Some((name, port)) => (name, port.strip_prefix(':').or((!port.is_empty()).then_some("?"))),
                None => host.rsplit_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
            };
            let port = match port {
                None | Some("") => Some(DEFAULT_PORT),
                Some(port) => port.parse().ok(),
            };
            let name = self.decode(name, "host");
            match port {
                Some(port) if !name.is_empty() && (name.starts_with('/') || !name.contains(' ')) => {
                    self.hosts.push((name, port));
                }
                Some(_) => self.problem("a host name is missing or not usable"),
                None => self.problem("a port is not a number from 0 to 65535"),
            }
        }
    }

    /// The parameters of libpq's URLs, and those of pgx that FerretDB's users know.
    fn parameter(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        const SECONDS: &str = "expected a number of seconds";
        let seconds = |value: &str| value.parse().map(Duration::from_secs).map_err(|_| SECONDS);
        // As libpq has it, 0 stands for what the system does by itself.
        let system = |time: Duration, otherwise: u64| {
            if time.is_zero() { Duration::from_secs(otherwise) } else { time }
        };
        match name {
            "user" => self.user = Some(value.to_owned()),
            "password" => self.password = Some(value.to_owned()),
            "dbname" => self.database = Some(value.to_owned()),
            "host" => self.hosts.extend(value.split(',').map(|host| (host.to_owned(), DEFAULT_PORT))),
            "port" => {
                let port = value.parse().map_err(|_| "expected a port number")?;
                self.hosts.iter_mut().for_each(|host| host.1 = port);
            }
            "sslmode" => {
                self.tls.mode = match value {
                    "disable" => PgTlsMode::Disable,
                    "allow" | "prefer" => PgTlsMode::Prefer,
                    "require" => PgTlsMode::Require,
                    "verify-ca" => PgTlsMode::VerifyCa,
                    "verify-full" => PgTlsMode::VerifyFull,
                    _ => return Err("is no mode of libpq"),
                };
            }
            "sslrootcert" => self.tls.root = path(value),
            "sslcert" => self.tls.cert = path(value),
            "sslkey" => self.tls.key = path(value),
            "sslcrl" | "sslpassword" | "sslnegotiation" => return Err("is not supported"),
            "connect_timeout" => self.connect_timeout = Some(seconds(value)?).filter(|time| !time.is_zero()),
            "application_name" => self.application_name = Some(value.to_owned()),
            "options" => self.options.push(value.to_owned()),
            "timezone" | "TimeZone" => {
                if !value.chars().all(|c| c.is_ascii_alphanumeric() || "/_+-:".contains(c)) {
                    return Err("is no time zone");
                }
                self.options.push(format!("-c timezone={value}"));
            }
            "target_session_attrs" => {
                self.config.target_session_attrs(match value {
                    "any" => TargetSessionAttrs::Any,
                    "read-write" => TargetSessionAttrs::ReadWrite,
                    "read-only" => TargetSessionAttrs::ReadOnly,
                    _ => return Err("expected any, read-write or read-only"),
                });
            }
            "load_balance_hosts" => {
                self.config.load_balance_hosts(match value {
                    "disable" => LoadBalanceHosts::Disable,
                    "random" => LoadBalanceHosts::Random,
                    _ => return Err("expected disable or random"),
                });
            }
            "channel_binding" => {
                self.channel_binding = Some(match value {
                    "disable" => ChannelBinding::Disable,
                    "prefer" => ChannelBinding::Prefer,
                    "require" => ChannelBinding::Require,
                    _ => return Err("expected disable, prefer or require"),
                });
            }
            "keepalives" => {
                self.config.keepalives(units::boolean(value)?);
            }
            "keepalives_idle" => {
                self.config.keepalives_idle(system(seconds(value)?, 7200));
            }
            "keepalives_interval" => {
                self.config.keepalives_interval(system(seconds(value)?, 75));
            }
            "keepalives_count" => {
                let retries = value.parse().map_err(|_| "expected a number")?;
                self.config.keepalives_retries(if retries == 0 { 9 } else { retries });
            }
            "tcp_user_timeout" => {
                let millis = value.parse().map_err(|_| "expected a number of milliseconds")?;
                self.config.tcp_user_timeout(Duration::from_millis(millis));
            }
            "pool_max_conns" => self.pool_max_connections = Some(units::count(value)?),
            "pool_max_conn_lifetime" => self.pool_max_lifetime = Some(units::duration(value)?),
            "pool_max_conn_idle_time" => self.pool_max_idle = Some(units::duration(value)?),
            "pool_min_conns"
            | "pool_min_idle_conns"
            | "pool_max_conn_lifetime_jitter"
            | "pool_health_check_period"
            | "statement_cache_capacity"
            | "description_cache_capacity"
            | "default_query_exec_mode" => {
                self.notes.push(format!("parameter {name} is ignored: the pools here have no such setting"));
            }
            _ => return Err("there is no such parameter"),
        }
        Ok(())
    }

    fn finish(mut self, fallback: &Fallback) -> Parsed {
        let user = self.user.take().or_else(|| fallback.user.clone());
        let password = self.password.take().or_else(|| fallback.password.clone());
        if self.tls.cert.is_some() != self.tls.key.is_some() {
            self.problem("sslcert and sslkey belong together");
        }
        if self.problems.is_empty() {
            if user.is_none() {
                self.problem("names no user, and pg_user is not set");
            }
            if self.hosts.is_empty() {
                self.problem("names no host");
            }
        }
        let mut postgres = self.config;
        postgres.ssl_mode(match self.tls.mode {
            PgTlsMode::Disable => SslMode::Disable,
            PgTlsMode::Prefer => SslMode::Prefer,
            PgTlsMode::Require | PgTlsMode::VerifyCa | PgTlsMode::VerifyFull => SslMode::Require,
        });
        postgres.channel_binding(self.channel_binding.unwrap_or(ChannelBinding::Prefer));
        postgres.application_name(self.application_name.as_deref().unwrap_or(APPLICATION_NAME));
        // Of several hosts each gets a part, so that all of them are reached in the time of one, even twice (pool/connection.rs).
        let parts = match u32::try_from(self.hosts.len()) {
            Ok(hosts @ 2..) => hosts.saturating_mul(2),
            _ => 1,
        };
        postgres.connect_timeout(self.connect_timeout.unwrap_or(fallback.connect_timeout / parts));
        for (host, port) in self.hosts {
            postgres.host(host);
            postgres.port(port);
        }
        if let Some(user) = user {
            postgres.user(user);
        }
        if let Some(password) = password {
            postgres.password(password);
        }
        if let Some(database) = self.database {
            postgres.dbname(database);
        }
        if !self.options.is_empty() {
            postgres.options(self.options.join(" "));
        }
        Parsed {
            postgres: self.problems.is_empty().then_some(postgres),
            pool_max_connections: self.pool_max_connections,
            pool_max_lifetime: self.pool_max_lifetime,
            pool_max_idle: self.pool_max_idle,
            tls: self.tls,
            problems: self.problems,
            notes: self.notes,
        }
    }
}

fn path(value: &str) -> Option<PathBuf> {
    (!value.is_empty()).then(|| PathBuf::from(value))
}

#[cfg(test)]
mod tests;
