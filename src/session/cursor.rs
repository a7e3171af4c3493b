//! Open cursors: which node holds them, what their next page needs, and the connection that some of them hold.
//!
//! A getMore takes its cursor out and puts it back, so nobody else can use it meanwhile; a getMore that fails, or
//! whose client hangs up, does not put it back, and the cursor ends.
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bson::RawDocument;
use bytes::Bytes;
use prometheus::Histogram;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::User;
use super::held::Held;
use crate::config::Limits;
use crate::error::{CommandError, Result, codes, from_pg};
use crate::pool::{Lease, Node, UserRole};
use crate::sql::{Budget, calls, run};
use crate::tasks::Tasks;

/// A cursor that holds a connection and was not used for this long gives way to a new one.
const YIELD_AFTER: Duration = Duration::from_secs(10);
/// How often cursors are checked for their time-out, at most.
const SWEEP: Duration = Duration::from_secs(5);
/// How long closing a portal may take before its connection is closed instead.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// The id of a logical session, as the client sent it.
pub type SessionId = [u8; 16];

/// A cursor between two pages.
#[derive(Debug)]
pub struct Cursor {
    /// Its number.
    pub id: i64,
    /// `db.collection`, as its replies name it.
    pub ns: Box<str>,
    /// The node that holds it.
    pub node: Arc<Node>,
    /// What its next page needs.
    pub continuation: Bytes,
    /// Its results, where the proxy itself holds them.
    pub held: Option<Held>,
    /// The connection that holds the rest of the result; None if any connection of the node will do.
    pub lease: Option<Lease>,
    /// Who opened it.
    pub user: Option<Arc<User>>,
    /// The session it was opened in.
    pub session: Option<SessionId>,
    /// The connection that it ends with, if it ends with one.
    pub connection: Option<i32>,
    /// Its further pages wait for documents.
    pub awaits: bool,
    /// Never times out by itself outside a session.
    pub no_timeout: bool,
    /// What its command's `maxTimeMS` leaves for its further pages; None: no limit.
    pub time_left: Option<Duration>,
    /// When it was last used.
    pub last_use: Instant,
    /// Tells the metrics at its end how long it was open.
    pub life: Life,
}

/// Observes the time from its making to its end, however that comes.
#[derive(Debug)]
pub struct Life {
    begun: Instant,
    seconds: Histogram,
}

impl Life {
    /// Begins now.
    pub fn new(seconds: Histogram) -> Self {
        Self { begun: Instant::now(), seconds }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.seconds.observe(self.begun.elapsed().as_secs_f64());
    }
}

impl Cursor {
    /// The role of whoever opened it.
    pub fn role(&self) -> Option<&Arc<UserRole>> {
        self.user.as_ref().and_then(|user| user.role.as_ref())
    }

    /// A cursor over results that the proxy holds. Its number is like those of the extension: positive, and hard to guess.
    pub fn of_results(
        ns: &str,
        held: Held,
        node: &Arc<Node>,
        user: Option<Arc<User>>,
        session: Option<SessionId>,
        life: Life,
    ) -> Self {
        Self {
            id: rand::random_range(1..=i64::MAX),
            ns: ns.into(),
            node: Arc::clone(node),
            continuation: Bytes::new(),
            held: Some(held),
            lease: None,
            user,
            session,
            connection: None,
            awaits: false,
            no_timeout: false,
            time_left: None,
            last_use: Instant::now(),
            life,
        }
    }
}

#[derive(Debug)]
enum Slot {
    Idle(Box<Cursor>),
    /// A getMore has it; the token tells that one that the cursor was killed.
    Busy {
        killed: CancellationToken,
        user: Option<Arc<User>>,
        session: Option<SessionId>,
    },
}

/// All open cursors of the process.
#[derive(Debug)]
pub struct Cursors {
    slots: Arc<Mutex<HashMap<i64, Slot>>>,
    tasks: Tasks,
}

/// A cursor in the hands of a getMore. Dropped without [`Taken::put_back`], the cursor is gone.
#[derive(Debug)]
pub struct Taken {
    slots: Arc<Mutex<HashMap<i64, Slot>>>,
    cursor: Option<Box<Cursor>>,
    id: i64,
    /// Cancelled when somebody kills the cursor meanwhile.
    pub killed: CancellationToken,
}

