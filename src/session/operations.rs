//! The operations in progress: what each client connection runs now, for currentOp and killOp.
//!
//! Each connection has one slot, made when it is accepted. A request writes into its own slot and copies nothing: of the
//! command it keeps a reference to the frame's bytes.
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Client, User};
use crate::obs::operation::{Backend, Signal};

/// What one connection runs.
#[derive(Debug)]
pub struct Slot {
    connection: i32,
    peer: Option<SocketAddr>,
    signal: Arc<Signal>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    user: Option<Arc<User>>,
    client: Option<Arc<Client>>,
    running: Option<Operation>,
}

/// An operation in progress.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its number, which is above 0.
    pub id: i32,
    /// The command as the table names it.
    pub command: &'static str,
    /// The command's document.
    pub body: Bytes,
    /// When it arrived.
    pub since: Instant,
}

/// A connection as it was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its number.
    pub connection: i32,
    /// The client's address; None on a Unix socket.
    pub peer: Option<SocketAddr>,
    /// Who logged in.
    pub user: Option<Arc<User>>,
    /// What the client said of itself.
    pub client: Option<Arc<Client>>,
    /// What it runs; None while it is idle.
    pub running: Option<Operation>,
    /// The backend that works for it.
    pub backend: Option<Backend>,
    /// It was asked to end.
    pub killed: bool,
}

impl Seen {
    /// How long the operation has been running.
    pub fn took(&self) -> Duration {
        self.running.as_ref().map_or(Duration::ZERO, |running| running.since.elapsed())
    }
}

impl Slot {
    /// For one client connection; in no list until [`Operations::enter`].
    pub fn new(connection: i32, peer: Option<SocketAddr>) -> Arc<Self> {
        Arc::new(Self { connection, peer, signal: Arc::default(), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How others reach the operation.
    pub fn signal(&self) -> &Arc<Signal> {
        &self.signal
    }

    /// An operation begins for this user and this client.
    pub fn begin(&self, operation: Operation, user: Option<&Arc<User>>, client: Option<&Arc<Client>>) {
        let mut state = self.state();
        set(&mut state.user, user);
        set(&mut state.client, client);
        state.running = Some(operation);
        self.signal.renew();
    }

    /// The operation has ended.
    pub fn end(&self) {
        self.state().running = None;
    }

    fn see(&self) -> Seen {
        let state = self.state();
        Seen {
            connection: self.connection,
            peer: self.peer,
            user: state.user.clone(),
            client: state.client.clone(),
            running: state.running.clone(),
            backend: self.signal.backend(),
            killed: self.signal.is_killed(),
        }
    }
}

fn set<T>(known: &mut Option<Arc<T>>, now: Option<&Arc<T>>) {
    let same = match (&known, now) {
        (Some(known), Some(now)) => Arc::ptr_eq(known, now),
        (None, None) => true,
        _ => false,
    };
    if !same {
        *known = now.cloned();
    }
}

/// All connections of the process with what they run.
#[derive(Debug, Default)]
pub struct Operations {
    slots: Mutex<HashMap<i32, Arc<Slot>>>,
    last: AtomicU32,
}

/// A connection in the list, as long as this lives.
#[derive(Debug)]
pub struct Entered<'a> {
    operations: &'a Operations,
    connection: i32,
}

impl Operations {
    fn slots(&self) -> MutexGuard<'_, HashMap<i32, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a connection on the list.
    pub fn enter(&self, slot: &Arc<Slot>) -> Entered<'_> {
        self.slots().insert(slot.connection, Arc::clone(slot));
        Entered { operations: self, connection: slot.connection }
    }

    /// The number of the next operation: above 0, and after two thousand millions of them from the start again.
    pub fn next_id(&self) -> i32 {
        loop {
            let id = self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1) & 0x7fff_ffff;
            if let Ok(id @ 1..) = i32::try_from(id) {
                return id;
            }
        }
    }

    /// All connections, by number.
    pub fn all(&self) -> Vec<Seen> {
        let slots: Vec<Arc<Slot>> = self.slots().values().cloned().collect();
        let mut all: Vec<Seen> = slots.iter().map(|slot| slot.see()).collect();
        all.sort_unstable_by_key(|seen| seen.connection);
        all
    }

    /// The operation with this number, if it still runs.
    pub fn find(&self, id: i32) -> Option<Seen> {
        let runs = |slot: &&Arc<Slot>| slot.state().running.as_ref().is_some_and(|running| running.id == id);
        self.slots().values().find(runs).map(|slot| slot.see())
    }

    /// Asks the operation with this number to end. False if there is none.
    pub fn kill(&self, id: i32) -> bool {
        self.kill_those(|running, _| running.id == id) > 0
    }

    /// Asks operations to end; how many they were.
    pub fn kill_those(&self, meant: impl Fn(&Operation, Option<&Arc<User>>) -> bool) -> usize {
        let slots: Vec<Arc<Slot>> = self.slots().values().cloned().collect();
        let mut killed = 0;
        for slot in slots {
            let state = slot.state();
            // Under the lock, so that it is this operation and not the one after it.
            if state.running.as_ref().is_some_and(|running| meant(running, state.user.as_ref())) {
                slot.signal.kill();
                killed += 1;
            }
        }
        killed
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.operations.slots().remove(&self.connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(operations: &Operations) -> Operation {
        let body = Bytes::from_static(b"\x05\0\0\0\0");
        Operation { id: operations.next_id(), command: "find", body, since: Instant::now() }
    }

    #[test]
    fn a_connection_shows_what_it_runs_as_long_as_it_lives() {
        let operations = Operations::default();
        let (one, two) = (Slot::new(1, None), Slot::new(2, None));
        let entered = operations.enter(&one);
        let _other = operations.enter(&two);
        let user = Arc::new(User { name: "ann".into(), db: "admin".into(), role: None });
        let running = operation(&operations);
        one.begin(running.clone(), Some(&user), None);
        let all = operations.all();
        assert_eq!((all.len(), all[0].connection), (2, 1));
        assert_eq!(all[0].running.as_ref().unwrap().id, running.id);
        assert_eq!(all[0].user.as_ref().unwrap().name, user.name);
        assert!(all[1].running.is_none() && operations.find(running.id).is_some());
        one.end();
        assert!(operations.find(running.id).is_none());
        drop(entered);
        assert_eq!(operations.all().len(), 1);
    }

    #[test]
    fn only_the_operation_that_is_meant_is_killed() {
        let operations = Operations::default();
        let slot = Slot::new(1, None);
        let _entered = operations.enter(&slot);
        let first = operation(&operations);
        let id = first.id;
        slot.begin(first, None, None);
        assert!(!operations.kill(id + 1) && !slot.signal().is_killed());
        assert!(operations.kill(id) && slot.signal().is_killed());
        slot.end();
        assert!(!operations.kill(id));
        slot.begin(operation(&operations), None, None);
        assert!(!slot.signal().is_killed());
    }

    #[test]
    fn numbers_stay_above_zero() {
        let operations = Operations::default();
        operations.last.store(0x7fff_fffe, Ordering::Relaxed);
        assert_eq!([operations.next_id(), operations.next_id()], [i32::MAX, 1]);
        operations.last.store(u32::MAX, Ordering::Relaxed);
        assert_eq!(operations.next_id(), 1);
    }
}
