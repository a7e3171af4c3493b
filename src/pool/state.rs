//! What is known of a node, and the count of changes of that knowledge.
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bson::oid::ObjectId;
use tokio::sync::{Notify, watch};

use super::storage::Storage;
use crate::reply::error::TopologyVersion;

/// What a PostgreSQL node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Not asked yet.
    Unknown = 0,
    /// Takes writes.
    Primary = 1,
    /// In recovery: a hot standby.
    Standby = 2,
    /// Could not be reached when it was last tried.
    Down = 3,
}

impl Role {
    fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Primary,
            2 => Self::Standby,
            3 => Self::Down,
            _ => Self::Unknown,
        }
    }
}

/// How far a standby is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lag {
    /// Since the last change that it replayed; 0 if it has replayed all that it received.
    pub time: Duration,
    /// Of WAL, received and not replayed.
    pub bytes: u64,
}

/// What one server said of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Observation {
    /// Primary or Standby.
    pub role: Role,
    /// The timeline a primary writes to; 0 for a standby.
    pub timeline: u32,
    /// Which database cluster it is a server of (PostgreSQL's system identifier); 0: it does not tell.
    pub system: u64,
    /// Of a standby.
    pub lag: Lag,
}

/// The shared knowledge of one node. What requests ask for is a single atomic each: readers never wait.
#[derive(Debug)]
pub(super) struct State {
    role: AtomicU8,
    timeline: AtomicU32,
    lag_millis: AtomicU64,
    lag_bytes: AtomicU64,
    /// The node was seen as a primary since the start: a refusal of writes is then a failover, not its nature.
    was_primary: AtomicBool,
    storage: RwLock<Option<Storage>>,
    /// Wakes the probe before its time, when a request found the node away.
    pub suspect: Notify,
    topology: Arc<Topology>,
}

impl State {
    pub(super) fn new(topology: Arc<Topology>) -> Self {
        Self {
            role: AtomicU8::new(Role::Unknown as u8),
            timeline: AtomicU32::new(0),
            lag_millis: AtomicU64::new(0),
            lag_bytes: AtomicU64::new(0),
            was_primary: AtomicBool::new(false),
            storage: RwLock::new(None),
            suspect: Notify::new(),
            topology,
        }
    }

    pub(super) fn role(&self) -> Role {
        Role::from_u8(self.role.load(Ordering::Acquire))
    }

    pub(super) fn timeline(&self) -> u32 {
        self.timeline.load(Ordering::Acquire)
    }

    /// The highest timeline that any node has written to.
    pub(super) fn newest(&self) -> u32 {
        self.topology.newest()
    }

    pub(super) fn lag(&self) -> Lag {
        Lag {
            time: Duration::from_millis(self.lag_millis.load(Ordering::Relaxed)),
            bytes: self.lag_bytes.load(Ordering::Relaxed),
        }
    }

    pub(super) fn storage(&self) -> Option<Storage> {
        // Replaced whole, so whoever panicked has left no half.
        self.storage.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn found(&self, storage: Storage) {
        *self.storage.write().unwrap_or_else(PoisonError::into_inner) = Some(storage);
    }

    pub(super) fn was_primary(&self) -> bool {
        self.was_primary.load(Ordering::Acquire)
    }

    /// Records what the server said. True if that is news.
    pub(super) fn observe(&self, seen: Observation) -> bool {
        self.timeline.store(seen.timeline, Ordering::Release);
        let millis = u64::try_from(seen.lag.time.as_millis()).unwrap_or(u64::MAX);
        self.lag_millis.store(millis, Ordering::Relaxed);
        self.lag_bytes.store(seen.lag.bytes, Ordering::Relaxed);
        if seen.role == Role::Primary {
            self.was_primary.store(true, Ordering::Release);
            self.topology.writes(seen.system, seen.timeline);
        }
        self.set(seen.role)
    }

    /// Records that the server could not be reached. True if that is news.
    pub(super) fn lost(&self) -> bool {
        self.set(Role::Down)
    }

    fn set(&self, role: Role) -> bool {
        let before = self.role.swap(role as u8, Ordering::AcqRel);
        let news = before != role as u8;
        if news {
            self.topology.changed();
        }
        news
    }
}

/// The `topologyVersion` of hello: an id of this process and a count of changes.
#[derive(Debug)]
pub struct Topology {
    /// New at every start.
    pub process_id: ObjectId,
    counter: watch::Sender<i64>,
    /// The highest timeline that any primary has written to.
    newest: AtomicU32,
    /// Of which database cluster.
    system: AtomicU64,
}

impl Default for Topology {
    fn default() -> Self {
        Self {
            process_id: ObjectId::new(),
            counter: watch::Sender::new(0),
            newest: AtomicU32::new(0),
            system: AtomicU64::new(0),
        }
    }
}

impl Topology {
    /// The count now.
    pub fn counter(&self) -> i64 {
        *self.counter.borrow()
    }

    /// The highest timeline that any primary has written to, as far as is known. A primary on a lower one was superseded: what
    /// it still takes is lost when it is rewound.
    pub(super) fn newest(&self) -> u32 {
        self.newest.load(Ordering::Acquire)
    }

    /// A primary of this database cluster writes to this timeline. Another cluster at the same address, after everything was
    /// set up anew, begins again with its own.
    fn writes(&self, system: u64, timeline: u32) {
        let before = self.system.load(Ordering::Acquire);
        if system != 0 && system != before {
            self.system.store(system, Ordering::Release);
            if before != 0 {
                self.newest.store(timeline, Ordering::Release);
                return;
            }
        }
        self.newest.fetch_max(timeline, Ordering::AcqRel);
    }

    /// What hello and errors tell of it.
    pub fn version(&self) -> TopologyVersion {
        TopologyVersion { process_id: self.process_id, counter: self.counter() }
    }

    /// Waits for the count to change from what it is at the call.
    pub fn subscribe(&self) -> watch::Receiver<i64> {
        self.counter.subscribe()
    }

    fn changed(&self) {
        self.counter.send_modify(|count| *count = count.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_timeline_is_one_of_the_cluster() {
        let topology = Topology::default();
        let newest = |system, timeline| {
            topology.writes(system, timeline);
            topology.newest()
        };
        assert_eq!((newest(7, 2), newest(7, 3), newest(7, 2), newest(0, 1)), (2, 3, 3, 3));
        // Set up anew.
        assert_eq!((newest(8, 1), newest(8, 2), newest(0, 1)), (1, 2, 2));
    }

    #[test]
    fn the_counter_moves_only_on_news() {
        let topology = Arc::new(Topology::default());
        let state = State::new(Arc::clone(&topology));
        assert_eq!(state.role(), Role::Unknown);
        let primary = Observation { role: Role::Primary, timeline: 1, system: 0, lag: Lag::default() };
        assert!(state.observe(primary));
        assert!(!state.observe(primary));
        assert_eq!(topology.counter(), 1);
        assert!(state.lost());
        assert!(!state.lost());
        assert_eq!(topology.counter(), 2);
        assert!(state.observe(Observation {
            role: Role::Standby,
            timeline: 0,
            system: 0,
            lag: Lag::default()
        }));
        assert!(state.was_primary());
        assert_eq!(topology.counter(), 3);
    }
}
