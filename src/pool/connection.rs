//! One connection to PostgreSQL, and how the pool makes and checks it.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use tokio_postgres::NoTls;

use super::state::{Observation, Role, State};

/// What a server is: in recovery or not, and the timeline it writes to. Column types are built in, so no look-up.
const ROLE: &str = "SELECT pg_catalog.pg_is_in_recovery(), CASE WHEN pg_catalog.pg_is_in_recovery() THEN ''::text \
     ELSE pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8) END";

/// An open connection with what its server said when last asked.
#[derive(Debug)]
pub(crate) struct Connection {
    client: ClientWrapper,
    /// The server behind this very connection was in recovery. An address can lead to different servers over
    /// time, so this is known per connection and not only per node.
    in_recovery: AtomicBool,
}

impl Connection {
    /// The client of the PostgreSQL driver.
    pub(crate) fn client(&self) -> &ClientWrapper {
        &self.client
    }

    /// True if the server behind the connection takes no writes, as far as is known without asking.
    pub(super) fn in_recovery(&self) -> bool {
        self.in_recovery.load(Ordering::Acquire)
    }

    /// Asks the server again.
    pub(super) async fn ask_role(&self) -> Result<Observation, tokio_postgres::Error> {
        let seen = ask_role(&self.client).await?;
        self.in_recovery.store(seen.role == Role::Standby, Ordering::Release);
        Ok(seen)
    }
}

/// Asks a server what it is.
pub(super) async fn ask_role(client: &tokio_postgres::Client) -> Result<Observation, tokio_postgres::Error> {
    let row = client.query_typed_one(ROLE, &[]).await?;
    let in_recovery: bool = row.try_get(0)?;
    let timeline: &str = row.try_get(1)?;
    let role = if in_recovery { Role::Standby } else { Role::Primary };
    Ok(Observation { role, timeline: u32::from_str_radix(timeline, 16).unwrap_or(0) })
}

/// Makes the connections of one node.
#[derive(Debug)]
pub(super) struct NodeManager {
    postgres: deadpool_postgres::Manager,
    state: Arc<State>,
}

impl NodeManager {
    pub(super) fn new(config: tokio_postgres::Config, state: Arc<State>) -> Self {
        Self { postgres: deadpool_postgres::Manager::new(config, NoTls), state }
    }
}

impl Manager for NodeManager {
    type Type = Connection;
    type Error = tokio_postgres::Error;

    async fn create(&self) -> Result<Connection, tokio_postgres::Error> {
        let client = self.postgres.create().await?;
        let seen = ask_role(&client).await?;
        self.state.observe(seen);
        Ok(Connection { client, in_recovery: AtomicBool::new(seen.role == Role::Standby) })
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        _: &Metrics,
    ) -> RecycleResult<tokio_postgres::Error> {
        if connection.client.is_closed() {
            return Err(RecycleError::message("connection closed"));
        }
        Ok(())
    }

    fn detach(&self, connection: &mut Connection) {
        self.postgres.detach(&mut connection.client);
    }
}
