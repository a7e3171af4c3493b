//! The role of PostgreSQL that a connection carries, and how it gets another one.
//!
//! Connections log in as the role of the URL and serve users in turn. `SET ROLE` and not `SET SESSION AUTHORIZATION`: it needs
//! no superuser, and the authenticated user stays the URL's, as whom the official extension connects back to its own server
//! without a password. `RESET ROLE` is out of a client's reach, because no client sends SQL.
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::types::Type;

use super::connection::Connection;
use super::lease::Lease;
use super::node::Node;
use crate::config::RunAsUser;

/// What PostgreSQL makes of no role at all (InvalidOid).
const OF_URL: u32 = 0;
/// Nobody has this OID: the connection's next user sets its role in any case.
const UNKNOWN: u32 = u32::MAX;
/// Longer identifiers are cut by PostgreSQL, and would name another role (bytes).
const MAX_NAME: usize = 63;
/// How long an answer on who may act as whom holds, and how many are kept.
const FRESH: Duration = Duration::from_secs(30);
const MAX_ANSWERS: usize = 10_000;

/// May the role of the URL superuse, who is it, as whom does the connection run, and in which process.
const LOGIN: &str = "SELECT s.rolsuper, s.oid, c.oid, pg_catalog.pg_backend_pid() FROM pg_catalog.pg_roles s, pg_catalog.pg_roles c \
     WHERE s.rolname = session_user AND c.rolname = current_user";
/// May the role of the URL act as this one. PostgreSQL 16 parted that from membership.
const MEMBER: &str = "SELECT pg_catalog.pg_has_role(session_user, r.oid, CASE WHEN \
     pg_catalog.current_setting('server_version_num')::int4 >= 160000 THEN 'SET' ELSE 'MEMBER' END) \
     FROM pg_catalog.pg_roles r WHERE r.oid = $1";

/// Which role a statement needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunsAs {
    /// The user's, as far as the settings and the URL's role permit.
    User,
    /// The URL's.
    Url,
    /// It is the same whoever asks: whatever the connection carries.
    Any,
}

/// The role of a user who logged in.
#[derive(Debug, PartialEq, Eq)]
pub struct UserRole {
    /// Its name.
    pub name: Box<str>,
    /// What it was when the user logged in; another role of the same name is another user.
    pub oid: u32,
}

impl UserRole {
    /// What gives a connection this role. It ends with the session in a failed transaction if that is refused: a statement
    /// behind it, sent at the same time, then fails as well instead of running as whoever was there before. A cancel that
    /// is obeyed before the BEGIN leaves no such transaction, so nothing that writes may be sent at the same time. None
    /// for what can't name a role.
    fn set(&self) -> Option<String> {
        let unusable = self.name.is_empty() || self.name.len() > MAX_NAME || self.name.contains('\0');
        // To PostgreSQL `"none"` is the word NONE, the URL's role itself; neither can be a role's name.
        if unusable || matches!(&*self.name, "none" | "public") {
            return None;
        }
        Some(format!("BEGIN; SET ROLE \"{}\"; COMMIT", self.name.replace('"', "\"\"")))
    }
}

/// Gives a connection the role that it logged in with.
const RESET: &str = "BEGIN; RESET ROLE; COMMIT";

/// What has to happen before a statement.
#[derive(Debug)]
pub(crate) enum Switch {
    /// Nothing: the connection carries the right role.
    None,
    /// These statements, which make it carry a role.
    Send {
        /// The statements.
        text: String,
        /// For [`Carried::now`], once they ran.
        role: u32,
    },
    /// The statement must not run.
    Refused(&'static str),
}

/// Whose role a connection carries.
#[derive(Debug)]
pub(super) struct Carried {
    /// The URL's role may act as every other one.
    superuser: bool,
    /// The URL's role.
    login: u32,
    /// As whom the connection runs when nobody says otherwise.
    own: u32,
    current: AtomicU32,
    /// The server's process that runs the connection's statements.
    pub(super) process: u32,
}

impl Carried {
    /// Asks a new connection.
    pub(super) async fn ask(client: &tokio_postgres::Client) -> Result<Self, tokio_postgres::Error> {
        let row = client.query_typed_one(LOGIN, &[]).await?;
        Ok(Self {
            superuser: row.try_get(0)?,
            login: row.try_get(1)?,
            own: row.try_get(2)?,
            current: AtomicU32::new(OF_URL),
            process: u32::try_from(row.try_get::<_, i32>(3)?).unwrap_or(0),
        })
    }
}

impl Connection {
    /// The connection carries this role from now on.
    pub(crate) fn carries(&self, role: u32) {
        self.carried.current.store(role, Ordering::Release);
    }

