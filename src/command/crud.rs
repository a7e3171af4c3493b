//! Cursors: the first page of find, aggregate and the lists, and the pages after it.
use bson::raw::RawBsonRef;
use bson::{RawDocument, RawDocumentBuf, rawdoc};
use tokio::time::{Duration, Instant};
use tokio_postgres::Row;

use super::options::{missing, wrong_type};
use super::request::{Request, Tail, Wishes, required_str};
use super::{Call, explain, operations};
use crate::error::{CommandError, Result, Retry, codes};
use crate::pool::Lease;
use crate::reply::Reply;
use crate::session::cursor::{Cursor, Life, Taken};
use crate::session::held;
use crate::sql::{Budget, FirstPage, Page, Param, SqlCall, calls, run};

/// How long a cursor waits for documents where the client does not say, as in MongoDB.
const AWAIT: Duration = Duration::from_secs(1);
/// The pause before such a cursor asks again; it doubles each time, up to the last one.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_millis(100);

/// True if the pipeline ends in a stage that writes.
pub(super) fn has_out_or_merge(request: &Request<'_>) -> bool {
    let pipeline = request.get("pipeline").ok().flatten().and_then(|pipeline| pipeline.as_array());
    let mut stages = pipeline.into_iter().flatten().flatten();
    stages.any(|stage| {
        let first = stage.as_document().and_then(|stage| stage.iter_elements().next());
        first.is_some_and(|element| {
            element.is_ok_and(|element| matches!(element.key().as_str(), "$out" | "$merge"))
        })
    })
}

/// aggregate, or its plan.
///
/// # Errors
/// As [`first_page`] and explain.
pub(super) async fn aggregate(call: Call<'_>) -> Result<Reply> {
    if operations::asked_for(call.request) && call.request.get("explain")?.is_none() {
        return Box::pin(operations::aggregate(call)).await;
    }
    match call.request.get("explain")? {
        None | Some(RawBsonRef::Boolean(false)) => first_page(call, &calls::AGGREGATE).await,
        Some(RawBsonRef::Boolean(true)) => explain::aggregate(call).await,
        Some(other) => Err(wrong_type("aggregate.explain", other, "bool")),
    }
}

