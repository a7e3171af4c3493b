//! What connections cost: idle ones in memory, and many short ones in whatever may leak.

use crate::cpu::Watched;
use crate::error::Error;
use crate::target::{Connection, Target};
use bson::rawdoc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Connections that are being opened at the same time.
const OPENING: usize = 64;
/// What is closed is gone after this.
const SETTLE: Duration = Duration::from_secs(3);

/// What a process holds.
#[derive(Debug)]
pub(crate) struct State {
    /// Name of the process.
    pub(crate) name: String,
    /// Bytes of resident memory.
    pub(crate) resident: u64,
    /// Open files.
    pub(crate) files: usize,
    /// Threads.
    pub(crate) threads: usize,
    /// Child processes.
    pub(crate) children: usize,
}

fn look(watched: &[Watched]) -> Vec<State> {
    let state = |process: &Watched| State {
        name: process.name.clone(),
        resident: process.resident(),
        files: process.files(),
        threads: process.threads(),
        children: process.children(),
    };
    watched.iter().map(state).collect()
}

async fn opened(target: Target) -> Result<Connection, Error> {
    let mut connection = target.connect().await?;
    if let Connection::Mongo(mongo) = &mut connection {
        mongo.command("admin", &rawdoc! { "ping": 1 }).await?;
    }
    Ok(connection)
}

fn ended<T>(result: Result<Result<T, Error>, tokio::task::JoinError>) -> Result<T, Error> {
    result.map_err(|e| Error::answer(e.to_string()))?
}

/// Opens connections that log in, ping, and then do nothing: what the processes hold before, meanwhile, and afterwards.
pub(crate) async fn idle(
    target: &Target,
    count: usize,
    watched: &[Watched],
) -> Result<Vec<Vec<State>>, Error> {
    // Whatever the first connections make once for all is there already.
    for _ in 0..OPENING {
        opened(target.clone()).await?;
    }
    tokio::time::sleep(SETTLE).await;
    let before = look(watched);
    let (mut opening, mut open) = (JoinSet::new(), Vec::with_capacity(count));
    for _ in 0..count {
        if opening.len() == OPENING
            && let Some(result) = opening.join_next().await
        {
            open.push(ended(result)?);
        }
        opening.spawn(opened(target.clone()));
    }
    while let Some(result) = opening.join_next().await {
        open.push(ended(result)?);
    }
    tokio::time::sleep(SETTLE).await;
    let meanwhile = look(watched);
    drop(open);
    tokio::time::sleep(SETTLE).await;
    Ok(vec![before, meanwhile, look(watched)])
}

/// Opens connections at a fixed rate, each of which logs in, pings and closes: how many, and what the processes hold before
/// and afterwards.
pub(crate) async fn churn(
    target: &Target,
    rate: u32,
    seconds: f64,
    watched: &[Watched],
) -> Result<(usize, Vec<Vec<State>>), Error> {
    for _ in 0..OPENING {
        opened(target.clone()).await?;
    }
    tokio::time::sleep(SETTLE).await;
    let before = look(watched);
    let places = Arc::new(Semaphore::new(2000));
    let (mut running, mut count) = (JoinSet::new(), 0);
    let started = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
    while started.elapsed() < Duration::from_secs_f64(seconds) {
        tick.tick().await;
        let place = Arc::clone(&places).acquire_owned().await.map_err(|e| Error::answer(e.to_string()))?;
        let target = target.clone();
        running.spawn(async move {
            let connection = opened(target).await;
            drop(place);
            connection.map(drop)
        });
        while let Some(result) = running.try_join_next() {
            ended(result)?;
            count += 1;
        }
    }
    while let Some(result) = running.join_next().await {
        ended(result)?;
        count += 1;
    }
    tokio::time::sleep(SETTLE).await;
    Ok((count, vec![before, look(watched)]))
}
