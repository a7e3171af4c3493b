//! Turns: every target runs a workload for a while, one after the other, again and again.

use crate::cpu::Watched;
use crate::error::Error;
use crate::target::{Address, Connection, Target};
use crate::workload::{Kind, Shape};
use hdrhistogram::Histogram;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::time::{Duration, Instant};

/// How a workload is run.
pub(crate) struct Plan {
    /// Connections of a target.
    pub(crate) connections: usize,
    /// Length of one turn.
    pub(crate) turn: Duration,
    /// Turns of each target.
    pub(crate) rounds: usize,
}

/// What one turn gave.
pub(crate) struct Turn {
    /// Operations per second.
    pub(crate) throughput: f64,
    /// Latencies in nanoseconds.
    pub(crate) latencies: Histogram<u64>,
    /// CPU microseconds per operation of each watched process, this one first.
    pub(crate) cpu: Vec<f64>,
}

/// A workload's turns, by target.
pub(crate) struct Table {
    /// Name of the workload.
    pub(crate) workload: String,
    /// Names of the processes in [`Turn::cpu`].
    pub(crate) processes: Vec<String>,
    /// Target name and its turns.
    pub(crate) targets: Vec<(String, Vec<Turn>)>,
}

/// Fills the collection through the first MongoDB target, or the first target when there is none.
pub(crate) async fn fill(targets: &[Target], shape: &Shape) -> Result<(), Error> {
    let mongo = targets.iter().find(|t| matches!(t.address, Address::Mongo { .. }));
    let Some(target) = mongo.or(targets.first()) else { return Ok(()) };
    let mut connection = target.connect().await?;
    if let Connection::Mongo(c) = &mut connection {
        for drop in Shape::drops() {
            // Dropping what does not exist is an error before MongoDB 7.
            if let Err(e @ Error::Io(..)) = c.command(&shape.database, &drop).await.map(|_| ()) {
                return Err(e);
            }
        }
    }
    let mut from = 0;
    while from < shape.documents {
        let to = from.saturating_add(1000).min(shape.documents);
        connection.run(&shape.database, &shape.seed(from..to)).await?;
        from = to;
    }
    Ok(())
}

/// Runs all turns of one workload.
pub(crate) async fn workload(
    kind: Kind,
    shape: &Shape,
    plan: &Plan,
    targets: &[Target],
    watched: &[Watched],
) -> Result<Table, Error> {
    let own = Watched::from_own();
    let processes: Vec<&Watched> = std::iter::once(&own).chain(watched).collect();
    let mut open = Vec::new();
    for target in targets {
        let mut connections = Vec::new();
        for _ in 0..plan.connections {
            connections.push(target.connect().await?);
        }
        open.push((target.name.clone(), connections, Vec::new()));
    }
    // The first turn of each target warms caches and plans up and is not reported.
    for round in 0..=plan.rounds {
        for (_, connections, turns) in &mut open {
            let length = if round == 0 { plan.turn / 4 } else { plan.turn };
            let turn = one_turn(kind, shape, length, connections, &processes).await?;
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    Ok(Table {
        workload: kind.name(),
        processes: processes.iter().map(|p| p.name.clone()).collect(),
        targets: open.into_iter().map(|(name, _, turns)| (name, turns)).collect(),
    })
}

async fn one_turn(
    kind: Kind,
    shape: &Shape,
    length: Duration,
    connections: &mut Vec<Connection>,
    processes: &[&Watched],
) -> Result<Turn, Error> {
    let before: Vec<f64> = processes.iter().map(|p| p.seconds()).collect();
    let started = Instant::now();
    let deadline = started + length;
    let mut running = tokio::task::JoinSet::new();
    for connection in connections.drain(..) {
        running.spawn(closed_loop(kind, shape.clone(), deadline, connection));
    }
    let mut latencies = new_histogram()?;
    let mut failure = None;
    while let Some(ended) = running.join_next().await {
        match ended.map_err(|e| Error::answer(e.to_string())) {
            Ok(Ok((connection, part))) => {
                latencies.add(part).map_err(|e| Error::answer(e.to_string()))?;
                connections.push(connection);
            }
            Ok(Err(e)) | Err(e) => failure = Some(e),
        }
    }
    if let Some(e) = failure {
        return Err(e);
    }
    let seconds = started.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "operation counts stay far below 2^53")]
    let operations = latencies.len() as f64;
    let cpu =
        processes.iter().zip(before).map(|(p, b)| (p.seconds() - b) * 1e6 / operations.max(1.0)).collect();
    Ok(Turn { throughput: operations / seconds, latencies, cpu })
}

/// Of latencies between a microsecond and a minute, to three digits.
fn new_histogram() -> Result<Histogram<u64>, Error> {
    Histogram::new_with_bounds(1000, 60_000_000_000, 3).map_err(|e| Error::answer(e.to_string()))
}

async fn closed_loop(
    kind: Kind,
    shape: Shape,
    deadline: Instant,
    mut connection: Connection,
) -> Result<(Connection, Histogram<u64>), Error> {
    let mut rng = SmallRng::from_rng(&mut rand::rng());
    let mut latencies = new_histogram()?;
    loop {
        let operation = shape.operation(kind, &mut rng);
        let sent = Instant::now();
        if sent >= deadline {
            return Ok((connection, latencies));
        }
        connection.run(&shape.database, &operation).await?;
        latencies.saturating_record(u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
}