/// Runs a command that opens a cursor.
///
/// # Errors
/// Whatever the extension raised, or 462 if the cursor needs a connection and none may be held any more.
pub(super) async fn first_page(call: Call<'_>, sql: &'static SqlCall) -> Result<Reply> {
    let request = call.request;
    let tail = request.wishes.tail()?;
    if tail.is_some() || request.wishes.bound.is_some() {
        Box::pin(require_abilities(&call, &request.wishes)).await?;
    }
    let (db, body) = (request.db, request.forward.as_bytes());
    let params: [Param<'_>; 2] = [&db, &body];
    if request.wishes.single {
        let (row, _lease) = call.run(&calls::FIND_ONE, &params).await?;
        return Ok(Reply::ready(run::into_document(row)?));
    }
    let (row, mut lease) = call.run(sql, &params).await?;
    let first = FirstPage::read(row)?;
    if let Some(continuation) = first.continuation.filter(|_| first.id != 0) {
        let node = lease.node().clone();
        let lease = if first.pinned {
            stays(&lease)?;
            if let Err(error) = call.services.cursors.pin(&mut lease) {
                lease.discard();
                return Err(error);
            }
            Some(lease)
        } else {
            drop(lease);
            None
        };
        let kind = if lease.is_some() { "persistent" } else { "normal" };
        call.services.metrics.cursors.with_label_values(&[kind]).inc();
        let life = Life::new(call.services.metrics.cursor_seconds.with_label_values(&[kind]));
        let cursor = Cursor {
            id: first.id,
            ns: namespace(&first.page)?.into(),
            node,
            continuation,
            held: None,
            lease,
            user: call.session.user.clone(),
            session: request.session,
            connection: call.session.load_balanced.then_some(call.session.connection_id),
            tailable: tail.is_some(),
            awaits: tail == Some(Tail::Awaits),
            no_timeout: request.wishes.no_timeout,
            time_left: request.budget.deadline.map(|end| end.saturating_duration_since(Instant::now())),
            last_use: Instant::now(),
            life,
        };
        call.services.cursors.add(cursor)?;
    }
    Ok(Reply::ready(first.page))
}

/// Refuses what the extension would read over and answer wrongly: where it has no capped collections it would give an ordinary
/// cursor, and where it knows no bounds of an index all documents.
///
/// # Errors
/// 2 for a tailable cursor, 115 for `min` and `max`.
pub(super) async fn require_abilities(call: &Call<'_>, wishes: &Wishes) -> Result<()> {
    if wishes.tail()?.is_some() && !has(call, &calls::KEEPS_STORAGE_OPTIONS).await? {
        return Err(CommandError::client(
            codes::BAD_VALUE,
            "error processing query: tailable cursor requested on non capped collection",
        ));
    }
    match wishes.bound {
        Some(name) if !has(call, &calls::OBEYS_INDEX_BOUNDS).await? => Err(CommandError::client(
            codes::COMMAND_NOT_SUPPORTED,
            format!(
                "The option '{name}' of the command 'find' other than {{}} is not supported by the installed storage extension"
            ),
        )),
        _ => Ok(()),
    }
}

async fn has(call: &Call<'_>, ability: &'static SqlCall) -> Result<bool> {
    let (row, _lease) = call.read(ability, &[]).await?;
    run::flag(&row, 0)
}

/// `cursor.ns` of a page.
fn namespace(page: &[u8]) -> Result<&str> {
    let page = RawDocument::from_bytes(page)?;
    let cursor = page.get_document("cursor").and_then(|cursor| cursor.get_str("ns"));
    cursor.map_err(|error| CommandError::unexpected("a page without cursor.ns").because(error))
}

/// All documents of a list, which comes in one page.
///
/// # Errors
/// What the extension raised.
pub(super) async fn all(
    call: &Call<'_>,
    db: &str,
    sql: &'static SqlCall,
    spec: &RawDocument,
) -> Result<Vec<RawDocumentBuf>> {
    let spec = spec.as_bytes();
    let params: [Param<'_>; 2] = [&db, &spec];
    let (row, _lease) = call.read(sql, &params).await?;
    batch(row)
}

/// The documents of a first page.
///
/// # Errors
/// 1 for what is no page.
pub(super) fn batch(row: Row) -> Result<Vec<RawDocumentBuf>> {
    let first = FirstPage::read(row)?;
    let mut documents = Vec::new();
    for document in RawDocument::from_bytes(&first.page)?.get_document("cursor")?.get_array("firstBatch")? {
        if let RawBsonRef::Document(document) = document? {
            documents.push(document.to_owned());
        }
    }
    Ok(documents)
}

/// getMore: the next page, from the node and the connection that have it.
///
/// # Errors
/// 43, 13, 143 as the cursor is; 237 when it was killed meanwhile or its standby gave it up; the extension's own.
pub(super) async fn get_more(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    let id = match request.target {
        RawBsonRef::Int64(id) => id,
        other => return Err(wrong_type("getMore.getMore", other, "long")),
    };
    let collection = match request.get("collection")? {
        Some(RawBsonRef::String("")) => {
            return Err(CommandError::client(codes::INVALID_NAMESPACE, "Collection names cannot be empty"));
        }
        Some(RawBsonRef::String(_)) => required_str(request, "collection")?,
        Some(other) => return Err(wrong_type("getMore.collection", other, "string")),
        None => return Err(missing("getMore", "collection")),
    };
    let ns = format!("{}.{collection}", request.db);
    let mut taken = call.services.cursors.take(id, &ns, call.session.user.as_ref())?;
    let checked =
        check_session(request, taken.cursor()).and_then(|()| check_time_limit(request, taken.cursor()));
    if let Err(error) = checked {
        taken.put_back();
        return Err(error);
    }
    if taken.cursor().held.is_some() {
        return held_page(&call, taken, &ns);
    }
    let killed = taken.killed.clone();
    let page = tokio::select! {
        page = next_page(request, &mut taken) => page,
        () = killed.cancelled() => Err(killed_meanwhile()),
    };
    match page {
        Ok(page) => {
            let open = page.continuation.is_some();
            match page.continuation {
                Some(continuation) => {
                    taken.cursor().continuation = continuation;
                    taken.put_back();
                }
                None => taken.finish(&call.services.tasks),
            }
            let exhaust = (open && request.exhaust_allowed).then(|| request.body.as_bytes().to_vec().into());
            Ok(Reply { exhaust, ..Reply::ready(page.page) })
        }
        // Nothing was sent: the cursor stands where it stood.
        Err(error) if error.retry == Retry::BeforeSend => {
            taken.put_back();
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// The next page of results that the proxy holds.
fn held_page(call: &Call<'_>, mut taken: Taken, ns: &str) -> Result<Reply> {
    let limit = match call.request.get("batchSize")? {
        None | Some(RawBsonRef::Null) => None,
        // As everywhere, 0 asks for the server's own size.
        Some(size) => Some(held::batch_size("getMore.batchSize", size)?).filter(|size| *size > 0),
    };
    let Some(held) = &mut taken.cursor().held else {
        return Err(CommandError::unexpected("nothing is held"));
    };
    let page = held.page(limit);
    let done = held.is_empty();
    let id = if done { 0 } else { taken.cursor().id };
    if done {
        taken.finish(&call.services.tasks);
    } else {
        taken.put_back();
    }
    let cursor = rawdoc! { "id": id, "nextBatch": page, "ns": ns };
    let exhaust =
        (!done && call.request.exhaust_allowed).then(|| call.request.body.as_bytes().to_vec().into());
    Ok(Reply { exhaust, ..Reply::from(rawdoc! { "cursor": cursor, "ok": 1.0 }) })
}

/// The next page; of a cursor that waits for documents an empty one only when none came in time.
async fn next_page(request: &Request<'_>, taken: &mut Taken) -> Result<Page> {
    if !taken.cursor().awaits {
        return limited_page(request, taken).await;
    }
    // How long it waits is not how long a page may take.
    let until = request.budget.deadline.unwrap_or_else(|| Instant::now() + AWAIT);
    let mut pause = FIRST_PAUSE;
    loop {
        let page = page_within(request, taken.cursor(), Budget::default()).await?;
        let left = until.saturating_duration_since(Instant::now());
        let Some(continuation) = page.continuation.as_ref().filter(|_| !left.is_zero()) else {
            return Ok(page);
        };
        if !is_empty(&page.page)? {
            return Ok(page);
        }
        taken.cursor().continuation = continuation.clone();
        tokio::time::sleep(pause.min(left)).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// A page without documents.
fn is_empty(page: &[u8]) -> Result<bool> {
    let page = RawDocument::from_bytes(page)?;
    let batch = page.get_document("cursor").and_then(|cursor| cursor.get_array("nextBatch"));
    let batch = batch.map_err(|error| CommandError::unexpected("a page without a batch").because(error))?;
    Ok(batch.is_empty())
}

/// The time limit of the command that opened a cursor is one of all its pages, without the pauses between them.
async fn limited_page(request: &Request<'_>, taken: &mut Taken) -> Result<Page> {
    let cursor = taken.cursor();
    let begun = Instant::now();
    let budget = match cursor.time_left {
        None => request.budget,
        Some(left) if left.is_zero() => return Err(expired()),
        // The extension does not know of it, so there is nothing to wait for beyond.
        Some(left) => {
            Budget { deadline: begun.checked_add(left).and_then(|end| end.checked_sub(run::GRACE)) }
        }
    };
    let page = page_within(request, taken.cursor(), budget).await;
    let cursor = taken.cursor();
    cursor.time_left = cursor.time_left.map(|left| left.saturating_sub(begun.elapsed()));
    page
}

async fn page_within(request: &Request<'_>, cursor: &mut Cursor, budget: Budget) -> Result<Page> {
    let (db, body) = (request.db, request.forward.as_bytes());
    let continuation = cursor.continuation.clone();
    let continuation: &[u8] = &continuation;
    let params: [Param<'_>; 3] = [&db, &body, &continuation];
    if let Some(lease) = &mut cursor.lease {
        let row = run::row(lease, budget, &calls::GET_MORE, &params).await.map_err(given_up)?;
        stays(lease)?;
        return Page::read(row);
    }
    let mut attempt = 0;
    loop {
        attempt += 1;
        let mut lease = cursor.node.checkout(cursor.role(), budget.deadline).await?;
        match run::row(&mut lease, budget, &calls::GET_MORE, &params).await {
            Ok(row) => return Page::read(row),
            Err(error) if error.retry == Retry::IfReused && lease.reused() && attempt == 1 => {}
            Err(error) => return Err(given_up(error)),
        }
    }
}

/// A cancel that came too late for this page could end any later one, so the cursor that needs this connection ends now.
///
/// # Errors
/// 50 or 11601, as if it had come in time.
fn stays(lease: &Lease) -> Result<()> {
    if lease.was_cancelled() { Err(run::cut_off()) } else { Ok(()) }
}

fn expired() -> CommandError {
    CommandError::client(codes::MAX_TIME_MS_EXPIRED, "operation exceeded time limit")
}

/// A cursor cannot go on elsewhere: a conflict ends it.
fn given_up(error: CommandError) -> CommandError {
    if error.retry == Retry::RolledBack {
        return CommandError {
            code: codes::CURSOR_KILLED,
            message: "the cursor was given up by the node that held it".into(),
            retry: Retry::Never,
            ..error
        };
    }
    error
}

fn killed_meanwhile() -> CommandError {
    CommandError::client(codes::CURSOR_KILLED, "cursor was killed while it was in use")
}

/// A cursor belongs to the session that opened it.
fn check_session(request: &Request<'_>, cursor: &Cursor) -> Result<()> {
    let error = |code, message| Err(CommandError::client(crate::error::Code(code), message));
    let id = cursor.id;
    match (cursor.session, request.session) {
        (None, Some(_)) => error(
            50736,
            format!("Cannot run getMore on cursor {id}, which was not created in a session, in a session"),
        ),
        (Some(_), None) => error(
            50737,
            format!("Cannot run getMore on cursor {id}, which was created in a session, without an lsid"),
        ),
        (Some(opened), Some(given)) if opened != given => {
            error(50738, format!("Cannot run getMore on cursor {id}, which was created in another session"))
        }
        _ => Ok(()),
    }
}

/// Only cursors that wait for data take a time limit per page.
fn check_time_limit(request: &Request<'_>, cursor: &Cursor) -> Result<()> {
    if request.budget.deadline.is_some() && !cursor.awaits {
        return Err(CommandError::client(
            codes::BAD_VALUE,
            "cannot set maxTimeMS on getMore command for a non-awaitData cursor",
        ));
    }
    Ok(())
}
