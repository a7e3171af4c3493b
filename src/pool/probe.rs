//! Asks one node for its role, in the background, over a connection of its own.
use std::sync::Weak;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::connection::{ask_role, fitting};
use super::node::{Node, is_full};
use super::state::Role;
use super::storage;
use crate::config;
use crate::tls::PgConnector;

/// A node that is away is asked at least this often, so that it is back in use soon after it is up.
const RETRY: Duration = Duration::from_millis(200);
/// How often a server is asked for its versions: an extension is upgraded without a restart. Soon, while it has none.
const STORAGE: Duration = Duration::from_secs(60);
const MISSING: Duration = Duration::from_secs(2);

/// Runs until the process stops or the node is gone.
pub(super) async fn run(node: Weak<Node>, stop: CancellationToken, sizes: config::Pool) {
    let mut client: Option<tokio_postgres::Client> = None;
    let mut asked = None;
    loop {
        let Some(alive) = node.upgrade() else { return };
        let asked = tokio::select! {
            asked = tokio::time::timeout(sizes.connect_timeout, ask(&alive, &mut client, &mut asked)) => asked,
            () = stop.cancelled() => return,
        };
        match asked {
            Ok(Ok(())) => {}
            // A server that has no place for one more connection is there, and is what it was.
            Ok(Err(error)) if is_full(&error) && alive.role() != Role::Down => {
                client = None;
                debug!(node = alive.name(), "no connection is free for the probe");
            }
            Ok(Err(error)) => {
                client = None;
                alive.lost(&with_cause(&error));
            }
            Err(_) => {
                client = None;
                alive.lost(&"no answer in time");
            }
        }
        alive.retire();
        let away = alive.role() == Role::Down;
        let pause = if away { RETRY.min(sizes.health_interval) } else { sizes.health_interval };
        let suspected = async {
            if away {
                // Being told again that it is away is no news.
                std::future::pending::<()>().await;
            }
            alive.state.suspect.notified().await;
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = suspected => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn ask(
    node: &Node,
    client: &mut Option<tokio_postgres::Client>,
    asked: &mut Option<Instant>,
) -> Result<(), tokio_postgres::Error> {
    let kept = match client.take().filter(|open| !open.is_closed()) {
        Some(open) => ask_role(&open).await.ok().map(|seen| (open, seen)),
        None => None,
    };
    let (open, seen) = match kept {
        Some(kept) => kept,
        // That a connection ended says nothing of the server yet.
        None => {
            // It may be another server, or the same one after an upgrade.
            *asked = None;
            let open = connect(node).await?;
            let seen = ask_role(&open).await?;
            (open, seen)
        }
    };
    node.observe(seen);
    let known = node.storage().is_some_and(|storage| storage.fault().is_none());
    let pause = if known { STORAGE } else { MISSING };
    if asked.is_none_or(|asked| asked.elapsed() > pause) {
        node.found(storage::ask(&open).await?);
        *asked = Some(Instant::now());
    }
    *client = Some(open);
    Ok(())
}

async fn connect(node: &Node) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (config, tls) = node.target.now();
    let fitting = match fitting(node.configured(), &config) {
        Some(fitting) => Box::pin(fitting.connect(PgConnector::new(tls.clone()))).await.ok(),
        None => None,
    };
    let (open, connection) = match fitting {
        Some(opened) => opened,
        None => Box::pin(config.connect(PgConnector::new(tls))).await?,
    };
    node.tasks.spawn(async move {
        // Its end shows at the next question.
        let _ = connection.await;
    });
    Ok(open)
}

/// The driver's error text names only the kind; the cause tells the operator more.
fn with_cause(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
