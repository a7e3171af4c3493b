//! One connection to PostgreSQL, and how the pool makes and checks it.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use tokio_postgres::config::{Config, TargetSessionAttrs};

use super::drive::Driver;
use super::role::Carried;
use super::state::{Lag, Observation, Role, State};
use super::storage;
use crate::config::PgTarget;
use crate::obs::metrics::PoolMetrics;
use crate::tasks::Tasks;
use crate::tls::PgConnector;

/// What a server is: in recovery or not, the timeline it writes to, and how far it is behind. Column types are built in,
/// so no look-up. The time of the last replayed change alone would grow on an idle primary (deployment.md 5.3).
const ROLE: &str = "SELECT in_recovery, CASE WHEN in_recovery THEN ''::text \
     ELSE pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) END, \
     COALESCE(CASE WHEN in_recovery AND received <> replayed THEN pg_catalog.date_part('epoch', \
     pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()) END, 0)::float8, \
     COALESCE(pg_catalog.pg_wal_lsn_diff(received, replayed), 0)::float8 \
     FROM (SELECT pg_catalog.pg_is_in_recovery() AS in_recovery, pg_catalog.pg_last_wal_receive_lsn() AS received, \
     pg_catalog.pg_last_wal_replay_lsn() AS replayed) AS state";

/// Which database cluster a server is of. Asked beside, because it may be withheld.
const SYSTEM: &str = "SELECT system_identifier FROM pg_catalog.pg_control_system()";

/// An open connection with what its server said when last asked.
#[derive(Debug)]
pub(crate) struct Connection {
    client: ClientWrapper,
    driver: Driver,
    /// The server behind this very connection was in recovery. An address can lead to different servers over
    /// time, so this is known per connection and not only per node.
    in_recovery: AtomicBool,
    /// The timeline that server writes to.
    timeline: AtomicU32,
    /// As whom its statements run.
    pub(super) carried: Carried,
}

impl Connection {
    /// The client of the PostgreSQL driver. What it gives is to be awaited within [`Connection::drive`].
    pub(crate) fn client(&self) -> &ClientWrapper {
        &self.client
    }

    /// Waits for what futures of the client give. The connection's bytes move meanwhile, and only then.
    pub(crate) fn drive<T>(&self, statement: impl Future<Output = T>) -> impl Future<Output = T> {
        self.driver.drive(statement)
    }

    /// True if the server behind the connection takes no writes, as far as is known without asking.
    pub(super) fn in_recovery(&self) -> bool {
        self.in_recovery.load(Ordering::Acquire)
    }

    /// The timeline that the server behind the connection writes to. It has not changed since it was asked: a primary stays on
    /// its timeline as long as it runs.
    pub(super) fn timeline(&self) -> u32 {
        self.timeline.load(Ordering::Acquire)
    }

    /// Asks the server again.
    pub(super) async fn ask_role(&self) -> Result<Observation, tokio_postgres::Error> {
        let seen = self.drive(ask_role(&self.client)).await?;
        self.timeline.store(seen.timeline, Ordering::Release);
        self.in_recovery.store(seen.role == Role::Standby, Ordering::Release);
        Ok(seen)
    }
}

/// Asks a server what it is.
pub(super) async fn ask_role(client: &tokio_postgres::Client) -> Result<Observation, tokio_postgres::Error> {
    let (row, system) = tokio::join!(client.query_typed_one(ROLE, &[]), client.query_typed_one(SYSTEM, &[]));
    let row = row?;
    let system = system.and_then(|row| row.try_get::<_, i64>(0)).map_or(0, i64::cast_unsigned);
    let in_recovery: bool = row.try_get(0)?;
    let timeline: &str = row.try_get(1)?;
    let role = if in_recovery { Role::Standby } else { Role::Primary };
    let (seconds, bytes): (f64, f64) = (row.try_get(2)?, row.try_get(3)?);
    let lag = match role {
        Role::Standby => Lag {
            time: Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of bytes")]
            bytes: bytes.max(0.0) as u64,
        },
        _ => Lag::default(),
    };
    Ok(Observation { role, timeline: u32::from_str_radix(timeline, 16).unwrap_or(0), system, lag })
}

/// For a URL with several hosts that does not say which of them it wants: how to find one that is what the node is called, to
/// be tried first. A driver takes the first that answers, which after a switch may be the wrong one for good.
pub(super) fn fitting(configured: Role, config: &Config) -> Option<Config> {
    if config.get_hosts().len() < 2 || config.get_target_session_attrs() != TargetSessionAttrs::Any {
        return None;
    }
    let mut fitting = config.clone();
    fitting.target_session_attrs(match configured {
        Role::Standby => TargetSessionAttrs::ReadOnly,
        _ => TargetSessionAttrs::ReadWrite,
    });
    Some(fitting)
}

/// Makes the connections of one node.
#[derive(Debug)]
pub(super) struct NodeManager {
    target: PgTarget,
    /// What the configuration calls the node.
    configured: Role,
    state: Arc<State>,
    metrics: PoolMetrics,
    tasks: Tasks,
}

impl NodeManager {
    pub(super) fn new(
        target: PgTarget,
        configured: Role,
        state: Arc<State>,
        metrics: PoolMetrics,
        tasks: Tasks,
    ) -> Self {
        Self { target, configured, state, metrics, tasks }
    }
}

impl Manager for NodeManager {
    type Type = Connection;
    type Error = tokio_postgres::Error;

    async fn create(&self) -> Result<Connection, tokio_postgres::Error> {
        // Address, password and certificates may have changed since the last connection.
        let (config, tls) = self.target.now();
        // In a box: connecting takes more room than everything after it.
        let open = |config: Config| {
            let tls = PgConnector::new(tls.clone());
            Box::pin(async move { config.connect(tls).await })
        };
        let fitting = match fitting(self.configured, &config) {
            Some(fitting) => open(fitting).await.ok(),
            None => None,
        };
        let (client, connection) = match fitting {
            Some(connected) => connected,
            None => open(config).await?,
        };
        // The wrapper wants a task to end with it; nothing runs beside this connection.
        let client = ClientWrapper::new(client, self.tasks.spawn(async {}));
        let driver = Driver::new(connection);
        let asked = async {
            let (seen, carried) = tokio::try_join!(ask_role(&client), Carried::ask(&client))?;
            self.state.observe(seen);
            storage::prepare(&client).await?;
            Ok::<_, tokio_postgres::Error>((seen, carried))
        };
        let (seen, carried) = driver.drive(asked).await?;
        self.metrics.opened();
        Ok(Connection {
            client,
            driver,
            in_recovery: AtomicBool::new(seen.role == Role::Standby),
            timeline: AtomicU32::new(seen.timeline),
            carried,
        })
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        _: &Metrics,
    ) -> RecycleResult<tokio_postgres::Error> {
        // Nobody has looked at it since it was used; its server may have gone.
        if !connection.driver.move_bytes() || connection.client.is_closed() {
            return Err(RecycleError::message("connection closed"));
        }
        Ok(())
    }
}
