//! insert, update and delete; findAndModify in its own file.
//!
//! hello promises MongoDB's batches of up to 100000 writes; the extension takes fewer at a time, so long batches go
//! in several calls whose outcomes are put together. Order and positions stay those of the client's batch.
use bson::RawDocument;
use bson::raw::{RawArray, RawBsonRef};
use bytes::{Bytes, BytesMut};

mod fields;
mod find_and_modify;
mod parts;
mod patterns;

pub(super) use find_and_modify::find_and_modify;
pub(super) use parts::Part;
use parts::Written;
use patterns::{Patterns, key_of, updated_key};

use super::Call;
use super::options::{missing, wrong_type};
use super::request::Request;
use crate::error::{CommandError, Result, codes};
use crate::pool::Lease;
use crate::reply::Reply;
use crate::reply::write_errors::{WriteError, WriteOutcome};
use crate::sql::{Param, SqlCall};

/// What MongoDB takes in one command, and hello reports.
pub(super) const MAX_BATCH: usize = 100_000;
/// What the extension takes in one call, at its default setting.
pub(super) const MAX_CALL: usize = 25_000;
/// Dotted paths deeper than this are not followed for a message.
const MAX_DEPTH: usize = 100;

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
    let mut outcome = if count > MAX_CALL {
        parts::in_parts(&call, &mut lease, sql, &batch.documents()?).await?
    } else {
        let (db, body, sequence) = (request.db, request.forward.as_bytes(), batch.sequence());
        let params: [Param<'_>; 3] = [&db, &body, &sequence];
        match parts::run_once(&call, &mut lease, sql, &params, count).await {
            Ok(Written::All(reply)) => return Ok(Reply::ready(reply)),
            Ok(Written::Some(outcome)) if outcome.errors.iter().any(WriteError::lost) => {
                // In a box, because it is rare and would make every write larger.
                Box::pin(parts::again(&call, &mut lease, sql, &batch.documents()?, outcome)).await?
            }
            Ok(Written::Some(outcome)) => outcome,
            Err(error) => {
                let writes = batch.documents().unwrap_or_default();
                return Err(fields::unknown_first(request.spec.name, &writes, error));
            }
        }
    };
    place.describe(&mut lease, || batch.documents(), &mut outcome).await?;
    Ok(outcome.write().into())
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
