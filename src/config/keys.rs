//! The settings there are, and the foreign ones that are understood.

/// One setting. Its flag is `--name-with-dashes`, its variable `ERMINE_NAME`, its key in the file `name`.
#[derive(Debug)]
pub struct Key {
    /// In snake case.
    pub name: &'static str,
    /// Text of the default; empty: none.
    pub default: &'static str,
    /// Also read from `FERRETDB_NAME`.
    pub ferretdb: bool,
    /// Never shown.
    pub secret: bool,
    /// Several values: an array in the file, separated by white space elsewhere.
    pub list: bool,
    /// One sentence or two for the user, without a full stop at the end of the last.
    pub help: &'static str,
}

const KEY: Key = Key { name: "", default: "", ferretdb: false, secret: false, list: false, help: "" };

/// Every setting, in the order of the documentation.
pub static KEYS: &[Key] = &[
    Key {
        name: "listen_addr",
        default: "127.0.0.1:27017",
        ferretdb: true,
        help: "Address of the primary endpoint, `host:port` or `:port` for all interfaces; `-` turns it off",
        ..KEY
    },
    Key {
        name: "listen_unix",
        ferretdb: true,
        help: "Path of a Unix socket for the primary endpoint; `-` turns it off",
        ..KEY
    },
    Key {
        name: "secondary_listen_addr",
        help: "Address of the secondary endpoint, which reads from the standbys and refuses writes; `-` turns it off",
        ..KEY
    },
    Key {
        name: "secondary_listen_unix",
        help: "Path of a Unix socket for the secondary endpoint; `-` turns it off",
        ..KEY
    },
    Key {
        name: "listen_tls",
        ferretdb: true,
        help: "Address of the primary endpoint for TLS alone; `-` turns it off",
        ..KEY
    },
    Key {
        name: "secondary_listen_tls",
        help: "Address of the secondary endpoint for TLS alone; `-` turns it off",
        ..KEY
    },
    Key {
        name: "tls_mode",
        default: "disabled",
        help: "What `listen_addr` and `secondary_listen_addr` speak: `disabled` (no TLS), `allowTLS` (both) or \
               `requireTLS`",
        ..KEY
    },
    Key {
        name: "debug_addr",
        default: "127.0.0.1:8088",
        ferretdb: true,
        help: "Address of the HTTP listener with `/debug/metrics`, `/debug/livez` and `/debug/readyz`; `-` turns it off",
        ..KEY
    },
    Key {
        name: "otel_traces_url",
        ferretdb: true,
        help: "Where an OpenTelemetry collector takes traces, such as `http://host:4318/v1/traces` (OTLP over HTTP); without \
               it none are made",
        ..KEY
    },
    Key {
        name: "otel_metrics_url",
        help: "Where an OpenTelemetry collector takes metrics, such as `http://host:4318/v1/metrics`; without it none are sent",
        ..KEY
    },
    Key {
        name: "otel_metrics_interval",
        default: "60s",
        help: "How often metrics are sent to the collector",
        ..KEY
    },
    Key {
        name: "otel_service_name",
        default: "ermine",
        ferretdb: true,
        help: "What the process is called in traces and metrics that it sends",
        ..KEY
    },
    Key {
        name: "max_standby_lag",
        help: "With a standby further behind, `/debug/readyz` says that its endpoint is not ready",
        ..KEY
    },
    Key {
        name: "listen_tls_cert_file",
        ferretdb: true,
        help: "PEM file of the server's certificate and its chain; read again when it changes",
        ..KEY
    },
    Key {
        name: "listen_tls_key_file",
        ferretdb: true,
        help: "PEM file of its private key: PKCS#8, PKCS#1 or SEC1, not encrypted",
        ..KEY
    },
    Key {
        name: "listen_tls_ca_file",
        ferretdb: true,
        help: "PEM file of the authorities for client certificates; without it none are asked for",
        ..KEY
    },
    Key {
        name: "tls_client_certificates",
        default: "required",
        help: "With a CA file, a client certificate is `required`, or only `requested` and checked if one comes",
        ..KEY
    },
    Key {
        name: "certificate_users",
        default: "off",
        help: "Whether clients can log in with their certificate alone (`MONGODB-X509`): `off`, as the user named as its whole \
               `subject` (RFC 2253, as in MongoDB; 63 bytes at most), or named as its `cn`",
        ..KEY
    },
    Key {
        name: "postgresql_url",
        ferretdb: true,
        secret: true,
        help: "The PostgreSQL primary: `postgres://user:password@host:port/database`. The password may stand there \
               unencoded",
        ..KEY
    },
    Key {
        name: "postgresql_url_file",
        ferretdb: true,
        help: "File that holds the URL of the primary; it overrides `postgresql_url` unless it is empty",
        ..KEY
    },
    Key {
        name: "postgresql_standby_url",
        secret: true,
        list: true,
        help: "The PostgreSQL standbys, one URL each",
        ..KEY
    },
    Key { name: "pg_user", ferretdb: true, help: "PostgreSQL user for URLs that name none", ..KEY },
    Key {
        name: "pg_password",
        ferretdb: true,
        secret: true,
        help: "PostgreSQL password for URLs that hold none",
        ..KEY
    },
    Key {
        name: "pool_max_connections",
        default: "20",
        help: "PostgreSQL connections for requests, per node",
        ..KEY
    },
    Key {
        name: "pool_max_cursor_connections",
        default: "10",
        help: "PostgreSQL connections that open cursors may hold, per node, in addition",
        ..KEY
    },
    Key {
        name: "pool_max_lifetime",
        default: "1h",
        help: "A PostgreSQL connection that is not in use and older than about this is closed, so that new ones follow a service \
               to its present servers; `-`: none is",
        ..KEY
    },
    Key {
        name: "pool_max_idle_time",
        default: "30m",
        help: "A PostgreSQL connection that was not used for this long is closed; `-`: none is",
        ..KEY
    },
    Key {
        name: "pool_wait_timeout",
        default: "5s",
        help: "How long a request waits for a free PostgreSQL connection before it fails",
        ..KEY
    },
    Key {
        name: "pool_connect_timeout",
        default: "5s",
        help: "How long opening a PostgreSQL connection may take, unless the URL says `connect_timeout`",
        ..KEY
    },
    Key {
        name: "pool_health_interval",
        default: "1s",
        help: "How often each node is asked for its health and role",
        ..KEY
    },
    Key {
        name: "max_client_connections",
        default: "10000",
        help: "Client connections over all listeners; one more is closed at once",
        ..KEY
    },
    Key {
        name: "handshake_timeout",
        default: "30s",
        help: "A client whose first message does not come within this time is disconnected",
        ..KEY
    },
    Key {
        name: "idle_timeout",
        help: "A client that sends nothing for longer is disconnected; without it only those that never log in, after 10m",
        ..KEY
    },
    Key {
        name: "cursor_timeout",
        default: "10m",
        help: "An idle cursor without a session is closed after this time",
        ..KEY
    },
    Key {
        name: "session_timeout",
        default: "30m",
        help: "A session ends, with its cursors, after this time without use",
        ..KEY
    },
    Key {
        name: "auth",
        default: "true",
        ferretdb: true,
        help: "Whether clients must log in; `false` lets everyone act as the PostgreSQL user of the URL",
        ..KEY
    },
    Key {
        name: "roles",
        default: "true",
        help: "Whether a user may do only what its roles allow; `false` gives everyone who logs in all rights",
        ..KEY
    },
    Key {
        name: "run_as_user",
        default: "auto",
        help: "Whether the SQL of a user runs as the user's own role of PostgreSQL: `auto` (where the role of the URL is a \
               superuser or may act as it), `required` (else the command is refused) or `off` (as the role of the URL)",
        ..KEY
    },
    Key {
        name: "server_version",
        default: "8.0",
        help: "The version of MongoDB that clients are told: `8.0`, or `7.0` for those that must not use bulkWrite",
        ..KEY
    },
    Key {
        name: "slow_command_threshold",
        default: "100ms",
        help: "Commands that take longer are logged, with their collection and without their values; `-`: none",
        ..KEY
    },
    Key {
        name: "log_level",
        default: "info",
        ferretdb: true,
        help: "`error`, `warn`, `info`, `debug` or `trace`, or directives as `info,ermine::server=debug`",
        ..KEY
    },
    Key {
        name: "log_format",
        default: "text",
        ferretdb: true,
        help: "`text` (also `console`) or `json`",
        ..KEY
    },
];

