//! dbHash and filemd5: MD5 over documents and over the chunks of a file, as MongoDB makes them (MongoDB manual, `dbHash`,
//! `filemd5`).
//!
//! All that is read comes from one snapshot: one read-only transaction on one connection, which is not used again.
use bson::raw::{RawBsonRef, cstr};
use bson::{RawBson, RawDocument, RawDocumentBuf, rawdoc};
use md5::{Digest, Md5};
use tokio::time::Instant;

use super::options::wrong_type;
use super::{Call, local};
use crate::error::{Code, CommandError, Result, Retry};
use crate::pool::Lease;
use crate::reply::Reply;
use crate::sql::{FirstPage, Page, Param, SqlCall, calls, run};

/// Where drivers keep files unless they are told otherwise.
const BUCKET: &str = "fs";

/// A connection in a snapshot. It is closed at the end, whatever happened.
struct Snapshot<'c> {
    call: &'c Call<'c>,
    lease: Lease,
}

impl<'c> Snapshot<'c> {
    async fn begin(call: &'c Call<'c>) -> Result<Self> {
        let budget = call.request.budget;
        let mut last = None;
        for node in call.services.pools.readers(call.pick)? {
            // A pooled connection may have died unnoticed.
            for _ in 0..2 {
                let mut lease = match node.checkout(call.session.role(), budget.deadline).await {
                    Ok(lease) => lease,
                    Err(error) if error.retry == Retry::BeforeSend => {
                        last = Some(error);
                        break;
                    }
                    Err(error) => return Err(error),
                };
                lease.taint();
                match run::text(&mut lease, budget, &calls::BEGIN_SNAPSHOT, calls::BEGIN_SNAPSHOT.text).await
                {
                    Ok(_) => return Ok(Self { call, lease }),
                    Err(error) if error.retry == Retry::IfReused => last = Some(error),
                    Err(error) => return Err(error),
                }
            }
        }
        Err(last.unwrap_or_else(|| CommandError::unexpected("no node was tried")))
    }

    /// Visits all documents that a command with a cursor gives.
    async fn each(
        &mut self,
        sql: &'static SqlCall,
        collection: &str,
        command: &RawDocument,
        mut visit: impl FnMut(&RawDocument) -> Result<()>,
    ) -> Result<()> {
        let (db, budget) = (self.call.request.db, self.call.request.budget);
        let body = command.as_bytes();
        let params: [Param<'_>; 2] = [&db, &body];
        let row = run::row(&mut self.lease, budget, sql, &params).await?;
        let first = FirstPage::read(row)?;
        visit_batch(&first.page, "firstBatch", &mut visit)?;
        let more = rawdoc! { "getMore": first.id, "collection": collection };
        let mut continuation = first.continuation.filter(|_| first.id != 0);
        while let Some(from) = continuation {
            let (body, from): (&[u8], &[u8]) = (more.as_bytes(), &from);
            let params: [Param<'_>; 3] = [&db, &body, &from];
            let row = run::row(&mut self.lease, budget, &calls::GET_MORE, &params).await?;
            let page = Page::read(row)?;
            visit_batch(&page.page, "nextBatch", &mut visit)?;
            continuation = page.continuation;
        }
        Ok(())
    }
}

fn visit_batch(page: &[u8], field: &str, visit: &mut impl FnMut(&RawDocument) -> Result<()>) -> Result<()> {
    for document in RawDocument::from_bytes(page)?.get_document("cursor")?.get_array(field)? {
        if let RawBsonRef::Document(document) = document? {
            visit(document)?;
        }
    }
    Ok(())
}

/// In hexadecimal.
fn digest(hash: Md5) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// dbHash: each collection's documents in the order of their `_id`, and over all collections the hashes in the order of
/// their names.
pub(super) async fn database(call: Call<'_>) -> Result<Reply> {
    let begun = Instant::now();
    let wanted = match call.request.get("collections")? {
        None => None,
        Some(RawBsonRef::Array(names)) => {
            let mut wanted = Vec::new();
            for name in names {
                let name = name?;
                let text = name.as_str().ok_or_else(|| wrong_type("dbHash.collections", name, "string"))?;
                wanted.push(text);
            }
            Some(wanted).filter(|wanted| !wanted.is_empty())
        }
        Some(other) => return Err(wrong_type("dbHash.collections", other, "array")),
    };
    let mut snapshot = Snapshot::begin(&call).await?;
    let mut found: Vec<(String, Option<RawBson>)> = Vec::new();
    let list = rawdoc! { "listCollections": 1, "filter": { "type": "collection" }, "cursor": {} };
    let namespace = "$cmd.listCollections";
    snapshot
        .each(&calls::LIST_COLLECTIONS, namespace, &list, |collection| {
            let name = collection.get_str("name")?;
            if !name.starts_with("system.") && wanted.as_ref().is_none_or(|wanted| wanted.contains(&name)) {
                let uuid = collection.get_document("info").and_then(|info| info.get("uuid"));
                found.push((name.to_owned(), uuid.ok().flatten().map(RawBson::from)));
            }
            Ok(())
        })
        .await?;
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    let (mut hashes, mut uuids, mut whole) = (RawDocumentBuf::new(), RawDocumentBuf::new(), Md5::new());
    for (name, uuid) in found {
        let mut hash = Md5::new();
        let find = rawdoc! { "find": &*name, "sort": { "_id": 1 } };
        snapshot
            .each(&calls::FIND, &name, &find, |document| {
                hash.update(document.as_bytes());
                Ok(())
            })
            .await?;
        let hash = digest(hash);
        whole.update(hash.as_bytes());
        let key = bson::raw::CString::try_from(name)?;
        if let Some(uuid) = uuid {
            uuids.append(key.clone(), uuid);
        }
        hashes.append(key, hash);
    }
    Ok(rawdoc! {
        "host": format!("{}:27017", local::host_name()),
        "collections": hashes,
        "capped": [],
        "uuids": uuids,
        "md5": digest(whole),
        "timeMillis": i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX),
        "ok": 1.0,
    }
    .into())
}

/// filemd5: the data of a file's chunks in their order.
pub(super) async fn file(call: Call<'_>) -> Result<Reply> {
    let root = match call.request.get("root")? {
        None => BUCKET,
        Some(RawBsonRef::String(root)) => root,
        Some(other) => return Err(wrong_type("filemd5.root", other, "string")),
    };
    let chunks = format!("{root}.chunks");
    let mut find = rawdoc! { "find": &*chunks };
    let mut filter = RawDocumentBuf::new();
    filter.append(cstr!("files_id"), call.request.target);
    find.append(cstr!("filter"), filter);
    find.append(cstr!("sort"), rawdoc! { "files_id": 1, "n": 1 });
    let mut snapshot = Snapshot::begin(&call).await?;
    let (mut hash, mut count) = (Md5::new(), 0i32);
    snapshot
        .each(&calls::FIND, &chunks, &find, |chunk| {
            let n = chunk.get("n")?.and_then(super::options::number);
            if n != Some(f64::from(count)) {
                let message = format!("chunks out of order, expected {count}, found {}", n.unwrap_or(-1.0));
                return Err(CommandError::client(Code(10_040), message));
            }
            let RawBsonRef::Binary(data) = chunk.get("data")?.unwrap_or(RawBsonRef::Null) else {
                return Err(CommandError::client(Code(50_849), "data is missing from chunk doc"));
            };
            hash.update(data.bytes);
            count = count.saturating_add(1);
            Ok(())
        })
        .await?;
    Ok(rawdoc! { "numChunks": count, "md5": digest(hash), "ok": 1.0 }.into())
}
