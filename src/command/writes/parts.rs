//! The calls that a batch of writes takes: one where it can be, more where it is long, and again where a call fails or loses a
//! race. What a call has written is never lost sight of: whoever is told that a command failed sends all of it again.
use std::ops::Range;

use bson::RawDocument;
use bson::raw::RawBsonRef;
use bytes::{Bytes, BytesMut};

use super::{MAX_CALL, fields};
use crate::command::Call;
use crate::command::exec::{ATTEMPTS, pause};
use crate::command::request::Request;
use crate::error::{Result, from_pg};
use crate::pool::Lease;
use crate::reply::ok;
use crate::reply::write_errors::{WriteError, WriteOutcome, ends_the_command};
use crate::sql::{Param, SqlCall, run};

/// What one call did.
pub(super) enum Written {
    /// Everything it was asked to; the reply says so.
    All(Bytes),
    /// Not everything.
    Some(WriteOutcome),
}

/// One call with `count` writes, at most [`MAX_CALL`].
///
/// # Errors
/// Whatever ends the whole command; 112 where its only write lost against others again and again. Nothing was written then,
/// but for what a time limit interrupted.
pub(super) async fn run_once(
    call: &Call<'_>,
    lease: &mut Lease,
    sql: &'static SqlCall,
    params: &[Param<'_>],
    count: usize,
) -> Result<Written> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let row = call.write_on(lease, sql, params).await?;
        let reply = run::into_document(row)?;
        // There only where something failed (sql-api.md 1.3).
        if RawDocument::from_bytes(&reply)?.get("writeErrors")?.is_none() {
            return Ok(Written::All(reply));
        }
        let outcome = WriteOutcome::read(RawDocument::from_bytes(&reply)?)?;
        if count > 1 || !outcome.errors.iter().any(WriteError::lost) {
            return Ok(Written::Some(outcome));
        }
        // The only write of the batch: nothing was written, so it may run again.
        if attempt == ATTEMPTS {
            return Err(from_pg::conflict());
        }
        pause(attempt, call.request.budget.deadline).await?;
    }
}

/// Writes that go to the extension in one call.
#[derive(Debug, Clone, Copy)]
pub(in crate::command) struct Part<'a> {
    /// insert, update or delete.
    pub sql: &'static SqlCall,
    /// The database.
    pub db: &'a str,
    /// The command without its writes.
    pub body: &'a RawDocument,
    /// What the body says of `ordered`; None if it says something that is not understood here.
    pub ordered: Option<bool>,
    /// At most [`MAX_CALL`].
    pub writes: &'a [&'a RawDocument],
}

impl Part<'_> {
    /// Runs them.
    ///
    /// # Errors
    /// As [`run_once`].
    pub(in crate::command) async fn run(self, call: &Call<'_>, lease: &mut Lease) -> Result<WriteOutcome> {
        let outcome = self.send(call, lease, self.writes).await?;
        self.again(call, lease, outcome).await
    }

    async fn send(self, call: &Call<'_>, lease: &mut Lease, writes: &[&RawDocument]) -> Result<WriteOutcome> {
        let mut sequence = BytesMut::with_capacity(writes.iter().map(|write| write.as_bytes().len()).sum());
        for write in writes {
            sequence.extend_from_slice(write.as_bytes());
        }
        let (body, sequence): (&[u8], &[u8]) = (self.body.as_bytes(), &sequence);
        let params: [Param<'_>; 3] = [&self.db, &body, &sequence];
        match run_once(call, lease, self.sql, &params, writes.len()).await? {
            Written::All(reply) => WriteOutcome::read(RawDocument::from_bytes(&reply)?),
            Written::Some(outcome) => Ok(outcome),
        }
    }

    /// Runs those again that lost against other operations while the rest of their call was done, as MongoDB does: alone they
    /// hold no locks that others wait for. What still loses is told at its place, as MongoDB's codes have it.
    ///
    /// # Errors
    /// What ends the whole command.
    pub(super) async fn again(
        self,
        call: &Call<'_>,
        lease: &mut Lease,
        mut outcome: WriteOutcome,
    ) -> Result<WriteOutcome> {
        let Some(ordered) = self.ordered else { return Ok(outcome) };
        for attempt in 1..ATTEMPTS {
            let positions = outcome.to_repeat(ordered, self.writes.len());
            if positions.is_empty() || pause(attempt, call.request.budget.deadline).await.is_err() {
                break;
            }
            lease.node().count_retry();
            let at = |position: &i32| self.writes.get(usize::try_from(*position).ok()?).copied();
            let writes: Vec<_> = positions.iter().filter_map(at).collect();
            match self.send(call, lease, &writes).await {
                Ok(again) => outcome.replace(again, &positions),
                Err(error) if ends_the_command(&error) => return Err(error),
                // Nothing of them was written, as the outcome says.
                Err(_) => break,
            }
        }
        Ok(outcome)
    }
}

/// The command's `ordered`; None if it is something else than a boolean.
///
/// # Errors
/// A malformed command.
pub(super) fn ordered(request: &Request<'_>) -> Result<Option<bool>> {
    Ok(match request.get("ordered")? {
        None | Some(RawBsonRef::Null) => Some(true),
        Some(RawBsonRef::Boolean(ordered)) => Some(ordered),
        Some(_) => None,
    })
}

/// Runs those again of a whole batch that lost against others.
///
/// # Errors
/// As [`Part::again`].
pub(super) async fn again(
    call: &Call<'_>,
    lease: &mut Lease,
    sql: &'static SqlCall,
    writes: &[&RawDocument],
    outcome: WriteOutcome,
) -> Result<WriteOutcome> {
    let request = call.request;
    let body = ok::without(&request.forward, request.spec.sequences)?;
    Part { sql, db: request.db, body: &body, ordered: ordered(request)?, writes }
        .again(call, lease, outcome)
        .await
}

/// A batch of more writes than one call takes.
///
/// # Errors
/// What ends the whole command. What the first call is refused with, for nothing is written then: a later call that is
/// refused goes in halves, down to the write that is wrong.
pub(super) async fn in_parts(
    call: &Call<'_>,
    lease: &mut Lease,
    sql: &'static SqlCall,
    writes: &[&RawDocument],
) -> Result<WriteOutcome> {
    let request = call.request;
    fields::check(request.spec.name, writes)?;
    let ordered = ordered(request)?;
    let body = ok::without(&request.forward, request.spec.sequences)?;
    let mut whole = WriteOutcome::default();
    let mut begun = false;
    let starts = (0..writes.len()).step_by(MAX_CALL);
    // What is still to be done, the last first.
    let mut left: Vec<Range<usize>> =
        starts.map(|start| start..writes.len().min(start + MAX_CALL)).rev().collect();
    while let Some(range) = left.pop() {
        let part = writes.get(range.clone()).unwrap_or_default();
        let part = Part { sql, db: request.db, body: &body, ordered, writes: part };
        let outcome = match part.run(call, lease).await {
            Ok(outcome) => outcome,
            Err(error) if !begun || ends_the_command(&error) => return Err(error),
            Err(_) if range.len() > 1 => {
                let middle = range.start + range.len() / 2;
                left.push(middle..range.end);
                left.push(range.start..middle);
                continue;
            }
            Err(error) => WriteOutcome::failed(WriteError::from(error)),
        };
        begun = true;
        let failed = !outcome.errors.is_empty();
        whole.add(outcome, i32::try_from(range.start).unwrap_or(i32::MAX));
        if failed && ordered != Some(false) {
            break;
        }
    }
    Ok(whole)
}
