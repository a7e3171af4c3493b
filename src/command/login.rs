//! saslStart, saslContinue, logout and connectionStatus.
use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::raw::RawBsonRef;
use bson::spec::BinarySubtype;
use bson::{Binary, RawArrayBuf, RawDocument, RawDocumentBuf, rawdoc};

use super::Call;
use super::options::{missing, number, wrong_type};
use super::{rights, users};
use crate::config::X509Users;
use crate::error::{CommandError, Result, Retry, codes};
use crate::pool::{Lease, UserRole};
use crate::reply::Reply;
use crate::reply::ok::{self, is_true};
use crate::session::User;
use crate::session::auth::{EXTERNAL, Login, MECHANISM, PLAIN, Progress, X509, failed};
use crate::sql::{Param, calls, run};

/// A connection has one login at a time, so its conversation needs no other number.
const CONVERSATION: i32 = 1;
/// How many connections a login that begins may find dead.
const ATTEMPTS: u32 = 3;
/// What a failed login costs.
const FAILURE: Duration = Duration::from_millis(500);

/// saslStart.
pub(super) async fn sasl_start(mut call: Call<'_>) -> Result<Reply> {
    let (body, db) = (call.request.body, call.request.db);
    let started = start(&mut call, body, db).await;
    Ok(slowed(&call, started).await?.into())
}

/// Begins a login with a saslStart document, whether it is the command or hello's `speculativeAuthenticate`.
///
/// # Errors
/// 334 for another mechanism, 18 for a malformed message, or why PostgreSQL could not be asked.
pub(super) async fn start(call: &mut Call<'_>, command: &RawDocument, db: &str) -> Result<RawDocumentBuf> {
    call.session.login = None;
    let mechanism = match command.get("mechanism")? {
        Some(RawBsonRef::String(mechanism)) => mechanism,
        Some(other) => return Err(wrong_type("saslStart.mechanism", other, "string")),
        None => return Err(missing("saslStart", "mechanism")),
    };
    let plain = mechanism == PLAIN && call.session.tls;
    if mechanism == X509 {
        let named = String::from_utf8_lossy(payload(command, "saslStart")?).into_owned();
        let name = certified(call, db, Some(&*named).filter(|named| !named.is_empty())).await?;
        return Ok(answer(&Progress { payload: Vec::new(), user: Some(name) }));
    }
    if mechanism != MECHANISM && !plain {
        return Err(not_enabled(mechanism));
    }
    let message = payload(command, "saslStart")?;
    let options = command.get("options")?.and_then(|options| options.as_document());
    let skip =
        options.and_then(|options| options.get("skipEmptyExchange").ok().flatten()).is_some_and(is_true);
    let mut lease = any_node(call).await?;
    if plain {
        let name = Login::plain(message, &mut lease, &call.services.fakes).await?;
        drop(lease);
        logged_in(call, &name, db.into()).await?;
        return Ok(answer(&Progress { payload: Vec::new(), user: Some(name) }));
    }
    let mut attempt = 1;
    let (login, progress) = loop {
        match Login::start(db, skip, message, &mut lease, &call.services.fakes).await {
            // It died unnoticed since it served somebody else.
            Err(error) if error.retry == Retry::IfReused && lease.reused() && attempt < ATTEMPTS => {
                attempt += 1;
                lease = any_node(call).await?;
            }
            outcome => break outcome?,
        }
    };
    call.session.login = Some(login);
    Ok(answer(&progress))
}

fn not_enabled(mechanism: &str) -> CommandError {
    // The name goes back to the client that sent it; long ones are cut.
    let shown: String = mechanism.chars().take(64).collect();
    let message = format!("Received authentication for mechanism {shown} which is not enabled");
    CommandError::client(codes::MECHANISM_UNAVAILABLE, message)
}

/// authenticate: MONGODB-X509, and nothing else any more.
pub(super) async fn authenticate(mut call: Call<'_>) -> Result<Reply> {
    let (body, db) = (call.request.body, call.request.db);
    let done = authenticate_with(&mut call, body, db).await;
    Ok(slowed(&call, done).await?.into())
}

