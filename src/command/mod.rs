//! The commands: the table, what a request is, and what each command does.
//!
//! A command gets a [`Call`] and gives a [`Reply`] or an error. It never touches a socket, and asks PostgreSQL only
//! through the nodes that the route allows.
mod admin;
mod collections;
mod crud;
mod databases;
mod exec;
mod indexes;
mod local;
mod login;
pub mod options;
pub mod registry;
mod render;
pub mod request;
mod sessions;
pub mod spec;
mod users;
mod writes;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::config::Config;
use crate::error::Result;
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
    /// When the process started.
    pub started: std::time::Instant,
}

/// Counts since the start; each is a single atomic.
#[derive(Debug, Default)]
pub struct Counters {
    /// Client connections now.
    pub connections: AtomicI64,
    /// Client connections since the start.
    pub connections_total: AtomicU64,
    /// Commands by place in the table: how often each one ran.
    pub commands: CommandCounts,
}

/// One pair of counts for each command of the table.
#[derive(Debug)]
pub struct CommandCounts(Box<[(AtomicU64, AtomicU64)]>);

impl Default for CommandCounts {
    fn default() -> Self {
        Self(registry::COMMANDS.iter().map(|_| (AtomicU64::new(0), AtomicU64::new(0))).collect())
    }
}

impl CommandCounts {
    /// Counts one run of a command.
    pub fn add(&self, spec: &'static spec::Command, failed: bool) {
        let place = registry::COMMANDS.binary_search_by(|command| command.name.cmp(spec.name));
        if let Some((total, failures)) = place.ok().and_then(|place| self.0.get(place)) {
            total.fetch_add(1, Ordering::Relaxed);
            if failed {
                failures.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Name, runs and failed runs of every command.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        let counts = self
            .0
            .iter()
            .map(|(total, failed)| (total.load(Ordering::Relaxed), failed.load(Ordering::Relaxed)));
        registry::COMMANDS.iter().zip(counts).map(|(command, (total, failed))| (command.name, total, failed))
    }
}

impl Services {
    /// Starts the probes and the sweeping of cursors; connects to nothing by itself.
    pub fn new(config: Arc<Config>, tasks: Tasks) -> Self {
        Self {
            pools: Pools::new(&config, &tasks),
            cursors: Cursors::new(&config.limits, &tasks),
            fakes: FakeSalts::new(&config),
            counters: Counters::default(),
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