type Slots = HashMap<i64, Slot>;

fn locked(slots: &Mutex<Slots>) -> MutexGuard<'_, Slots> {
    // The map is whole after every statement, so a panic elsewhere leaves nothing half done.
    slots.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A cursor that nobody uses at the moment, as it was seen.
#[derive(Debug)]
pub struct IdleCursor {
    /// Its number.
    pub id: i64,
    /// `db.collection`.
    pub ns: Box<str>,
    /// Who opened it.
    pub user: Option<Arc<User>>,
    /// The session it was opened in.
    pub session: Option<SessionId>,
    /// Since it was opened.
    pub age: Duration,
    /// Since it was last used.
    pub idle: Duration,
    /// Never times out by itself outside a session.
    pub no_timeout: bool,
}

impl Cursors {
    /// The cursors that wait for a getMore, by number.
    pub fn idle(&self) -> Vec<IdleCursor> {
        let slots = locked(&self.slots);
        let idle = slots.values().filter_map(|slot| match slot {
            Slot::Idle(cursor) => Some(IdleCursor {
                id: cursor.id,
                ns: cursor.ns.clone(),
                user: cursor.user.clone(),
                session: cursor.session,
                age: cursor.life.begun.elapsed(),
                idle: cursor.last_use.elapsed(),
                no_timeout: cursor.no_timeout,
            }),
            Slot::Busy { .. } => None,
        });
        let mut idle: Vec<_> = idle.collect();
        idle.sort_unstable_by_key(|cursor| cursor.id);
        idle
    }

    /// No cursors; idle ones are closed in the background from now on.
    pub fn new(limits: &Limits, tasks: &Tasks) -> Self {
        let slots = Arc::new(Mutex::new(HashMap::new()));
        tasks.spawn(sweep(Arc::downgrade(&slots), limits.clone(), tasks.stopping().clone()));
        Self { slots, tasks: tasks.clone() }
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        locked(&self.slots).len()
    }

    /// How many of them hold a connection.
    pub fn pinned(&self) -> usize {
        let slots = locked(&self.slots);
        slots.values().filter(|slot| matches!(slot, Slot::Idle(cursor) if cursor.lease.is_some())).count()
    }

    /// Keeps a new cursor.
    ///
    /// # Errors
    /// An id that is in use already: the page must then not be delivered.
    pub fn add(&self, cursor: Cursor) -> Result<()> {
        match locked(&self.slots).entry(cursor.id) {
            Entry::Vacant(slot) => {
                slot.insert(Slot::Idle(Box::new(cursor)));
                Ok(())
            }
            Entry::Occupied(_) => Err(CommandError::unexpected("two open cursors have one id")),
        }
    }

    /// Moves a connection into the budget of cursors, closing the pinned cursor of that node that was idle the
    /// longest if the budget is used up.
    ///
    /// # Errors
    /// 462 when every one of them was used a moment ago.
    pub fn pin(&self, lease: &mut Lease) -> Result<()> {
        if lease.pin() {
            return Ok(());
        }
        let victim = {
            let mut slots = locked(&self.slots);
            let node = lease.node();
            let idle = slots.iter().filter_map(|(id, slot)| match slot {
                Slot::Idle(cursor) if cursor.lease.is_some() && Arc::ptr_eq(&cursor.node, node) => {
                    Some((cursor.last_use, *id))
                }
                _ => None,
            });
            match idle.min() {
                Some((last_use, id)) if last_use.elapsed() >= YIELD_AFTER => slots.remove(&id),
                _ => None,
            }
        };
        if let Some(Slot::Idle(victim)) = victim {
            debug!(cursor = victim.id, "an idle cursor gives its connection to a new one");
            // Closing its connection at once, without a round trip, gives its place back now.
            if let Some(pinned) = victim.lease {
                pinned.discard();
            }
            if lease.pin() {
                return Ok(());
            }
        }
        Err(CommandError::proxy(
            codes::INGRESS_REQUEST_RATE_LIMIT_EXCEEDED,
            "The server is overloaded: too many open cursors hold a connection to the storage",
        )
        .labels(from_pg::OVERLOADED))
    }

