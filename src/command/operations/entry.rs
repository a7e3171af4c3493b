//! One operation as currentOp and the profiler show it (MongoDB manual, `currentOp` "Output Fields"). What the process has no
//! number for (`locks`, `numYields`) is absent rather than zero.
use bson::raw::{RawBsonRef, cstr};
use bson::spec::BinarySubtype;
use bson::{Binary, DateTime, RawArrayBuf, RawDocument, RawDocumentBuf, rawdoc};
use sha2::{Digest, Sha256};

use super::super::local::host_name;
use super::super::registry;
use super::super::spec::Target;
use super::Locked;
use crate::error::Result;
use crate::reply::text;
use crate::session::User;
use crate::session::cursor::{IdleCursor, SessionId};
use crate::session::operations::Seen;

/// Fields that hold what nobody else may read: passwords, and the messages of logins.
const SECRET: &[&str] = &["payload", "pwd", "speculativeAuthenticate"];
/// Fields that may hold very many writes; their number is told.
const BATCHES: &[&str] = &["deletes", "documents", "ops", "updates"];
/// How long a command is shown in whole, in bytes: less, the more there are, so that all of them fit into one reply.
const BOUNDS: [(usize, usize); 3] = [(256, 16 * 1024), (4096, 1024), (usize::MAX, 256)];
/// What `truncateOps` asks for (bytes).
const TRUNCATED: usize = 1024;

/// How many bytes of each command are shown, of so many.
pub(super) fn bound(operations: usize, truncate: bool) -> usize {
    let bound = BOUNDS.iter().find(|(most, _)| operations <= *most).map_or(TRUNCATED, |(_, bound)| *bound);
    if truncate { bound.min(TRUNCATED) } else { bound }
}

/// The command without secrets and without long batches, as long as it fits into so many bytes; cut off otherwise.
pub(in super::super) fn command_of(body: &RawDocument, bound: usize) -> RawDocumentBuf {
    let mut shown = RawDocumentBuf::new();
    let mut left = bound;
    let mut whole = true;
    for element in body.iter_elements() {
        let Ok(element) = element else { break };
        let Ok(value) = element.value() else { break };
        let (key, name) = (element.key(), element.key().as_str());
        let count = match value {
            RawBsonRef::Array(batch) if BATCHES.contains(&name) => {
                batch.iter_elements().take(100_001).count()
            }
            _ => 0,
        };
        if SECRET.contains(&name) {
            shown.append(key, "xxx");
        } else if count > 1 {
            shown.append(key, i32::try_from(count).unwrap_or(i32::MAX));
        } else if let Some(rest) = left.checked_sub(element.size()) {
            left = rest;
            shown.append(key, value);
        } else {
            whole = false;
            shown.append(key, "...");
        }
        if shown.as_bytes().len() > bound.saturating_mul(2) {
            whole = false;
            break;
        }
    }
    if whole {
        return shown;
    }
    let mut text = text::document(&shown);
    let end = (0..=bound.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    rawdoc! { "$truncated": text }
}

/// MongoDB's word for the kind of operation.
pub(in super::super) fn operation_of(command: &str) -> &'static str {
    match command {
        "find" => "query",
        "getMore" => "getmore",
        "insert" => "insert",
        "update" => "update",
        "delete" => "remove",
        "killCursors" => "killcursors",
        _ => "command",
    }
}

/// The namespace that a command is about.
pub(in super::super) fn namespace_of(command: &str, body: &RawDocument) -> String {
    let db = body.get_str("$db").unwrap_or_default();
    let first = body.iter_elements().next().and_then(|first| first.ok()?.value().ok());
    let named = registry::find(command).is_some_and(|spec| spec.target != Target::Any);
    match (command, first) {
        ("getMore", _) => format!("{db}.{}", body.get_str("collection").unwrap_or("$cmd")),
        ("renameCollection" | "dataSize", Some(RawBsonRef::String(ns))) => ns.to_owned(),
        ("explain", Some(RawBsonRef::Document(inner))) => {
            let explained = inner.iter_elements().next().and_then(|first| first.ok()?.value().ok()?.as_str());
            format!("{db}.{}", explained.unwrap_or("$cmd"))
        }
        ("killCursors", Some(RawBsonRef::String(name))) => format!("{db}.{name}"),
        (_, Some(RawBsonRef::String(name))) if named => format!("{db}.{name}"),
        ("aggregate" | "bulkWrite" | "listCollections", _) => format!("{db}.$cmd.{command}"),
        _ => format!("{db}.$cmd"),
    }
}

