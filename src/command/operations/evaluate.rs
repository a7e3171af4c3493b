//! Filters and pipelines over documents that the process itself has: PostgreSQL evaluates them, as it does all others.
//!
//! The documents go along as literals of a `$documents` stage, each in a field of its own, so that nothing in them is taken
//! for an expression.
use bson::raw::{RawBsonRef, cstr};
use bson::{RawArrayBuf, RawDocument, RawDocumentBuf, rawdoc};

use super::super::Call;
use super::super::options::wrong_type;
use super::super::request::Request;
use crate::error::{CommandError, Result, codes};
use crate::reply::Reply;
use crate::session::cursor::{Cursor, Life};
use crate::session::held::{Held, batch_size};
use crate::sql::{FirstPage, Param, calls};

/// More results than this are never asked for in one page.
const ALL: i32 = i32::MAX;
/// What an aggregation's own command has that the evaluation needs.
const CONTEXT: &[&str] = &["let", "collation", "allowDiskUse"];

/// The first stage of a request's pipeline.
pub(in super::super) fn first_stage<'a>(request: &Request<'a>) -> Option<(&'a str, RawBsonRef<'a>)> {
    let pipeline = request.get("pipeline").ok()??.as_array()?;
    let first = pipeline.into_iter().next()?.ok()?.as_document()?;
    let element = first.iter_elements().next()?.ok()?;
    Some((element.key().as_str(), element.value().ok()?))
}

/// What the stages make of the documents. `context`: the fields of the command that an aggregation goes by, such as `let`.
///
/// # Errors
/// The extension's own; 146 for results that do not fit into one reply.
pub(in super::super) async fn pipeline(
    call: &Call<'_>,
    documents: Vec<RawDocumentBuf>,
    stages: &[RawDocumentBuf],
    context: &RawDocument,
) -> Result<Vec<RawDocumentBuf>> {
    if stages.is_empty() {
        return Ok(documents);
    }
    let mut source = RawArrayBuf::new();
    for document in documents {
        source.push(rawdoc! { "d": { "$literal": document } });
    }
    let mut pipeline = RawArrayBuf::new();
    pipeline.push(rawdoc! { "$documents": source });
    pipeline.push(rawdoc! { "$replaceRoot": { "newRoot": "$d" } });
    for stage in stages {
        pipeline.push(stage.clone());
    }
    let mut command = rawdoc! { "aggregate": 1, "pipeline": pipeline, "cursor": { "batchSize": ALL } };
    for element in context.iter_elements() {
        let element = element?;
        command.append(element.key(), element.value()?);
    }
    let (db, body) = (call.request.db, command.as_bytes());
    let params: [Param<'_>; 2] = [&db, &body];
    let (row, lease) = call.run(&calls::AGGREGATE, &params).await?;
    let first = FirstPage::read(row)?;
    if first.id != 0 {
        lease.discard();
        let message = "The results do not fit into one reply of the storage";
        return Err(CommandError::client(codes::EXCEEDED_MEMORY_LIMIT, message));
    }
    let page = RawDocument::from_bytes(&first.page)?;
    let mut results = Vec::new();
    for result in page.get_document("cursor")?.get_array("firstBatch")? {
        let RawBsonRef::Document(result) = result? else { continue };
        results.push(result.to_owned());
    }
    Ok(results)
}

/// The request's pipeline over these documents, which stand for its first `skip` stages; a cursor over the results.
///
/// # Errors
/// As [`pipeline`]; 14 for a stage that is no document.
pub(in super::super) async fn aggregate(
    call: &Call<'_>,
    documents: Vec<RawDocumentBuf>,
    skip: usize,
    ns: &str,
) -> Result<Reply> {
    let request = call.request;
    let Some(RawBsonRef::Array(pipeline_of)) = request.get("pipeline")? else {
        return Err(super::super::options::missing("aggregate", "pipeline"));
    };
    let mut stages = Vec::new();
    for stage in pipeline_of.into_iter().skip(skip) {
        let stage = stage?;
        let Some(stage) = stage.as_document() else {
            let message = "Each element of the 'pipeline' array must be an object";
            return Err(CommandError::client(codes::TYPE_MISMATCH, message));
        };
        stages.push(stage.to_owned());
    }
    // What the shell sends when it has no filter: PostgreSQL need not be there for it.
    if let [only] = &stages[..]
        && only.get_document("$match").is_ok_and(RawDocument::is_empty)
    {
        stages.clear();
    }
    let limit = match request.get("cursor")? {
        Some(RawBsonRef::Document(cursor)) => cursor.get("batchSize")?,
        Some(other) => return Err(wrong_type("aggregate.cursor", other, "object")),
        None => {
            let message = "The 'cursor' option is required, except for aggregate with the explain argument";
            return Err(CommandError::client(codes::FAILED_TO_PARSE, message));
        }
    };
    let limit = limit.map(|limit| batch_size("aggregate.cursor.batchSize", limit)).transpose()?;
    let mut context = RawDocumentBuf::new();
    for element in request.body.iter_elements().skip(1) {
        let element = element?;
        if CONTEXT.contains(&element.key().as_str()) {
            context.append(element.key(), element.value()?);
        }
    }
    let results = pipeline(call, documents, &stages, &context).await?;
    cursor(call, ns, results, limit, false)
}

/// The first page of results that are all there; the process holds the rest.
///
/// # Errors
/// Two cursors with one id.
pub(in super::super) fn cursor(
    call: &Call<'_>,
    ns: &str,
    results: Vec<RawDocumentBuf>,
    limit: Option<usize>,
    single: bool,
) -> Result<Reply> {
    /// What a first page has when nobody says otherwise.
    const DEFAULT: usize = 101;
    let mut held = Held::new(results);
    let first = held.page(Some(limit.unwrap_or(DEFAULT)));
    let mut id = 0;
    if let (false, false, Some(node)) = (held.is_empty(), single, call.services.pools.nodes().first()) {
        let metrics = &call.services.metrics;
        metrics.cursors.with_label_values(&["normal"]).inc();
        let cursor = Cursor::of_results(
            ns,
            held,
            node,
            call.session.user.clone(),
            call.request.session,
            Life::new(metrics.cursor_seconds.with_label_values(&["normal"])),
        );
        id = cursor.id;
        call.services.cursors.add(cursor)?;
    }
    let mut out = rawdoc! { "firstBatch": first, "id": id };
    out.append(cstr!("ns"), ns);
    Ok(rawdoc! { "cursor": out, "ok": 1.0 }.into())
}
