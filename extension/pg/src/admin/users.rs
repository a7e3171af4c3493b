//! Users are PostgreSQL roles: `create_user`, `update_user`, `drop_user`, `users_info`, `connection_status`.

use super::privileges::Kind;
use super::{scram, spi};
use crate::error::Result;
use crate::spi::{Param, run};
use crate::sys::varlena;
use engine::raw::ty;
use engine::{ArrayWriter, Doc, DocWriter, Val, Value, codes};
use pgrx::spi::{quote_identifier, quote_literal};

/// Fields of every command that say nothing about the user (sql-api.md 0).
const COMMON: &[&str] = &[
    "$db",
    "$readPreference",
    "$clusterTime",
    "lsid",
    "comment",
    "writeConcern",
    "readConcern",
    "maxTimeMS",
    "apiVersion",
    "apiStrict",
    "apiDeprecationErrors",
    "txnNumber",
];

const ROLES_ALLOWED: &str = "Roles specified are invalid. Only [{role: \"readAnyDatabase\", db: \"admin\"}] or \
     [{role: \"clusterAdmin\", db: \"admin\"}, {role: \"readWriteAnyDatabase\", db: \"admin\"}] are allowed.";

fn bad(message: impl Into<String>) -> crate::error::Error {
    engine::Error::new(codes::BAD_VALUE, message).into()
}

fn role_not_found(message: impl Into<String>) -> crate::error::Error {
    engine::Error::new(codes::ROLE_NOT_FOUND, message).into()
}

fn string<'a>(field: &str, v: Val<'a>) -> Result<&'a str> {
    v.as_str().ok_or_else(|| super::wrong_type(field, v, "type 'string'"))
}

/// Reads `name` and, where the command has it, `pwd`; other fields go to `other`.
struct UserSpec<'a> {
    name: Option<&'a str>,
    password: Option<&'a str>,
}

