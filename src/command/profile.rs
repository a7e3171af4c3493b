//! The profiler: the command that sets it, what it records of an operation, and reading `system.profile`.
//!
//! The documents lie in this process (`obs/profile.rs`). What reads them goes to PostgreSQL with the documents, so that
//! filters, sorts and pipelines are those of every other collection.
use std::time::Duration;

use bson::raw::{RawBsonRef, cstr};
use bson::{RawDocument, RawDocumentBuf, rawdoc};
use bytes::Bytes;

use super::operations::{self, evaluate};
use super::options::{number, wrong_type};
use super::spec::{Auth, Command};
use super::{Call, Services, rights};
use crate::error::{CommandError, Result, codes};
use crate::obs::profile::Level;
use crate::reply::Reply;
use crate::reply::ok::{self, is_true};
use crate::session::Session;
use crate::session::held::batch_size;

/// Where its documents are.
pub(super) const COLLECTION: &str = "system.profile";
/// How long a command is kept in whole (bytes).
const COMMAND: usize = 8 * 1024;

/// profile: the level of a database, and what counts as slow for all of them. A level that is none only asks.
pub(super) fn set(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    let level = match number(request.target) {
        Some(0.0) => Some(Level::Off),
        Some(1.0) => Some(Level::Slow),
        Some(2.0) => Some(Level::All),
        Some(_) => None,
        None => return Err(wrong_type("profile.profile", request.target, "int")),
    };
    if request.get("filter")?.is_some_and(|filter| filter.as_str() != Some("unset")) {
        let message = "The option 'filter' of the command 'profile' is not supported";
        return Err(CommandError::client(codes::COMMAND_NOT_SUPPORTED, message));
    }
    let number = |field: &'static str, expected: &str| match request.get(field)? {
        None | Some(RawBsonRef::Null) => Ok(None),
        Some(value) => {
            number(value).map(Some).ok_or_else(|| wrong_type(&format!("profile.{field}"), value, expected))
        }
    };
    let slow = &call.services.slow;
    let (was, rate) = slow.get();
    let (threshold, sample) = (number("slowms", "int")?, number("sampleRate", "double")?);
    if sample.is_some_and(|sample| !(0.0..=1.0).contains(&sample)) {
        let message = "'sampleRate' must be between 0.0 and 1.0 inclusive";
        return Err(CommandError::client(codes::BAD_VALUE, message));
    }
    let profiler = &call.services.profiler;
    let before = profiler.level(request.db);
    if let Some(level) = level {
        if !profiler.set(request.db, level) {
            let message = "Too many databases are profiled";
            return Err(CommandError::client(codes::COMMAND_NOT_SUPPORTED, message));
        }
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds, and as saturates")]
        slow.set(threshold.map(|threshold| threshold.max(-1.0) as i64), sample);
    }
    let slowms = i32::try_from(was).unwrap_or(i32::MAX);
    Ok(rawdoc! { "was": before.number(), "slowms": slowms, "sampleRate": rate, "ok": 1.0 }.into())
}

/// Records an operation that has ended, if its database is profiled. `slow`: it took as long as that it is told.
pub fn record(
    services: &Services,
    session: &Session,
    spec: &'static Command,
    body: &Bytes,
    outcome: &Result<Reply>,
    took: Duration,
    slow: bool,
) {
    // Monitors and logins belong to nobody's work.
    if spec.auth == Auth::Open {
        return;
    }
    let Ok(body) = RawDocument::from_bytes(body) else { return };
    let Ok(db) = body.get_str("$db") else { return };
    let recorded = match services.profiler.level(db) {
        Level::Off => false,
        Level::Slow => slow,
        Level::All => true,
    };
    if recorded {
        services.profiler.add(db, document(session, spec, body, outcome, took));
    }
}

/// The fields that MongoDB's profiler has, as far as the process knows them (MongoDB manual, "Database Profiler Output").
fn document(
    session: &Session,
    spec: &'static Command,
    body: &RawDocument,
    outcome: &Result<Reply>,
    took: Duration,
) -> RawDocumentBuf {
    let mut out = rawdoc! {
        "op": operations::operation_of(spec.name),
        "ns": operations::namespace_of(spec.name, body),
        "command": operations::command_of(body, COMMAND),
    };
    match outcome {
        Ok(reply) => {
            if let Ok(told) = RawDocument::from_bytes(&reply.body) {
                add_counts(&mut out, spec.name, told);
            }
            out.append(cstr!("responseLength"), i32::try_from(reply.body.len()).unwrap_or(i32::MAX));
        }
        Err(error) => {
            out.append(cstr!("ok"), 0.0);
            out.append(cstr!("errMsg"), &*error.message);
            out.append(cstr!("errName"), &*error.code.name());
            out.append(cstr!("errCode"), error.code.0);
        }
    }
    out.append(cstr!("protocol"), "op_msg");
    out.append(cstr!("millis"), i32::try_from(took.as_millis()).unwrap_or(i32::MAX));
    out.append(cstr!("ts"), bson::DateTime::now());
    let peer = session.peer.map_or_else(|| "anonymous unix socket".to_owned(), |peer| peer.ip().to_string());
    out.append(cstr!("client"), peer);
    if let Some(client) = session.client.as_ref().filter(|client| !client.application.is_empty()) {
        out.append(cstr!("appName"), &*client.application);
    }
    out.append(cstr!("allUsers"), operations::users_of(session.user.as_deref()));
    let user = session.user.as_ref().map_or_else(String::new, |user| format!("{}@{}", user.name, user.db));
    out.append(cstr!("user"), user);
    out
}

