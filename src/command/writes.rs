//! insert, update, delete and findAndModify.
//!
//! hello promises MongoDB's batches of up to 100000 writes; the extension takes fewer at a time, so long batches go
//! in several calls whose outcomes are put together. Order and positions stay those of the client's batch.
use bson::raw::{RawArray, RawBsonRef};
use bson::{RawBson, RawDocument, RawDocumentBuf, rawdoc};
use bytes::{Bytes, BytesMut};

use super::Call;
use super::exec::{ATTEMPTS, pause};
use super::options::{missing, number, unknown_field, wrong_type};
use super::request::Request;
use crate::error::{CommandError, Owner, Result, Retry, codes};
use crate::pool::Lease;
use crate::reply::write_errors::{Duplicate, WriteOutcome, index_name};
use crate::reply::{Reply, ok};
use crate::sql::{Budget, Param, SqlCall, calls, run};

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
        let reply = run::document(&row, 0)?;
        if run::flag(&row, 1)? {
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
        let outcome = WriteOutcome::read(RawDocument::from_bytes(&run::document(&row, 0)?)?)?;
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

/// findAndModify.
///
/// # Errors
/// Whatever the extension raised; a duplicate key in MongoDB's words.
pub(super) async fn find_and_modify(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    let mut lease = call.writer().await?;
    let hinted = match request.get("hint")? {
        None => None,
        Some(hint) => Some(Box::pin(without_hint(&call, &mut lease, hint)).await?),
    };
    let body: &RawDocument = hinted.as_deref().unwrap_or(&request.forward);
    let (db, body) = (request.db, body.as_bytes());
    let params: [Param<'_>; 2] = [&db, &body];
    match call.write_on(&mut lease, &calls::FIND_AND_MODIFY, &params).await {
        Ok(row) => Ok(Reply::ready(run::document(&row, 0)?)),
        Err(error) if error.code == codes::DUPLICATE_KEY => {
            let Some(index) = index_name(&error.message).map(str::to_owned) else { return Err(error) };
            let operation = rawdoc! {
                "q": field(request, "query"),
                "u": field(request, "update"),
            };
            let value_of = |pattern: &RawDocument| updated_key(pattern, &operation);
            let place = Place::of(request)?;
            let duplicate = Patterns::default().describe(place, &mut lease, &index, value_of).await;
            // As MongoDB puts what went wrong on the way of this command.
            let message =
                format!("Plan executor error during findAndModify :: caused by :: {}", duplicate.message);
            Err(CommandError { message: message.into(), ..error }.extra(duplicate.fields))
        }
        Err(error) => Err(error),
    }
}

/// The command without its hint, which the extension refuses. A hint names an index; which one is used changes no answer, as
/// long as the index is there and knows all documents.
///
/// # Errors
/// 2 for an index that there is not, 115 for one that does not know all documents.
async fn without_hint(call: &Call<'_>, lease: &mut Lease, hint: RawBsonRef<'_>) -> Result<RawDocumentBuf> {
    let request = call.request;
    let stripped = ok::without(&request.forward, &["hint"])?;
    let no_index = || {
        let message = "error processing query: planner returned error :: caused by :: hint provided does not \
                       correspond to an existing index";
        CommandError::client(codes::BAD_VALUE, message)
    };
    let key = match hint {
        RawBsonRef::Document(key) if key.is_empty() || key.get("$natural")?.is_some() => return Ok(stripped),
        RawBsonRef::Document(key) => Some(key),
        RawBsonRef::String(_) => None,
        _ => return Err(CommandError::client(codes::FAILED_TO_PARSE, "Hint must be a string or an object")),
    };
    let list = rawdoc! { "listIndexes": request.collection()?, "cursor": { "batchSize": 1000 } };
    let (db, list) = (request.db, list.as_bytes());
    let params: [Param<'_>; 2] = [&db, &list];
    let row = match call.write_on(lease, &calls::LIST_INDEXES, &params).await {
        Ok(row) => row,
        // Without a collection there is nothing to find.
        Err(error) if error.code == codes::NAMESPACE_NOT_FOUND => return Ok(stripped),
        Err(error) => return Err(error),
    };
    let page = run::document(&row, 0)?;
    for index in RawDocument::from_bytes(&page)?.get_document("cursor")?.get_array("firstBatch")? {
        let RawBsonRef::Document(index) = index? else { continue };
        let meant = match key {
            Some(key) => index.get_document("key").is_ok_and(|of_index| same_key(of_index, key)),
            None => index.get_str("name").ok() == hint.as_str(),
        };
        if !meant {
            continue;
        }
        let partial = index.get("partialFilterExpression")?.is_some();
        if partial || index.get("sparse")?.is_some_and(ok::is_true) {
            let message = "The option 'hint' of the command 'findAndModify' is not supported for an index that leaves \
                           documents out";
            return Err(CommandError::client(codes::COMMAND_NOT_SUPPORTED, message));
        }
        return Ok(stripped);
    }
    Err(no_index())
}

/// Equal, field by field in their order; the type of a number does not count.
fn same_key(one: &RawDocument, other: &RawDocument) -> bool {
    let mut pairs = one.iter_elements().zip(other.iter_elements());
    let same = pairs.all(|pair| match pair {
        (Ok(a), Ok(b)) => {
            let values = (a.value(), b.value());
            a.key() == b.key()
                && match values {
                    (Ok(a), Ok(b)) => a == b || (number(a).is_some() && number(a) == number(b)),
                    _ => false,
                }
        }
        _ => false,
    });
    same && one.iter_elements().count() == other.iter_elements().count()
}

fn field(request: &Request<'_>, name: &str) -> RawBson {
    request.get(name).ok().flatten().map_or(RawBson::Null, Into::into)
}

/// Keys of indexes by name, asked once for each reply.
#[derive(Default)]
struct Patterns(Vec<(String, Option<RawDocumentBuf>)>);

impl Patterns {
    async fn describe(
        &mut self,
        place: Place<'_>,
        lease: &mut Lease,
        index: &str,
        value_of: impl Fn(&RawDocument) -> Option<RawDocumentBuf>,
    ) -> Duplicate {
        let ns = format!("{}.{}", place.db, place.collection);
        if !self.0.iter().any(|(name, _)| name == index) {
            let pattern = pattern(place, lease, index).await;
            self.0.push((index.to_owned(), pattern));
        }
        let pattern =
            self.0.iter().find(|(name, _)| name == index).and_then(|(_, pattern)| pattern.as_deref());
        match pattern {
            Some(pattern) => Duplicate::new(&ns, index, pattern, value_of(pattern).as_deref()),
            // The index is gone by now: its name is all there is to tell.
            None => Duplicate {
                message: format!("E11000 duplicate key error collection: {ns} index: {index}"),
                fields: RawDocumentBuf::new(),
            },
        }
    }
}

async fn pattern(place: Place<'_>, lease: &mut Lease, index: &str) -> Option<RawDocumentBuf> {
    if index == "_id_" {
        return Some(rawdoc! { "_id": 1 });
    }
    let params: [Param<'_>; 3] = [&place.db, &place.collection, &index];
    let row = run::optional_row(lease, Budget::default(), &calls::INDEX_KEY, &params).await.ok()??;
    let key = run::document(&row, 0).ok()?;
    RawDocumentBuf::from_bytes(key.to_vec()).ok()
}

/// The key of a document under an index.
fn key_of(pattern: &RawDocument, document: &RawDocument) -> Option<RawDocumentBuf> {
    let mut key = RawDocumentBuf::new();
    for element in pattern.iter_elements() {
        let element = element.ok()?;
        key.append(element.key(), at_path(document, element.key().as_str())?);
    }
    Some(key)
}

/// The key that an update gives a document: what it sets, else what its query asks for.
fn updated_key(pattern: &RawDocument, operation: &RawDocument) -> Option<RawDocumentBuf> {
    let change = operation.get_document("u").ok()?;
    let is_operator = |element: &bson::raw::RawElement<'_>| element.key().as_str().starts_with('$');
    let operators =
        change.iter_elements().next().is_some_and(|first| first.is_ok_and(|first| is_operator(&first)));
    let mut key = RawDocumentBuf::new();
    for element in pattern.iter_elements() {
        let element = element.ok()?;
        let path = element.key().as_str();
        let set_by = |operator: &str| {
            let fields = change.get_document(operator).ok()?;
            fields.get(path).ok().flatten().map(RawBson::from)
        };
        let queried = || {
            let query = operation.get_document("q").ok()?;
            let value = query.get(path).ok().flatten()?;
            let plain = value.as_document().is_none_or(|value| {
                value.iter_elements().next().is_none_or(|first| first.is_ok_and(|first| !is_operator(&first)))
            });
            plain.then(|| RawBson::from(value))
        };
        let value = if operators {
            set_by("$set").or_else(|| set_by("$setOnInsert")).or_else(queried)?
        } else if path == "_id" {
            change.get("_id").ok().flatten().map(RawBson::from).or_else(queried)?
        } else {
            at_path(change, path)?
        };
        key.append(element.key(), value);
    }
    Some(key)
}

/// The value at a dotted path; null where there is none. None where an array makes it ambiguous.
fn at_path(document: &RawDocument, path: &str) -> Option<RawBson> {
    let mut document = document;
    let mut steps = path.split('.').take(MAX_DEPTH).peekable();
    while let Some(step) = steps.next() {
        match document.get(step).ok()? {
            None => return Some(RawBson::Null),
            Some(RawBsonRef::Array(_)) => return None,
            Some(value) if steps.peek().is_none() => return Some(value.into()),
            Some(RawBsonRef::Document(inner)) => document = inner,
            Some(_) => return Some(RawBson::Null),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_inserted_documents() {
        let document = rawdoc! { "_id": 5, "a": { "b": "x" }, "tags": [1, 2] };
        assert_eq!(key_of(&rawdoc! { "_id": 1 }, &document), Some(rawdoc! { "_id": 5 }));
        assert_eq!(key_of(&rawdoc! { "a.b": 1 }, &document), Some(rawdoc! { "a.b": "x" }));
        assert_eq!(key_of(&rawdoc! { "no": -1 }, &document), Some(rawdoc! { "no": RawBson::Null }));
        assert_eq!(key_of(&rawdoc! { "tags": 1 }, &document), None);
    }

    #[test]
    fn keys_of_updated_documents() {
        let set = rawdoc! { "q": { "_id": 1 }, "u": { "$set": { "a": 2 } } };
        assert_eq!(updated_key(&rawdoc! { "a": 1 }, &set), Some(rawdoc! { "a": 2 }));
        let upsert = rawdoc! { "q": { "_id": 1, "a": 3 }, "u": { "$inc": { "n": 1 } } };
        assert_eq!(updated_key(&rawdoc! { "_id": 1 }, &upsert), Some(rawdoc! { "_id": 1 }));
        assert_eq!(updated_key(&rawdoc! { "n": 1 }, &upsert), None);
        let replace = rawdoc! { "q": { "_id": 1 }, "u": { "a": 9 } };
        assert_eq!(updated_key(&rawdoc! { "a": 1 }, &replace), Some(rawdoc! { "a": 9 }));
    }

    #[test]
    fn keys_are_the_same_whatever_their_numbers() {
        let key = rawdoc! { "a": 1, "b": -1, "c": "text" };
        assert!(same_key(&key, &rawdoc! { "a": 1.0, "b": -1_i64, "c": "text" }));
        for other in [
            rawdoc! { "b": -1, "a": 1, "c": "text" },
            rawdoc! { "a": 1, "b": 1, "c": "text" },
            rawdoc! { "a": 1, "b": -1 },
            rawdoc! { "a": 1, "b": -1, "c": "2d" },
        ] {
            assert!(!same_key(&key, &other), "{other:?}");
        }
    }

    #[test]
    fn sequences_are_split_at_documents() {
        let (one, two) = (rawdoc! { "a": 1 }, rawdoc! { "b": "xyz" });
        let bytes: Vec<u8> = [one.as_bytes(), two.as_bytes()].concat();
        let batch = Batch::Sequence(bytes.into());
        assert_eq!(batch.count(), 2);
        assert_eq!(batch.documents().unwrap(), vec![&*one, &*two]);
    }
}
