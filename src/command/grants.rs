//! Roles that users get and lose: grantRolesToUser, revokeRolesFromUser, and the roles of updateUser.
//!
//! The extension gives a user its roles when it makes it, as memberships of two roles of PostgreSQL, and has no function to
//! change them later. Memberships are PostgreSQL's own business, though, and so they are changed here. What PostgreSQL has no
//! membership for, such as one of the two roles of an administrator alone, is refused.
use bson::raw::{RawArray, RawBsonRef, cstr};
use bson::{RawDocument, rawdoc};

use super::Call;
use super::options::{missing, wrong_type};
use super::request::Request;
use super::users::{self, essential, may_change, not_found};
use crate::error::{CommandError, Result, codes};
use crate::reply::{Reply, ok};
use crate::sql::{Param, calls, run};

/// Roles of MongoDB that a user can have, one bit each.
const ROLES: [(&str, u8); 3] = [("readAnyDatabase", 1), ("readWriteAnyDatabase", 2), ("clusterAdmin", 4)];
const READER: u8 = 1;
/// An administrator has both of its roles, or it is none.
const ADMIN: u8 = 6;

/// The roles of PostgreSQL that stand for each of both.
const GROUPS: [(u8, &str); 2] =
    [(ADMIN, "documentdb_admin_role"), (READER, "documentdb_readonly_role, pg_read_all_data")];

/// The roles of a list, each a name or `{role, db}`.
///
/// # Errors
/// 31 for a role that there is not, 14 for something that names none.
fn listed(request: &Request<'_>, roles: &RawArray) -> Result<u8> {
    let mut bits = 0;
    for role in roles {
        let role = role?;
        let (name, db) = match role {
            RawBsonRef::String(name) => (name, request.db),
            RawBsonRef::Document(role) => {
                let field = |field: &'static str| match role.get(field)? {
                    Some(RawBsonRef::String(text)) => Ok(text),
                    Some(other) => Err(wrong_type(field, other, "string")),
                    None => Err(missing("roles", field)),
                };
                (field("role")?, field("db")?)
            }
            other => {
                return Err(wrong_type(&format!("{}.roles", request.spec.name), other, "object"));
            }
        };
        match ROLES.iter().find(|(known, _)| *known == name && db == "admin") {
            Some((_, bit)) => bits |= bit,
            None => {
                let message = format!("Could not find role: {name}@{db}");
                return Err(CommandError::client(codes::ROLE_NOT_FOUND, message));
            }
        }
    }
    Ok(bits)
}

/// The statements that give a role of PostgreSQL the memberships of `after` instead of those of `before`.
///
/// # Errors
/// 115 for what no memberships stand for.
fn statements(user: &str, before: u8, after: u8) -> Result<Vec<String>> {
    if after & ADMIN != 0 && after & ADMIN != ADMIN {
        return Err(CommandError::client(
            codes::COMMAND_NOT_SUPPORTED,
            "clusterAdmin and readWriteAnyDatabase are given and taken together only",
        ));
    }
    if after == 0 {
        return Err(CommandError::client(codes::COMMAND_NOT_SUPPORTED, "A user has to keep a role"));
    }
    let user = format!("\"{}\"", user.replace('"', "\"\""));
    let mut statements = Vec::new();
    // Given before taken, so that a statement that fails leaves no user without rights.
    for (bits, groups) in GROUPS {
        if after & bits != 0 && before & bits != bits {
            statements.push(format!("GRANT {groups} TO {user}"));
        }
    }
    for (bits, groups) in GROUPS {
        if after & bits == 0 && before & bits != 0 {
            statements.push(format!("REVOKE {groups} FROM {user}"));
        }
    }
    Ok(statements)
}

