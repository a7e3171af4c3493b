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
const WRITER: u8 = 2;
/// An administrator has both of its roles.
const ADMIN: u8 = 6;

/// The roles of PostgreSQL that stand for those of administrators, of writers, where the extension has them, and of readers.
const GROUPS: [&str; 3] =
    ["documentdb_admin_role", "documentdb_readwrite_role", "documentdb_readonly_role, pg_read_all_data"];

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

/// Attributes of a role of PostgreSQL that are rights beside its memberships, each with whether only a superuser can take it.
/// FerretDB makes every administrator a superuser, and other tools may do likewise.
const ATTRIBUTES: [(&str, bool); 5] = [
    ("NOSUPERUSER", true),
    ("NOCREATEROLE", false),
    ("NOCREATEDB", false),
    ("NOREPLICATION", true),
    ("NOBYPASSRLS", true),
];

/// What PostgreSQL knows of a user.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    /// Which of [`GROUPS`] it is a member of.
    groups: [bool; GROUPS.len()],
    /// The extension has a role for writers.
    knows_writers: bool,
    /// Which of [`ATTRIBUTES`] its role has.
    attributes: [bool; ATTRIBUTES.len()],
    /// The role of the URL is a superuser.
    url_superuser: bool,
    /// It is the role of the URL itself.
    url_itself: bool,
}

impl Standing {
    /// Its roles, as bits.
    fn roles(&self) -> u8 {
        let bits = [ADMIN, WRITER, READER];
        self.groups.iter().zip(bits).filter(|(member, _)| **member).fold(0, |sum, (_, bits)| sum | bits)
    }

    /// The groups that stand for roles.
    ///
    /// # Errors
    /// 115 for what none stand for.
    fn wanted(&self, roles: u8) -> Result<[bool; GROUPS.len()]> {
        let admin = roles & ADMIN == ADMIN;
        let writer = roles & ADMIN == WRITER;
        if !admin && roles & ADMIN != 0 && !(writer && self.knows_writers) {
            return Err(unsupported(
                "clusterAdmin and readWriteAnyDatabase are given and taken together only",
            ));
        }
        if roles == 0 {
            return Err(unsupported("A user has to keep a role"));
        }
        Ok([admin, writer, roles & READER != 0])
    }
}

fn unsupported(message: &'static str) -> CommandError {
    CommandError::client(codes::COMMAND_NOT_SUPPORTED, message)
}

/// The statements that give a role of PostgreSQL the memberships of `after`. One that is to be no administrator any more loses
/// the attributes that make it one as well, and where it is one in yet another way nothing is changed.
///
/// # Errors
/// 115 for what no memberships stand for, and for what the role of the URL can't take.
fn statements(user: &str, standing: &Standing, after: u8, demoted: bool) -> Result<Vec<String>> {
    let wanted = standing.wanted(after)?;
    if demoted && standing.url_itself {
        return Err(unsupported("The user that the server itself uses can't lose its roles"));
    }
    let name = format!("\"{}\"", user.replace('"', "\"\""));
    let mut statements = Vec::new();
    // Given before taken, so that a statement that fails leaves no user without rights.
    let changed =
        || GROUPS.iter().zip(wanted.iter().zip(&standing.groups)).filter(|(_, (wanted, has))| wanted != has);
    for (group, _) in changed().filter(|(_, (wanted, _))| **wanted) {
        statements.push(format!("GRANT {group} TO {name}"));
    }
    let held = ATTRIBUTES.iter().zip(standing.attributes).filter(|(_, held)| *held && demoted);
    let (taken, by_superusers): (Vec<&str>, Vec<bool>) = held.map(|(attribute, _)| *attribute).unzip();
    if by_superusers.contains(&true) && !standing.url_superuser {
        return Err(unsupported(
            "The user is a superuser of the storage, and the server may not take that from it: its roles stay as they are",
        ));
    }
    if !taken.is_empty() {
        statements.push(format!("ALTER ROLE {name} {}", taken.join(" ")));
    }
    for (group, _) in changed().filter(|(_, (wanted, _))| !**wanted) {
        statements.push(format!("REVOKE {group} FROM {name}"));
    }
    if demoted && !statements.is_empty() {
        statements.push(unless_it_can_still(user, after & WRITER != 0));
    }
    Ok(statements)
}

/// Fails, and undoes what came before, if the user still has what it was to lose: as a member of another role, or because
/// somebody else granted it that (from PostgreSQL 16 on, such a grant is not ours to take).
fn unless_it_can_still(user: &str, writes: bool) -> String {
    let user = run::literal(user.as_bytes());
    let lost = if writes { "" } else { ", 'documentdb_readwrite_role'" };
    format!(
        "DO $$BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_roles g \
         WHERE g.rolname IN ('documentdb_admin_role', 'documentdb_root_role'{lost}) \
         AND pg_catalog.pg_has_role(pg_catalog.convert_from({user}, 'UTF8')::name, g.oid, 'member')) \
         THEN RAISE EXCEPTION USING ERRCODE = 'M000U', MESSAGE = 'The user has rights in the storage that the server may not \
         take: its roles stay as they are'; END IF; END$$"
    )
}

