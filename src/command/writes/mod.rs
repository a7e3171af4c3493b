//! insert, update and delete; findAndModify in its own file.
//!
//! hello promises MongoDB's batches of up to 100000 writes; the extension takes fewer at a time, so long batches go
//! in several calls whose outcomes are put together. Order and positions stay those of the client's batch.
use bson::RawDocument;
use bson::raw::{RawArray, RawBsonRef};
use bytes::{Bytes, BytesMut};

mod find_and_modify;
mod patterns;

pub(super) use find_and_modify::find_and_modify;
use patterns::{Patterns, key_of, updated_key};

use super::Call;
use super::exec::{ATTEMPTS, pause};
use super::options::{missing, unknown_field, wrong_type};
use super::request::Request;
use crate::error::{CommandError, Owner, Result, Retry, codes};
use crate::pool::Lease;
use crate::reply::write_errors::WriteOutcome;
use crate::reply::{Reply, ok};
use crate::sql::{Param, SqlCall, run};

/// What MongoDB takes in one command, and hello reports.
pub(super) const MAX_BATCH: usize = 100_000;
/// What the extension takes in one call, at its default setting.
pub(super) const MAX_CALL: usize = 25_000;
/// Dotted paths deeper than this are not followed for a message.
const MAX_DEPTH: usize = 100;

/// What an element of `updates` may have (MongoDB manual, `update`; the last two are sent by routers).
const UPDATE_FIELDS: &[&str] = &[
    "q",
    "u",
    "c",
    "multi",
    "upsert",
    "arrayFilters",
    "hint",
    "collation",
    "sort",
    "upsertSupplied",
    "sampleId",
];
/// What an element of `deletes` may have.
const DELETE_FIELDS: &[&str] = &["q", "limit", "hint", "collation", "sampleId"];

/// The documents of a batch, wherever they stand.
enum Batch<'a> {
    /// In the command itself.
    Array(&'a RawArray),
    /// In document sequences, put together.
    Sequence(Bytes),
}

impl<'a> Batch<'a> {
    fn of(request: &Request<'a>) -> Result<Self> {
        let field = request.spec.batch().unwrap_or_default();
        match (request.batch, request.sequences) {
            (Some(RawBsonRef::Array(array)), _) => Ok(Self::Array(array)),
            (Some(other), _) => Err(wrong_type(&format!("{}.{field}", request.spec.name), other, "array")),
            (None, []) => Err(missing(request.spec.name, field)),
            (None, [only]) => Ok(Self::Sequence(only.documents.clone())),
            (None, several) => {
                let mut all = BytesMut::new();
                for sequence in several {
                    all.extend_from_slice(&sequence.documents);
                }
                Ok(Self::Sequence(all.freeze()))
            }
        }
    }

    fn sequence(&self) -> Option<&[u8]> {
        match self {
            Self::Array(_) => None,
            Self::Sequence(documents) => Some(documents),
        }
    }

    /// The documents in their order.
    ///
    /// # Errors
    /// 14 for an element that is no document.
    fn documents(&self) -> Result<Vec<&RawDocument>> {
        match self {
            Self::Array(array) => array
                .into_iter()
                .map(|element| {
                    let element = element?;
                    element.as_document().ok_or_else(|| wrong_type("0", element, "object"))
                })
                .collect(),
            Self::Sequence(bytes) => {
                let mut rest: &[u8] = bytes;
                let mut documents = Vec::new();
                while let Some((first, after)) = split_document(rest) {
                    documents.push(RawDocument::from_bytes(first)?);
                    rest = after;
                }
                Ok(documents)
            }
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Array(array) => array.iter_elements().count(),
            Self::Sequence(bytes) => {
                let mut rest: &[u8] = bytes;
                let mut count = 0;
                while let Some((_, after)) = split_document(rest) {
                    rest = after;
                    count += 1;
                }
                count
            }
        }
    }
}

/// The first of several documents and what follows it.
pub(super) fn split_document(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::try_from(i32::from_le_bytes(*bytes.first_chunk()?)).ok()?;
    (length >= 5).then(|| bytes.split_at_checked(length)).flatten()
}

