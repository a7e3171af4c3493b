//! createUser, updateUser, dropUser and usersInfo: passed on with the fields that the extension knows.
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bson::raw::{RawBsonRef, cstr};
use bson::{RawArrayBuf, RawBson, RawDocument, RawDocumentBuf, rawdoc};
use rand::RngExt as _;

use super::options::{COMMON, number, wrong_type};
use super::request::Request;
use super::{Call, grants};
use crate::error::{Code, CommandError, Result, codes, from_pg};
use crate::reply::Reply;
use crate::reply::ok;
use crate::session::auth::{EXTERNAL, MECHANISM, X509};
use crate::sql::{Param, SqlCall, calls, run};

/// Longer names are cut by PostgreSQL, and would name another role (bytes).
pub(super) const MAX_NAME: usize = 63;
/// About how many users one command asks: each costs a question to PostgreSQL.
const MAX_ASKED: usize = 1000;
/// Randomness of a password that nobody is told (bytes).
const SECRET: usize = 32;

/// createUser.
pub(super) async fn create(call: Call<'_>) -> Result<Reply> {
    check_mechanisms(call.request)?;
    let name = call.request.target.as_str().unwrap_or_default();
    if name.len() > MAX_NAME {
        let message = format!("A user's name can have {MAX_NAME} bytes, and this one has {}", name.len());
        return Err(CommandError::client(codes::BAD_VALUE, message));
    }
    let external = call.request.db == EXTERNAL;
    if external && call.request.get("pwd")?.is_some() {
        let message = "Cannot set the password for users defined on the '$external' database";
        return Err(CommandError::client(codes::BAD_VALUE, message));
    }
    let mut spec = essential(call.request)?;
    if external {
        // The extension has no users without a password.
        let mut secret = [0u8; SECRET];
        rand::rng().fill(&mut secret[..]);
        spec.append(cstr!("pwd"), format!("aA1-{}", BASE64_STANDARD.encode(secret)));
    }
    send(call, &calls::CREATE_USER, &spec).await
}

/// updateUser.
pub(super) async fn update(call: Call<'_>) -> Result<Reply> {
    check_mechanisms(call.request)?;
    may_change(&call, call.request.target.as_str().unwrap_or_default()).await?;
    if let Some(roles) = call.request.get("roles")? {
        return Box::pin(grants::update(&call, roles)).await;
    }
    change(call, &calls::UPDATE_USER).await
}

/// dropUser.
pub(super) async fn drop(call: Call<'_>) -> Result<Reply> {
    may_change(&call, call.request.target.as_str().unwrap_or_default()).await?;
    change(call, &calls::DROP_USER).await
}