/// What PostgreSQL knows of a user.
///
/// # Errors
/// 11 if there is no such user.
async fn standing(call: &Call<'_>, name: &str) -> Result<Standing> {
    let mut lease = call.writer().await?;
    let params: [Param<'_>; 1] = [&name];
    let row = run::optional_row(&mut lease, call.request.budget, &calls::MEMBERSHIPS, &params).await?;
    let Some(row) = row else { return Err(not_found(call.request, name)) };
    let mut known = Standing {
        knows_writers: run::flag(&row, 3)?,
        url_superuser: run::flag(&row, 4)?,
        url_itself: run::flag(&row, 5)?,
        ..Standing::default()
    };
    let flags = known.groups.iter_mut().zip(0..).chain(known.attributes.iter_mut().zip(6..));
    for (flag, column) in flags {
        *flag = run::flag(&row, column)?;
    }
    if known.roles() == 0 { Err(not_found(call.request, name)) } else { Ok(known) }
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
    let known = standing(&call, name).await?;
    let gives = request.spec.name == "grantRolesToUser";
    let after = if gives { known.roles() | asked } else { known.roles() & !asked };
    let demoted = !gives && asked & ADMIN != 0;
    apply(&call, &statements(name, &known, after, demoted)?).await?;
    Ok(ok::plain())
}

/// updateUser with roles: those and the password, if there is one, change together or not at all.
pub(super) async fn update(call: &Call<'_>, roles: RawBsonRef<'_>) -> Result<Reply> {
    let request = call.request;
    let name = user(request)?;
    let RawBsonRef::Array(roles) = roles else { return Err(wrong_type("updateUser.roles", roles, "array")) };
    let after = listed(request, roles)?;
    let known = standing(call, name).await?;
    let mut all = statements(name, &known, after, after & ADMIN != ADMIN)?;
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
    let changed =
        run::text(&mut lease, call.request.budget, &calls::CHANGE_ROLES, &statements.join("; ")).await;
    call.services.forget_rights();
    changed.map(std::mem::drop)
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

    fn having(roles: u8) -> Standing {
        let groups = [roles & ADMIN == ADMIN, roles & ADMIN == WRITER, roles & READER != 0];
        Standing { groups, url_superuser: true, ..Standing::default() }
    }

    #[test]
    fn memberships_follow_roles() {
        let both = ["GRANT documentdb_admin_role TO \"a\"\"b\"".to_owned()];
        assert_eq!(statements("a\"b", &having(READER), READER | ADMIN, false).unwrap(), both);
        let down = [
            "GRANT documentdb_readonly_role, pg_read_all_data TO \"u\"",
            "REVOKE documentdb_admin_role FROM \"u\"",
        ];
        let all = statements("u", &having(ADMIN), READER, true).unwrap();
        assert_eq!(all[..2], down);
        assert!(all.len() == 3 && all[2].starts_with("DO $$BEGIN IF EXISTS"), "{all:?}");
        assert!(statements("u", &having(ADMIN), ADMIN, false).unwrap().is_empty());
        for after in [0, 2, 4, 3, 5] {
            let error = statements("u", &having(ADMIN), after, true).unwrap_err();
            assert_eq!(error.code, codes::COMMAND_NOT_SUPPORTED);
        }
    }

    #[test]
    fn writers_are_a_group_where_the_extension_has_them() {
        let known = |roles| Standing { knows_writers: true, ..having(roles) };
        let up = ["GRANT documentdb_readwrite_role TO \"u\""];
        assert_eq!(statements("u", &known(READER), READER | WRITER, false).unwrap(), up);
        let half = statements("u", &known(ADMIN), WRITER, true).unwrap();
        assert_eq!(half[..2], [up[0], "REVOKE documentdb_admin_role FROM \"u\""]);
        assert!(!half[2].contains("readwrite"), "{half:?}");
        let down = statements("u", &known(READER | WRITER), READER, true).unwrap();
        assert_eq!(down[0], "REVOKE documentdb_readwrite_role FROM \"u\"");
        assert!(down[1].contains("'documentdb_readwrite_role'"), "{down:?}");
        assert!(statements("u", &known(ADMIN), 4, true).is_err(), "clusterAdmin alone is nothing");
    }

    #[test]
    fn attributes_go_with_the_roles() {
        let mighty = Standing { attributes: [true, false, true, false, false], ..having(ADMIN | READER) };
        let down = statements("u", &mighty, READER, true).unwrap();
        assert_eq!(
            down[..2],
            ["ALTER ROLE \"u\" NOSUPERUSER NOCREATEDB", "REVOKE documentdb_admin_role FROM \"u\""]
        );
        // A grant takes nothing.
        assert!(statements("u", &mighty, ADMIN | READER, false).unwrap().is_empty());
        let out_of_reach = Standing { url_superuser: false, ..mighty };
        let error = statements("u", &out_of_reach, READER, true).unwrap_err();
        assert_eq!(error.code, codes::COMMAND_NOT_SUPPORTED);
        let own = Standing { url_itself: true, ..having(ADMIN | READER) };
        assert_eq!(statements("u", &own, READER, true).unwrap_err().code, codes::COMMAND_NOT_SUPPORTED);
    }
}
