//! Turns: every target runs a workload for a while, one after the other, again and again.

use crate::cpu::Watched;
use crate::error::Error;
use crate::pace::{Pacer, Schedule};
use crate::target::{Address, Connection, Target};
use crate::workload::{Kind, Moved, Shape};
use clap::ValueEnum;
use hdrhistogram::Histogram;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A workload with the load it is run under: `NAME[@CONNECTIONS[xFRAMES]]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// What is run.
    pub(crate) kind: Kind,
    /// Connections, when the load names them.
    pub(crate) connections: Option<usize>,
    /// Frames that a connection sends together.
    pub(crate) pipeline: usize,
}

impl std::str::FromStr for Load {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, load) = text.split_once('@').map_or((text, None), |(name, load)| (name, Some(load)));
        let kind = Kind::from_str(name, false)?;
        let positive =
            |n: &str| n.parse().ok().filter(|n| *n > 0).ok_or_else(|| format!("'{n}' is no count"));
        let Some(load) = load else { return Ok(Self { kind, connections: None, pipeline: 1 }) };
        let (connections, pipeline) = load.split_once('x').unwrap_or((load, "1"));
        Ok(Self { kind, connections: Some(positive(connections)?), pipeline: positive(pipeline)? })
    }
}

/// How workloads are run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Connections of a target, where the load names none.
    pub(crate) connections: usize,
    /// Operations per second over all connections; None: each connection as fast as it gets answers.
    pub(crate) rate: Option<f64>,
    /// Length of one turn.
    pub(crate) turn: Duration,
    /// Turns of each target.
    pub(crate) rounds: usize,
    /// The most connections that a PostgreSQL target gets; it is left out where a load has more.
    pub(crate) backends: usize,
}

/// What one turn gave.
pub(crate) struct Turn {
    /// Operations per second.
    pub(crate) throughput: f64,
    /// Latencies in nanoseconds.
    pub(crate) latencies: Histogram<u64>,
    /// Bytes of requests and replies, per operation.
    pub(crate) moved: f64,
    /// CPU microseconds per operation of each watched process, this one first.
    pub(crate) cpu: Vec<f64>,
    /// Bytes of resident memory of each at the end.
    pub(crate) resident: Vec<u64>,
}

/// A workload's turns, by target.
pub(crate) struct Table {
    /// Name of the workload.
    pub(crate) workload: String,
    /// Connections of each target.
    pub(crate) connections: usize,
    /// Frames that are sent together.
    pub(crate) pipeline: usize,
    /// Names of the processes in [`Turn::cpu`].
    pub(crate) processes: Vec<String>,
    /// Target name, whether it is PostgreSQL itself, and its turns.
    pub(crate) targets: Vec<(String, bool, Vec<Turn>)>,
}

/// Fills the collections through the first MongoDB target, or the first target when there is none.
pub(crate) async fn fill(targets: &[Target], shape: &Shape, kinds: &[Kind]) -> Result<(), Error> {
    let mongo = targets.iter().find(|t| matches!(t.address, Address::Mongo(_)));
    let Some(target) = mongo.or(targets.first()) else { return Ok(()) };
    let mut connection = target.connect().await?;
    if let Connection::Mongo(c) = &mut connection {
        for drop in shape.drops() {
            // Dropping what does not exist is an error before MongoDB 7.
            if let Err(e @ Error::Io(..)) = c.command(&shape.database, &drop).await {
                return Err(e);
            }
        }
    }
    for source in shape.sources(kinds) {
        let mut from = 0;
        while from < source.documents {
            let to = from.saturating_add(500).min(source.documents);
            connection.run(&shape.database, &[shape.seed(source, from..to)]).await?;
            from = to;
        }
    }
    Ok(())
}

/// Runs all turns of one workload.
pub(crate) async fn workload(
    load: Load,
    shape: &Shape,
    plan: &Plan,
    targets: &[Target],
    watched: &[Watched],
) -> Result<Table, Error> {
    let own = Watched::from_own();
    let processes: Vec<&Watched> = std::iter::once(&own).chain(watched).collect();
    let count = load.connections.unwrap_or(plan.connections);
    let mut open = Vec::new();
    for target in targets {
        let floor = matches!(target.address, Address::Postgres(_));
        if floor && count > plan.backends {
            continue;
        }
        let connections =
            if load.kind == Kind::Connect { Vec::new() } else { target.connect_all(count).await? };
        open.push((target, floor, connections, Vec::new()));
    }
    // The first turn of each target warms caches and plans up and is not reported.
    for round in 0..=plan.rounds {
        for (target, _, connections, turns) in &mut open {
            let plan = if round == 0 { Plan { turn: plan.turn / 4, ..*plan } } else { *plan };
            let run = Run { load, plan, count, shape, target };
            let turn = run.turn(connections, &processes).await?;
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    Ok(Table {
        workload: load.kind.name(),
        connections: count,
        pipeline: load.pipeline,
        processes: processes.iter().map(|p| p.name.clone()).collect(),
        targets: open
            .into_iter()
            .map(|(target, floor, _, turns)| (target.name.clone(), floor, turns))
            .collect(),
    })
}

/// One turn about to be run.
struct Run<'a> {
    load: Load,
    plan: Plan,
    count: usize,
    shape: &'a Shape,
    target: &'a Target,
}

/// What one connection did in a turn.
struct Part {
    connection: Option<Connection>,
    latencies: Histogram<u64>,
    operations: u64,
    moved: Moved,
}

impl Run<'_> {
    #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    async fn turn(&self, connections: &mut Vec<Connection>, processes: &[&Watched]) -> Result<Turn, Error> {
        let (pacer, schedules) = Pacer::new(self.plan.rate, self.count, self.plan.turn);
        let before: Vec<f64> = processes.iter().map(|p| p.seconds()).collect();
        let started = Instant::now();
        let pacing = pacer.start(started);
        let mut running = tokio::task::JoinSet::new();
        let mut given = std::mem::take(connections).into_iter();
        for schedule in schedules {
            let target = Arc::new(self.target.clone());
            running.spawn(one(self.load, self.shape.clone(), target, schedule, given.next()));
        }
        let mut latencies = new_histogram()?;
        let (mut operations, mut moved, mut failure) = (0, 0, None);
        while let Some(ended) = running.join_next().await {
            match ended.map_err(|e| Error::answer(e.to_string())) {
                Ok(Ok(part)) => {
                    latencies.add(part.latencies).map_err(|e| Error::answer(e.to_string()))?;
                    operations += part.operations;
                    moved += part.moved;
                    connections.extend(part.connection);
                }
                Ok(Err(e)) | Err(e) => failure = Some(e),
            }
        }
        drop(pacing);
        if let Some(e) = failure {
            return Err(e);
        }
        let seconds = started.elapsed().as_secs_f64();
        let operations = (operations as f64).max(1.0);
        let cpu = processes.iter().zip(before).map(|(p, b)| (p.seconds() - b) * 1e6 / operations).collect();
        let resident = processes.iter().map(|p| p.resident()).collect();
        Ok(Turn {
            throughput: operations / seconds,
            latencies,
            moved: moved as f64 / operations,
            cpu,
            resident,
        })
    }
}

/// Of latencies between a microsecond and a minute, to three digits.
fn new_histogram() -> Result<Histogram<u64>, Error> {
    Histogram::new_with_bounds(1000, 60_000_000_000, 3).map_err(|e| Error::answer(e.to_string()))
}

/// One connection's turn. An operation's time begins when the schedule says, not when the connection got to it: what an
/// earlier operation held up counts (no coordinated omission).
async fn one(
    load: Load,
    shape: Shape,
    target: Arc<Target>,
    mut schedule: Schedule,
    mut connection: Option<Connection>,
) -> Result<Part, Error> {
    let mut rng = SmallRng::from_rng(&mut rand::rng());
    let mut latencies = new_histogram()?;
    let (mut operations, mut moved) = (0, 0);
    let mut batch = Vec::with_capacity(load.pipeline);
    loop {
        batch.clear();
        batch.extend((0..load.pipeline).map(|_| shape.operation(load.kind, &mut rng)));
        let Some(due) = schedule.next().await else {
            return Ok(Part { connection, latencies, operations, moved });
        };
        moved += match &mut connection {
            Some(open) => open.run(&shape.database, &batch).await?,
            None => target.connect().await?.run(&shape.database, &batch).await?,
        };
        let took = u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX);
        latencies.saturating_record_n(took, batch.len() as u64);
        operations += batch.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_are_read() {
        let load: Load = "ping@32x16".parse().unwrap();
        assert_eq!((load.kind, load.connections, load.pipeline), (Kind::Ping, Some(32), 16));
        let load: Load = "find-by-id@1".parse().unwrap();
        assert_eq!((load.kind, load.connections, load.pipeline), (Kind::FindById, Some(1), 1));
        assert!("find-by-id@0".parse::<Load>().is_err());
        assert!("nothing".parse::<Load>().is_err());
    }
}