/// The functions run as the URL's role, which may change roles that are none of MongoDB's business: a user reaches those of
/// users alone, and none that has more power in PostgreSQL than it has itself.
///
/// # Errors
/// 11 for a role that is no user, 13 for a mightier one.
pub(super) async fn may_change(call: &Call<'_>, name: &str) -> Result<()> {
    let Some(role) = call.session.role().cloned() else { return Ok(()) };
    let mut lease = call.writer().await?;
    let params: [Param<'_>; 2] = [&role.oid, &name];
    let asked = run::optional_row(&mut lease, call.request.budget, &calls::MAY_CHANGE, &params).await?;
    // No row: the extension says what it thinks of the name.
    let Some(row) = asked else { return Ok(()) };
    if !run::flag(&row, 0)? {
        return Err(not_found(call.request, name));
    }
    if run::flag(&row, 1)? { Ok(()) } else { Err(from_pg::denied().because("the other user may do more")) }
}

pub(super) fn not_found(request: &Request<'_>, user: &str) -> CommandError {
    CommandError::client(codes::USER_NOT_FOUND, format!("User '{user}@{}' not found", request.db))
}

async fn change(call: Call<'_>, sql: &'static SqlCall) -> Result<Reply> {
    let spec = essential(call.request)?;
    send(call, sql, &spec).await
}

async fn send(call: Call<'_>, sql: &'static SqlCall, spec: &RawDocument) -> Result<Reply> {
    let spec = spec.as_bytes();
    let params: [Param<'_>; 1] = [&spec];
    let (row, _lease) = call.write(sql, &params).await.map_err(|error| named(call.request, error))?;
    call.services.forget_rights();
    let reply = run::document(&row, 0)?;
    Ok(ok::with_double_ok(RawDocument::from_bytes(&reply)?)?.into())
}

/// Tells which user is missing or there already.
pub(super) fn named(request: &Request<'_>, error: CommandError) -> CommandError {
    let RawBsonRef::String(user) = request.target else { return error };
    let message = match error.code {
        codes::USER_NOT_FOUND => format!("User '{user}@{}' not found", request.db),
        Code(51003) => format!("User \"{user}@{}\" already exists", request.db),
        _ => return error,
    };
    CommandError { message: message.into(), ..error }
}

/// usersInfo: of all users, of one, or of some. The extension knows the first two, in fewer forms than MongoDB.
pub(super) async fn info(call: Call<'_>) -> Result<Reply> {
    let asked = asked(call.request)?;
    let rest = ok::without(&essential(call.request)?, &[call.request.name])?;
    let mut users = RawArrayBuf::new();
    for who in asked {
        let mut spec = rawdoc! { "usersInfo": who };
        for element in rest.iter_elements() {
            let element = element?;
            spec.append(element.key(), element.value()?);
        }
        let spec = spec.as_bytes();
        let params: [Param<'_>; 1] = [&spec];
        let (row, _lease) = call.read(&calls::USERS_INFO, &params).await?;
        let reply = run::document(&row, 0)?;
        // Where there is nobody, the extension leaves the field out.
        for user in RawDocument::from_bytes(&reply)?.get_array("users").into_iter().flatten() {
            users.push(user?);
        }
    }
    Ok(rawdoc! { "users": users, "ok": 1.0 }.into())
}

/// Whom usersInfo is about: 1 for all, or names. Users are global, whatever database is named beside.
///
/// # Errors
/// 20 for the privileges of all, 115 for too many names, 2 for what names nobody.
fn asked(request: &Request<'_>) -> Result<Vec<RawBson>> {
    let bad =
        || CommandError::client(codes::BAD_VALUE, "User and role names must be either strings or objects");
    let name = |value: RawBsonRef<'_>| match value {
        RawBsonRef::String(name) => Ok(name.to_owned()),
        RawBsonRef::Document(user) => match (user.get("user")?, user.get("db")?) {
            (Some(RawBsonRef::String(name)), Some(RawBsonRef::String(_))) => Ok(name.to_owned()),
            _ => Err(bad()),
        },
        _ => Err(bad()),
    };
    let all = match request.target {
        RawBsonRef::Document(user) => user.get("forAllDBs")?.is_some_and(ok::is_true),
        other => number(other) == Some(1.0),
    };
    if all {
        if request.get("showPrivileges")?.is_some_and(ok::is_true) {
            let message = "Privilege or restriction details require exact-match usersInfo queries";
            return Err(CommandError::client(codes::ILLEGAL_OPERATION, message));
        }
        return Ok(vec![RawBson::Int32(1)]);
    }
    let mut names = match request.target {
        RawBsonRef::Array(list) => list.into_iter().map(|one| name(one?)).collect::<Result<Vec<_>>>()?,
        one => vec![name(one)?],
    };
    names.sort_unstable();
    names.dedup();
    if names.len() > MAX_ASKED {
        let message = format!("usersInfo about more than {MAX_ASKED} users is not supported");
        return Err(CommandError::client(codes::COMMAND_NOT_SUPPORTED, message));
    }
    Ok(names.into_iter().map(RawBson::String).collect())
}

/// The command without what the proxy has dealt with: the fields of every command, and `mechanisms`.
pub(super) fn essential(request: &Request<'_>) -> Result<RawDocumentBuf> {
    let mut out = RawDocumentBuf::new();
    for element in request.body.iter_elements() {
        let element = element?;
        let name = element.key().as_str();
        let common = COMMON.iter().any(|option| option.name == name);
        if !common && !matches!(name, "mechanisms" | "digestPassword") {
            out.append(element.key(), element.value()?);
        }
    }
    // Users are global, and to the extension all of them are `admin`'s.
    out.append(cstr!("$db"), if request.db == EXTERNAL { "admin" } else { request.db });
    Ok(out)
}

/// A user can log in with SCRAM-SHA-256 only: asking for other mechanisms alone is refused.
fn check_mechanisms(request: &Request<'_>) -> Result<()> {
    let mechanisms = match request.get("mechanisms")? {
        None => return Ok(()),
        Some(RawBsonRef::Array(mechanisms)) => mechanisms,
        Some(other) => {
            return Err(wrong_type(&format!("{}.mechanisms", request.spec.name), other, "array"));
        }
    };
    let external = request.db == EXTERNAL;
    let wanted = if external { X509 } else { MECHANISM };
    let asked = mechanisms.into_iter().flatten().any(|name| name.as_str() == Some(wanted));
    if asked {
        return Ok(());
    }
    let message = format!("The only mechanism that a user can have is {wanted}");
    Err(CommandError::client(codes::BAD_VALUE, message))
}
