//! currentOp, `$currentOp` and killOp: what the clients of this process run.
//!
//! The process tells its own operations, which PostgreSQL knows nothing of but statements; PostgreSQL adds the index builds,
//! which nobody's connection runs, and which statements wait for a lock. Both are left out when PostgreSQL does not answer
//! at once: when it is stuck, this is how one learns whose fault it is.
mod entry;
pub(super) mod evaluate;

use std::collections::HashSet;
use std::time::Duration;

use bson::raw::{RawBsonRef, cstr};
use bson::{RawBson, RawDocument, RawDocumentBuf, rawdoc};
use tokio::time::Instant;
use tokio_postgres::Row;

use super::options::{COMMON, number, type_name};
use super::request::Request;
use super::{Call, rights};
use crate::error::{Code, CommandError, Result, Retry, codes};
use crate::pool::Node;
use crate::reply::Reply;
use crate::reply::ok::{self, is_true};
use crate::session::User;
use crate::session::operations::Seen;
use crate::sql::{Budget, Param, SqlCall, calls, run};
pub(super) use entry::{command_of, namespace_of, operation_of, users_of};

/// What PostgreSQL may take for its part.
const PATIENCE: Duration = Duration::from_secs(1);
/// The namespace of `$currentOp`.
const NAMESPACE: &str = "admin.$cmd.aggregate";

/// What somebody wants to see.
#[derive(Debug, Clone, Copy, Default)]
struct Wanted {
    all_users: bool,
    idle_connections: bool,
    idle_cursors: bool,
    truncate: bool,
}

/// currentOp: every field that is not an option or a field of all commands belongs to a filter.
pub(super) async fn current_op(call: Call<'_>) -> Result<Reply> {
    let mut wanted = Wanted { all_users: true, ..Wanted::default() };
    let mut filter = RawDocumentBuf::new();
    for element in call.request.body.iter_elements().skip(1) {
        let element = element?;
        let value = element.value()?;
        match element.key().as_str() {
            "$all" => wanted.idle_connections = is_true(value),
            "$ownOps" => wanted.all_users = !is_true(value),
            "truncateOps" => wanted.truncate = is_true(value),
            name if COMMON.iter().any(|option| option.name == name) => {}
            _ => filter.append(element.key(), value),
        }
    }
    let documents = collect(&call, wanted).await?;
    let inprog = if filter.is_empty() {
        documents
    } else {
        evaluate::pipeline(&call, documents, &[rawdoc! { "$match": filter }], &rawdoc! {}).await?
    };
    let mut list = bson::RawArrayBuf::new();
    for document in inprog {
        list.push(document);
    }
    Ok(rawdoc! { "inprog": list, "ok": 1.0 }.into())
}

/// True for an aggregation that begins with `$currentOp` where that may stand; anywhere else the extension says what is wrong.
pub(super) fn asked_for(request: &Request<'_>) -> bool {
    request.db == "admin"
        && number(request.target) == Some(1.0)
        && evaluate::first_stage(request).is_some_and(|(name, _)| name == "$currentOp")
}

/// An aggregation over the operations.
pub(super) async fn aggregate(call: Call<'_>) -> Result<Reply> {
    let wanted = match evaluate::first_stage(call.request) {
        Some((_, RawBsonRef::Document(options))) => parse(options)?,
        Some((_, other)) => {
            let found = type_name(other.element_type());
            return Err(failed(format!(
                "$currentOp options must be specified in an object, but found: {found}"
            )));
        }
        None => Wanted::default(),
    };
    let documents = collect(&call, wanted).await?;
    evaluate::aggregate(&call, documents, 1, NAMESPACE).await
}

fn failed(message: String) -> CommandError {
    CommandError::client(codes::FAILED_TO_PARSE, message)
}

