//! One PostgreSQL node: its pool, its budgets, its state.
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Pool, PoolError, QueueMode, TimeoutType, Timeouts};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_postgres::CancelToken;
use tracing::{info, warn};

use super::connection::NodeManager;
use super::lease::Lease;
use super::role::{Roles, UserRole};
use super::state::{Lag, Observation, Role, State, Topology};
use super::storage::Storage;
use crate::config;
use crate::error::{CommandError, Result, Retry, codes, from_pg};
use crate::obs::metrics::{Metrics, PoolMetrics};
use crate::obs::operation;
use crate::tasks::Tasks;
use crate::tls::PgConnector;

/// Pauses between attempts at a server that has no place left; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// How long the attempt to cancel a statement may take before the connection is dropped anyway.
const CANCEL_LIMIT: Duration = Duration::from_secs(5);

/// A PostgreSQL server, or an address that leads to one.
#[derive(Debug)]
pub struct Node {
    /// Its place among all nodes.
    number: u32,
    name: String,
    /// What the configuration calls it.
    configured: Role,
    pool: Pool<NodeManager>,
    /// One permit for each request that may hold a connection. Its queue is first come, first served.
    pub(super) requests: Arc<Semaphore>,
    /// One permit for each connection that an open cursor may hold.
    pub(super) cursors: Arc<Semaphore>,
    wait: Duration,
    /// How old a connection may be, and how long unused.
    limits: (Option<Duration>, Option<Duration>),
    connect: Duration,
    pub(super) state: Arc<State>,
    /// That its writes go to another primary was told.
    superseded: AtomicBool,
    pub(super) metrics: PoolMetrics,
    pub(super) roles: Roles,
    pub(super) target: config::PgTarget,
    pub(super) tasks: Tasks,
}