/// Logs in with an authenticate document, whether it is the command or hello's `speculativeAuthenticate`.
///
/// # Errors
/// 334 for another mechanism or where certificates mean nothing, 17 for a database other than `$external`, 18 for a certificate
/// without a user.
pub(super) async fn authenticate_with(
    call: &mut Call<'_>,
    command: &RawDocument,
    db: &str,
) -> Result<RawDocumentBuf> {
    call.session.login = None;
    match command.get("mechanism")? {
        Some(RawBsonRef::String(X509)) => {}
        Some(RawBsonRef::String(other)) => return Err(not_enabled(other)),
        Some(other) => return Err(wrong_type("authenticate.mechanism", other, "string")),
        None => return Err(missing("authenticate", "mechanism")),
    }
    let named = match command.get("user")? {
        None => None,
        Some(RawBsonRef::String(user)) => Some(user),
        Some(other) => return Err(wrong_type("authenticate.user", other, "string")),
    };
    let name = certified(call, db, named).await?;
    Ok(rawdoc! { "dbname": EXTERNAL, "user": name, "ok": 1.0 })
}

/// Logs the user in that the client's certificate stands for, which has to be the one that the client names, if it names one.
async fn certified(call: &mut Call<'_>, db: &str, named: Option<&str>) -> Result<String> {
    if call.services.config.x509_users == X509Users::Off || !call.session.tls {
        return Err(not_enabled(X509));
    }
    if db != EXTERNAL {
        let message = "X.509 authentication must always use the $external database.";
        return Err(CommandError::client(codes::PROTOCOL_ERROR, message));
    }
    let name = call.session.certificate.clone();
    let name = name.ok_or_else(|| failed().because("the client showed no certificate with a name"))?;
    if named.is_some_and(|named| *named != *name) {
        return Err(failed().because("the certificate is another user's"));
    }
    if name.len() > users::MAX_NAME {
        let message = format!(
            "The certificate's name has {} bytes, and a user's name can have {}",
            name.len(),
            users::MAX_NAME
        );
        return Err(CommandError::client(codes::AUTHENTICATION_FAILED, message));
    }
    let mut lease = any_node(call).await?;
    let user: &str = &name;
    let row = run::row(&mut lease, call.request.budget, &calls::CAN_LOG_IN, &[&user]).await?;
    drop(lease);
    if !run::flag(&row, 0)? {
        return Err(failed().because("there is no user of the certificate's name"));
    }
    logged_in(call, &name, EXTERNAL.into()).await?;
    Ok(name.into())
}

/// saslContinue.
pub(super) async fn sasl_continue(mut call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    let Some(login) = call.session.login.take() else {
        return Err(CommandError::client(codes::PROTOCOL_ERROR, "No SASL session state found"));
    };
    match request.get("conversationId")? {
        Some(id) if number(id) == Some(f64::from(CONVERSATION)) => {}
        Some(_) => {
            return Err(CommandError::client(codes::PROTOCOL_ERROR, "sasl: Mismatched conversation id"));
        }
        None => return Err(missing("saslContinue", "conversationId")),
    }
    let message = payload(request.body, "saslContinue")?;
    let mut lease = if login.needs_postgres() { Some(any_node(&call).await?) } else { None };
    let db = login.db.clone();
    let next = login.next(message, lease.as_mut()).await;
    // Whoever guesses holds no connection to PostgreSQL while it waits.
    drop(lease);
    let (login, progress) = slowed(&call, next).await?;
    call.session.login = login;
    if let Some(name) = &progress.user {
        logged_in(&mut call, name, db).await?;
    }
    Ok(answer(&progress).into())
}

/// Remembers who logged in and what the user may do.
async fn logged_in(call: &mut Call<'_>, name: &str, db: Box<str>) -> Result<()> {
    let since = Instant::now();
    let asked = rights::ask(call.services, call.pick, name, call.request.budget).await?;
    let (known, oid) = asked.ok_or_else(failed)?;
    let role = call.services.config.roles.then(|| Arc::new(UserRole { name: name.into(), oid }));
    call.session.rights = (known, since);
    call.session.user = Some(Arc::new(User { name: name.into(), db, role }));
    Ok(())
}