/// What becomes of a FerretDB setting that has no counterpart.
#[derive(Debug)]
pub enum Fate {
    /// Has no effect here, for this reason; the start log says so.
    Ignored(&'static str),
    /// Asks for something that is not there; the start is refused unless it is off (empty, `-`, a false value or
    /// the value given here).
    Refused(&'static str, &'static str),
}

/// A setting of FerretDB (peers.md A1.2) that is not ours.
#[derive(Debug)]
pub struct Foreign {
    /// In snake case; the variable is `FERRETDB_NAME`.
    pub name: &'static str,
    /// What becomes of it.
    pub fate: Fate,
}

const fn ignored(name: &'static str, why: &'static str) -> Foreign {
    Foreign { name, fate: Fate::Ignored(why) }
}

const fn refused(name: &'static str, harmless: &'static str, why: &'static str) -> Foreign {
    Foreign { name, fate: Fate::Refused(harmless, why) }
}

const NO_PROXY: &str = "forwarding to another MongoDB is not supported";
const NO_TELEMETRY: &str = "nothing is ever reported to anyone";

/// FerretDB's settings without a counterpart, sorted.
pub static FOREIGN: &[Foreign] = &[
    refused("dev_records_dir", "", "recording of client bytes is not supported"),
    refused("dev_repl_set_name", "", "presenting a replica set is not supported"),
    ignored("handler", "there is one handler"),
    refused("listen_data_api_addr", "", "the HTTP Data API is not supported"),
    refused("listen_mcp_addr", "", "the MCP server is not supported"),
    ignored("log_uuid", "log lines carry no instance id"),
    ignored("metrics_uuid", "metrics carry no instance id"),
    refused("mode", "normal", NO_PROXY),
    refused("proxy_addr", "", NO_PROXY),
    ignored("proxy_tls_ca_file", NO_PROXY),
    ignored("proxy_tls_cert_file", NO_PROXY),
    ignored("proxy_tls_key_file", NO_PROXY),
    ignored("state_dir", "the process keeps no state on disk"),
    ignored("telemetry", NO_TELEMETRY),
];

impl Key {
    /// By its name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The native variable.
    pub fn variable(&self) -> String {
        format!("ERMINE_{}", self.name.to_uppercase())
    }

    /// FerretDB's variable, if it has the setting too.
    pub fn ferretdb_variable(&self) -> Option<String> {
        self.ferretdb.then(|| format!("FERRETDB_{}", self.name.to_uppercase()))
    }

    /// The flag without its dashes.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }
}

impl Foreign {
    /// By its name.
    pub fn find(name: &str) -> Option<&'static Self> {
        FOREIGN.iter().find(|foreign| foreign.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> =
            KEYS.iter().map(|key| key.name).chain(FOREIGN.iter().map(|foreign| foreign.name)).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }

    #[test]
    fn foreign_ones_are_sorted_and_explained() {
        assert!(FOREIGN.is_sorted_by_key(|foreign| foreign.name));
        for foreign in FOREIGN {
            let (Fate::Ignored(why) | Fate::Refused(_, why)) = foreign.fate;
            assert!(!why.is_empty(), "{}", foreign.name);
        }
    }

    #[test]
    fn keys_are_documented_and_secrets_have_no_default() {
        for key in KEYS {
            assert!(key.help.len() > 10 && !key.help.ends_with('.'), "{}", key.name);
            assert!(!key.secret || key.default.is_empty(), "{}", key.name);
        }
    }
}
