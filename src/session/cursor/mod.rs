//! Open cursors: which node holds them, what their next page needs, and the connection that some of them hold.
//!
//! A getMore takes its cursor out and puts it back, so nobody else can use it meanwhile; a getMore that fails, or
//! whose client hangs up, does not put it back, and the cursor ends.
mod end;
mod registry;
mod taken;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prometheus::Histogram;
use tokio::time::Instant;

use super::User;
use super::held::Held;
use crate::error::{CommandError, codes};
use crate::pool::{Lease, Node, UserRole};
pub use registry::Cursors;
pub use taken::Taken;

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
    /// It follows a capped collection.
    pub tailable: bool,
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
            tailable: false,
            awaits: false,
            no_timeout: false,
            time_left: None,
            last_use: Instant::now(),
            life,
        }
    }
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
    /// It follows a capped collection.
    pub tailable: bool,
    /// Its further pages wait for documents.
    pub awaits: bool,
    /// Never times out by itself outside a session.
    pub no_timeout: bool,
}

/// 43 in MongoDB's words.
pub fn not_found(id: i64) -> CommandError {
    CommandError::client(codes::CURSOR_NOT_FOUND, format!("cursor id {id} not found"))
}
