//! Sessions and killCursors. A session is no more than an id that the client made up; what can be ended of it are its
//! cursors.
use std::sync::Arc;

use bson::raw::RawBsonRef;
use bson::spec::BinarySubtype;
use bson::{Binary, RawArrayBuf, RawDocument, rawdoc};
use rand::RngExt as _;

use super::Call;
use super::options::{missing, session_id, wrong_type};
use super::request::Request;
use crate::error::{CommandError, Result, codes};
use crate::reply::Reply;
use crate::reply::{ok, text};
use crate::session::User;
use crate::session::cursor::SessionId;

/// More ids in one command are refused.
const MAX_SESSIONS: usize = 10_000;
/// What hello and startSession report.
pub(super) const TIMEOUT_MINUTES: i32 = 30;

/// startSession.
pub(super) fn start(_: Call<'_>) -> Result<Reply> {
    let mut id: SessionId = rand::rng().random();
    // Version 4, variant 1: a random UUID.
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut id;
    *version = *version & 0x0f | 0x40;
    *variant = *variant & 0x3f | 0x80;
    let id = Binary { subtype: BinarySubtype::Uuid, bytes: id.to_vec() };
    Ok(rawdoc! { "id": { "id": id }, "timeoutMinutes": TIMEOUT_MINUTES, "ok": 1.0 }.into())
}

/// endSessions and killSessions.
pub(super) fn end(call: Call<'_>) -> Result<Reply> {
    let sessions = listed(call.request)?;
    call.services.cursors.kill_sessions(&sessions, call.session.user.as_ref());
    if call.request.spec.name == "killSessions" {
        end_operations(&call, |session, user| {
            sessions.contains(session) && user == call.session.user.as_ref()
        });
    }
    Ok(ok::plain())
}

/// refreshSessions.
pub(super) fn refresh(call: Call<'_>) -> Result<Reply> {
    let sessions = listed(call.request)?;
    call.services.cursors.refresh_sessions(&sessions, call.session.user.as_ref());
    Ok(ok::plain())
}

/// killAllSessions: all, or those of the users named.
pub(super) fn kill_all(call: Call<'_>) -> Result<Reply> {
    let users = array(call.request)?;
    let mut names = Vec::new();
    for user in users {
        let user = user?;
        let document = user
            .as_document()
            .ok_or_else(|| wrong_type("killAllSessions.killAllSessions", user, "object"))?;
        let name = document.get_str("user").map_err(|_| missing("killAllSessions", "user"))?;
        let db = document.get_str("db").map_err(|_| missing("killAllSessions", "db"))?;
        names.push((name, db));
    }
    call.services.cursors.kill_all_sessions(&names);
    end_operations(&call, |_, user| names.is_empty() || is_one_of(user, &names));
    Ok(ok::plain())
}

/// Among those named, with name and database.
pub(super) fn is_one_of(user: Option<&Arc<User>>, names: &[(&str, &str)]) -> bool {
    user.is_some_and(|user| names.iter().any(|(name, db)| *name == &*user.name && *db == &*user.db))
}

/// Asks the running operations of some sessions to end. One without a session is nobody's business here.
pub(super) fn end_operations(call: &Call<'_>, meant: impl Fn(&SessionId, Option<&Arc<User>>) -> bool) {
    call.services.operations.kill_those(|running, user| {
        let lsid = RawDocument::from_bytes(&running.body).and_then(|body| body.get_document("lsid"));
        lsid.ok().and_then(|lsid| session_id(lsid).ok()).is_some_and(|session| meant(&session, user))
    });
}

/// killCursors.
pub(super) fn kill_cursors(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    request.collection()?;
    let ids = match request.get("cursors")? {
        Some(RawBsonRef::Array(ids)) => ids,
        Some(other) => return Err(wrong_type("killCursors.cursors", other, "array")),
        None => return Err(missing("killCursors", "cursors")),
    };
    if ids.is_empty() {
        let message = format!("Must specify at least one cursor id in: {}", text::document(request.body));
        return Err(CommandError::client(codes::BAD_VALUE, message));
    }
    let (mut killed, mut unknown) = (RawArrayBuf::new(), RawArrayBuf::new());
    for (position, id) in ids.into_iter().enumerate() {
        let RawBsonRef::Int64(id) = id? else {
            let field = format!("killCursors.cursors.{position}");
            return Err(ids
                .get(position)?
                .map_or_else(|| missing("killCursors", &field), |id| wrong_type(&field, id, "long")));
        };
        let list = if call.services.cursors.kill(id, call.session.user.as_ref()) {
            &mut killed
        } else {
            &mut unknown
        };
        list.push(id);
    }
    Ok(rawdoc! {
        "cursorsKilled": killed,
        "cursorsNotFound": unknown,
        "cursorsAlive": [],
        "cursorsUnknown": [],
        "ok": 1.0,
    }
    .into())
}

fn array<'a>(request: &Request<'a>) -> Result<&'a bson::raw::RawArray> {
    let name = request.spec.name;
    request.target.as_array().ok_or_else(|| wrong_type(&format!("{name}.{name}"), request.target, "array"))
}

fn listed(request: &Request<'_>) -> Result<Vec<SessionId>> {
    let mut ids = Vec::new();
    for id in array(request)? {
        let id = id?;
        let lsid = id
            .as_document()
            .ok_or_else(|| wrong_type(&format!("{0}.{0}", request.spec.name), id, "object"))?;
        ids.push(session_id(lsid)?);
        if ids.len() > MAX_SESSIONS {
            return Err(CommandError::client(
                codes::TOO_MANY_LOGICAL_SESSIONS,
                "Too many sessions in one command",
            ));
        }
    }
    Ok(ids)
}
