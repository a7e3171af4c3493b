//! dropDatabase, listDatabases and dbStats.
use bson::raw::{RawBsonRef, cstr};
use bson::{RawDocument, RawDocumentBuf, rawdoc};

use super::Call;
use super::collections::scale;
use super::options::{not_a_number, number};
use crate::error::{Code, CommandError, Result, codes};
use crate::reply::Reply;
use crate::reply::ok::{self, is_true};
use crate::sql::{Param, calls, run};

/// dropDatabase: names the database only if there was one.
pub(super) async fn drop(call: Call<'_>) -> Result<Reply> {
    let db = call.request.db;
    match number(call.request.target).map(f64::trunc) {
        Some(1.0) => {}
        Some(_) => {
            return Err(CommandError::client(Code(5_255_100), "Have to pass 1 as 'drop' parameter"));
        }
        None => return Err(not_a_number("dropDatabase.dropDatabase", call.request.target)),
    }
    if matches!(db, "admin" | "config" | "local") {
        let message = format!("Dropping the '{db}' database is prohibited.");
        return Err(CommandError::client(codes::ILLEGAL_OPERATION, message));
    }
    let params: [Param<'_>; 1] = [&db];
    let (row, _lease) = call.write(&calls::DROP_DATABASE, &params).await?;
    if !run::flag(&row, 0)? {
        return Ok(ok::plain());
    }
    Ok(rawdoc! { "dropped": db, "ok": 1.0 }.into())
}

/// listDatabases.
pub(super) async fn list(call: Call<'_>) -> Result<Reply> {
    let body = call.request.forward.as_bytes();
    let params: [Param<'_>; 1] = [&body];
    let (row, _lease) = call.read(&calls::LIST_DATABASES, &params).await?;
    let reply = run::document(&row, 0)?;
    Ok(with_megabytes(RawDocument::from_bytes(&reply)?)?.into())
}

/// Adds `totalSizeMb`, which MongoDB tells beside `totalSize`.
fn with_megabytes(reply: &RawDocument) -> Result<RawDocumentBuf> {
    const MEGABYTE: i64 = 1024 * 1024;
    let mut out = ok::without(reply, &["ok", "totalSizeMb"])?;
    let total = match reply.get("totalSize")? {
        Some(RawBsonRef::Int64(total)) => Some(total),
        Some(RawBsonRef::Int32(total)) => Some(i64::from(total)),
        #[expect(clippy::cast_possible_truncation, reason = "a size in bytes, and as saturates")]
        Some(RawBsonRef::Double(total)) => Some(total as i64),
        _ => None,
    };
    if let Some(total) = total {
        out.append(cstr!("totalSizeMb"), total / MEGABYTE);
    }
    out.append(cstr!("ok"), 1.0);
    Ok(out)
}

/// dbStats.
pub(super) async fn stats(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    let (db, scale) = (request.db, scale(request)?);
    let free = request.get("freeStorage")?.is_some_and(is_true);
    let params: [Param<'_>; 3] = [&db, &scale, &free];
    let (row, _lease) = call.read(&calls::DB_STATS, &params).await?;
    let reply = run::document(&row, 0)?;
    Ok(ok::with_double_ok(RawDocument::from_bytes(&reply)?)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn megabytes_stand_beside_bytes() {
        let reply = rawdoc! { "databases": [], "totalSize": 3_145_728_i64, "ok": 1 };
        let want = rawdoc! { "databases": [], "totalSize": 3_145_728_i64, "totalSizeMb": 3_i64, "ok": 1.0 };
        assert_eq!(with_megabytes(&reply).unwrap(), want);
        let names = rawdoc! { "databases": [], "ok": 1.0 };
        assert_eq!(with_megabytes(&names).unwrap(), names);
    }
}
