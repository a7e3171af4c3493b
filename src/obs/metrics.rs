//! What the process counts for Prometheus. Names and labels that FerretDB has are FerretDB's (peers.md A2.2), ours begin
//! with `ermine_`. No label takes a value that a client makes up.
use std::fmt;
use std::time::Duration;

use prometheus::{
    CounterVec, Encoder, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

/// Upper bounds in seconds for what PostgreSQL or a command takes.
const QUICK: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds in seconds for the life of a client connection.
const LIFE: &[f64] = &[1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0];
/// Upper bounds in seconds for a probe.
const PROBE: &[f64] = &[0.1, 0.5, 1.0, 5.0];

/// All metrics of one process. Cloning shares them.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    /// Clients, by `error`: 0, or 1 if they were over the limit or their handshake failed.
    pub accepts: IntCounterVec,
    /// Seconds that connections lasted, by `error`: 1 if the client broke the protocol or the connection was lost.
    pub connection_seconds: HistogramVec,
    /// Requests by `opcode` and `command`.
    pub requests: IntCounterVec,
    /// Replies by `opcode`, `command`, `argument` and `result`.
    pub responses: IntCounterVec,
    /// Seconds per `command`.
    pub command_seconds: HistogramVec,
    /// Cursors opened, by `type`.
    pub cursors: IntCounterVec,
    /// Seconds that cursors were open, by `type`.
    pub cursor_seconds: HistogramVec,
    /// Answers of `/debug/metrics` by `code`.
    pub scrapes: IntCounterVec,
    /// Those being made.
    pub scrapes_now: IntGaugeVec,
    /// What [`Metrics::pool`] hands out, by `node`.
    sql_seconds: Histogram,
    sql_requests: IntCounterVec,
    acquires: Sum,
    opened: IntCounterVec,
    too_old: IntCounterVec,
    too_idle: IntCounterVec,
    retries: IntCounterVec,
    probes: HistogramVec,
    gauges: Gauges,
}

/// A count and the seconds it took, with and without waiting.
#[derive(Clone)]
struct Sum {
    all: IntCounterVec,
    seconds: CounterVec,
    waited: IntCounterVec,
    waited_seconds: CounterVec,
    canceled: IntCounterVec,
}

/// Set when somebody looks.
#[derive(Clone)]
pub struct Gauges {
    /// 1, with the versions as labels.
    pub up: IntGaugeVec,
    /// Client connections now.
    pub connections: IntGaugeVec,
    /// Tasks of the process now: connections, probes, listeners.
    pub tasks: IntGaugeVec,
    /// Open cursors by `type`.
    pub cursors: IntGaugeVec,
    /// FerretDB's pool gauges, over all nodes, by their name.
    pub pool: [IntGaugeVec; 5],
    /// PostgreSQL connections by `node` and `state`.
    pub node_connections: IntGaugeVec,
    /// 1 for the `role` that the `node` has.
    pub role: IntGaugeVec,
    /// Seconds a standby is behind, by `node`.
    pub lag_seconds: GaugeVec,
    /// Bytes of WAL received and not replayed, by `node`.
    pub lag_bytes: GaugeVec,
    /// When the TLS certificate ends, in seconds since 1970.
    pub certificate_end: GaugeVec,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// What the pool of one node counts.
#[derive(Clone)]
pub struct PoolMetrics {
    sql_seconds: Histogram,
    sql_requests: prometheus::IntCounter,
    acquires: prometheus::IntCounter,
    seconds: prometheus::Counter,
    waited: prometheus::IntCounter,
    waited_seconds: prometheus::Counter,
    canceled: prometheus::IntCounter,
    opened: prometheus::IntCounter,
    too_old: prometheus::IntCounter,
    too_idle: prometheus::IntCounter,
    retries: prometheus::IntCounter,
}

impl fmt::Debug for PoolMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PoolMetrics")
    }
}

/// Registers what `make` makes. Names are literals of this file, each used once: a clash is a defect that every test finds.
struct Register(Registry);

