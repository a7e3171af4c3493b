//! bulkWrite: writes to several collections in one command (MongoDB manual, bulkWrite).
//!
//! Neighbouring operations of one kind on one namespace go in one call, as far as their results can be told apart
//! afterwards: inserts always, updates and deletes when the client wants the sums alone. A call that fails as a whole
//! wrote nothing, and its operations are tried one by one, to learn which of them it was.
mod ops;
mod tally;

use std::ops::Range;

use bson::raw::{RawBsonRef, cstr};
use bson::{RawDocument, RawDocumentBuf};

use super::Call;
use super::options::wrong_type;
use super::request::Request;
use super::writes::{MAX_CALL, Part, Place};
use crate::error::{CommandError, Result, codes};
use crate::pool::Lease;
use crate::reply::Reply;
use crate::reply::ok::is_true;
use crate::reply::write_errors::{WriteError, WriteOutcome, ends_the_command};
use crate::session::cursor::{Cursor, Life};
use crate::session::held::Held;
use crate::sql::calls;
use ops::{Kind, Namespace, Op};
use tally::Tally;

/// The namespace of the cursor of results.
const NAMESPACE: &str = "admin.$cmd.bulkWrite";

/// bulkWrite.
///
/// # Errors
/// A command that is malformed; whatever ends the whole command.
pub(super) async fn run(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    if number_of(request)? != Some(1.0) {
        return Err(CommandError::client(codes::BAD_VALUE, "bulkWrite has to be 1"));
    }
    let namespaces = ops::namespaces(request)?;
    let operations = ops::operations(request, namespaces.len())?;
    let (ordered, errors_only) = (flag(request, "ordered", true)?, flag(request, "errorsOnly", false)?);
    let batch_size = batch_size(request)?;
    let mut lease = call.writer().await?;
    let mut tally = Tally::new(errors_only);
    let mut at = 0;
    // Up to here operations run one by one.
    let mut alone = 0;
    while let Some(first) = operations.get(at) {
        let end = if at < alone { at + 1 } else { group(&operations, at, errors_only) };
        let namespace =
            namespaces.get(first.namespace).ok_or_else(|| CommandError::unexpected("no namespace"))?;
        let part = operations.get(at..end).unwrap_or_default();
        match write(&call, &mut lease, namespace, part, ordered).await {
            Ok(outcome) => tally.add(first.kind, at..end, outcome, ordered),
            Err(error) if ends_the_command(&error) => return Err(error),
            // The client may send all again.
            Err(error) if at == 0 && error.code == codes::WRITE_CONFLICT => return Err(error),
            Err(_) if end - at > 1 => {
                alone = end;
                continue;
            }
            Err(error) => {
                tally.add(first.kind, at..end, WriteOutcome::failed(WriteError::from(error)), ordered)
            }
        }
        if ordered && tally.failed() {
            break;
        }
        at = end;
    }
    reply(&call, &lease, tally, batch_size)
}

/// The end of the operations that may go in one call, from `at` on.
fn group(operations: &[Op], at: usize, errors_only: bool) -> usize {
    let Some(first) = operations.get(at) else { return at };
    if first.kind != Kind::Insert && !errors_only {
        return at + 1;
    }
    let rest = operations.iter().skip(at).take(MAX_CALL);
    let like = |op: &&Op| op.kind == first.kind && op.namespace == first.namespace;
    at + rest.take_while(like).count()
}

async fn write(
    call: &Call<'_>,
    lease: &mut Lease,
    namespace: &Namespace,
    part: &[Op],
    ordered: bool,
) -> Result<WriteOutcome> {
    let Some(kind) = part.first().map(|op| op.kind) else { return Ok(WriteOutcome::default()) };
    let sql = match kind {
        Kind::Insert => &calls::INSERT,
        Kind::Update => &calls::UPDATE,
        Kind::Delete => &calls::DELETE,
    };
    let body = command(call.request, kind, namespace, ordered)?;
    let writes: Vec<&RawDocument> = part.iter().map(|op| -> &RawDocument { &op.write }).collect();
    let part = Part { sql, db: &namespace.db, body: &body, ordered: Some(ordered), writes: &writes };
    let mut outcome = part.run(call, lease).await?;
    let place = Place { db: &namespace.db, collection: &namespace.collection, inserts: kind == Kind::Insert };
    place.describe(lease, || Ok(writes.clone()), &mut outcome).await?;
    Ok(outcome)
}

