//! The check that makes typed values of the settings as they were given.
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::keys::Key;
use super::pg_url::{self, Fallback};
use super::raw::{Problems, Raw};
use super::target::PgTarget;
use super::tls::{ClientCertificates, TlsFiles, TlsMode, X509Users};
use super::units::{self, Expected};
use super::values::{Address, Config, Endpoint, Limits, Listener, Log, LogFormat, Otel, Pool, RunAsUser};
use super::version::{self, ServerVersion};

/// A usable configuration, with remarks for the log: settings that were given and have no effect.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The configuration.
    pub config: Config,
    /// One sentence each, without secrets.
    pub notes: Vec<String>,
    /// What is wrong with the addresses of PostgreSQL. The process starts and tells clients that it can't reach its
    /// storage: in a pod a restart would not help, and a URL from a file can be corrected (deployment.md 1.9).
    pub faults: Problems,
}

/// Checks all settings. Reads the file of `postgresql_url_file` and nothing else.
///
/// # Errors
/// Every problem there is, not only the first.
pub fn check(raw: Raw) -> Result<Checked, Problems> {
    let mut check = Check { raw };
    let mut pool = Pool {
        max_connections: check.get("pool_max_connections", units::count).unwrap_or(NonZeroUsize::MIN),
        max_cursor_connections: check
            .get("pool_max_cursor_connections", units::count)
            .unwrap_or(NonZeroUsize::MIN),
        max_lifetime: check.get("pool_max_lifetime", units::duration_or_off).flatten(),
        max_idle: check.get("pool_max_idle_time", units::duration_or_off).flatten(),
        wait_timeout: check.get("pool_wait_timeout", units::duration).unwrap_or_default(),
        connect_timeout: check.get("pool_connect_timeout", units::duration).unwrap_or_default(),
        health_interval: check.get("pool_health_interval", units::duration).unwrap_or_default(),
        run_as_user: check.get("run_as_user", units::run_as_user).unwrap_or(RunAsUser::Auto),
    };
    let limits = Limits {
        max_client_connections: check
            .get("max_client_connections", units::count)
            .unwrap_or(NonZeroUsize::MIN),
        handshake_timeout: check.get("handshake_timeout", units::duration).unwrap_or_default(),
        idle_timeout: check.get("idle_timeout", units::duration),
        max_standby_lag: check.get("max_standby_lag", units::duration),
        cursor_timeout: check.get("cursor_timeout", units::duration).unwrap_or_default(),
        session_timeout: check.get("session_timeout", units::duration).unwrap_or_default(),
    };
    let auth = check.get("auth", units::boolean).unwrap_or(true);
    let roles = check.get("roles", units::boolean).unwrap_or(true);
    if !roles && pool.run_as_user == RunAsUser::Required {
        check.bad("run_as_user", "is required, but roles are off");
    }
    let server_version = check.get("server_version", version::server_version).unwrap_or(ServerVersion::V8);
    let slow_command_threshold = check.get("slow_command_threshold", units::duration_or_off).flatten();
    let log = check.log();
    let otel = Otel {
        traces_url: check.get("otel_traces_url", units::http_url).flatten(),
        metrics_url: check.get("otel_metrics_url", units::http_url).flatten(),
        metrics_interval: check.get("otel_metrics_interval", units::duration).unwrap_or_default(),
        service_name: check.text("otel_service_name").unwrap_or_default(),
    };
    let (primary, standbys) = check.targets(&mut pool);
    let listeners = check.listeners(primary.is_some(), !standbys.is_empty());
    let tls = check.tls_files(&listeners);
    let x509_users = check.x509_users(tls.as_ref());
    let debug = check.get("debug_addr", units::tcp_address).flatten();
    let config = Config {
        listeners,
        debug,
        tls,
        x509_users,
        primary,
        standbys,
        pool,
        limits,
        auth,
        server_version,
        slow_command_threshold,
        roles,
        log,
        otel,
    };
    check.raw.finish(config).map(|(config, notes, faults)| Checked { config, notes, faults })
}

