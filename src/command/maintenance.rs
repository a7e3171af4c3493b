//! compact, dataSize, roles, plan caches and dropAllUsersFromDatabase.
use bson::raw::RawBsonRef;
use bson::{RawDocument, RawDocumentBuf, rawdoc};

use super::options::{COMMON, missing, wrong_type};
use super::{Call, sessions, users};
use crate::error::{CommandError, Result, codes};
use crate::reply::Reply;
use crate::reply::ok;
use crate::sql::{Param, SqlCall, calls, run};

/// A function of the whole command alone, on the primary: compact and the commands on roles.
pub(super) async fn change(call: Call<'_>, sql: &'static SqlCall) -> Result<Reply> {
    let spec = users::essential(call.request)?;
    let spec = spec.as_bytes();
    let params: [Param<'_>; 1] = [&spec];
    let (row, _lease) = call.write(sql, &params).await?;
    let reply = run::document(&row, 0)?;
    Ok(ok::with_double_ok(RawDocument::from_bytes(&reply)?)?.into())
}

/// rolesInfo.
pub(super) async fn roles_info(call: Call<'_>) -> Result<Reply> {
    let spec = users::essential(call.request)?;
    let spec = spec.as_bytes();
    let params: [Param<'_>; 1] = [&spec];
    let (row, _lease) = call.read(&calls::ROLES_INFO, &params).await?;
    let reply = run::document(&row, 0)?;
    Ok(ok::with_double_ok(RawDocument::from_bytes(&reply)?)?.into())
}

/// dataSize of a whole collection. Sizes of ranges are not known to the storage.
pub(super) async fn data_size(call: Call<'_>) -> Result<Reply> {
    let begun = tokio::time::Instant::now();
    let RawBsonRef::String(ns) = call.request.target else {
        return Err(wrong_type("dataSize.dataSize", call.request.target, "string"));
    };
    let (db, collection) = match ns.split_once('.') {
        Some((db, collection)) if !db.is_empty() && !collection.is_empty() => (db, collection),
        _ => {
            let message = format!("Invalid namespace specified '{ns}'");
            return Err(CommandError::client(codes::INVALID_NAMESPACE, message));
        }
    };
    let scale = 1.0_f64;
    let params: [Param<'_>; 3] = [&db, &collection, &scale];
    let (row, _lease) = call.read(&calls::COLL_STATS, &params).await?;
    let stats = run::document(&row, 0)?;
    let stats = RawDocument::from_bytes(&stats)?;
    let number = |name: &str| -> Result<i64> {
        let value = stats.get(name)?.and_then(super::options::number).unwrap_or(0.0);
        #[expect(clippy::cast_possible_truncation, reason = "a size or a count, and as saturates")]
        Ok(value as i64)
    };
    Ok(rawdoc! {
        "estimate": false,
        "size": number("size")?,
        "numObjects": number("count")?,
        "millis": i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX),
        "ok": 1.0,
    }
    .into())
}

/// dropAllUsersFromDatabase: users are global, and belong to `admin`.
pub(super) async fn drop_all_users(call: Call<'_>) -> Result<Reply> {
    if call.request.db != "admin" {
        return Ok(rawdoc! { "n": 0, "ok": 1.0 }.into());
    }
    let spec = rawdoc! { "usersInfo": 1, "$db": "admin" };
    let bytes = spec.as_bytes();
    let params: [Param<'_>; 1] = [&bytes];
    let (row, lease) = call.write(&calls::USERS_INFO, &params).await?;
    drop(lease);
    let known = run::document(&row, 0)?;
    let known = RawDocument::from_bytes(&known)?;
    let mut dropped = 0;
    for user in known.get("users")?.and_then(|users| users.as_array()).into_iter().flatten() {
        let Some(name) = user?.as_document().and_then(|user| user.get_str("user").ok()) else { continue };
        match users::may_change(&call, name).await {
            Ok(()) => {}
            // Not one of MongoDB's alone.
            Err(error) if error.code == codes::UNAUTHORIZED => continue,
            Err(error) => return Err(error),
        }
        let spec = rawdoc! { "dropUser": name, "$db": "admin" };
        let bytes = spec.as_bytes();
        let params: [Param<'_>; 1] = [&bytes];
        call.write(&calls::DROP_USER, &params).await?;
        call.services.forget_rights();
        dropped += 1;
    }
    Ok(rawdoc! { "n": dropped, "ok": 1.0 }.into())
}

/// planCacheListFilters, planCacheClear, planCacheClearFilters: there is no plan cache to fill, so it is empty.
pub(super) fn plan_cache(call: Call<'_>) -> Result<Reply> {
    if call.request.spec.name == "planCacheListFilters" {
        return Ok(rawdoc! { "filters": [], "ok": 1.0 }.into());
    }
    Ok(ok::plain())
}

/// commitTransaction and abortTransaction where there can be no transaction.
pub(super) fn no_transaction(call: Call<'_>) -> Result<Reply> {
    let message = format!("{} must be run within a transaction", call.request.spec.name);
    Err(CommandError::client(codes::COMMAND_FAILED, message))
}

/// top: what this process measured of each collection, since it started.
pub(super) fn top(call: Call<'_>) -> Result<Reply> {
    let mut totals = rawdoc! { "note": "all times in microseconds" };
    let int = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    for (ns, times) in call.services.usage.all() {
        let mut sums = RawDocumentBuf::new();
        for (word, time, count) in times.rows() {
            let sum = rawdoc! { "time": int(time), "count": int(count) };
            sums.append(bson::raw::CString::try_from(word)?, sum);
        }
        totals.append(bson::raw::CString::try_from(ns)?, sums);
    }
    Ok(rawdoc! { "totals": totals, "ok": 1.0 }.into())
}

/// logRotate. The log goes to standard error, as that of a mongod without a file, and whoever reads it keeps it.
pub(super) fn log_rotate(call: Call<'_>) -> Result<Reply> {
    match call.request.target {
        RawBsonRef::String("server" | "audit") => Ok(ok::plain()),
        RawBsonRef::String(other) => {
            let message = format!("Unknown log type: {other}");
            Err(CommandError::client(codes::NO_SUCH_KEY, message))
        }
        _ => Ok(ok::plain()),
    }
}

/// setParameter: none can be changed while the process runs.
pub(super) fn set_parameter(call: Call<'_>) -> Result<Reply> {
    let asked = call.request.body.iter_elements().skip(1);
    for element in asked {
        let name = element?.key().as_str();
        if COMMON.iter().any(|option| option.name == name) {
            continue;
        }
        if super::local::parameters::is_known(name, &call.services.config.limits) {
            let message = format!("not allowed to change [{name}] at runtime");
            return Err(CommandError::client(codes::ILLEGAL_OPERATION, message));
        }
        let message =
            format!("attempted to set unrecognized parameter [{name}], use help:true to see options ");
        return Err(CommandError::client(codes::INVALID_OPTIONS, message));
    }
    Err(CommandError::client(codes::INVALID_OPTIONS, "no option found to set, use help:true to see options "))
}

/// connPoolStats: the pools of this process, a host for each node.
pub(super) fn pool_stats(call: Call<'_>) -> Result<Reply> {
    let int = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let (mut hosts, mut all) = (RawDocumentBuf::new(), (0, 0));
    for node in call.services.pools.nodes() {
        let (used, idle, _) = node.connections();
        let host = rawdoc! { "inUse": int(used), "available": int(idle), "leased": 0, "created": int(used + idle), "refreshing": 0 };
        hosts.append(bson::raw::CString::try_from(node.name())?, host);
        all = (all.0 + used, all.1 + idle);
    }
    Ok(rawdoc! {
        "numClientConnections": 0,
        "numAScopedConnections": 0,
        "totalInUse": int(all.0),
        "totalAvailable": int(all.1),
        "totalLeased": 0,
        "totalCreated": int(all.0 + all.1),
        "totalRefreshing": 0,
        "pools": {},
        "hosts": hosts,
        "ok": 1.0,
    }
    .into())
}

/// killAllSessionsByPattern: everybody's, those of users, or single sessions.
pub(super) fn kill_by_pattern(call: Call<'_>) -> Result<Reply> {
    let RawBsonRef::Array(patterns) = call.request.target else {
        let name = "killAllSessionsByPattern";
        return Err(wrong_type(&format!("{name}.{name}"), call.request.target, "array"));
    };
    let cursors = &call.services.cursors;
    let mut any = false;
    for pattern in patterns {
        any = true;
        let pattern = pattern?;
        let Some(pattern) = pattern.as_document() else {
            return Err(wrong_type("killAllSessionsByPattern.killAllSessionsByPattern", pattern, "object"));
        };
        if let Some(RawBsonRef::Document(lsid)) = pattern.get("lsid")? {
            let lsid = super::options::session_id(lsid)?;
            cursors.kill_sessions(&[lsid], call.session.user.as_ref());
            sessions::end_operations(&call, |session, user| {
                *session == lsid && user == call.session.user.as_ref()
            });
        } else if let Some(RawBsonRef::Array(users)) = pattern.get("users")? {
            let mut names = Vec::new();
            for user in users {
                let user = user?;
                let user = user
                    .as_document()
                    .ok_or_else(|| wrong_type("KillAllSessionsPattern.users", user, "object"))?;
                let field =
                    |name: &'static str| user.get_str(name).map_err(|_| missing("KillAllSessionsUser", name));
                names.push((field("user")?, field("db")?));
            }
            cursors.kill_all_sessions(&names);
            sessions::end_operations(&call, |_, user| sessions::is_one_of(user, &names));
        } else if pattern.is_empty() {
            cursors.kill_all_sessions(&[]);
            sessions::end_operations(&call, |_, _| true);
        } else {
            return Err(CommandError::client(
                codes::COMMAND_NOT_SUPPORTED,
                "killAllSessionsByPattern knows the patterns lsid and users",
            ));
        }
    }
    if !any {
        cursors.kill_all_sessions(&[]);
        sessions::end_operations(&call, |_, _| true);
    }
    Ok(ok::plain())
}
