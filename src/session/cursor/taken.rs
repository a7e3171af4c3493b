//! A cursor while a getMore has it.
use std::sync::{Arc, Mutex};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Cursor;
use super::end::close;
use super::registry::{Slot, Slots, locked};
use crate::tasks::Tasks;

/// A cursor in the hands of a getMore. Dropped without [`Taken::put_back`], the cursor is gone.
#[derive(Debug)]
pub struct Taken {
    slots: Arc<Mutex<Slots>>,
    cursor: Option<Box<Cursor>>,
    id: i64,
    /// Cancelled when somebody kills the cursor meanwhile.
    pub killed: CancellationToken,
}

impl Taken {
    pub(super) fn new(slots: &Arc<Mutex<Slots>>, cursor: Box<Cursor>, killed: CancellationToken) -> Self {
        Self { slots: Arc::clone(slots), id: cursor.id, cursor: Some(cursor), killed }
    }

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
