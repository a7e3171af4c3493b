//! createUser, updateUser, dropUser and usersInfo: passed on with the fields that the extension knows.
use bson::raw::{RawBsonRef, cstr};
use bson::{RawDocument, RawDocumentBuf};

use super::Call;
use super::options::{COMMON, wrong_type};
use super::request::Request;
use crate::error::{Code, CommandError, Result, codes};
use crate::reply::Reply;
use crate::reply::ok;
use crate::session::auth::MECHANISM;
use crate::sql::{Param, SqlCall, calls, run};

/// createUser.
pub(super) async fn create(call: Call<'_>) -> Result<Reply> {
    check_mechanisms(call.request)?;
    change(call, &calls::CREATE_USER).await
}

/// updateUser.
pub(super) async fn update(call: Call<'_>) -> Result<Reply> {
    check_mechanisms(call.request)?;
    change(call, &calls::UPDATE_USER).await
}

/// dropUser.
pub(super) async fn drop(call: Call<'_>) -> Result<Reply> {
    change(call, &calls::DROP_USER).await
}

async fn change(call: Call<'_>, sql: &'static SqlCall) -> Result<Reply> {
    let spec = essential(call.request)?;
    let spec = spec.as_bytes();
    let params: [Param<'_>; 1] = [&spec];
    let (row, _lease) = call.write(sql, &params).await.map_err(|error| named(call.request, error))?;
    let reply = run::document(&row, 0)?;
    Ok(ok::with_double_ok(RawDocument::from_bytes(&reply)?)?.into())
}

/// Tells which user is missing or there already.
fn named(request: &Request<'_>, error: CommandError) -> CommandError {
    let RawBsonRef::String(user) = request.target else { return error };
    let message = match error.code {
        codes::USER_NOT_FOUND => format!("User '{user}@{}' not found", request.db),
        Code(51003) => format!("User \"{user}@{}\" already exists", request.db),
        _ => return error,
    };
    CommandError { message: message.into(), ..error }
}

/// usersInfo.
pub(super) async fn info(call: Call<'_>) -> Result<Reply> {
    let spec = essential(call.request)?;
    let spec = spec.as_bytes();
    let params: [Param<'_>; 1] = [&spec];
    let (row, _lease) = call.read(&calls::USERS_INFO, &params).await?;
    let reply = run::document(&row, 0)?;
    Ok(ok::with_double_ok(RawDocument::from_bytes(&reply)?)?.into())
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
    out.append(cstr!("$db"), request.db);
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
    let asked = mechanisms.into_iter().flatten().any(|name| name.as_str() == Some(MECHANISM));
    if asked {
        return Ok(());
    }
    let message = format!("The only mechanism that a user can have is {MECHANISM}");
    Err(CommandError::client(codes::BAD_VALUE, message))
}