impl Register {
    #[expect(
        clippy::expect_used,
        reason = "fails for malformed or repeated names only, and they are all in this file"
    )]
    fn add<C: prometheus::core::Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let made = made.expect("well-formed metrics");
        self.0.register(Box::new(made.clone())).expect("metrics of different names");
        made
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn sums(&self, name: &str, help: &str) -> CounterVec {
        self.add(CounterVec::new(Opts::new(name, help), &[]))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn levels(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.add(GaugeVec::new(Opts::new(name, help), labels))
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str], bounds: &[f64]) -> HistogramVec {
        self.add(HistogramVec::new(HistogramOpts::new(name, help).buckets(bounds.to_vec()), labels))
    }
}

/// The labels of `ferretdb_up`, in the order of [`Metrics::up`].
pub const UP_LABELS: [&str; 10] = [
    "version",
    "commit",
    "branch",
    "dirty",
    "package",
    "dev",
    "postgresql",
    "documentdb",
    "telemetry",
    "update_available",
];

impl Default for Metrics {
    fn default() -> Self {
        let r = Register(Registry::new());
        // Without /proc there is nothing to tell of the process.
        #[cfg(target_os = "linux")]
        let _ = r.0.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()));
        let pool = |name: &str, help: &str| r.gauges(&format!("ferretdb_pool_{name}"), help, &[]);
        let gauges = Gauges {
            up: r.gauges("ferretdb_up", "1, with what runs as labels", &UP_LABELS),
            connections: r.gauges("ermine_client_connections", "Client connections now", &[]),
            tasks: r.gauges("ermine_tasks", "Tasks of the process now: connections, probes, listeners", &[]),
            cursors: r.gauges("ermine_cursors_open", "Open cursors", &["type"]),
            pool: [
                pool("acquired", "PostgreSQL connections in use"),
                pool("constructing", "PostgreSQL connections being opened"),
                pool("idle", "PostgreSQL connections not in use"),
                pool("max_size", "PostgreSQL connections there may be"),
                pool("size", "PostgreSQL connections there are"),
            ],
            node_connections: r.gauges(
                "ermine_node_connections",
                "PostgreSQL connections of a node",
                &["node", "state"],
            ),
            role: r.gauges("ermine_node_role", "1 for the role that a node has", &["node", "role"]),
            lag_seconds: r.levels(
                "ermine_node_lag_seconds",
                "How far a standby is behind in time",
                &["node"],
            ),
            lag_bytes: r.levels(
                "ermine_node_lag_bytes",
                "WAL that a standby has received and not replayed",
                &["node"],
            ),
            certificate_end: r.levels(
                "ermine_tls_certificate_expiry_timestamp_seconds",
                "When the certificate of the TLS listeners ends",
                &[],
            ),
        };
        let seconds = HistogramOpts::new("ferretdb_pool_responses_duration_seconds", "Time that SQL takes");
        Self {
            accepts: r.counters("ferretdb_client_accepts_total", "Client connections accepted", &["error"]),
            connection_seconds: r.histograms(
                "ferretdb_client_duration_seconds",
                "How long client connections lasted",
                &["error"],
                LIFE,
            ),
            requests: r.counters(
                "ferretdb_client_requests_total",
                "Requests of clients",
                &["opcode", "command"],
            ),
            responses: r.counters(
                "ferretdb_client_responses_total",
                "Replies to clients",
                &["opcode", "command", "argument", "result"],
            ),
            command_seconds: r.histograms(
                "ermine_command_duration_seconds",
                "Time from a request to its reply",
                &["command"],
                QUICK,
            ),
            cursors: r.counters("ferretdb_cursors_created_total", "Cursors opened", &["type"]),
            cursor_seconds: r.histograms(
                "ferretdb_cursors_duration_seconds",
                "How long cursors were open",
                &["type"],
                LIFE,
            ),
            sql_requests: r.counters("ferretdb_pool_requests_total", "Statements begun", &[]),
            sql_seconds: r.add(Histogram::with_opts(seconds.buckets(QUICK.to_vec()))),
            acquires: Sum {
                all: r.counters("ferretdb_pool_acquires_total", "PostgreSQL connections taken", &[]),
                seconds: r
                    .sums("ferretdb_pool_acquires_duration_seconds_total", "Time that taking them took"),
                waited: r.counters("ferretdb_pool_acquires_empty_total", "Those that had to wait", &[]),
                waited_seconds: r
                    .sums("ferretdb_pool_acquires_empty_duration_seconds_total", "Time that they waited"),
                canceled: r.counters(
                    "ferretdb_pool_acquires_canceled_total",
                    "Those that were given up",
                    &[],
                ),
            },
            opened: r.counters("ferretdb_pool_opened_total", "PostgreSQL connections opened", &[]),
            too_old: r.counters(
                "ferretdb_pool_destroyed_maxlifetime_total",
                "PostgreSQL connections closed for their age",
                &[],
            ),
            too_idle: r.counters(
                "ferretdb_pool_destroyed_maxidle_total",
                "PostgreSQL connections closed because nobody used them",
                &[],
            ),
            scrapes: r.counters("promhttp_metric_handler_requests_total", "Answers with metrics", &["code"]),
            scrapes_now: r.gauges(
                "promhttp_metric_handler_requests_in_flight",
                "Requests for metrics being answered",
                &[],
            ),
            retries: r.counters("ermine_retries_total", "Statements that ran again", &["node"]),
            probes: r.histograms(
                "ferretdb_debug_probe_response_seconds",
                "Time that the answers to probes took",
                &["probe", "code"],
                PROBE,
            ),
            gauges,
            registry: r.0,
        }
    }
}

