//! May the user of a connection run this request? Roles are PostgreSQL's; the answer is asked at the login, and again from
//! time to time, so that a dropped user does not stay.
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::request::Request;
use super::spec::{Auth, Kind};
use super::{Call, Services};
use crate::error::from_pg::DENIED;
use crate::error::{CommandError, Result, Retry, codes};
use crate::pool::Pick;
use crate::reply::{Reply, ok};
use crate::session::{Rights, Session};
use crate::sql::{Budget, Param, calls, run};

/// How long an answer holds.
const FRESH: Duration = Duration::from_secs(30);

/// When what is known of users was declared void: nanoseconds since the start of the process; 0: never.
#[derive(Debug, Default)]
pub(super) struct Voided(AtomicU64);

impl Services {
    /// What is known of users is out of date: whoever sends something next is asked about first.
    pub(super) fn forget_rights(&self) {
        let now = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.voided.0.fetch_max(now, Ordering::Release);
        for node in self.pools.nodes() {
            node.forget_roles();
        }
    }

    fn is_void(&self, asked: Instant) -> bool {
        let voided = Duration::from_nanos(self.voided.0.load(Ordering::Acquire));
        !voided.is_zero() && asked.saturating_duration_since(self.started) <= voided
    }
}

/// invalidateUserCache.
pub(super) fn invalidate(call: Call<'_>) -> Result<Reply> {
    call.services.forget_rights();
    Ok(ok::plain())
}

/// Asks PostgreSQL what the user of this name may do, and the OID of its role; None if it is gone.
///
/// # Errors
/// Why no node could be asked.
pub(super) async fn ask(
    services: &Services,
    pick: Pick,
    user: &str,
    budget: Budget,
) -> Result<Option<(Rights, u32)>> {
    let mut last = None;
    let params: [Param<'_>; 1] = [&user];
    for node in services.pools.readers(pick)? {
        // A pooled connection may have died unnoticed; the question may be asked again.
        for _ in 0..2 {
            let mut lease = match node.checkout(None, budget.deadline).await {
                Ok(lease) => lease,
                Err(error) if error.retry == Retry::BeforeSend => {
                    last = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            };
            match run::optional_row(&mut lease, budget, &calls::RIGHTS, &params).await {
                Ok(None) => return Ok(None),
                Ok(Some(row)) => {
                    let rights = Rights {
                        admin: run::flag(&row, 0)?,
                        write: run::flag(&row, 1)?,
                        read: run::flag(&row, 2)?,
                    };
                    return Ok(Some((rights, run::oid(&row, 3)?)));
                }
                Err(error) if error.retry == Retry::Never => return Err(error),
                Err(error) => last = Some(error),
            }
        }
    }
    Err(last.unwrap_or_else(|| CommandError::unexpected("no node was tried")))
}

/// Refuses what the user may not do.
///
/// # Errors
/// 13 in MongoDB's words, or why PostgreSQL could not be asked.
pub async fn check(
    services: &Services,
    session: &mut Session,
    request: &Request<'_>,
    pick: Pick,
) -> Result<()> {
    if session.user.is_none() {
        return Ok(());
    }
    let others = request.spec.auth == Auth::Admin;
    if !services.config.roles || (request.spec.kind == Kind::Local && !others) {
        return Ok(());
    }
    let asked = session.rights.1;
    if asked.elapsed() > FRESH || services.is_void(asked) {
        Box::pin(ask_again(services, session, request, pick)).await?;
    }
    let rights = session.rights.0;
    let allowed = match request.spec.kind {
        _ if others => rights.admin,
        _ if request.writes() => rights.write,
        Kind::Read => rights.read,
        _ => true,
    };
    if allowed { Ok(()) } else { Err(refused(request)) }
}

/// Asks anew what the user may do. One that was dropped, or dropped and made again, has to log in.
async fn ask_again(
    services: &Services,
    session: &mut Session,
    request: &Request<'_>,
    pick: Pick,
) -> Result<()> {
    let Some(user) = session.user.clone() else { return Ok(()) };
    // From the question on: what changes after it is not in the answer.
    let asked = Instant::now();
    match ask(services, pick, &user.name, request.budget).await? {
        Some((rights, oid)) if user.role.as_ref().is_none_or(|role| role.oid == oid) => {
            session.rights = (rights, asked);
            Ok(())
        }
        _ => {
            session.user = None;
            let message = format!("Command {} requires authentication", request.name);
            Err(CommandError::client(codes::UNAUTHORIZED, message))
        }
    }
}

/// What a client is told whose command PostgreSQL refused to its role: MongoDB's words, and whether the user is there at all.
pub async fn denied(
    services: &Services,
    session: &mut Session,
    request: &Request<'_>,
    pick: Pick,
    error: CommandError,
) -> CommandError {
    if error.message != DENIED || session.user.is_none() {
        return error;
    }
    match Box::pin(ask_again(services, session, request, pick)).await {
        Ok(()) => CommandError { source: error.source, ..refused(request) },
        Err(gone) => gone,
    }
}

/// MongoDB quotes the command; of its fields this needs no more than the first and the database.
pub(super) fn refused(request: &Request<'_>) -> CommandError {
    let target = request.target.as_str().map_or_else(|| "1".to_owned(), |name| format!("\"{name}\""));
    let message = format!(
        "not authorized on {} to execute command {{ {}: {target}, $db: \"{}\" }}",
        request.db, request.name, request.db
    );
    CommandError::client(codes::UNAUTHORIZED, message)
}