/// The roles that a user has.
///
/// # Errors
/// 11 if there is no such user.
async fn roles_of(call: &Call<'_>, name: &str) -> Result<u8> {
    let mut lease = call.writer().await?;
    let params: [Param<'_>; 1] = [&name];
    let row = run::optional_row(&mut lease, call.request.budget, &calls::MEMBERSHIPS, &params).await?;
    let Some(row) = row else { return Err(not_found(call.request, name)) };
    let (admin, reader) = (run::flag(&row, 0)?, run::flag(&row, 1)?);
    match if admin { ADMIN } else { 0 } | if reader { READER } else { 0 } {
        0 => Err(not_found(call.request, name)),
        roles => Ok(roles),
    }
}

/// grantRolesToUser, revokeRolesFromUser.
pub(super) async fn change(call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    let name = user(request)?;
    let roles = match request.get("roles")? {
        Some(RawBsonRef::Array(roles)) => roles,
        Some(other) => return Err(wrong_type(&format!("{}.roles", request.spec.name), other, "array")),
        None => return Err(missing(request.spec.name, "roles")),
    };
    if roles.is_empty() {
        let message = format!("{} command requires a non-empty \"roles\" array", request.spec.name);
        return Err(CommandError::client(codes::BAD_VALUE, message));
    }
    let asked = listed(request, roles)?;
    may_change(&call, name).await?;
    let before = roles_of(&call, name).await?;
    let after = if request.spec.name == "grantRolesToUser" { before | asked } else { before & !asked };
    apply(&call, &statements(name, before, after)?).await?;
    Ok(ok::plain())
}

/// updateUser with roles: those and the password, if there is one, change together or not at all.
pub(super) async fn update(call: &Call<'_>, roles: RawBsonRef<'_>) -> Result<Reply> {
    let request = call.request;
    let name = user(request)?;
    let RawBsonRef::Array(roles) = roles else { return Err(wrong_type("updateUser.roles", roles, "array")) };
    let after = listed(request, roles)?;
    let before = roles_of(call, name).await?;
    let mut all = statements(name, before, after)?;
    let rest = ok::without(&essential(request)?, &["roles"])?;
    if rest.get("pwd")?.is_some() || rest.get("customData")?.is_some() {
        // First, because what it says of the password decides.
        let spec = run::literal(rest.as_bytes());
        all.insert(0, format!("SELECT documentdb_api.update_user({spec}::documentdb_core.bson)"));
    }
    apply(call, &all).await.map_err(|error| users::named(request, error))?;
    Ok(ok::plain())
}

/// Runs the statements in one transaction.
async fn apply(call: &Call<'_>, statements: &[String]) -> Result<()> {
    if statements.is_empty() {
        return Ok(());
    }
    let mut lease = call.writer().await?;
    run::text(&mut lease, call.request.budget, &calls::CHANGE_ROLES, &statements.join("; ")).await?;
    Ok(())
}

fn user<'a>(request: &Request<'a>) -> Result<&'a str> {
    let field = format!("{0}.{0}", request.spec.name);
    request.target.as_str().ok_or_else(|| wrong_type(&field, request.target, "string"))
}

/// dropAllRolesFromDatabase, where the extension has roles. They belong to `admin`, as users do.
pub(super) async fn drop_all_roles(call: Call<'_>) -> Result<Reply> {
    if call.request.db != "admin" {
        return Ok(rawdoc! { "n": 0, "ok": 1.0 }.into());
    }
    let spec = rawdoc! { "rolesInfo": 1, "$db": "admin" };
    let bytes = spec.as_bytes();
    let params: [Param<'_>; 1] = [&bytes];
    let (row, lease) = call.write(&calls::ROLES_INFO, &params).await?;
    drop(lease);
    let known = run::document(&row, 0)?;
    let mut dropped = 0;
    for role in RawDocument::from_bytes(&known)?.get_array("roles")? {
        let RawBsonRef::Document(role) = role? else { continue };
        let (Ok(name), false) = (role.get_str("role"), role.get_bool("isBuiltin").unwrap_or(false)) else {
            continue;
        };
        let mut spec = rawdoc! { "dropRole": name };
        spec.append(cstr!("$db"), "admin");
        let bytes = spec.as_bytes();
        let params: [Param<'_>; 1] = [&bytes];
        call.write(&calls::DROP_ROLE, &params).await?;
        dropped += 1;
    }
    Ok(rawdoc! { "n": dropped, "ok": 1.0 }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memberships_follow_roles() {
        let both = ["GRANT documentdb_admin_role TO \"a\"\"b\"".to_owned()];
        assert_eq!(statements("a\"b", READER, READER | ADMIN).unwrap(), both);
        let down = [
            "GRANT documentdb_readonly_role, pg_read_all_data TO \"u\"",
            "REVOKE documentdb_admin_role FROM \"u\"",
        ];
        assert_eq!(statements("u", ADMIN, READER).unwrap(), down);
        assert!(statements("u", ADMIN, ADMIN).unwrap().is_empty());
        for after in [0, 2, 4, 3, 5] {
            assert_eq!(statements("u", ADMIN, after).unwrap_err().code, codes::COMMAND_NOT_SUPPORTED);
        }
    }
}
