//! What a client connection is to us: who logged in, what it said at the handshake; and the cursors of all.
pub mod auth;
pub mod cursor;
pub mod held;
pub mod operations;
pub mod scram;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bson::RawDocumentBuf;

use crate::config::Endpoint;
use crate::pool::UserRole;

/// What belongs to one client connection.
#[derive(Debug)]
pub struct Session {
    /// The endpoint the client connected to.
    pub endpoint: Endpoint,
    /// Unique in the process, from 1.
    pub connection_id: i32,
    /// The client's address; None on a Unix socket.
    pub peer: Option<SocketAddr>,
    /// The client speaks TLS.
    pub tls: bool,
    /// The user that the client's certificate stands for, where that may log in.
    pub certificate: Option<Box<str>>,
    /// Who logged in; None before that.
    pub user: Option<Arc<User>>,
    /// What the user may do, and when that was asked.
    pub rights: (Rights, Instant),
    /// A login that has begun.
    pub login: Option<auth::Login>,
    /// What the client said of itself in the handshake, if it did.
    pub client: Option<Arc<Client>>,
    /// The client knows `hello`, so that errors may speak of primaries instead of masters.
    pub hello_ok: bool,
    /// The client stands behind a load balancer: its cursors are no use to any other connection.
    pub load_balanced: bool,
    /// What the connection runs, for others to see.
    pub operation: Arc<operations::Slot>,
}

/// What a client says of itself.
#[derive(Debug, PartialEq)]
pub struct Client {
    /// `application.name`; may be empty.
    pub application: Box<str>,
    /// The whole document.
    pub metadata: RawDocumentBuf,
}

/// What a user may do. Users are roles of PostgreSQL; which of the extension's roles they belong to decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// Change users, and see and end what others do.
    pub admin: bool,
    /// Change documents, collections and indexes.
    pub write: bool,
    /// Read documents.
    pub read: bool,
}

impl Rights {
    /// Everything.
    pub const ALL: Self = Self { admin: true, write: true, read: true };
}

/// A user that proved its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: Box<str>,
    /// The database it logged in on. Users are global; this is only told back.
    pub db: Box<str>,
    /// Its role in PostgreSQL; None where roles mean nothing.
    pub role: Option<Arc<UserRole>>,
}

impl Session {
    /// The role that the statements of this connection run as.
    pub fn role(&self) -> Option<&Arc<UserRole>> {
        self.user.as_ref().and_then(|user| user.role.as_ref())
    }

    /// A session that nobody has logged in to.
    pub fn new(endpoint: Endpoint, connection_id: i32, peer: Option<SocketAddr>) -> Self {
        Self {
            endpoint,
            connection_id,
            peer,
            tls: false,
            certificate: None,
            user: None,
            rights: (Rights::ALL, Instant::now()),
            login: None,
            client: None,
            hello_ok: false,
            load_balanced: false,
            operation: operations::Slot::new(connection_id, peer),
        }
    }
}
