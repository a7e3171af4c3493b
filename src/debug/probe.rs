//! Is the process alive, and can it serve?
use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::command::Services;
use crate::config::Endpoint;
use crate::pool::{Pick, Role};
use crate::sql::{Budget, calls, run};

/// For all that a probe asks, below the second that orchestrators often wait, but for a start-up.
const LIMIT: Duration = Duration::from_secs(5);

/// True of the process as long as it accepts clients; PostgreSQL is not asked.
pub(super) fn live(services: &Services) -> Result<(), String> {
    if services.tasks.stopping().is_cancelled() { Err("stopping".to_owned()) } else { Ok(()) }
}

/// Every endpoint has a node that answers, and its standby is not too far behind.
pub(super) async fn ready(services: &Services) -> Result<(), String> {
    live(services)?;
    let endpoints: BTreeSet<bool> =
        services.config.listeners.iter().map(|listener| listener.endpoint == Endpoint::Secondary).collect();
    for secondary in endpoints {
        let pick = if secondary { Pick::Standby } else { Pick::Primary };
        let asked = timeout(LIMIT, serves(services, pick)).await;
        asked.unwrap_or_else(|_| Err("PostgreSQL does not answer in time".to_owned()))?;
    }
    Ok(())
}

async fn serves(services: &Services, pick: Pick) -> Result<(), String> {
    let nodes = services.pools.readers(pick).map_err(|error| error.message.into_owned())?;
    let mut wrong = "no node is known".to_owned();
    for node in nodes {
        let limit = Instant::now() + LIMIT;
        let mut lease = match node.checkout(None, Some(limit)).await {
            Ok(lease) => lease,
            Err(error) => {
                wrong = format!("{}: {}", node.name(), error.message);
                continue;
            }
        };
        let budget = Budget { deadline: Some(limit) };
        // A function of the extension: its answer shows that PostgreSQL and the extension are there.
        let asked = Box::pin(run::text(&mut lease, budget, &calls::VERSION, calls::VERSION.text)).await;
        if let Err(error) = asked {
            wrong = format!("{}: {}", node.name(), error.message);
            continue;
        }
        if let Some(fault) = node.storage().and_then(|storage| storage.fault()) {
            wrong = format!("{}: {fault}", node.name());
            continue;
        }
        let bound = services.config.limits.max_standby_lag;
        match (bound, node.lag()) {
            (Some(bound), Some(lag)) if node.role() == Role::Standby && lag.time > bound => {
                wrong = format!("{}: {:.1} s behind", node.name(), lag.time.as_secs_f64());
            }
            _ => return Ok(()),
        }
    }
    Err(wrong)
}