    /// What the connection carries may be no longer what it was: the next statement of a user sets it again.
    pub(crate) fn forget_role(&self) {
        self.carries(UNKNOWN);
    }
}

impl Lease {
    /// What has to be sent before a statement.
    ///
    /// # Errors
    /// What PostgreSQL was asked and failed with.
    pub(crate) async fn switch(&self, runs_as: RunsAs) -> Result<Switch, tokio_postgres::Error> {
        let connection = self.connection();
        let user = match (runs_as, self.user()) {
            (RunsAs::Any, _) => return Ok(Switch::None),
            (RunsAs::Url, _) | (RunsAs::User, None) => None,
            (RunsAs::User, Some(user)) => match self.node().roles.policy {
                RunAsUser::Off => None,
                policy => match may_become(connection, self.node(), user.oid).await? {
                    None => return Ok(Switch::Refused("there is no such role any more")),
                    Some(true) => Some(user),
                    Some(false) if policy == RunAsUser::Required => {
                        return Ok(Switch::Refused("the role of the URL may not act as the user's"));
                    }
                    Some(false) => {
                        self.node().roles.tell(self.node().name());
                        None
                    }
                },
            },
        };
        let role =
            user.map_or(OF_URL, |user| if user.oid == connection.carried.own { OF_URL } else { user.oid });
        if connection.carried.current.load(Ordering::Acquire) == role {
            return Ok(Switch::None);
        }
        // Whatever becomes of it: only its success tells what the connection carries.
        connection.forget_role();
        let text = match user {
            Some(user) if role != OF_URL => user.set(),
            _ => Some(RESET.to_owned()),
        };
        Ok(text.map_or(Switch::Refused("the name can't be a role's"), |text| Switch::Send { text, role }))
    }
}

/// May the role of the URL act as this one? None if there is no such role.
async fn may_become(
    connection: &Connection,
    node: &Node,
    role: u32,
) -> Result<Option<bool>, tokio_postgres::Error> {
    let carried = &connection.carried;
    if carried.superuser || role == carried.own {
        return Ok(Some(true));
    }
    let key = (carried.login, role);
    if let Some(known) = node.roles.known(key) {
        return Ok(Some(known));
    }
    let rows = Box::pin(connection.client().query_typed(MEMBER, &[(&role, Type::OID)])).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let may: bool = row.try_get(0)?;
    node.roles.keep(key, may);
    Ok(Some(may))
}

/// What a node knows of roles.
#[derive(Debug)]
pub(super) struct Roles {
    policy: RunAsUser,
    /// Who may act as whom, and since when that is known.
    members: Mutex<HashMap<(u32, u32), (bool, Instant)>>,
    told: AtomicBool,
}

impl Roles {
    pub(super) fn new(policy: RunAsUser) -> Self {
        Self { policy, members: Mutex::default(), told: AtomicBool::new(false) }
    }

    fn known(&self, key: (u32, u32)) -> Option<bool> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.get(&key).filter(|(_, since)| since.elapsed() < FRESH).map(|(may, _)| *may)
    }

    fn keep(&self, key: (u32, u32), may: bool) {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if members.len() >= MAX_ANSWERS {
            members.clear();
        }
        members.insert(key, (may, Instant::now()));
    }

    pub(super) fn forget(&self) {
        self.members.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Once per node: users' statements run as the role of the URL.
    fn tell(&self, node: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                node,
                "the role of the PostgreSQL URL may not act as the roles of users, so their statements run as the URL's: \
                 grant those roles to it (run_as_user)"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str) -> Option<String> {
        UserRole { name: name.into(), oid: 7 }.set()
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(set("bob").unwrap(), "BEGIN; SET ROLE \"bob\"; COMMIT");
        assert_eq!(set("a\"; RESET ROLE; --").unwrap(), "BEGIN; SET ROLE \"a\"\"; RESET ROLE; --\"; COMMIT");
        assert_eq!(set("CN=a b,O=\u{e9}").unwrap(), "BEGIN; SET ROLE \"CN=a b,O=\u{e9}\"; COMMIT");
    }

    #[test]
    fn what_postgresql_would_take_for_another_role_is_none() {
        for name in ["none", "public", "", "a\0b"] {
            assert_eq!(set(name), None, "{name:?}");
        }
        assert!(set(&"x".repeat(63)).is_some() && set(&"x".repeat(64)).is_none());
        assert!(set(&"\u{e9}".repeat(32)).is_none(), "the limit is one of bytes");
    }

    #[test]
    fn answers_are_kept_for_their_pair() {
        let roles = Roles::new(RunAsUser::Auto);
        roles.keep((1, 2), true);
        roles.keep((3, 2), false);
        assert_eq!(
            (roles.known((1, 2)), roles.known((3, 2)), roles.known((1, 3))),
            (Some(true), Some(false), None)
        );
    }
}