impl<'a> UserSpec<'a> {
    fn read(
        spec: Doc<'a>,
        command: &str,
        mut other: impl FnMut(&str, Val<'a>) -> Result<bool>,
        unknown: &str,
    ) -> Result<Self> {
        let mut read = Self { name: None, password: None };
        for e in spec {
            let name = e.name();
            if name == command {
                let user = string(command, e.val)?;
                if user.is_empty() {
                    return Err(bad(format!("'{command}' is a required field.")));
                }
                read.name = Some(user);
            } else if name == "pwd" && command != "dropUser" {
                let password = string("pwd", e.val)?;
                if password.is_empty() {
                    return Err(bad("Password cannot be empty."));
                }
                read.password = Some(password);
            } else if !other(name, e.val)? && !COMMON.contains(&name) {
                return Err(bad(format!("{unknown} '{name}'.")));
            }
        }
        Ok(read)
    }
}

fn parse_roles(v: Val<'_>) -> Result<Kind> {
    let Some(list) = v.as_array() else { return Err(bad("'roles' field must be an array")) };
    let (mut admin, mut write, mut read) = (false, false, false);
    for entry in list.values() {
        let mut note = |role: &str| {
            match role {
                "clusterAdmin" => admin = true,
                "readWriteAnyDatabase" => write = true,
                "readAnyDatabase" => read = true,
                other => {
                    return Err(role_not_found(format!("Invalid value specified for role: '{other}'.")));
                }
            }
            Ok(())
        };
        // A name alone is a role of the database that the command runs on, where users are.
        if let Some(name) = entry.as_str() {
            note(name)?;
            continue;
        }
        let Some(role) = entry.as_doc() else {
            return Err(bad("each element of 'roles' must be a string or a document"));
        };
        for e in role {
            let text = string(e.name(), e.val)?;
            match (e.name(), text) {
                ("role", name) => note(name)?,
                ("db", "admin") => {}
                ("db", _) => return Err(bad("Unsupported value specified for db. Only 'admin' is allowed.")),
                (name, _) => return Err(bad(format!("Unsupported field specified: '{name}'."))),
            }
        }
    }
    match (admin, write, read) {
        (true, true, false) => Ok(Kind::Admin),
        (false, false, true) => Ok(Kind::ReadOnly),
        _ => Err(role_not_found(ROLES_ALLOWED)),
    }
}

fn create(spec: Doc<'_>) -> Result<()> {
    let mut kind = None;
    let user = UserSpec::read(
        spec,
        "createUser",
        |name, v| {
            match name {
                "roles" => kind = Some(parse_roles(v)?),
                "customData" => {
                    let Some(data) = v.as_doc() else { return Err(bad("'customData' must be a document")) };
                    if let Some(e) = data.first() {
                        return Err(bad(format!(
                            "Unsupported field specified in custom data: '{}'.",
                            e.name()
                        )));
                    }
                }
                _ => return Ok(false),
            }
            Ok(true)
        },
        "Unsupported field specified :",
    )?;
    let (Some(name), Some(password), Some(kind)) = (user.name, user.password, kind) else {
        return Err(bad("'createUser', 'roles' and 'pwd' are required fields."));
    };
    let role = quote_identifier(name);
    let groups = match kind {
        Kind::Admin => "documentdb_admin_role",
        Kind::ReadOnly => "documentdb_readonly_role, pg_read_all_data",
    };
    let verifier = quote_literal(scram::verifier(password)?);
    run(&format!("CREATE ROLE {role} WITH LOGIN PASSWORD {verifier}"), &[])?;
    run(&format!("GRANT {groups} TO {role}"), &[])?;
    Ok(())
}

fn update(spec: Doc<'_>) -> Result<()> {
    let user = UserSpec::read(
        spec,
        "updateUser",
        |name, _| if name == "roles" { Err(bad("Updating roles is not supported.")) } else { Ok(false) },
        "Unsupported field specified :",
    )?;
    let Some(name) = user.name else { return Err(bad("'updateUser' is a required field.")) };
    let Some(password) = user.password else { return Err(bad("Password cannot be empty.")) };
    let (role, verifier) = (quote_identifier(name), quote_literal(scram::verifier(password)?));
    run(&format!("ALTER ROLE {role} WITH PASSWORD {verifier}"), &[])?;
    Ok(())
}

fn drop(spec: Doc<'_>) -> Result<()> {
    let user = UserSpec::read(spec, "dropUser", |_, _| Ok(false), "Unsupported field specified:")?;
    let Some(name) = user.name else { return Err(bad("'dropUser' is a required field.")) };
    run(&format!("DROP ROLE {}", quote_identifier(name)), &[])?;
    Ok(())
}

/// Users are the login roles that are members of one of the two group roles.
const USERS: &str = "SELECT r.rolname::text, bool_or(g.rolname = 'documentdb_admin_role') \
     FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_auth_members m ON m.member = r.oid \
     JOIN pg_catalog.pg_roles g ON g.oid = m.roleid AND g.rolname IN ('documentdb_admin_role', 'documentdb_readonly_role') \
     WHERE r.rolcanlogin AND r.rolname <> 'documentdb_bg_worker_role' AND ($1 IS NULL OR r.rolname = $1) \
     GROUP BY r.rolname ORDER BY r.rolname";

struct InfoSpec<'a> {
    name: Option<&'a str>,
    privileges: bool,
}