/// The options of the stage (MongoDB manual, `$currentOp`).
fn parse(options: &RawDocument) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    for element in options {
        let (name, value) = element?;
        let known = [
            "allUsers",
            "backtrace",
            "idleConnections",
            "idleCursors",
            "idleSessions",
            "localOps",
            "targetAllNodes",
            "truncateOps",
        ];
        if !known.contains(&name.as_str()) {
            return Err(failed(format!("Unrecognized option '{name}' in $currentOp stage.")));
        }
        let RawBsonRef::Boolean(value) = value else {
            return Err(failed(format!(
                "The '{name}' parameter of the $currentOp stage must be a boolean value, but found: {}",
                type_name(value.element_type())
            )));
        };
        match name.as_str() {
            "allUsers" => wanted.all_users = value,
            "idleConnections" => wanted.idle_connections = value,
            "idleCursors" => wanted.idle_cursors = value,
            "truncateOps" => wanted.truncate = value,
            // There are no sessions without a cursor or an operation, and no other nodes.
            _ => {}
        }
    }
    Ok(wanted)
}

/// May the user see and end what others do?
fn is_operator(call: &Call<'_>) -> bool {
    !call.services.config.roles || call.session.user.is_none() || call.session.rights.0.admin
}

async fn collect(call: &Call<'_>, wanted: Wanted) -> Result<Vec<RawDocumentBuf>> {
    if wanted.all_users && !is_operator(call) {
        return Err(rights::refused(call.request));
    }
    let own = |user: Option<&User>| {
        call.session.user.as_deref().is_none_or(|own| user.is_some_and(|user| user.name == own.name))
    };
    let mut seen = call.services.operations.all();
    seen.retain(|seen| {
        (seen.running.is_some() || wanted.idle_connections) && (wanted.all_users || own(seen.user.as_deref()))
    });
    let locked = locked(call, &seen).await;
    let bound = entry::bound(seen.len(), wanted.truncate);
    let mut documents = Vec::with_capacity(seen.len());
    for seen in &seen {
        documents.push(entry::describe(seen, locked.as_ref(), bound)?);
    }
    if wanted.idle_cursors {
        for cursor in call.services.cursors.idle() {
            if wanted.all_users || own(cursor.user.as_deref()) {
                documents.push(entry::idle_cursor(&cursor)?);
            }
        }
    }
    if wanted.all_users {
        documents.extend(builds(call).await?);
    }
    Ok(documents)
}

/// The backends that wait for a lock, with their nodes; None where that can't be learnt.
type Locked = HashSet<(u32, u32)>;

async fn locked(call: &Call<'_>, seen: &[Seen]) -> Option<Locked> {
    let mut found = Locked::new();
    for node in call.services.pools.nodes() {
        let of_node =
            seen.iter().filter_map(|seen| seen.backend).filter(|backend| backend.node == node.number());
        let processes: Vec<i32> = of_node.filter_map(|backend| i32::try_from(backend.process).ok()).collect();
        if processes.is_empty() {
            continue;
        }
        let row = quickly(call, node, &calls::LOCKED, &[&processes]).await.ok()?;
        let waiting: Vec<i32> = row.try_get(0).ok()?;
        found.extend(
            waiting.into_iter().filter_map(|process| Some((node.number(), u32::try_from(process).ok()?))),
        );
    }
    Some(found)
}

/// The index builds that the extension tells of. Its other entries are the statements of the operations told already.
async fn builds(call: &Call<'_>) -> Result<Vec<RawDocumentBuf>> {
    let spec = rawdoc! { "currentOp": 1, "$db": "admin" };
    let spec = spec.as_bytes();
    let Some(node) = call.services.pools.readers(call.pick).ok().and_then(|nodes| nodes.into_iter().next())
    else {
        return Ok(Vec::new());
    };
    let row = match quickly(call, &node, &calls::CURRENT_OP, &[&spec]).await {
        Ok(row) => row,
        Err(error) if error.code == codes::INTERRUPTED || error.code == codes::UNAUTHORIZED => {
            return Err(error);
        }
        Err(error) => {
            tracing::debug!(%error, "index builds are not told");
            return Ok(Vec::new());
        }
    };
    let reply = run::document(&row, 0)?;
    let reply = RawDocument::from_bytes(&reply)?;
    let mut found = Vec::new();
    for told in reply.get_array("inprog").into_iter().flatten() {
        let RawBsonRef::Document(told) = told? else { continue };
        if told.get("progress")?.is_some() || told.get("msg")?.is_some() {
            found.push(told.to_owned());
        }
    }
    Ok(found)
}

