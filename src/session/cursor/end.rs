//! How a cursor ends: by its client, or because nobody used it for too long.
use std::sync::{Mutex, Weak};
use std::time::Duration;

use bson::RawDocument;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Cursor;
use super::registry::{Slot, Slots, locked};
use crate::config::Limits;
use crate::sql::{Budget, calls, run};

/// How often cursors are checked for their time-out, at most.
const SWEEP: Duration = Duration::from_secs(5);
/// How long closing a portal may take before its connection is closed instead.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// Ends a cursor: closes its portal and gives the connection back, or removes what the server stored for it.
pub(super) async fn close(mut cursor: Cursor) {
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
pub(super) async fn sweep(slots: Weak<Mutex<Slots>>, limits: Limits, stop: CancellationToken) {
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
