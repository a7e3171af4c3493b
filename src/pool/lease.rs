//! The one owner of a checked-out connection. Its end decides: back to the pool, or discarded.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use deadpool::managed::Object;
use tokio::sync::OwnedSemaphorePermit;

use super::connection::{Connection, NodeManager};
use super::node::Node;
use super::role::UserRole;
use crate::obs::operation::{self, Backend};

/// A connection in use by one request or one cursor.
#[derive(Debug)]
pub struct Lease {
    node: Arc<Node>,
    /// Whom it serves; None: nobody who logged in.
    user: Option<Arc<UserRole>>,
    /// None only while dropping.
    object: Option<Object<NodeManager>>,
    /// The place in the node's budget; given back after the connection is.
    permit: Option<OwnedSemaphorePermit>,
    /// When the statement was sent whose end was not seen.
    busy: Option<Instant>,
    /// The connection must not return to the pool.
    tainted: bool,
    /// A cancel was sent for it, which may arrive whenever it likes.
    cancelled: AtomicBool,
    /// It was taken for writes.
    pub(super) writes: bool,
    /// The connection served someone before: it may have died unnoticed.
    reused: bool,
}

impl Lease {
    pub(super) fn new(
        node: Arc<Node>,
        user: Option<Arc<UserRole>>,
        object: Object<NodeManager>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let reused = Object::metrics(&object).recycle_count > 0;
        Self {
            node,
            user,
            object: Some(object),
            permit: Some(permit),
            busy: None,
            tainted: false,
            cancelled: AtomicBool::new(false),
            writes: false,
            reused,
        }
    }

    /// The node that the connection belongs to.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Whom the connection serves.
    pub(crate) fn user(&self) -> Option<&Arc<UserRole>> {
        self.user.as_ref()
    }

    /// The connection served someone before.
    pub fn reused(&self) -> bool {
        self.reused
    }

    /// It was taken for writes, from the node that takes them.
    pub(crate) fn writes(&self) -> bool {
        self.writes
    }

    /// Asks PostgreSQL to cancel what the connection runs. The request goes over a connection of its own and is obeyed some
    /// time after it was sent, perhaps when the statement has ended by itself: whoever had this connection next would be
    /// hit. So it is closed at the end, however the statement ends.
    pub(crate) async fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.node.cancel(self.connection().client().cancel_token()).await;
    }

    /// A cancel was sent: nothing may count on what the connection runs later.
    pub(crate) fn was_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The connection itself.
    #[expect(clippy::expect_used, reason = "only Drop and discard take the object, and both end the lease")]
    pub(crate) fn connection(&self) -> &Connection {
        self.object.as_ref().expect("the lease is alive")
    }

    /// A statement begins. Until [`Lease::done`] a drop cancels it and discards the connection.
    pub(crate) fn begin(&mut self) {
        self.node.metrics.begun();
        let process = self.connection().carried.process;
        operation::works(Backend { node: self.node.number(), process });
        self.busy = Some(Instant::now());
    }

    /// The statement's end was seen and the connection is idle again.
    pub(crate) fn done(&mut self) {
        operation::rests();
        if let Some(begun) = self.busy.take() {
            self.node.metrics.statement(begun.elapsed());
        }
    }

    /// The connection's state is not what the next user expects: discard it at the end.
    pub fn taint(&mut self) {
        self.tainted = true;
    }

    /// Ends the lease and closes the connection.
    pub fn discard(mut self) {
        self.tainted = true;
    }

    /// Moves the lease from the budget of requests to that of cursors. False if that one is used up: then nothing
    /// has changed.
    pub fn pin(&mut self) -> bool {
        match Arc::clone(&self.node.cursors).try_acquire_owned() {
            Ok(permit) => {
                self.permit = Some(permit);
                true
            }
            Err(_) => false,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        let permit = self.permit.take();
        if self.busy.is_some() {
            let connection = Object::take(object);
            let token = connection.client().cancel_token();
            let node = Arc::clone(&self.node);
            self.node.tasks.spawn(async move {
                node.cancel(token).await;
                // Cancelled or not: the connection is closed, nobody sees its state again.
                drop(connection);
                drop(permit);
            });
            return;
        }
        if self.tainted || *self.cancelled.get_mut() || object.client().is_closed() {
            drop(Object::take(object));
        }
    }
}
