//! The commands: the table, what a request is, and what each command does.
//!
//! A command gets a [`Call`] and gives a [`Reply`] or an error. It never touches a socket, and asks PostgreSQL only
//! through the nodes that the route allows.
mod bulk_write;
mod collections;
mod create;
mod crud;
mod databases;
mod duplicates;
mod exec;
mod explain;
mod grants;
mod hash;
mod indexes;
mod local;
mod login;
mod maintenance;
mod metadata;
mod operations;
pub mod options;
pub mod profile;
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
use crate::obs::profile::Profiler;
use crate::obs::usage::Usage;
use crate::pool::{Pick, Pools};
use crate::reply::Reply;
use crate::session::Session;
use crate::session::auth::FakeSalts;
use crate::session::cursor::Cursors;
use crate::session::operations::Operations;
use crate::sql::{Param, SqlCall, run};
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
    /// What the client connections run now.
    pub operations: Operations,
    /// Salts of users that don't exist.
    pub fakes: FakeSalts,
    /// Background tasks and the stop signal.
    pub tasks: Tasks,
    /// What serverStatus counts.
    pub counters: Counters,
    /// Which commands are told to the log as slow ones.
    pub slow: SlowLog,
    /// What `system.profile` tells.
    pub profiler: Profiler,
    /// What `top` tells.
    pub usage: Usage,
    /// Collections whose indexes are being made.
    builds: indexes::Builds,
    /// When all that connections know of their users' rights was declared void.
    voided: rights::Voided,
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
    /// Commands that run now: those that read, those that write.
    pub running: [AtomicI64; 2],
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
            running: [AtomicI64::new(0), AtomicI64::new(0)],
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

/// A command that runs, in [`Counters::running`] as long as this lives.
#[derive(Debug)]
pub struct Running<'a>(Option<&'a AtomicI64>);

impl Counters {
    /// Counts a command of this kind as running.
    pub fn run(&self, kind: spec::Kind) -> Running<'_> {
        let [reading, writing] = &self.running;
        let slot = match kind {
            spec::Kind::Read | spec::Kind::Any => Some(reading),
            spec::Kind::Write | spec::Kind::Admin => Some(writing),
            spec::Kind::Local => None,
        };
        if let Some(slot) = slot {
            slot.fetch_add(1, Ordering::Relaxed);
        }
        Running(slot)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            slot.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// When a command is slow, and how many of the slow ones are told. `profile` changes it while the process runs.
#[derive(Debug)]
pub struct SlowLog {
    /// Milliseconds; negative: none is.
    threshold: AtomicI64,
    /// The bits of a number from 0 to 1.
    rate: AtomicU64,
}

impl SlowLog {
    fn new(threshold: Option<Duration>) -> Self {
        let millis =
            threshold.map_or(-1, |threshold| i64::try_from(threshold.as_millis()).unwrap_or(i64::MAX));
        Self { threshold: AtomicI64::new(millis), rate: AtomicU64::new(1f64.to_bits()) }
    }

    /// Milliseconds, and the part of the slow commands that is told.
    pub fn get(&self) -> (i64, f64) {
        (self.threshold.load(Ordering::Relaxed), f64::from_bits(self.rate.load(Ordering::Relaxed)))
    }

    /// Changes what is given.
    pub fn set(&self, threshold: Option<i64>, rate: Option<f64>) {
        if let Some(threshold) = threshold {
            self.threshold.store(threshold, Ordering::Relaxed);
        }
        if let Some(rate) = rate {
            self.rate.store(rate.to_bits(), Ordering::Relaxed);
        }
    }

    /// Whether a command that took this long is to be told.
    pub fn tells(&self, took: Duration) -> bool {
        let (threshold, rate) = self.get();
        let Ok(threshold) = u128::try_from(threshold) else { return false };
        took.as_millis() >= threshold && (rate >= 1.0 || rand::random::<f64>() < rate)
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

    /// Seconds and runs of the commands that read documents, of those that write them, and of the others.
    pub fn latencies(&self) -> [(f64, u64); 3] {
        let mut sums = [(0.0, 0); 3];
        for (command, count) in registry::COMMANDS.iter().zip(&self.counts) {
            let Some((seconds, ..)) = count.times.get() else { continue };
            let class = match (command.kind, command.name) {
                (spec::Kind::Write, _) => 1,
                (_, "find" | "aggregate" | "count" | "distinct" | "getMore") => 0,
                _ => 2,
            };
            if let Some(sum) = sums.get_mut(class) {
                *sum = (sum.0 + seconds.get_sample_sum(), sum.1 + seconds.get_sample_count());
            }
        }
        sums
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
            operations: Operations::default(),
            fakes: FakeSalts::new(&config),
            counters: Counters::new(&metrics),
            slow: SlowLog::new(config.slow_command_threshold),
            profiler: Profiler::default(),
            usage: Usage::default(),
            builds: indexes::Builds::default(),
            voided: rights::Voided::default(),
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
    if call.request.target.as_str() == Some(profile::COLLECTION)
        && let Some(outcome) = Box::pin(profile::run(&call)).await
    {
        return outcome;
    }
    // What asks PostgreSQL is in a box, as flows are: an idle connection would carry the room of all of it otherwise.
    match call.request.spec.run {
        Run::Local(answer) => answer(call),
        Run::Sql(sql) => Box::pin(run_function(call, sql)).await,
        Run::Cursor(sql) => Box::pin(crud::first_page(call, sql)).await,
        Run::Flow(flow) => flow(call).await,
    }
}

/// Runs a function that answers with the reply.
async fn run_function(call: Call<'_>, sql: &'static SqlCall) -> Result<Reply> {
    let db = call.request.db;
    let body = call.request.forward.as_bytes();
    let params: [Param<'_>; 2] = [&db, &body];
    let (row, _lease) = call.run(sql, &params).await?;
    Ok(Reply::ready(run::into_document(row)?))
}