impl Metrics {
    /// What the pool of a node counts.
    pub fn pool(&self, node: &str) -> PoolMetrics {
        let none: [&str; 0] = [];
        PoolMetrics {
            sql_seconds: self.sql_seconds.clone(),
            sql_requests: self.sql_requests.with_label_values(&none),
            acquires: self.acquires.all.with_label_values(&none),
            seconds: self.acquires.seconds.with_label_values(&none),
            waited: self.acquires.waited.with_label_values(&none),
            waited_seconds: self.acquires.waited_seconds.with_label_values(&none),
            canceled: self.acquires.canceled.with_label_values(&none),
            opened: self.opened.with_label_values(&none),
            too_old: self.too_old.with_label_values(&none),
            too_idle: self.too_idle.with_label_values(&none),
            retries: self.retries.with_label_values(&[node]),
        }
    }

    /// A probe was answered with this HTTP status.
    pub fn probe(&self, probe: &str, code: u16, took: Duration) {
        self.probes.with_label_values(&[probe, &code.to_string()]).observe(took.as_secs_f64());
    }

    /// To be set before [`Metrics::text`].
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }

    /// Everything.
    pub fn families(&self) -> Vec<prometheus::proto::MetricFamily> {
        self.registry.gather()
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// What the encoder fails with.
    pub fn text(&self) -> prometheus::Result<Vec<u8>> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

impl PoolMetrics {
    /// A statement begins.
    pub fn begun(&self) {
        self.sql_requests.inc();
    }

    /// A statement took this long.
    pub fn statement(&self, took: Duration) {
        self.sql_seconds.observe(took.as_secs_f64());
    }

    /// A connection was taken, or not; `waited` if none was free at once.
    pub fn acquired(&self, took: Duration, waited: bool, given_up: bool) {
        if given_up {
            self.canceled.inc();
            return;
        }
        self.acquires.inc();
        self.seconds.inc_by(took.as_secs_f64());
        if waited {
            self.waited.inc();
            self.waited_seconds.inc_by(took.as_secs_f64());
        }
    }

    /// A connection was opened.
    pub fn opened(&self) {
        self.opened.inc();
    }

    /// So many connections were closed for their age, and so many because nobody used them.
    pub fn destroyed(&self, old: u64, unused: u64) {
        self.too_old.inc_by(old);
        self.too_idle.inc_by(unused);
    }

    /// A statement runs again.
    pub fn retried(&self) {
        self.retries.inc();
    }
}