struct Check {
    raw: Raw,
}

impl Check {
    /// The value of a setting, if there is one and it is good; a bad one becomes a problem.
    fn get<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, Expected>) -> Option<T> {
        let key = Key::find(name)?;
        match parse(self.raw.text(key)?) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.raw.bad(key, expected);
                None
            }
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        self.raw.text(Key::find(name)?).map(str::to_owned)
    }

    fn bad(&mut self, name: &str, message: impl fmt::Display) {
        if let Some(key) = Key::find(name) {
            self.raw.bad(key, message);
        }
    }

    fn log(&mut self) -> Log {
        let filter = self.get("log_level", |text| {
            let text = text.to_lowercase();
            // A word alone would be taken for a target.
            let level = |part: &str| part.parse::<tracing::level_filters::LevelFilter>().is_ok();
            let directive = |part: &str| level(part.rsplit_once('=').map_or(part, |(_, level)| level));
            let targets = text.parse::<tracing_subscriber::filter::Targets>();
            if targets.is_ok() && text.split(',').all(directive) {
                Ok(text)
            } else {
                Err("expected a level such as info, or directives")
            }
        });
        let format = self.get("log_format", |text| match text.to_lowercase().as_str() {
            "text" | "console" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err("expected text, console or json"),
        });
        Log { filter: filter.unwrap_or_default(), format: format.unwrap_or(LogFormat::Text) }
    }

    fn listeners(&mut self, primary: bool, standbys: bool) -> Vec<Listener> {
        let problems_before = self.raw.problem_count();
        let mut listeners: Vec<Listener> = Vec::new();
        let mode = self.get("tls_mode", units::tls_mode).unwrap_or(TlsMode::Off);
        let tcp: fn(&str) -> _ = units::tcp_address;
        let all = [
            ("listen_addr", Endpoint::Primary, tcp, mode),
            ("listen_unix", Endpoint::Primary, units::unix_address, TlsMode::Off),
            ("listen_tls", Endpoint::Primary, tcp, TlsMode::Required),
            ("secondary_listen_addr", Endpoint::Secondary, tcp, mode),
            ("secondary_listen_unix", Endpoint::Secondary, units::unix_address, TlsMode::Off),
            ("secondary_listen_tls", Endpoint::Secondary, tcp, TlsMode::Required),
        ];
        for (name, endpoint, parse, tls) in all {
            let Some(Some(address)) = self.get(name, parse) else { continue };
            let any_port = matches!(address, Address::Tcp { port: 0, .. });
            if !any_port && listeners.iter().any(|other| other.address == address) {
                self.bad(name, "another listener has the same address");
            }
            match endpoint {
                Endpoint::Primary if !primary && !self.raw.is_given("postgresql_url") => {
                    self.bad(
                        name,
                        "the primary endpoint needs postgresql_url (or - to turn the endpoint off)",
                    );
                }
                Endpoint::Secondary if !standbys && !self.raw.is_given("postgresql_standby_url") => {
                    self.bad(name, "the secondary endpoint needs postgresql_standby_url");
                }
                _ => {}
            }
            listeners.push(Listener { endpoint, address, tls });
        }
        if listeners.is_empty() && self.raw.problem_count() == problems_before {
            self.bad("listen_addr", "every listener is turned off");
        }
        listeners
    }

    /// The files, if a listener needs them. They are read when the server starts.
    fn tls_files(&mut self, listeners: &[Listener]) -> Option<TlsFiles> {
        let client_certificates = self.get("tls_client_certificates", |text| match text {
            "required" => Ok(ClientCertificates::Required),
            "requested" => Ok(ClientCertificates::Requested),
            _ => Err("expected required or requested"),
        });
        let path = |check: &Self, name| check.text(name).map(PathBuf::from);
        let (cert, key) = (path(self, "listen_tls_cert_file"), path(self, "listen_tls_key_file"));
        let ca = path(self, "listen_tls_ca_file");
        if listeners.iter().all(|listener| listener.tls == TlsMode::Off) {
            if cert.is_some() || key.is_some() || ca.is_some() {
                self.raw.note(
                    "there are TLS files, but no listener for TLS: see listen_tls and tls_mode".to_owned(),
                );
            }
            return None;
        }
        if listeners.iter().any(|l| l.tls == TlsMode::Off && matches!(l.address, Address::Tcp { .. })) {
            self.raw.note(
                "clients can connect without TLS as well: `-` turns listen_addr off, tls_mode closes it to them"
                    .to_owned(),
            );
        }
        for (name, file) in [("listen_tls_cert_file", &cert), ("listen_tls_key_file", &key)] {
            if file.is_none() {
                self.bad(name, "is missing, and a listener for TLS needs it");
            }
        }
        Some(TlsFiles { cert: cert?, key: key?, ca, client_certificates: client_certificates? })
    }

    /// Who logs in with a certificate, which somebody has to have checked.
    fn x509_users(&mut self, tls: Option<&TlsFiles>) -> X509Users {
        let users = self.get("certificate_users", |text| match text {
            "off" => Ok(X509Users::Off),
            "subject" => Ok(X509Users::Subject),
            "cn" => Ok(X509Users::CommonName),
            _ => Err("expected off, subject or cn"),
        });
        let users = users.unwrap_or(X509Users::Off);
        if users != X509Users::Off && tls.is_none_or(|tls| tls.ca.is_none()) {
            self.bad("certificate_users", "needs a listener for TLS and listen_tls_ca_file");
        }
        users
    }

    fn targets(&mut self, pool: &mut Pool) -> (Option<PgTarget>, Vec<PgTarget>) {
        let fallback = Fallback {
            user: self.text("pg_user"),
            password: self.text("pg_password"),
            connect_timeout: pool.connect_timeout,
        };
        let (url, file) = self.primary_url();
        let primary =
            url.map(|url| self.target("postgresql_url", "primary".to_owned(), &url, &fallback, Some(pool)));
        let primary = primary
            .map(|target| PgTarget { file: file.map(|path| (path.into(), fallback.clone())), ..target });
        let standbys = self.text("postgresql_standby_url").unwrap_or_default();
        let standbys = standbys
            .split_whitespace()
            .enumerate()
            .map(|(n, url)| {
                self.target("postgresql_standby_url", format!("standby-{n}"), url, &fallback, None)
            })
            .collect();
        (primary, standbys)
    }

    /// The URL, and the file that it came from.
    fn primary_url(&mut self) -> (Option<String>, Option<String>) {
        if let Some(path) = self.text("postgresql_url_file") {
            match std::fs::read_to_string(&path) {
                Ok(content) if !content.trim().is_empty() => {
                    return (Some(content.trim().to_owned()), Some(path));
                }
                Ok(_) => {}
                Err(error) => self.bad("postgresql_url_file", format_args!("can't be read: {error}")),
            }
        }
        (self.text("postgresql_url"), None)
    }

    fn target(
        &mut self,
        key: &str,
        name: String,
        url: &str,
        fallback: &Fallback,
        pool: Option<&mut Pool>,
    ) -> PgTarget {
        let parsed = pg_url::parse(url, fallback);
        for problem in parsed.problems {
            if let Some(key) = Key::find(key) {
                self.raw.fault(key, problem);
            }
        }
        for note in parsed.notes {
            self.raw.note(format!("{key}: {note}"));
        }
        if let Some(pool) = pool {
            if let (Some(max), false) =
                (parsed.pool_max_connections, self.raw.is_given("pool_max_connections"))
            {
                pool.max_connections = max;
            }
            if let (Some(time), false) = (parsed.pool_max_lifetime, self.raw.is_given("pool_max_lifetime")) {
                pool.max_lifetime = Some(time);
            }
            if let (Some(time), false) = (parsed.pool_max_idle, self.raw.is_given("pool_max_idle_time")) {
                pool.max_idle = Some(time);
            }
        }
        // An address without a host is one that nobody can reach.
        PgTarget { tls: parsed.tls, ..PgTarget::new(name, parsed.postgres.unwrap_or_default()) }
    }
}