/// Who logged in, as a list.
pub(in super::super) fn users_of(user: Option<&User>) -> RawArrayBuf {
    let mut users = RawArrayBuf::new();
    if let Some(user) = user {
        users.push(rawdoc! { "user": &*user.name, "db": &*user.db });
    }
    users
}

/// The session as servers tell it: with the digest of its user.
fn session_of(id: &SessionId, user: Option<&User>) -> RawDocumentBuf {
    let whose = user.map_or_else(String::new, |user| format!("{}@{}", user.name, user.db));
    rawdoc! {
        "id": Binary { subtype: BinarySubtype::Uuid, bytes: id.to_vec() },
        "uid": Binary { subtype: BinarySubtype::Generic, bytes: Sha256::digest(whose.as_bytes()).to_vec() },
    }
}

/// Milliseconds since 1970 as a date in text.
fn now() -> String {
    let text = DateTime::now().try_to_rfc3339_string().unwrap_or_default();
    text.strip_suffix('Z').map_or(text.clone(), |text| format!("{text}+00:00"))
}

/// A connection and what it runs.
pub(super) fn describe(seen: &Seen, locked: Option<&Locked>, bound: usize) -> Result<RawDocumentBuf> {
    let mut out = rawdoc! { "type": "op", "host": format!("{}:27017", host_name()) };
    out.append(cstr!("desc"), format!("conn{}", seen.connection));
    out.append(cstr!("connectionId"), i64::from(seen.connection));
    let peer = seen.peer.map_or_else(|| "anonymous unix socket".to_owned(), |peer| peer.to_string());
    out.append(cstr!("client"), peer);
    if let Some(client) = &seen.client {
        if !client.application.is_empty() {
            out.append(cstr!("appName"), &*client.application);
        }
        out.append(cstr!("clientMetadata"), &*client.metadata);
    }
    out.append(cstr!("active"), seen.running.is_some());
    out.append(cstr!("currentOpTime"), now());
    if seen.user.is_some() {
        out.append(cstr!("effectiveUsers"), users_of(seen.user.as_deref()));
    }
    let Some(running) = &seen.running else { return Ok(out) };
    let body = RawDocument::from_bytes(&running.body)?;
    out.append(cstr!("opid"), running.id);
    if seen.killed {
        out.append(cstr!("killPending"), true);
    }
    let lsid = body.get("lsid")?.and_then(|lsid| lsid.as_document());
    if let Some(id) = lsid.and_then(|lsid| super::super::options::session_id(lsid).ok()) {
        out.append(cstr!("lsid"), session_of(&id, seen.user.as_deref()));
    }
    let took = seen.took();
    out.append(cstr!("secs_running"), i64::try_from(took.as_secs()).unwrap_or(i64::MAX));
    out.append(cstr!("microsecs_running"), i64::try_from(took.as_micros()).unwrap_or(i64::MAX));
    out.append(cstr!("op"), operation_of(running.command));
    out.append(cstr!("ns"), namespace_of(running.command, body));
    out.append(cstr!("command"), command_of(body, bound));
    if let ("getMore", Ok(id)) = (running.command, body.get_i64("getMore")) {
        out.append(cstr!("cursor"), rawdoc! { "cursorId": id });
    }
    if let Some(locked) = locked {
        let waits = seen.backend.is_some_and(|backend| locked.contains(&(backend.node, backend.process)));
        out.append(cstr!("waitingForLock"), waits);
    }
    Ok(out)
}

