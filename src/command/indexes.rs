//! createIndexes and dropIndexes.
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bson::raw::{RawBsonRef, cstr};
use bson::{RawArrayBuf, RawDocument, RawDocumentBuf, rawdoc};
use bytes::Bytes;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::collections::required;
use super::{Call, duplicates};
use crate::error::{CommandError, Result, codes};
use crate::obs::operation::{self, Signal};
use crate::pool::Lease;
use crate::reply::Reply;
use crate::reply::ok::is_true;
use crate::reply::write_errors::mapped;
use crate::sql::{Budget, Param, calls, run};

/// The first pause between two questions about a queued index; it grows to the longest one, which is how late a reply
/// may be.
const FIRST_POLL: Duration = Duration::from_millis(10);
const LONGEST_POLL: Duration = Duration::from_millis(100);

/// What giving a build up may take.
const ABORT_LIMIT: Duration = Duration::from_secs(10);

/// The collections whose indexes are being made. Two makers of one collection's indexes would wait for each other's
/// locks in PostgreSQL, and one of them would have to be given up; here the second waits for its turn. Those of another
/// process meet in PostgreSQL all the same, and whoever is given up runs again.
#[derive(Debug, Default)]
pub(super) struct Builds(std::sync::Mutex<HashMap<String, Arc<Mutex<()>>>>);