/// insert, update or delete.
///
/// # Errors
/// 16 for a batch of the wrong size; whatever ends the whole command.
pub(super) async fn run(call: Call<'_>, sql: &'static SqlCall) -> Result<Reply> {
    let request = call.request;
    let batch = Batch::of(request)?;
    let count = batch.count();
    if count == 0 || count > MAX_BATCH {
        let message = format!("Write batch sizes must be between 1 and {MAX_BATCH}. Got {count} operations.");
        return Err(CommandError::client(codes::INVALID_LENGTH, message));
    }
    let mut lease = call.writer().await?;
    let place = Place::of(request)?;
    if count > MAX_CALL {
        let outcome = in_parts(&call, &mut lease, sql, &batch).await;
        let mut outcome = outcome.map_err(|error| unknown_in_batch(request, &batch, error))?;
        place.describe(&mut lease, || batch.documents(), &mut outcome).await?;
        return Ok(outcome.write().into());
    }
    let (db, body, sequence) = (request.db, request.forward.as_bytes(), batch.sequence());
    let params: [Param<'_>; 3] = [&db, &body, &sequence];
    let written = run_once(&call, &mut lease, sql, &params, count).await;
    match written.map_err(|error| unknown_in_batch(request, &batch, error))? {
        Written::All(reply) => Ok(Reply::ready(reply)),
        Written::Some(mut outcome) => {
            place.describe(&mut lease, || batch.documents(), &mut outcome).await?;
            Ok(outcome.write().into())
        }
    }
}

/// A field of a write that is none, where the whole command failed: MongoDB names it before anything else. Looked for only
/// then, because a batch is long.
fn unknown_in_batch(request: &Request<'_>, batch: &Batch<'_>, error: CommandError) -> CommandError {
    let (path, known) = match request.spec.name {
        "update" => ("update.updates", UPDATE_FIELDS),
        "delete" => ("delete.deletes", DELETE_FIELDS),
        _ => return error,
    };
    if error.owner != Owner::Client {
        return error;
    }
    let documents = batch.documents().unwrap_or_default();
    let mut fields = documents.iter().flat_map(|document| document.iter_elements().flatten());
    match fields.find(|element| !known.contains(&element.key().as_str())) {
        Some(element) => unknown_field(path, element.key().as_str()).because(error),
        None => error,
    }
}

/// What one call did.
pub(super) enum Written {
    /// Everything it was asked to; the reply says so.
    All(Bytes),
    /// Not everything.
    Some(WriteOutcome),
}

impl Written {
    /// The outcome, whichever it is.
    ///
    /// # Errors
    /// A reply that cannot be read.
    pub(super) fn outcome(self) -> Result<WriteOutcome> {
        match self {
            Self::All(reply) => WriteOutcome::read(RawDocument::from_bytes(&reply)?),
            Self::Some(outcome) => Ok(outcome),
        }
    }
}

/// One call with `count` writes, at most [`MAX_CALL`].
///
/// # Errors
/// Whatever ends the whole command. Nothing was written then.
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
        match WriteOutcome::read(RawDocument::from_bytes(&reply)?) {
            Ok(outcome) => return Ok(Written::Some(outcome)),
            // A lost race in the only write of the batch: nothing was written, so it may run again.
            Err(error) if count == 1 && error.retry == Retry::RolledBack && attempt < ATTEMPTS => {
                pause(attempt, call.request.budget.deadline).await?;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn in_parts(
    call: &Call<'_>,
    lease: &mut Lease,
    sql: &'static SqlCall,
    batch: &Batch<'_>,
) -> Result<WriteOutcome> {
    let request = call.request;
    let db = request.db;
    let ordered = !matches!(request.get("ordered")?, Some(RawBsonRef::Boolean(false)));
    let body = ok::without(&request.forward, request.spec.sequences)?;
    let body = body.as_bytes();
    let documents = batch.documents()?;
    let mut whole = WriteOutcome::default();
    let mut offset = 0;
    for part in documents.chunks(MAX_CALL) {
        let mut sequence =
            BytesMut::with_capacity(part.iter().map(|document| document.as_bytes().len()).sum());
        for document in part {
            sequence.extend_from_slice(document.as_bytes());
        }
        let sequence: &[u8] = &sequence;
        let params: [Param<'_>; 3] = [&db, &body, &sequence];
        let row = call.write_on(lease, sql, &params).await?;
        let outcome = WriteOutcome::read(RawDocument::from_bytes(&run::into_document(row)?)?)?;
        let failed = !outcome.errors.is_empty();
        whole.add(outcome, offset);
        if failed && ordered {
            break;
        }
        offset = offset.saturating_add(i32::try_from(part.len()).unwrap_or(i32::MAX));
    }
    Ok(whole)
}

/// Where a batch of writes goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The database.
    pub db: &'a str,
    /// The collection.
    pub collection: &'a str,
    /// Its writes are documents to insert, not operations with `q` and `u`.
    pub inserts: bool,
}

impl<'a> Place<'a> {
    fn of(request: &Request<'a>) -> Result<Self> {
        let inserts = request.spec.batch() == Some("documents");
        Ok(Self { db: request.db, collection: request.collection()?, inserts })
    }

    /// Words the duplicate keys of an outcome as MongoDB does.
    ///
    /// # Errors
    /// A batch that cannot be read.
    pub(super) async fn describe<'d>(
        self,
        lease: &mut Lease,
        documents: impl FnOnce() -> Result<Vec<&'d RawDocument>>,
        outcome: &mut WriteOutcome,
    ) -> Result<()> {
        if outcome.errors.iter().all(|error| error.duplicate_index().is_none()) {
            return Ok(());
        }
        let documents = documents()?;
        let mut patterns = Patterns::default();
        for error in &mut outcome.errors {
            let Some(index) = error.duplicate_index().map(str::to_owned) else { continue };
            let document = usize::try_from(error.index).ok().and_then(|at| documents.get(at)).copied();
            let value_of = |pattern: &RawDocument| match self.inserts {
                true => document.and_then(|document| key_of(pattern, document)),
                false => document.and_then(|document| updated_key(pattern, document)),
            };
            error.describe_duplicate(patterns.describe(self, lease, &index, value_of).await);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