/// A cursor that waits for its getMore.
pub(super) fn idle_cursor(cursor: &IdleCursor) -> Result<RawDocumentBuf> {
    let mut out =
        rawdoc! { "type": "idleCursor", "host": format!("{}:27017", host_name()), "ns": &*cursor.ns };
    if let Some(id) = &cursor.session {
        out.append(cstr!("lsid"), session_of(id, cursor.user.as_deref()));
    }
    if cursor.user.is_some() {
        out.append(cstr!("effectiveUsers"), users_of(cursor.user.as_deref()));
    }
    let ago = |ago: std::time::Duration| {
        let millis = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
        DateTime::from_millis(DateTime::now().timestamp_millis().saturating_sub(millis))
    };
    let told = rawdoc! {
        "cursorId": cursor.id,
        "createdDate": ago(cursor.age),
        "lastAccessDate": ago(cursor.idle),
        "noCursorTimeout": cursor.no_timeout,
        "tailable": cursor.tailable,
        "awaitData": cursor.awaits,
    };
    out.append(cstr!("cursor"), told);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_without_secrets_and_batches() {
        let user = rawdoc! { "createUser": "ann", "pwd": "Secret", "roles": [], "$db": "admin" };
        assert_eq!(
            command_of(&user, 1000),
            rawdoc! { "createUser": "ann", "pwd": "xxx", "roles": [], "$db": "admin" }
        );
        let hello =
            rawdoc! { "hello": 1, "speculativeAuthenticate": { "payload": "n,,n=ann" }, "$db": "admin" };
        assert_eq!(
            command_of(&hello, 1000),
            rawdoc! { "hello": 1, "speculativeAuthenticate": "xxx", "$db": "admin" }
        );
        let insert = rawdoc! { "insert": "c", "documents": [{ "a": 1 }, { "a": 2 }], "$db": "d" };
        assert_eq!(command_of(&insert, 1000), rawdoc! { "insert": "c", "documents": 2, "$db": "d" });
        let one = rawdoc! { "insert": "c", "documents": [{ "a": 1 }], "$db": "d" };
        assert_eq!(command_of(&one, 1000), one);
    }

    #[test]
    fn long_commands_are_cut_off() {
        let long = rawdoc! { "find": "c", "filter": { "a": "\u{e9}".repeat(2000) }, "$db": "d" };
        let cut = command_of(&long, 256);
        let text = cut.get_str("$truncated").unwrap();
        assert!(text.starts_with("{ find: \"c\"") && text.len() <= 256, "{text}");
        let mut wide = rawdoc! { "find": "c" };
        for n in 0..200 {
            wide.append(bson::raw::CString::try_from(format!("f{n}")).unwrap(), "xxxxxxxxxxxxxxxx");
        }
        assert!(command_of(&wide, 256).as_bytes().len() < 512);
        assert_eq!(command_of(&long, 10_000), long);
        assert_eq!([bound(1, false), bound(1, true), bound(5000, true)], [16 * 1024, 1024, 256]);
    }

    #[test]
    fn namespaces() {
        for (body, ns) in [
            (rawdoc! { "find": "c", "$db": "d" }, "d.c"),
            (rawdoc! { "getMore": 7_i64, "collection": "c", "$db": "d" }, "d.c"),
            (rawdoc! { "aggregate": 1, "pipeline": [], "$db": "d" }, "d.$cmd.aggregate"),
            (rawdoc! { "aggregate": "c", "pipeline": [], "$db": "d" }, "d.c"),
            (rawdoc! { "bulkWrite": 1, "$db": "admin" }, "admin.$cmd.bulkWrite"),
            (rawdoc! { "renameCollection": "d.c", "to": "d.e", "$db": "admin" }, "d.c"),
            (rawdoc! { "explain": { "find": "c" }, "$db": "d" }, "d.c"),
            (rawdoc! { "createUser": "ann", "$db": "admin" }, "admin.$cmd"),
            (rawdoc! { "ping": 1, "$db": "d" }, "d.$cmd"),
        ] {
            let command = body.iter_elements().next().unwrap().unwrap().key().as_str().to_owned();
            assert_eq!(namespace_of(&command, &body), ns);
        }
    }
}