impl Builds {
    fn slots(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Mutex<()>>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Waits for the turn of this collection.
    async fn turn(&self, ns: &str) -> OwnedMutexGuard<()> {
        let slot = {
            let mut slots = self.slots();
            // Whom nobody waits for or holds is of no use any more.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
            Arc::clone(slots.entry(ns.to_owned()).or_default())
        };
        slot.lock_owned().await
    }
}

/// createIndexes.
pub(super) async fn create(call: Call<'_>) -> Result<Reply> {
    match build(&call).await {
        Ok(reply) => Ok(reply),
        Err(error) => Err(duplicates::told(&call, error).await),
    }
}

/// A collection without documents gets its indexes at once, under a lock that nobody feels; any other one gets them from
/// the server's queue, beside the writers, and the reply waits for the end.
async fn build(call: &Call<'_>) -> Result<Reply> {
    let request = call.request;
    required(request, "indexes")?;
    let (db, body) = (request.db, request.forward.as_bytes());
    let params: [Param<'_>; 2] = [&db, &body];
    let ns = format!("{db}.{}", request.collection()?);
    let mut turn = pin!(call.services.builds.turn(&ns));
    let turn = operation::unless_killed(turn.as_mut());
    let turn = match request.budget.deadline {
        None => turn.await,
        Some(deadline) => tokio::time::timeout_at(deadline, turn).await.map_err(|_| expired())?,
    };
    let turn = turn.ok_or_else(run::interrupted)?;
    if is_empty(call).await? {
        let (row, _lease) = call.write(&calls::CREATE_INDEXES_NOW, &params).await?;
        return created(RawDocument::from_bytes(&run::document(&row, 0)?)?);
    }
    let (row, lease) = call.write(&calls::CREATE_INDEXES, &params).await?;
    let told = run::document(&row, 0)?;
    let told = RawDocument::from_bytes(&told)?;
    let queued = run::optional_document(&row, 2)?;
    let reply = created(told)?;
    // Waiting for the build needs no connection in between, and builds that are queued stand in line by themselves.
    std::mem::drop((lease, turn));
    if let Some(queued) = queued.filter(|queued| queued.len() > 5) {
        let ended = wait_for_build(call, &queued).await;
        if let Err(error) = &ended
            && matches!(error.code, codes::INTERRUPTED | codes::MAX_TIME_MS_EXPIRED)
        {
            give_up(call, &own_builds(told, &queued)?).await;
        }
        ended?;
    }
    Ok(reply)
}

/// Of the builds that a command waits for those that it has begun itself. The others are another command's, which goes on:
/// they stand behind its own.
fn own_builds(reply: &RawDocument, queued: &[u8]) -> Result<RawDocumentBuf> {
    let inner = shard_reply(reply);
    let count = |field| inner.get(field).ok().flatten().and_then(super::options::number).unwrap_or(0.0);
    let mut left = count("numIndexesAfter") - count("numIndexesBefore");
    let request = RawDocument::from_bytes(queued)?.get_document("indexRequest")?;
    let mut ids = RawArrayBuf::new();
    for id in request.get_array("ids")? {
        if left < 1.0 {
            break;
        }
        left -= 1.0;
        ids.push(id?);
    }
    Ok(rawdoc! { "indexRequest": { "cmdType": request.get_str("cmdType")?, "ids": ids } })
}

/// Ends the builds of a command that was killed or ran out of time, as MongoDB does; a client that hangs up ends nothing. Where
/// the extension can't, they go on.
async fn give_up(call: &Call<'_>, queued: &RawDocument) {
    let given_up = async {
        let budget = Budget { deadline: Some(Instant::now() + ABORT_LIMIT) };
        let node = call.services.pools.writer()?;
        let mut lease = node.checkout_writable(call.session.role(), budget.deadline).await?;
        let queued = queued.as_bytes();
        let params: [Param<'_>; 1] = [&queued];
        run::row(&mut lease, budget, &calls::ABORT_INDEX_BUILD, &params).await
    };
    // To the operation's own signal everything has ended already.
    if let Err(error) = Arc::<Signal>::default().scope(given_up).await {
        tracing::warn!(%error, "an index build goes on although its command was ended");
    }
}

/// True if the collection has no document, or does not exist.
async fn is_empty(call: &Call<'_>) -> Result<bool> {
    let db = call.request.db;
    let count = rawdoc! { "count": call.request.collection()?, "query": {}, "limit": 1 };
    let count = count.as_bytes();
    let params: [Param<'_>; 2] = [&db, &count];
    let (row, _lease) = call.write(&calls::COUNT, &params).await?;
    let reply = run::document(&row, 0)?;
    let n = RawDocument::from_bytes(&reply)?.get("n")?.and_then(super::options::number);
    Ok(n == Some(0.0))
}

async fn wait_for_build(call: &Call<'_>, queued: &[u8]) -> Result<()> {
    let params: [Param<'_>; 1] = [&queued];
    let mut pause = FIRST_POLL;
    loop {
        let (row, lease) = call.write(&calls::INDEX_STATUS, &params).await?;
        let status = run::optional_document(&row, 0)?;
        let (fine, complete) = (run::flag(&row, 1)?, run::flag(&row, 2)?);
        std::mem::drop(lease);
        if !fine {
            let status =
                status.ok_or_else(|| CommandError::unexpected("a failed index build without a reason"))?;
            return Err(failure(RawDocument::from_bytes(&status)?));
        }
        if complete {
            return Ok(());
        }
        if call.request.budget.deadline.is_some_and(|deadline| Instant::now() + pause > deadline) {
            return Err(expired());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_POLL);
    }
}

fn expired() -> CommandError {
    CommandError::client(codes::MAX_TIME_MS_EXPIRED, "operation exceeded time limit")
}

/// Takes MongoDB's reply out of `{raw: {defaultShard: {…}}, ok}`.
fn created(reply: &RawDocument) -> Result<Reply> {
    let inner = shard_reply(reply);
    if !inner.get("ok")?.is_some_and(is_true) {
        return Err(failure(reply));
    }
    // Where there was nothing to do, MongoDB does not speak of the collection.
    let nothing = inner.get("note")?.is_some();
    let mut out = RawDocumentBuf::new();
    for element in inner.iter_elements() {
        let element = element?;
        let name = element.key().as_str();
        if name != "ok" && !(nothing && name == "createdCollectionAutomatically") {
            out.append(element.key(), element.value()?);
        }
    }
    out.append(cstr!("ok"), 1.0);
    Ok(out.into())
}

/// The one shard's part of a reply, or the reply itself if it has no parts.
fn shard_reply(reply: &RawDocument) -> &RawDocument {
    let raw = reply.get_document("raw").ok();
    raw.and_then(|raw| raw.iter().flatten().next())
        .and_then(|(_, shard)| shard.as_document())
        .unwrap_or(reply)
}

/// The error in `{ok: 0, errmsg, code}`, whose code is packed.
fn failure(reply: &RawDocument) -> CommandError {
    let inner = shard_reply(reply);
    let message = inner.get_str("errmsg").unwrap_or("the index operation failed");
    let code = match inner.get("code").ok().flatten() {
        Some(RawBsonRef::Int32(code)) => code,
        Some(RawBsonRef::Int64(code)) => i32::try_from(code).unwrap_or(codes::INTERNAL_ERROR.0),
        _ => codes::INTERNAL_ERROR.0,
    };
    mapped(code, message)
        .unwrap_or_else(|| CommandError::client(crate::error::Code(code), message.to_owned()))
}

/// dropIndexes. A procedure, whose result has no type that can be named beforehand: it is called with literals, and
/// answers in text.
pub(super) async fn drop(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    required(request, "index")?;
    let statement = format!(
        "CALL documentdb_api.drop_indexes(pg_catalog.convert_from({}, 'UTF8'), {}::documentdb_core.bson, NULL)",
        run::literal(request.db.as_bytes()),
        run::literal(request.forward.as_bytes()),
    );
    let mut lease = call.writer().await?;
    let text = run::text(&mut lease, request.budget, &calls::DROP_INDEXES, &statement).await?;
    let text = text.ok_or_else(|| CommandError::unexpected("drop_indexes gave no row"))?;
    let reply = run::from_hex_text(&text)?;
    let all = matches!(request.get("index")?, Some(RawBsonRef::String("*")));
    dropped(RawDocument::from_bytes(&reply)?, all)
}

/// reIndex: PostgreSQL makes all indexes of the table anew, and writers wait meanwhile, as in MongoDB.
pub(super) async fn rebuild(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    let (db, collection) = (request.db, request.collection()?);
    let mut lease = call.writer().await?;
    let params: [Param<'_>; 2] = [&db, &collection];
    let row = run::optional_row(&mut lease, request.budget, &calls::COLLECTION_ID, &params).await?;
    let Some(row) = row else {
        return Err(CommandError::client(codes::NAMESPACE_NOT_FOUND, "collection does not exist"));
    };
    let Some(id) = run::optional_number(&row, 0)? else {
        return Err(CommandError::client(codes::COMMAND_NOT_SUPPORTED_ON_VIEW, "can't re-index a view"));
    };
    let statement = format!("REINDEX TABLE documentdb_data.documents_{id}");
    run::text(&mut lease, request.budget, &calls::REINDEX, &statement).await?;
    let page = list_all(&call, &mut lease).await?;
    let indexes = RawDocument::from_bytes(&page)?.get_document("cursor")?.get_array("firstBatch")?;
    let count = i32::try_from(indexes.iter_elements().count()).unwrap_or(i32::MAX);
    let mut out = rawdoc! { "nIndexesWas": count, "nIndexes": count };
    out.append(cstr!("indexes"), indexes);
    out.append(cstr!("ok"), 1.0);
    Ok(out.into())
}

/// listIndexes of the request's collection, all in its first page: there are at most 64.
///
/// # Errors
/// 26 for a collection that does not exist.
pub(super) async fn list_all(call: &Call<'_>, lease: &mut Lease) -> Result<Bytes> {
    let request = call.request;
    let list = rawdoc! { "listIndexes": request.collection()?, "cursor": { "batchSize": 1000 } };
    let (db, list) = (request.db, list.as_bytes());
    let params: [Param<'_>; 2] = [&db, &list];
    let row = call.write_on(lease, &calls::LIST_INDEXES, &params).await?;
    run::document(&row, 0)
}

fn dropped(reply: &RawDocument, all: bool) -> Result<Reply> {
    if !reply.get("ok")?.is_some_and(is_true) {
        return Err(failure(reply));
    }
    let mut out = RawDocumentBuf::new();
    for element in reply.iter_elements() {
        let element = element?;
        match (element.key().as_str(), element.value()?) {
            ("ok", _) => {}
            // MongoDB counts indexes in 32 bits.
            ("nIndexesWas", RawBsonRef::Int64(count)) => {
                out.append(element.key(), i32::try_from(count).unwrap_or(i32::MAX));
            }
            (_, value) => out.append(element.key(), value),
        }
    }
    if all && out.get("msg")?.is_none() {
        out.append(cstr!("msg"), "non-_id indexes dropped for collection");
    }
    out.append(cstr!("ok"), 1.0);
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shards_part_is_the_reply() {
        let inner = rawdoc! {
            "numIndexesBefore": 1, "numIndexesAfter": 2, "createdCollectionAutomatically": false, "ok": 1,
        };
        let reply = created(&rawdoc! { "raw": { "defaultShard": inner }, "ok": 1 }).unwrap();
        let want = rawdoc! {
            "numIndexesBefore": 1, "numIndexesAfter": 2, "createdCollectionAutomatically": false, "ok": 1.0,
        };
        assert_eq!(reply.body, want.into_bytes());
    }

    #[test]
    fn only_what_a_command_began_itself_is_its_own() {
        let reply = |after: i32| {
            let inner = rawdoc! { "numIndexesBefore": 2, "numIndexesAfter": after, "ok": 1 };
            rawdoc! { "raw": { "defaultShard": inner }, "ok": 1 }
        };
        let request = |ids: &[i32]| {
            let mut list = RawArrayBuf::new();
            for id in ids {
                list.push(*id);
            }
            rawdoc! { "indexRequest": { "cmdType": "C", "ids": list } }
        };
        for (after, own) in [(2, &[][..]), (3, &[7]), (5, &[7, 8, 4])] {
            let own_of = own_builds(&reply(after), request(&[7, 8, 4]).as_bytes()).unwrap();
            assert_eq!(own_of, request(own), "{after}");
        }
    }

    #[test]
    fn nothing_to_do_tells_nothing_of_the_collection() {
        let inner = rawdoc! {
            "numIndexesBefore": 2, "numIndexesAfter": 2, "createdCollectionAutomatically": false,
            "note": "all indexes already exist", "ok": 1,
        };
        let reply = created(&rawdoc! { "raw": { "defaultShard": inner }, "ok": 1 }).unwrap();
        let want = rawdoc! {
            "numIndexesBefore": 2, "numIndexesAfter": 2, "note": "all indexes already exist", "ok": 1.0,
        };
        assert_eq!(reply.body, want.into_bytes());
    }

    #[test]
    fn packed_codes_of_a_failed_build() {
        let inner = rawdoc! { "ok": 0, "errmsg": "exists with other options", "code": 570_425_373 };
        let error = created(&rawdoc! { "raw": { "defaultShard": inner }, "ok": 0 }).unwrap_err();
        assert_eq!(
            (error.code, error.message.as_ref()),
            (codes::INDEX_OPTIONS_CONFLICT, "exists with other options")
        );
    }

    #[test]
    fn dropped_indexes() {
        let reply = dropped(&rawdoc! { "nIndexesWas": 3_i64, "ok": true }, false).unwrap();
        assert_eq!(reply.body, rawdoc! { "nIndexesWas": 3, "ok": 1.0 }.into_bytes());
        let reply = dropped(&rawdoc! { "nIndexesWas": 3_i64, "ok": true }, true).unwrap();
        let msg = "non-_id indexes dropped for collection";
        assert_eq!(reply.body, rawdoc! { "nIndexesWas": 3, "msg": msg, "ok": 1.0 }.into_bytes());
        let failed = rawdoc! { "ok": false, "errmsg": "index not found with name [x]", "code": 27 };
        let error = dropped(&failed, false).unwrap_err();
        assert_eq!(error.code, codes::INDEX_NOT_FOUND);
    }
}