/// Makes a failed login take its time, so that passwords can't be guessed fast on one connection.
async fn slowed<T>(call: &Call<'_>, outcome: Result<T>) -> Result<T> {
    if let Err(error) = &outcome
        && error.code == codes::AUTHENTICATION_FAILED
    {
        tokio::select! {
            () = tokio::time::sleep(FAILURE) => {}
            () = call.services.tasks.stopping().cancelled() => {}
        }
    }
    outcome
}

fn answer(progress: &Progress) -> RawDocumentBuf {
    let payload = Binary { subtype: BinarySubtype::Generic, bytes: progress.payload.clone() };
    rawdoc! { "conversationId": CONVERSATION, "done": progress.user.is_some(), "payload": payload, "ok": 1.0 }
}

fn payload<'a>(command: &'a RawDocument, name: &str) -> Result<&'a [u8]> {
    match command.get("payload")? {
        Some(RawBsonRef::Binary(payload)) => Ok(payload.bytes),
        // Some clients send it in base64, which only the first drafts of the protocol allowed.
        Some(RawBsonRef::String(_)) => Err(failed().because("the payload is a string")),
        Some(other) => Err(wrong_type(&format!("{name}.payload"), other, "binData")),
        None => Err(missing(name, "payload")),
    }
}

/// Users are the same on every node: the first that answers will do.
async fn any_node(call: &Call<'_>) -> Result<Lease> {
    let mut last = None;
    for node in call.services.pools.readers(call.pick)? {
        match node.checkout(None, call.request.budget.deadline).await {
            Ok(lease) => return Ok(lease),
            Err(error) if error.retry == Retry::BeforeSend => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| CommandError::unexpected("no node was tried")))
}

/// logout.
pub(super) fn logout(call: Call<'_>) -> Result<Reply> {
    call.session.user = None;
    call.session.login = None;
    Ok(ok::plain())
}

/// connectionStatus: who is logged in, and the roles that the storage has for the user.
pub(super) async fn connection_status(call: Call<'_>) -> Result<Reply> {
    let mut users = RawArrayBuf::new();
    let mut roles = RawArrayBuf::new();
    let mut privileges = RawArrayBuf::new();
    let show = call.request.get("showPrivileges")?.is_some_and(is_true);
    if let Some(user) = call.session.user.clone() {
        users.push(rawdoc! { "user": &*user.name, "db": &*user.db });
        let spec = rawdoc! { "usersInfo": &*user.name, "showPrivileges": show, "$db": "admin" };
        let spec = spec.as_bytes();
        let params: [Param<'_>; 1] = [&spec];
        let (row, _lease) = call.read(&calls::USERS_INFO, &params).await?;
        let known = run::document(&row, 0)?;
        let known = RawDocument::from_bytes(&known)?;
        for entry in known.get("users")?.and_then(|users| users.as_array()).into_iter().flatten() {
            let entry = entry?;
            let Some(entry) = entry.as_document() else { continue };
            copy(entry, "roles", &mut roles)?;
            copy(entry, "privileges", &mut privileges)?;
            // What later versions of the extension call them.
            copy(entry, "inheritedPrivileges", &mut privileges)?;
        }
    }
    let mut info = rawdoc! { "authenticatedUsers": users, "authenticatedUserRoles": roles };
    if show {
        info.append(bson::raw::cstr!("authenticatedUserPrivileges"), privileges);
    }
    Ok(rawdoc! { "authInfo": info, "ok": 1.0 }.into())
}

fn copy(from: &RawDocument, field: &str, to: &mut RawArrayBuf) -> Result<()> {
    for value in from.get(field)?.and_then(|list| list.as_array()).into_iter().flatten() {
        to.push(value?);
    }
    Ok(())
}