    /// Takes a cursor for a getMore on namespace `ns` by `user`.
    ///
    /// # Errors
    /// 43 unknown, 13 another namespace or user, 143 in use.
    pub fn take(&self, id: i64, ns: &str, user: Option<&Arc<User>>) -> Result<Taken> {
        let mut slots = locked(&self.slots);
        let slot = slots.get_mut(&id).ok_or_else(|| not_found(id))?;
        let Slot::Idle(cursor) = slot else {
            return Err(CommandError::client(
                codes::CURSOR_IN_USE,
                format!("cursor id {id} is already in use"),
            ));
        };
        if cursor.user.as_ref() != user {
            let message = format!("cursor id {id} was not created by the authenticated user");
            return Err(CommandError::client(codes::UNAUTHORIZED, message));
        }
        if *cursor.ns != *ns {
            let message = format!(
                "Requested getMore on namespace '{ns}', but cursor belongs to a different namespace {}",
                cursor.ns
            );
            return Err(CommandError::client(codes::UNAUTHORIZED, message));
        }
        let killed = CancellationToken::new();
        let busy = Slot::Busy { killed: killed.clone(), user: cursor.user.clone(), session: cursor.session };
        let Slot::Idle(cursor) = std::mem::replace(slot, busy) else { return Err(not_found(id)) };
        Ok(Taken { slots: Arc::clone(&self.slots), cursor: Some(cursor), id, killed })
    }

    /// Kills one cursor. False if there is none with this id, or it is another user's.
    pub fn kill(&self, id: i64, user: Option<&Arc<User>>) -> bool {
        let mut slots = locked(&self.slots);
        let owner = match slots.get(&id) {
            None => return false,
            Some(Slot::Idle(cursor)) => cursor.user.as_ref(),
            Some(Slot::Busy { user, .. }) => user.as_ref(),
        };
        if owner != user {
            return false;
        }
        if let Some(slot) = slots.remove(&id) {
            self.end(slot);
        }
        true
    }

    /// Kills the cursors that end with this connection.
    pub fn end_connection(&self, connection: i32) {
        let ended: Vec<Slot> = locked(&self.slots)
            .extract_if(|_, slot| matches!(slot, Slot::Idle(cursor) if cursor.connection == Some(connection)))
            .map(|(_, slot)| slot)
            .collect();
        for slot in ended {
            self.end(slot);
        }
    }

    /// Kills the cursors of some sessions of a user.
    pub fn kill_sessions(&self, sessions: &[SessionId], user: Option<&Arc<User>>) {
        self.end_all(|session, owner| {
            session.is_some_and(|session| sessions.contains(&session)) && owner == user
        });
    }

    /// Kills the cursors of all sessions of the users named, with name and database; of everybody if none is named.
    pub fn kill_all_sessions(&self, users: &[(&str, &str)]) {
        let named = |owner: &User| users.iter().any(|(name, db)| *name == &*owner.name && *db == &*owner.db);
        self.end_all(|session, owner| {
            session.is_some() && (users.is_empty() || owner.is_some_and(|owner| named(owner)))
        });
    }

    fn end_all(&self, meant: impl Fn(Option<SessionId>, Option<&Arc<User>>) -> bool) {
        let ended: Vec<Slot> = locked(&self.slots)
            .extract_if(|_, slot| match slot {
                Slot::Idle(cursor) => meant(cursor.session, cursor.user.as_ref()),
                Slot::Busy { session, user, .. } => meant(*session, user.as_ref()),
            })
            .map(|(_, slot)| slot)
            .collect();
        for slot in ended {
            self.end(slot);
        }
    }

    /// The sessions are in use: their cursors' time starts again.
    pub fn refresh_sessions(&self, sessions: &[SessionId], user: Option<&Arc<User>>) {
        let now = Instant::now();
        for slot in locked(&self.slots).values_mut() {
            if let Slot::Idle(cursor) = slot
                && cursor.session.is_some_and(|session| sessions.contains(&session))
                && cursor.user.as_ref() == user
            {
                cursor.last_use = now;
            }
        }
    }