impl Node {
    pub(super) fn new(
        number: u32,
        target: &config::PgTarget,
        configured: Role,
        sizes: &config::Pool,
        topology: &Arc<Topology>,
        metrics: &Metrics,
        tasks: &Tasks,
    ) -> Self {
        let state = Arc::new(State::new(Arc::clone(topology)));
        let (requests, cursors) = (sizes.max_connections.get(), sizes.max_cursor_connections.get());
        let metrics = metrics.pool(&target.name);
        let (observed, counted) = (Arc::clone(&state), metrics.clone());
        let manager = NodeManager::new(target.clone(), configured, observed, counted, tasks.clone());
        let timeouts = Timeouts { wait: None, create: None, recycle: None };
        let mut options = deadpool::managed::PoolConfig::new(requests + cursors);
        options.timeouts = timeouts;
        // The one used last first, so that those of a busy hour grow idle.
        options.queue_mode = QueueMode::Lifo;
        let pool = Pool::builder(manager).config(options).runtime(Runtime::Tokio1).build();
        Self {
            number,
            name: target.name.clone(),
            configured,
            #[expect(
                clippy::expect_used,
                reason = "fails only for time limits without a runtime, and one is given"
            )]
            pool: pool.expect("a runtime is set"),
            requests: Arc::new(Semaphore::new(requests)),
            cursors: Arc::new(Semaphore::new(cursors)),
            wait: sizes.wait_timeout,
            limits: (sizes.max_lifetime, sizes.max_idle),
            connect: sizes.connect_timeout,
            state,
            superseded: AtomicBool::new(false),
            metrics,
            roles: Roles::new(sizes.run_as_user),
            target: target.clone(),
            tasks: tasks.clone(),
        }
    }

    /// Its place among all nodes.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Its name in logs and metrics.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who may act as whom is asked anew.
    pub fn forget_roles(&self) {
        self.roles.forget();
    }

    /// What the node is, as last seen.
    pub fn role(&self) -> Role {
        self.state.role()
    }

    /// What the configuration calls it.
    pub fn configured(&self) -> Role {
        self.configured
    }

    /// The timeline it writes to, if it is a primary.
    pub fn timeline(&self) -> u32 {
        self.state.timeline()
    }

    /// How far it is behind the primary, as far as it knows itself; None unless it is a standby.
    pub fn lag(&self) -> Option<Lag> {
        (self.role() == Role::Standby).then(|| self.state.lag())
    }

    /// Connections: in use, idle, and how many there may be.
    pub fn connections(&self) -> (usize, usize, usize) {
        let status = self.pool.status();
        (status.size.saturating_sub(status.available), status.available.min(status.size), status.max_size)
    }

    /// Requests that wait for a connection.
    pub fn waiting(&self) -> usize {
        self.pool.status().waiting
    }

    /// Closes the connections that are not in use and too old, or unused for too long.
    pub(super) fn retire(&self) {
        let (lifetime, idle) = self.limits;
        let (mut old, mut unused) = (0, 0);
        let retired = self.pool.retain(|connection, metrics| {
            // Those that were opened together do not end together.
            let share = 90 + connection.carried.process % 21;
            let too_old = lifetime.is_some_and(|lifetime| metrics.age() > lifetime * share / 100);
            let too_idle = !too_old && idle.is_some_and(|idle| metrics.last_used() > idle);
            old += u64::from(too_old);
            unused += u64::from(too_idle);
            !too_old && !too_idle
        });
        self.metrics.destroyed(old, unused);
        drop(retired);
    }

    /// Counts a statement that runs again.
    pub fn count_retry(&self) {
        self.metrics.retried();
    }

    /// What storage it said it has; None: nothing yet.
    pub fn storage(&self) -> Option<Storage> {
        self.state.storage()
    }

    /// Records what storage the server has and logs news.
    pub(super) fn found(&self, storage: Storage) {
        if self.state.storage().as_ref() == Some(&storage) {
            return;
        }
        match storage.fault() {
            None => {
                info!(node = %self.name, extension = %storage.extension, postgresql = %storage.postgresql, "storage")
            }
            Some(fault) => warn!(node = %self.name, "{fault}"),
        }
        self.state.found(storage);
    }

    /// It was a primary at some time since the start.
    pub fn was_primary(&self) -> bool {
        self.state.was_primary()
    }

    /// Records what the server said and logs a change.
    pub(super) fn observe(&self, seen: Observation) {
        if self.state.observe(seen) {
            info!(node = %self.name, role = ?seen.role, timeline = seen.timeline, "node role changed");
        }
        let newest = self.state.newest();
        let superseded = seen.role == Role::Primary && seen.timeline < newest;
        if self.superseded.swap(superseded, Ordering::Relaxed) != superseded && superseded {
            let timeline = seen.timeline;
            warn!(node = %self.name, timeline, newest, "a primary of an older timeline gets no writes: another one took its place");
        }
    }

    /// Records that the server is away and logs a change.
    pub(super) fn lost(&self, why: &dyn std::fmt::Display) {
        if self.state.lost() {
            warn!(node = %self.name, error = %why, "node is away");
        }
        self.state.suspect.notify_one();
    }

    /// Asks the server to cancel what a connection runs; gives up after a while.
    pub(super) async fn cancel(&self, token: CancelToken) {
        let (_, tls) = self.target.now();
        // Whether the request came in time shows at the statement's end, not here.
        let _ = tokio::time::timeout(CANCEL_LIMIT, token.cancel_query(PgConnector::new(tls))).await;
    }

    /// Tells the probe that a request found the node changed or away: look at it now.
    pub fn report(&self) {
        self.state.suspect.notify_one();
    }

    /// Takes a connection for a user, or for nobody who logged in, waiting no longer than the configured time and `deadline`.
    ///
    /// # Errors
    /// 462 when no connection got free in time, 50 when `deadline` passed first, 189 or 6 when the node cannot be
    /// reached. Nothing was sent in all of these.
    pub async fn checkout(
        self: &Arc<Self>,
        user: Option<&Arc<UserRole>>,
        deadline: Option<Instant>,
    ) -> Result<Lease> {
        let begun = Instant::now();
        let waits = self.requests.available_permits() == 0;
        let outcome = self.take(user, begun, deadline).await;
        self.metrics.acquired(begun.elapsed(), waits, outcome.is_err());
        outcome
    }

    async fn take(
        self: &Arc<Self>,
        user: Option<&Arc<UserRole>>,
        begun: Instant,
        deadline: Option<Instant>,
    ) -> Result<Lease> {
        let limit = begun + self.wait;
        let limit = deadline.map_or(limit, |deadline| deadline.min(limit));
        let permit = match tokio::time::timeout_at(limit, Arc::clone(&self.requests).acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(closed)) => return Err(self.unreachable(closed)),
            Err(_) if deadline.is_some_and(|deadline| deadline <= limit) => return Err(expired()),
            Err(_) => return Err(overloaded()),
        };
        let timeouts = Timeouts { wait: Some(self.wait), create: Some(self.connect), recycle: None };
        let mut pause = FIRST_PAUSE;
        loop {
            match self.pool.timeout_get(&timeouts).await {
                Ok(object) => return Ok(Lease::new(Arc::clone(self), user.cloned(), object, permit)),
                // The server has no place left. One of the connections that are in use will do as well.
                Err(PoolError::Backend(error)) if is_full(&error) && Instant::now() + pause < limit => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(PoolError::Backend(error)) => return Err(self.refused(error)),
                Err(PoolError::Timeout(TimeoutType::Wait)) => return Err(overloaded()),
                Err(error) => {
                    self.lost(&error);
                    return Err(self.unreachable(error));
                }
            }
        }
    }

    /// Takes a connection whose server takes writes, as that server says itself.
    ///
    /// # Errors
    /// As [`Node::checkout`], 10107 when the server is in recovery or was superseded, and 11601 when the operation was killed.
    pub async fn checkout_writable(
        self: &Arc<Self>,
        user: Option<&Arc<UserRole>>,
        deadline: Option<Instant>,
    ) -> Result<Lease> {
        let mut lease = self.checkout(user, deadline).await?;
        let newest = self.state.newest();
        if !lease.connection().in_recovery() && lease.connection().timeline() < newest {
            // Opened when the address led to a server that others have taken the place of.
            lease.discard();
            drop(self.pool.retain(|open, _| open.in_recovery() || open.timeline() >= newest));
            self.report();
            lease = self.checkout(user, deadline).await?;
        }
        if lease.connection().in_recovery() {
            // It was a standby when the connection opened; it may have been promoted since. In a box, because it is rare.
            lease = Box::pin(self.promoted(lease, deadline)).await?;
        }
        if lease.connection().timeline() < self.state.newest() {
            lease.discard();
            return Err(not_primary());
        }
        lease.writes = true;
        Ok(lease)
    }

    /// The connection, if its server says that it is the primary by now.
    async fn promoted(&self, lease: Lease, deadline: Option<Instant>) -> Result<Lease> {
        let limit = Instant::now() + self.connect;
        let limit = deadline.map_or(limit, |deadline| deadline.min(limit));
        let asked = {
            let mut asked = pin!(lease.connection().ask_role());
            tokio::time::timeout_at(limit, operation::unless_killed(asked.as_mut())).await
        };
        match asked {
            Ok(Some(Ok(seen))) => {
                self.observe(seen);
                if seen.role == Role::Primary {
                    return Ok(lease);
                }
                // Another server may answer at this address by now: let go of this connection.
                lease.discard();
                Err(not_primary())
            }
            Ok(Some(Err(error))) => {
                lease.discard();
                self.lost(&error);
                Err(self.unreachable(error))
            }
            Ok(None) => {
                lease.discard();
                Err(CommandError::client(codes::INTERRUPTED, "operation was interrupted"))
            }
            Err(_) => {
                lease.discard();
                if deadline.is_some_and(|deadline| deadline <= limit) {
                    self.report();
                    return Err(expired());
                }
                self.lost(&"no answer in time");
                Err(self.unreachable("no answer in time"))
            }
        }
    }

    /// PostgreSQL refused the connection, or nobody listened.
    fn refused(&self, error: tokio_postgres::Error) -> CommandError {
        if is_full(&error) {
            return overloaded().because(error);
        }
        self.lost(&error);
        match error.as_db_error() {
            Some(db) if db.code().code() == "57P03" => from_pg::db_error(db).retry(Retry::BeforeSend),
            _ => self.unreachable(error),
        }
    }

    /// The error of a node that cannot be reached: nothing was sent.
    pub(super) fn unreachable(
        &self,
        why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> CommandError {
        let error = match self.configured {
            Role::Primary => {
                CommandError::postgres(codes::PRIMARY_STEPPED_DOWN, "the primary is not reachable")
            }
            _ => CommandError::postgres(codes::HOST_UNREACHABLE, "no standby is reachable"),
        };
        error.retry(Retry::BeforeSend).because(why)
    }
}

/// The server, or the role, has as many connections as it may.
pub(super) fn is_full(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|state| state.code() == "53300")
}

/// Every connection is in use and stayed so.
pub(super) fn overloaded() -> CommandError {
    CommandError::proxy(
        codes::INGRESS_REQUEST_RATE_LIMIT_EXCEEDED,
        "The server is overloaded: no connection to the storage became free in time",
    )
    .retry(Retry::BeforeSend)
    .labels(from_pg::OVERLOADED)
}

/// The command's own time limit passed.
pub(super) fn expired() -> CommandError {
    CommandError::client(codes::MAX_TIME_MS_EXPIRED, "operation exceeded time limit")
}

/// The node does not take writes (any more).
pub(super) fn not_primary() -> CommandError {
    CommandError::postgres(codes::NOT_WRITABLE_PRIMARY, from_pg::NOT_PRIMARY).retry(Retry::BeforeSend)
}