/// The insert, update or delete without its writes.
fn command(
    request: &Request<'_>,
    kind: Kind,
    namespace: &Namespace,
    ordered: bool,
) -> Result<RawDocumentBuf> {
    let mut body = RawDocumentBuf::new();
    let name = match kind {
        Kind::Insert => cstr!("insert"),
        Kind::Update => cstr!("update"),
        Kind::Delete => cstr!("delete"),
    };
    body.append(name, namespace.collection.as_str());
    body.append(cstr!("ordered"), ordered);
    if let Some(bypass) = request.get("bypassDocumentValidation")? {
        body.append(cstr!("bypassDocumentValidation"), bypass);
    }
    if let (Some(variables), true) = (request.get("let")?, kind != Kind::Insert) {
        body.append(cstr!("let"), variables);
    }
    body.append(cstr!("$db"), namespace.db.as_str());
    Ok(body)
}

/// The sums and the first page of the results; the rest waits in a cursor.
fn reply(call: &Call<'_>, lease: &Lease, tally: Tally, batch_size: Option<usize>) -> Result<Reply> {
    let (sums, results) = tally.finish();
    let mut held = Held::new(results);
    let first = held.page(batch_size);
    let mut id = 0;
    if !held.is_empty() {
        let metrics = &call.services.metrics;
        metrics.cursors.with_label_values(&["normal"]).inc();
        let cursor = Cursor::of_results(
            NAMESPACE,
            held,
            lease.node(),
            call.session.user.clone(),
            call.request.session,
            Life::new(metrics.cursor_seconds.with_label_values(&["normal"])),
        );
        id = cursor.id;
        call.services.cursors.add(cursor)?;
    }
    let mut out = RawDocumentBuf::new();
    let mut cursor = RawDocumentBuf::new();
    cursor.append(cstr!("id"), id);
    cursor.append(cstr!("firstBatch"), first);
    cursor.append(cstr!("ns"), NAMESPACE);
    out.append(cstr!("cursor"), cursor);
    for element in sums.iter_elements() {
        let element = element?;
        out.append(element.key(), element.value()?);
    }
    out.append(cstr!("ok"), 1.0);
    Ok(out.into())
}

fn number_of(request: &Request<'_>) -> Result<Option<f64>> {
    match super::options::number(request.target) {
        None => Err(wrong_type("bulkWrite.bulkWrite", request.target, "int")),
        number => Ok(number),
    }
}

fn flag(request: &Request<'_>, name: &str, default: bool) -> Result<bool> {
    match request.get(name)? {
        None | Some(RawBsonRef::Null) => Ok(default),
        Some(
            value @ (RawBsonRef::Boolean(_)
            | RawBsonRef::Int32(_)
            | RawBsonRef::Int64(_)
            | RawBsonRef::Double(_)),
        ) => Ok(is_true(value)),
        Some(other) => Err(wrong_type(&format!("bulkWrite.{name}"), other, "bool")),
    }
}

/// How many results the first page may hold.
///
/// # Errors
/// 14 for something else than a number, 51024 for a negative one, 40415 for another field.
fn batch_size(request: &Request<'_>) -> Result<Option<usize>> {
    let cursor = match request.get("cursor")? {
        None | Some(RawBsonRef::Null) => return Ok(None),
        Some(RawBsonRef::Document(cursor)) => cursor,
        Some(other) => return Err(wrong_type("bulkWrite.cursor", other, "object")),
    };
    let mut size = None;
    for element in cursor.iter_elements() {
        let element = element?;
        if element.key() != "batchSize" {
            return Err(super::options::unknown_field("SimpleCursorOptions", element.key().as_str()));
        }
        size = Some(crate::session::held::batch_size("bulkWrite.cursor.batchSize", element.value()?)?);
    }
    Ok(size)
}

/// The range of positions, as replies count them.
fn position(at: &Range<usize>, index: i32) -> i32 {
    i32::try_from(at.start).unwrap_or(i32::MAX).saturating_add(index)
}