/// What the reply tells of documents.
fn add_counts(out: &mut RawDocumentBuf, command: &str, reply: &RawDocument) {
    if let Ok(cursor) = reply.get_document("cursor") {
        let batch = cursor.get_array("firstBatch").or_else(|_| cursor.get_array("nextBatch"));
        if let Ok(batch) = batch {
            let count = batch.iter_elements().count();
            out.append(cstr!("nreturned"), i32::try_from(count).unwrap_or(i32::MAX));
        }
        match cursor.get_i64("id") {
            Ok(0) => out.append(cstr!("cursorExhausted"), true),
            Ok(id) => out.append(cstr!("cursorid"), id),
            Err(_) => {}
        }
    }
    let Ok(n) = reply.get_i32("n") else { return };
    match command {
        "insert" => out.append(cstr!("ninserted"), n),
        "delete" => out.append(cstr!("ndeleted"), n),
        "update" => {
            let upserted = reply.get_array("upserted").map_or(0, |list| list.iter_elements().count());
            let upserted = i32::try_from(upserted).unwrap_or(i32::MAX);
            out.append(cstr!("nMatched"), n.saturating_sub(upserted));
            out.append(cstr!("nModified"), reply.get_i32("nModified").unwrap_or(0));
            if upserted > 0 {
                out.append(cstr!("nUpserted"), upserted);
            }
        }
        _ => {}
    }
}

/// Runs a command on `system.profile`; None: it is none of ours, such as listIndexes.
pub(super) async fn run(call: &Call<'_>) -> Option<Result<Reply>> {
    let name = call.request.spec.name;
    if !matches!(name, "aggregate" | "count" | "distinct" | "drop" | "find") {
        return None;
    }
    if call.services.config.roles && call.session.user.is_some() && !call.session.rights.0.admin {
        // As in MongoDB: who may read all data may not read what others ask.
        return Some(Err(rights::refused(call.request)));
    }
    Some(match name {
        "aggregate" => aggregate(call).await,
        "count" => count(call).await,
        "drop" => drop(call),
        "find" => find(call).await,
        _ => {
            let message = format!("The command '{name}' on {COLLECTION} is not supported");
            Err(CommandError::client(codes::COMMAND_NOT_SUPPORTED, message))
        }
    })
}

fn namespace(call: &Call<'_>) -> String {
    format!("{}.{COLLECTION}", call.request.db)
}

fn documents(call: &Call<'_>) -> Vec<RawDocumentBuf> {
    call.services.profiler.documents(call.request.db)
}

async fn aggregate(call: &Call<'_>) -> Result<Reply> {
    if call.request.get("explain")?.is_some_and(is_true) {
        let message = format!("The option 'explain' on {COLLECTION} is not supported");
        return Err(CommandError::client(codes::COMMAND_NOT_SUPPORTED, message));
    }
    evaluate::aggregate(call, documents(call), 0, &namespace(call)).await
}

/// drop: as in MongoDB, only what is not written to.
fn drop(call: &Call<'_>) -> Result<Reply> {
    if call.services.profiler.level(call.request.db) != Level::Off {
        let message = "turn off profiling before dropping system.profile collection";
        return Err(CommandError::client(codes::ILLEGAL_OPERATION, message));
    }
    if !call.services.profiler.clear(call.request.db) {
        return Ok(ok::plain());
    }
    Ok(rawdoc! { "ns": namespace(call), "ok": 1.0 }.into())
}

/// A field of the command as a stage, unless it says nothing.
fn stage(
    call: &Call<'_>,
    field: &str,
    stage: &'static bson::raw::CStr,
    stages: &mut Vec<RawDocumentBuf>,
) -> Result<()> {
    let Some(value) = call.request.get(field)? else { return Ok(()) };
    let nothing = match value {
        RawBsonRef::Null => true,
        RawBsonRef::Document(value) => value.is_empty(),
        value => number(value) == Some(0.0),
    };
    if !nothing {
        let mut out = RawDocumentBuf::new();
        out.append(stage, value);
        stages.push(out);
    }
    Ok(())
}