    fn end(&self, slot: Slot) {
        match slot {
            Slot::Idle(cursor) => {
                self.tasks.spawn(close(*cursor));
            }
            Slot::Busy { killed, .. } => killed.cancel(),
        }
    }
}

impl Taken {
    /// The cursor.
    #[expect(clippy::expect_used, reason = "only put_back and finish take it, and both end the value")]
    pub fn cursor(&mut self) -> &mut Cursor {
        self.cursor.as_mut().expect("taken")
    }

    /// Keeps the cursor for the next page.
    pub fn put_back(mut self) {
        let Some(mut cursor) = self.cursor.take() else { return };
        cursor.last_use = Instant::now();
        let mut slots = locked(&self.slots);
        // Absent: somebody killed it meanwhile. Dropping it closes the connection it may hold.
        if let Some(slot) = slots.get_mut(&self.id) {
            *slot = Slot::Idle(cursor);
        } else if let Some(lease) = cursor.lease.take() {
            lease.discard();
        }
    }

    /// The cursor is at its end: its portal is closed and its connection given back, without the client waiting.
    pub fn finish(mut self, tasks: &Tasks) {
        if let Some(cursor) = self.cursor.take()
            && cursor.lease.is_some()
        {
            tasks.spawn(close(*cursor));
        }
        locked(&self.slots).remove(&self.id);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Some(mut cursor) = self.cursor.take() else { return };
        // It failed or was abandoned; what its portal holds is unknown.
        if let Some(lease) = cursor.lease.take() {
            lease.discard();
        }
        locked(&self.slots).remove(&self.id);
    }
}

/// 43 in MongoDB's words.
pub fn not_found(id: i64) -> CommandError {
    CommandError::client(codes::CURSOR_NOT_FOUND, format!("cursor id {id} not found"))
}

/// Ends a cursor: closes its portal and gives the connection back, or removes what the server stored for it.
async fn close(mut cursor: Cursor) {
    let budget = Budget { deadline: Some(Instant::now() + CLOSE_LIMIT) };
    if let Some(mut lease) = cursor.lease.take() {
        // The connection was this cursor's alone, so every portal in it is the cursor's; no error if it is gone.
        if run::text(&mut lease, budget, &calls::CLOSE_ALL, calls::CLOSE_ALL.text).await.is_err() {
            lease.discard();
        }
        return;
    }
    // Without a connection a persisted result lies in a file of the server.
    if is_persisted(&cursor.continuation)
        && let Ok(mut lease) = cursor.node.checkout(cursor.role(), budget.deadline).await
    {
        let ids: &[i64] = &[cursor.id];
        let deleted = run::row(&mut lease, budget, &calls::DELETE_CURSORS, &[&ids]).await;
        if let Err(error) = deleted {
            debug!(cursor = cursor.id, %error, "a stored cursor was not deleted; the server drops it by age");
        }
    }
}

fn is_persisted(continuation: &[u8]) -> bool {
    RawDocument::from_bytes(continuation)
        .is_ok_and(|continuation| matches!(continuation.get_bool("qp"), Ok(true)))
}

/// Closes cursors that nobody used for too long.
async fn sweep(slots: Weak<Mutex<Slots>>, limits: Limits, stop: CancellationToken) {
    let pause =
        SWEEP.min(limits.cursor_timeout.min(limits.session_timeout) / 4).max(Duration::from_millis(20));
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        let Some(slots) = slots.upgrade() else { return };
        for cursor in expired(&slots, &limits) {
            debug!(cursor = cursor.id, ns = %cursor.ns, "cursor timed out");
            close(cursor).await;
        }
    }
}

fn expired(slots: &Mutex<Slots>, limits: &Limits) -> Vec<Cursor> {
    let over = |cursor: &Cursor| {
        let idle = cursor.last_use.elapsed();
        match (cursor.session, cursor.no_timeout) {
            (Some(_), _) => idle > limits.session_timeout,
            (None, true) => false,
            (None, false) => idle > limits.cursor_timeout,
        }
    };
    locked(slots)
        .extract_if(|_, slot| matches!(slot, Slot::Idle(cursor) if over(cursor)))
        .filter_map(|(_, slot)| match slot {
            Slot::Idle(cursor) => Some(*cursor),
            Slot::Busy { .. } => None,
        })
        .collect()
}
