//! All open cursors of the process, by number.
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::end::{close, sweep};
use super::taken::Taken;
use super::{Cursor, IdleCursor, SessionId, not_found};
use crate::config::Limits;
use crate::error::{CommandError, Result, codes, from_pg};
use crate::pool::Lease;
use crate::session::User;
use crate::tasks::Tasks;

/// A cursor that holds a connection and was not used for this long gives way to a new one.
const YIELD_AFTER: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) enum Slot {
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
    slots: Arc<Mutex<Slots>>,
    tasks: Tasks,
}

pub(super) type Slots = HashMap<i64, Slot>;

pub(super) fn locked(slots: &Mutex<Slots>) -> MutexGuard<'_, Slots> {
    // The map is whole after every statement, so a panic elsewhere leaves nothing half done.
    slots.lock().unwrap_or_else(PoisonError::into_inner)
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
                tailable: cursor.tailable,
                awaits: cursor.awaits,
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
        Ok(Taken::new(&self.slots, cursor, killed))
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