fn parse_info(spec: Doc<'_>) -> Result<InfoSpec<'_>> {
    let (mut asked, mut name, mut privileges) = (false, None, false);
    for e in spec {
        match e.name() {
            "usersInfo" => {
                asked = true;
                name = info_target(e.val)?;
            }
            "forAllDBs" => match e.val.as_bool() {
                Some(all) => asked |= all,
                None => return Err(bad("'forAllDBs' must be a boolean value")),
            },
            "showPrivileges" => match e.val.as_bool() {
                Some(show) => privileges = show,
                None => return Err(bad("'showPrivileges' must be a boolean value")),
            },
            other if COMMON.contains(&other) => {}
            other => return Err(bad(format!("Unsupported field specified: '{other}'."))),
        }
    }
    if asked {
        Ok(InfoSpec { name, privileges })
    } else {
        Err(bad("'usersInfo' or 'forAllDBs' must be provided."))
    }
}

fn info_target(v: Val<'_>) -> Result<Option<&str>> {
    let unsupported = || bad("Unsupported value specified for 'usersInfo'.");
    match v.ty {
        ty::STRING => Ok(v.as_str()),
        ty::INT32 | ty::INT64 => {
            let one = engine::compare::values(v, Val { ty: ty::INT32, bytes: &[1, 0, 0, 0] }).is_eq();
            if one { Ok(None) } else { Err(unsupported()) }
        }
        ty::DOCUMENT => {
            let mut user = None;
            for e in Doc::trusted(v.bytes) {
                match (e.name(), e.val.as_str()) {
                    ("user", Some(name)) => user = Some(name),
                    ("db", Some("admin")) => {}
                    ("db", _) => {
                        return Err(bad(
                            "Unsupported value specified for 'db' field. Only 'admin' is allowed.",
                        ));
                    }
                    (name, _) => return Err(bad(format!("Unsupported field specified: '{name}'."))),
                }
            }
            user.map(Some).ok_or_else(unsupported)
        }
        _ => Err(unsupported()),
    }
}

fn info(spec: Doc<'_>) -> Result<Vec<u8>> {
    let asked = parse_info(spec)?;
    let users = spi::rows(USERS, &[Param::Text(asked.name)], |row| {
        (spi::text(row, 0), if spi::flag(row, 1) { Kind::Admin } else { Kind::ReadOnly })
    })?;
    let mut reply = DocWriter::new();
    let mut list = ArrayWriter::new();
    for (name, kind) in users {
        let mut user = DocWriter::new();
        let id = format!("admin.{name}");
        user.put_str("_id", &id).put_str("userId", &id).put_str("user", &name).put_str("db", "admin");
        user.put_array("roles", Doc::trusted(&kind.roles()));
        if asked.privileges {
            user.put_array("privileges", Doc::trusted(&kind.privileges()));
        }
        list.push(&Value::Document(user.finish()));
    }
    if !list.is_empty() {
        reply.put_array("users", Doc::trusted(&list.finish()));
    }
    reply.put("ok", &Value::Int32(1));
    Ok(reply.finish())
}

fn status(spec: Doc<'_>) -> Result<Vec<u8>> {
    let (mut asked, mut privileges) = (false, false);
    for e in spec {
        match e.name() {
            "connectionStatus" => {
                if e.val.ty != ty::INT32 && e.val.ty != ty::INT64 {
                    return Err(bad("'connectionStatus' must be an integer value"));
                }
                if !engine::compare::values(e.val, Val { ty: ty::INT32, bytes: &[1, 0, 0, 0] }).is_eq() {
                    return Err(bad("Unsupported value for 'connectionStatus' field."));
                }
                asked = true;
            }
            "showPrivileges" => match e.val.as_bool() {
                Some(show) => privileges = show,
                None => return Err(bad("'showPrivileges' must be a boolean value")),
            },
            other if COMMON.contains(&other) => {}
            other => return Err(bad(format!("Unsupported field specified: '{other}'."))),
        }
    }
    if !asked {
        return Err(bad("'connectionStatus' must be provided."));
    }
    let query = "SELECT current_user::text, pg_catalog.pg_has_role('documentdb_admin_role', 'member'), \
                 pg_catalog.pg_has_role('documentdb_readonly_role', 'member')";
    let me = spi::rows(query, &[], |row| (spi::text(row, 0), spi::flag(row, 1), spi::flag(row, 2)))?;
    let (name, kind) = match me.into_iter().next() {
        Some((name, true, _)) => (name, Some(Kind::Admin)),
        Some((name, false, true)) => (name, Some(Kind::ReadOnly)),
        Some((name, false, false)) => (name, None),
        None => (String::new(), None),
    };
    let mut user = DocWriter::new();
    user.put_str("user", &name).put_str("db", "admin");
    let mut auth = DocWriter::new();
    auth.put("authenticatedUsers", &Value::array_of([&Value::Document(user.finish())]));
    let none = || ArrayWriter::new().finish();
    auth.put("authenticatedUserRoles", &Value::Array(kind.map_or_else(none, Kind::roles)));
    if privileges {
        auth.put("authenticatedUserPrivileges", &Value::Array(kind.map_or_else(none, Kind::privileges)));
    }
    let mut reply = DocWriter::new();
    reply.put_doc("authInfo", Doc::trusted(&auth.finish())).put("ok", &Value::Int32(1));
    Ok(reply.finish())
}

fn ok() -> Vec<u8> {
    let mut reply = DocWriter::new();
    reply.put("ok", &Value::Int32(1));
    reply.finish()
}

pgfn! { fn create_user(call) {
    let Some(spec) = call.opt_bytes(0) else {
        return Err(bad("'createUser', 'pwd' and 'roles' fields must be specified."));
    };
    create(Doc::trusted(spec))?;
    Ok(varlena(&ok()))
}}
pgfn! { fn update_user(call) {
    update(Doc::trusted(call.doc(0)?))?;
    Ok(varlena(&ok()))
}}
pgfn! { fn drop_user(call) {
    drop(Doc::trusted(call.doc(0)?))?;
    Ok(varlena(&ok()))
}}
pgfn! { fn users_info(call) { Ok(varlena(&info(call.opt_bytes(0).map_or(Doc::EMPTY, Doc::trusted))?)) }}
pgfn! { fn connection_status(call) { Ok(varlena(&status(Doc::trusted(call.doc(0)?))?)) }}
