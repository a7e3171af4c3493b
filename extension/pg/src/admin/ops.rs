//! `current_op_command`: what the backends of this server are doing.

use super::spi;
use crate::error::Result;
use crate::spi::{Cell, Param};
use crate::sys::varlena;
use engine::query::{ParseContext, Query};
use engine::raw::ty;
use engine::{ArrayWriter, Doc, DocWriter, Val, Value};

/// Other backends of this database that call the SQL surface; `$1`: idle ones too, `$2`: only those of this role.
const OPERATIONS: &str = "SELECT pid::int8, state <> 'idle', coalesce(client_addr::text || ':' || client_port, ''), \
     coalesce(application_name, ''), coalesce(wait_event_type = 'Lock', false), \
     coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - query_start) * 1000000, 0)::int8, \
     coalesce(pg_catalog.substring(query, 'documentdb_api[a-z_]*\\.([a-z_]+)'), ''), usename::text \
     FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() \
     AND backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid() \
     AND ($1 OR state <> 'idle') AND (NOT $2 OR usename = current_user) ORDER BY pid";

/// MongoDB's kind of operation for a function of the surface.
fn op(function: &str) -> &'static str {
    match function {
        "find_cursor_first_page" => "query",
        "cursor_get_more" => "getmore",
        "insert" | "insert_one" | "insert_bulk" => "insert",
        "update" | "update_bulk" => "update",
        "delete" => "remove",
        "" => "none",
        _ => "command",
    }
}

fn describe(row: &[Cell]) -> Vec<u8> {
    let (pid, micros, function) = (spi::int(row, 0), spi::int(row, 5), spi::text(row, 6));
    let mut user = DocWriter::new();
    user.put_str("user", &spi::text(row, 7)).put_str("db", "admin");
    let mut out = DocWriter::new();
    out.put_str("type", "op")
        .put("active", &Value::Bool(spi::flag(row, 1)))
        .put_str("desc", "conn")
        .put("connectionId", &Value::Int64(pid))
        .put_str("client", &spi::text(row, 2))
        .put_str("appName", &spi::text(row, 3))
        .put("effectiveUsers", &Value::array_of([&Value::Document(user.finish())]))
        .put_str("opid", &pid.to_string())
        .put("secs_running", &Value::Int64(micros / 1_000_000))
        .put("microsecs_running", &Value::Int64(micros))
        .put_str("op", op(&function))
        .put_str("ns", "")
        .put("command", &Value::Document(DocWriter::new().finish()))
        .put("waitingForLock", &Value::Bool(spi::flag(row, 4)));
    out.finish()
}

fn switch(name: &str, v: Val<'_>) -> Result<bool> {
    match v.ty {
        ty::BOOL => Ok(v.as_bool().unwrap_or(false)),
        _ if v.is_number() => Ok(!engine::compare::values(v, Val { ty: ty::INT32, bytes: &[0; 4] }).is_eq()),
        _ => Err(super::wrong_type(name, v, "types '[bool, long, int, decimal, double']")),
    }
}

fn current_op(spec: Doc<'_>) -> Result<Vec<u8>> {
    let (mut all, mut own) = (false, false);
    let mut filter = DocWriter::new();
    for e in spec {
        match e.name() {
            "$all" => all = switch("$all", e.val)?,
            "$ownOps" => own = switch("$ownOps", e.val)?,
            "currentOp"
            | "$db"
            | "lsid"
            | "comment"
            | "maxTimeMS"
            | "$readPreference"
            | "$clusterTime"
            | "readConcern"
            | "apiVersion"
            | "apiStrict"
            | "apiDeprecationErrors" => {}
            _ => {
                filter.put_elem(&e);
            }
        }
    }
    let filter = filter.finish();
    let filter = Query::parse(Doc::trusted(&filter), &ParseContext::default())?;
    let mut inprog = ArrayWriter::new();
    for operation in spi::rows(OPERATIONS, &[Param::Bool(all), Param::Bool(own)], describe)? {
        if filter.matches(Doc::trusted(&operation))? {
            inprog.push(&Value::Document(operation));
        }
    }
    let mut reply = DocWriter::new();
    reply.put_array("inprog", Doc::trusted(&inprog.finish())).put("ok", &Value::Double(1.0));
    Ok(reply.finish())
}

pgfn! { fn current_op_command(call) { Ok(varlena(&current_op(Doc::trusted(call.doc(0)?))?)) }}
