//! Runs a call on a leased connection: prepared once, parameters in binary, the answer's bytes as they come.
mod answer;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, SimpleQueryMessage};

use super::calls::{self, Guard, SqlCall};
use crate::error::{CommandError, Result, codes, from_pg};
use crate::obs::{operation, trace};
use crate::pool::{Lease, Role, Switch};
pub use answer::{
    FirstPage, Page, document, flag, from_hex_text, into_document, literal, number, oid, optional_document,
    optional_number,
};

/// A parameter of a call.
pub type Param<'a> = &'a (dyn ToSql + Sync);

/// What the extension needs to notice its own time limit before we cut it off.
pub const GRACE: Duration = Duration::from_millis(500);

/// How long a cancelled statement may take to end before its connection is given up.
const END_LIMIT: Duration = Duration::from_secs(5);

/// How long a request may still take.
#[derive(Debug, Clone, Copy, Default)]
pub struct Budget {
    /// When the command's `maxTimeMS` ends; None: no limit.
    pub deadline: Option<Instant>,
}

/// Runs `call`, which answers with exactly one row.
///
/// # Errors
/// What PostgreSQL raised, in MongoDB's words; 50 when the budget is used up (the statement is then cancelled
/// and the connection discarded when the lease ends); 11602 or 6 when the connection died, or when a statement that writes
/// did not end although it was cancelled.
pub async fn row(
    lease: &mut Lease,
    budget: Budget,
    call: &'static SqlCall,
    params: &[Param<'_>],
) -> Result<Row> {
    optional_row(lease, budget, call, params)
        .await?
        .ok_or_else(|| CommandError::unexpected("a function gave no row"))
}

/// As [`row`], for calls that answer with at most one row.
///
/// # Errors
/// As [`row`].
pub async fn optional_row(
    lease: &mut Lease,
    budget: Budget,
    call: &'static SqlCall,
    params: &[Param<'_>],
) -> Result<Option<Row>> {
    guard(lease, budget, call).await?;
    one(lease, budget, call, params).await
}

async fn one(
    lease: &mut Lease,
    budget: Budget,
    call: &'static SqlCall,
    params: &[Param<'_>],
) -> Result<Option<Row>> {
    if operation::is_killed() {
        return Err(interrupted());
    }
    lease.begin();
    let node = Arc::clone(lease.node());
    let mut span = trace::Statement::begin(call.name, node.name());
    let client = lease.connection().client();
    let work = as_role(lease, call, async {
        let statement =
            client.prepare_typed_cached(call.text, call.params).await.map_err(Failure::Statement)?;
        if lease.was_cancelled() {
            return Err(Failure::CutOff);
        }
        client.query_opt(&statement, params).await.map_err(Failure::Statement)
    });
    let outcome = within(budget, lease, call, work).await?;
    match &outcome {
        Ok(_) => {}
        Err(Failure::Statement(error) | Failure::Role(error)) => {
            span.failed(error.code().map_or("connection", |state| state.code()));
        }
        Err(Failure::Refused(_)) => span.failed("refused"),
        Err(Failure::CutOff) => span.failed("cut off"),
    }
    finish(lease, outcome)
}

/// Runs a statement without parameters, by the rules of `call`, and returns the first column of its last row as text.
///
/// # Errors
/// As [`row`].
pub async fn text(
    lease: &mut Lease,
    budget: Budget,
    call: &'static SqlCall,
    statement: &str,
) -> Result<Option<String>> {
    guard(lease, budget, call).await?;
    if operation::is_killed() {
        return Err(interrupted());
    }
    lease.begin();
    let client = lease.connection().client();
    let work =
        as_role(lease, call, async { client.simple_query(statement).await.map_err(Failure::Statement) });
    let outcome = within(budget, lease, call, work).await?;
    let messages = finish(lease, outcome)?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(rows.last())
}

/// Asks PostgreSQL whether the user may have done what runs as the URL's role.
async fn guard(lease: &mut Lease, budget: Budget, call: &'static SqlCall) -> Result<()> {
    let column = match call.guard {
        Guard::None => return Ok(()),
        Guard::Writer => 0,
        Guard::Admin => 1,
    };
    let Some(user) = lease.user().cloned() else { return Ok(()) };
    // Boxed, because it is rare and every statement would carry its size.
    match Box::pin(one(lease, budget, &calls::GUARD, &[&user.oid])).await? {
        Some(row) if flag(&row, column)? => Ok(()),
        _ => Err(from_pg::denied().because("the user's own role may not do that")),
    }
}

/// Why a statement did not run to its end.
enum Failure {
    /// Itself.
    Statement(tokio_postgres::Error),
    /// The connection did not get the role. A statement that was sent behind it has failed as well, or has only read.
    Role(tokio_postgres::Error),
    /// It must not have the role. Nothing was sent.
    Refused(&'static str),
    /// The operation was cancelled before it was sent.
    CutOff,
}

/// True of a statement that changes something.
fn changes(lease: &Lease, call: &SqlCall) -> bool {
    lease.writes() || call.guard != Guard::None
}

/// Runs a statement as the role that it needs. A change of the role goes out right before the statement, in the same round trip,
/// where the statement only reads. A change that a cancel met before its BEGIN leaves no failed transaction behind: what was
/// sent at the same time then runs as whoever was there before. What it read is thrown away; what it wrote would stay. So a
/// statement that writes waits until the role is there.
async fn as_role<T>(
    lease: &Lease,
    call: &SqlCall,
    statement: impl Future<Output = std::result::Result<T, Failure>>,
) -> std::result::Result<T, Failure> {
    let mut statement = pin!(statement);
    match lease.switch(call.runs_as).await.map_err(Failure::Statement)? {
        Switch::None => statement.as_mut().await,
        Switch::Refused(why) => Err(Failure::Refused(why)),
        Switch::Send { text, role } => {
            let connection = lease.connection();
            let change = connection.client().batch_execute(&text);
            if changes(lease, call) {
                change.await.map_err(Failure::Role)?;
                connection.carries(role);
                return if lease.was_cancelled() { Err(Failure::CutOff) } else { statement.as_mut().await };
            }
            // Polled in this order, and the driver sends what is polled first first.
            let (changed, outcome) = tokio::join!(biased; change, statement.as_mut());
            changed.map_err(Failure::Role)?;
            connection.carries(role);
            outcome
        }
    }
}

/// Lets the statement run as long as the budget says and nobody kills the operation, then cancels it and waits for its
/// true end: a write that was done by then is told as done, and one that is told as cut off does not happen later.
async fn within<T>(
    budget: Budget,
    lease: &Lease,
    call: &SqlCall,
    work: impl Future<Output = T>,
) -> Result<T> {
    let work = lease.connection().drive(work);
    let mut work = pin!(work);
    let unless_killed = operation::unless_killed(work.as_mut());
    let ended = match budget.deadline {
        None => unless_killed.await,
        Some(deadline) => tokio::time::timeout_at(deadline + GRACE, unless_killed).await.ok().flatten(),
    };
    if let Some(outcome) = ended {
        return Ok(outcome);
    }
    lease.cancel().await;
    tokio::time::timeout(END_LIMIT, work).await.map_err(|_| {
        lease.node().report();
        // Perhaps the server is out of reach, and whether it has done the work nobody knows.
        if changes(lease, call) { from_pg::outcome_unknown() } else { cut_off() }
    })
}

/// What an operation is told that was cancelled.
pub fn cut_off() -> CommandError {
    if operation::is_killed() { interrupted() } else { expired() }
}

/// The command's own time limit passed.
fn expired() -> CommandError {
    CommandError::client(codes::MAX_TIME_MS_EXPIRED, "operation exceeded time limit")
}

/// What killOp makes of an operation.
pub fn interrupted() -> CommandError {
    CommandError::client(codes::INTERRUPTED, "operation was interrupted")
}

/// The statement ended: the connection is idle, or it is gone.
fn finish<T>(lease: &mut Lease, outcome: std::result::Result<T, Failure>) -> Result<T> {
    lease.done();
    match outcome {
        Ok(value) => Ok(value),
        Err(Failure::Statement(error)) => {
            if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
                // Perhaps of a role that was dropped: the name may stand for another one by now.
                lease.connection().forget_role();
            }
            Err(failed(lease, error))
        }
        Err(Failure::Role(error)) => {
            // Perhaps in a failed transaction, and carrying nobody knows whose role.
            lease.taint();
            let refused = [&SqlState::INVALID_PARAMETER_VALUE, &SqlState::INSUFFICIENT_PRIVILEGE];
            if error.code().is_some_and(|state| refused.contains(&state)) {
                return Err(from_pg::denied().because(error));
            }
            Err(failed(lease, error))
        }
        Err(Failure::Refused(why)) => Err(from_pg::denied().because(why)),
        Err(Failure::CutOff) => Err(cut_off()),
    }
}

fn failed(lease: &mut Lease, error: tokio_postgres::Error) -> CommandError {
    if let Some(db) = error.as_db_error() {
        let state = db.code().code();
        // The server is ending or is no primary any more: this connection and what we know of the node are stale.
        if state.starts_with("57P") || state == "25006" {
            lease.taint();
            lease.node().report();
        }
        if db.code() == &SqlState::QUERY_CANCELED && operation::is_killed() {
            return interrupted();
        }
        return from_pg::db_error(db);
    }
    // Anything else is a broken connection, or an answer that was not understood: never reuse it.
    lease.taint();
    lease.node().report();
    let lost = from_pg::connection_lost(error);
    if lease.node().role() == Role::Standby || lease.node().configured() == Role::Standby {
        return CommandError { code: codes::HOST_UNREACHABLE, ..lost };
    }
    lost
}
