//! The commands: the table, what a request is, and what each command does.
//!
//! A command gets a [`Call`] and gives a [`Reply`] or an error. It never touches a socket, and asks PostgreSQL only
//! through the nodes that the route allows.
mod admin;
mod bulk_write;
mod collections;
mod crud;
mod databases;
mod exec;
mod explain;
mod indexes;
mod local;
mod login;
mod maintenance;
pub mod options;
pub mod refused;
pub mod registry;
mod render;
pub mod request;
pub mod rights;
mod sessions;
pub mod spec;
mod users;
mod writes;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::{Histogram, IntCounter};

use crate::config::Config;
use crate::error::{CommandError, Result};
use crate::obs::metrics::Metrics;
use crate::pool::{Pick, Pools};
use crate::reply::Reply;
use crate::session::Session;
use crate::session::auth::FakeSalts;
use crate::session::cursor::Cursors;
use crate::sql::{Param, run};
use crate::tasks::Tasks;
pub use render::markdown;
pub use request::Request;
use spec::Run;

/// The legacy handshake counts among them: it is the same request in another envelope.
const OPCODE: &str = "OP_MSG";

/// What the commands of all connections share.
#[derive(Debug)]
pub struct Services {
    /// The checked configuration.
    pub config: Arc<Config>,
    /// The nodes.
    pub pools: Pools,
    /// Open cursors.
    pub cursors: Cursors,
    /// Salts of users that don't exist.
    pub fakes: FakeSalts,
    /// Background tasks and the stop signal.
    pub tasks: Tasks,
    /// What serverStatus counts.
    pub counters: Counters,
    /// What Prometheus is told.
    pub metrics: Metrics,
    /// When the process started.
    pub started: std::time::Instant,
}

/// Counts since the start; each is a single atomic.
#[derive(Debug)]
pub struct Counters {
    /// Client connections now.
    pub connections: AtomicI64,
    /// Client connections since the start.
    pub connections_total: AtomicU64,
    /// Bytes read from clients.
    pub bytes_in: AtomicU64,
    /// Bytes of replies.
    pub bytes_out: AtomicU64,
    /// Messages from clients.
    pub requests: AtomicU64,
    /// Commands by place in the table: how often each one ran.
    pub commands: CommandCounts,
}

impl Counters {
    fn new(metrics: &Metrics) -> Self {
        Self {
            connections: AtomicI64::new(0),
            connections_total: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            commands: CommandCounts {
                counts: registry::COMMANDS.iter().map(|_| Count::default()).collect(),
                metrics: metrics.clone(),
            },
        }
    }
}

impl Counters {
    /// Counts a message that was answered, and the bytes that went to and fro since the one before.
    pub fn add_traffic(&self, read: u64, written: u64) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.bytes_in.fetch_add(read, Ordering::Relaxed);
        self.bytes_out.fetch_add(written, Ordering::Relaxed);
    }
}

/// The counts of each command of the table.
#[derive(Debug)]
pub struct CommandCounts {
    counts: Box<[Count]>,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Count {
    total: AtomicU64,
    failed: AtomicU64,
    /// Looked up once: a look-up by labels for each request would cost more than the counting.
    times: OnceLock<(Histogram, IntCounter, IntCounter)>,
}

impl CommandCounts {
    /// Counts one run of a command that took so long, and its result.
    pub fn add(&self, spec: &'static spec::Command, result: &Result<Reply>, took: Duration) {
        let place = registry::COMMANDS.binary_search_by(|command| command.name.cmp(spec.name));
        let Some(count) = place.ok().and_then(|place| self.counts.get(place)) else { return };
        count.total.fetch_add(1, Ordering::Relaxed);
        let (seconds, requests, good) = count.times.get_or_init(|| {
            let metrics = &self.metrics;
            (
                metrics.command_seconds.with_label_values(&[spec.name]),
                metrics.requests.with_label_values(&[OPCODE, spec.name]),
                metrics.responses.with_label_values(&[OPCODE, spec.name, "unknown", "ok"]),
            )
        });
        seconds.observe(took.as_secs_f64());
        requests.inc();
        match result {
            Ok(_) => good.inc(),
            Err(error) => {
                count.failed.fetch_add(1, Ordering::Relaxed);
                self.refused(spec.name, error);
            }
        }
    }

    /// Counts a request for a command that there is not.
    pub fn unknown(&self, error: &CommandError) {
        self.metrics.requests.with_label_values(&[OPCODE, "unknown"]).inc();
        self.refused("unknown", error);
    }

    fn refused(&self, command: &str, error: &CommandError) {
        let result = error.code.name();
        self.metrics.responses.with_label_values(&[OPCODE, command, "unknown", &*result]).inc();
    }

    /// Name, runs and failed runs of every command.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        let counts = self
            .counts
            .iter()
            .map(|count| (count.total.load(Ordering::Relaxed), count.failed.load(Ordering::Relaxed)));
        registry::COMMANDS.iter().zip(counts).map(|(command, (total, failed))| (command.name, total, failed))
    }
}

impl Services {
    /// Starts the probes and the sweeping of cursors; connects to nothing by itself.
    pub fn new(config: Arc<Config>, tasks: Tasks) -> Self {
        let metrics = Metrics::default();
        Self {
            pools: Pools::new(&config, &metrics, &tasks),
            cursors: Cursors::new(&config.limits, &tasks),
            fakes: FakeSalts::new(&config),
            counters: Counters::new(&metrics),
            metrics,
            started: std::time::Instant::now(),
            config,
            tasks,
        }
    }
}

/// One run of a command.
#[derive(Debug)]
pub struct Call<'a> {
    /// What all share.
    pub services: &'a Services,
    /// The client's connection.
    pub session: &'a mut Session,
    /// What it asks for.
    pub request: &'a Request<'a>,
    /// Which nodes may answer.
    pub pick: Pick,
}

/// Runs the command of a request.
///
/// # Errors
/// Whatever the client has to be told instead of a reply.
pub async fn run(call: Call<'_>) -> Result<Reply> {
    match call.request.spec.run {
        Run::Local(answer) => answer(call),
        Run::Sql(sql) => {
            let db = call.request.db;
            let body = call.request.forward.as_bytes();
            let params: [Param<'_>; 2] = [&db, &body];
            let (row, _lease) = call.run(sql, &params).await?;
            Ok(Reply::ready(run::document(&row, 0)?))
        }
        Run::Cursor(sql) => crud::first_page(call, sql).await,
        Run::Flow(flow) => flow(call).await,
    }
}