/// One row of a node that answers soon.
async fn quickly(
    call: &Call<'_>,
    node: &std::sync::Arc<Node>,
    sql: &'static SqlCall,
    params: &[Param<'_>],
) -> Result<Row> {
    let patience = Instant::now() + PATIENCE;
    let deadline = Some(call.request.budget.deadline.map_or(patience, |deadline| deadline.min(patience)));
    let mut again = true;
    loop {
        let mut lease = node.checkout(call.session.role(), deadline).await?;
        match run::row(&mut lease, Budget { deadline }, sql, params).await {
            Err(error) if error.retry == Retry::IfReused && lease.reused() && again => again = false,
            outcome => return outcome,
        }
    }
}

/// killOp. An operation ends at its statement, or before its next one; a write that PostgreSQL has done by then is told as
/// done. A number that nobody has is no error, because the operation may just have ended.
pub(super) async fn kill_op(call: Call<'_>) -> Result<Reply> {
    let op = match call.request.get("op")? {
        None => return Err(CommandError::client(codes::NO_SUCH_KEY, "Missing expected field \"op\"")),
        // Numbers are ours; what the extension calls its own has a text.
        Some(RawBsonRef::String(_)) => return kill_in_extension(call).await,
        Some(op) => op,
    };
    let Some(number) = number(op) else {
        let message =
            format!("\"op\" had the wrong type. Expected number, found {}", type_name(op.element_type()));
        return Err(CommandError::client(codes::TYPE_MISMATCH, message));
    };
    if number.fract() != 0.0 {
        let message = format!(
            "Expected field \"op\" to have a value exactly representable as a 64-bit integer, but found op: {number}"
        );
        return Err(CommandError::client(codes::BAD_VALUE, message));
    }
    if !(f64::from(i32::MIN)..=f64::from(u32::MAX)).contains(&number) {
        return Err(CommandError::client(Code(26_823), format!("invalid op : {number}")));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole, and what is beyond the range is nobody's number"
    )]
    let id = number as i32;
    let operations = &call.services.operations;
    let own = |seen: Seen| seen.user.is_some() && seen.user == call.session.user;
    if !is_operator(&call) && !operations.find(id).is_some_and(own) {
        return Err(rights::refused(call.request));
    }
    operations.kill(id);
    Ok(rawdoc! { "info": "attempting to kill op", "ok": 1.0 }.into())
}

/// An operation of the extension, where that can end one.
async fn kill_in_extension(call: Call<'_>) -> Result<Reply> {
    let op = call.request.get("op")?.map_or(RawBson::Null, RawBson::from);
    let mut spec = rawdoc! { "killOp": 1 };
    spec.append(cstr!("op"), op);
    spec.append(cstr!("$db"), "admin");
    let spec = spec.as_bytes();
    let params: [Param<'_>; 1] = [&spec];
    let (row, _lease) = call.read(&calls::KILL_OP, &params).await?;
    let reply = run::document(&row, 0)?;
    Ok(ok::with_double_ok(RawDocument::from_bytes(&reply)?)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_stage() {
        let wanted = parse(&rawdoc! { "allUsers": true, "idleCursors": true, "localOps": true }).unwrap();
        assert!(wanted.all_users && wanted.idle_cursors && !wanted.idle_connections);
        let error = parse(&rawdoc! { "allUsers": 1 }).unwrap_err();
        assert_eq!(error.code, codes::FAILED_TO_PARSE);
        assert_eq!(
            error.message,
            "The 'allUsers' parameter of the $currentOp stage must be a boolean value, but found: int"
        );
        assert_eq!(
            parse(&rawdoc! { "all": true }).unwrap_err().message,
            "Unrecognized option 'all' in $currentOp stage."
        );
    }
}