fn context(call: &Call<'_>) -> Result<RawDocumentBuf> {
    let mut context = RawDocumentBuf::new();
    for (key, field) in [(cstr!("let"), "let"), (cstr!("collation"), "collation")] {
        if let Some(value) = call.request.get(field)? {
            context.append(key, value);
        }
    }
    Ok(context)
}

async fn count(call: &Call<'_>) -> Result<Reply> {
    let mut stages = Vec::new();
    stage(call, "query", cstr!("$match"), &mut stages)?;
    stage(call, "skip", cstr!("$skip"), &mut stages)?;
    stage(call, "limit", cstr!("$limit"), &mut stages)?;
    let found = evaluate::pipeline(call, documents(call), &stages, &context(call)?).await?;
    Ok(rawdoc! { "n": i32::try_from(found.len()).unwrap_or(i32::MAX), "ok": 1.0 }.into())
}

/// find, whose parts are stages in MongoDB's order. The natural order is that in which the documents came.
async fn find(call: &Call<'_>) -> Result<Reply> {
    let request = call.request;
    let natural = |field: &str| -> Result<Option<f64>> {
        let order = request.get(field)?.and_then(|order| order.as_document());
        Ok(order.map(|order| order.get("$natural")).transpose()?.flatten().and_then(number))
    };
    let (by_sort, by_hint) = (natural("sort")?, natural("hint")?);
    if by_hint.is_none() && request.get("hint")?.is_some_and(|hint| hint != RawBsonRef::Null) {
        let message = "error processing query: planner returned error :: caused by :: hint provided does not \
                       correspond to an existing index";
        return Err(CommandError::client(codes::BAD_VALUE, message));
    }
    let mut documents = documents(call);
    if by_sort.or(by_hint).is_some_and(|order| order < 0.0) {
        documents.reverse();
    }
    let mut stages = Vec::new();
    stage(call, "filter", cstr!("$match"), &mut stages)?;
    if by_sort.is_none() {
        stage(call, "sort", cstr!("$sort"), &mut stages)?;
    }
    stage(call, "skip", cstr!("$skip"), &mut stages)?;
    stage(call, "limit", cstr!("$limit"), &mut stages)?;
    stage(call, "projection", cstr!("$project"), &mut stages)?;
    let found = evaluate::pipeline(call, documents, &stages, &context(call)?).await?;
    let limit = request.get("batchSize")?.map(|limit| batch_size("find.batchSize", limit)).transpose()?;
    let single = request.get("singleBatch")?.is_some_and(is_true);
    evaluate::cursor(call, &namespace(call), found, limit, single)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::registry;
    use crate::config::Endpoint;

    fn recorded(body: &RawDocument, outcome: &Result<Reply>) -> RawDocumentBuf {
        let session = Session::new(Endpoint::Primary, 1, None);
        let name = body.iter_elements().next().unwrap().unwrap().key().as_str();
        document(&session, registry::find(name).unwrap(), body, outcome, Duration::from_millis(7))
    }

    #[test]
    fn what_is_recorded() {
        let find = rawdoc! { "find": "c", "filter": { "a": 1 }, "$db": "d" };
        let reply = rawdoc! { "cursor": { "firstBatch": [{}, {}], "id": 0_i64, "ns": "d.c" }, "ok": 1.0 };
        let out = recorded(&find, &Ok(reply.into()));
        assert_eq!((out.get_str("op").unwrap(), out.get_str("ns").unwrap()), ("query", "d.c"));
        assert_eq!((out.get_i32("nreturned").unwrap(), out.get_i32("millis").unwrap()), (2, 7));
        assert!(out.get_bool("cursorExhausted").unwrap());
        assert!(out.get("errCode").unwrap().is_none());
        let update = rawdoc! { "update": "c", "updates": [], "$db": "d" };
        let reply = rawdoc! { "n": 3, "nModified": 1, "upserted": [{ "index": 0, "_id": 1 }], "ok": 1.0 };
        let out = recorded(&update, &Ok(reply.into()));
        let counts = ["nMatched", "nModified", "nUpserted"].map(|name| out.get_i32(name).unwrap());
        assert_eq!(counts, [2, 1, 1]);
        let out = recorded(&find, &Err(CommandError::client(codes::BAD_VALUE, "no")));
        assert_eq!((out.get_i32("errCode").unwrap(), out.get_str("errName").unwrap()), (2, "BadValue"));
    }
}
