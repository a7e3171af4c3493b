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

/// Index builds of this database's workers; the server's owner sees how far they are.
const BUILDS: &str = "SELECT a.pid::int8, c.database_name, c.collection_name, (i.index_spec).index_name, (i.index_spec).index_key, \
     coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - q.start_time) * 1000000, 0)::int8, \
     coalesce(p.phase, 'initializing'), coalesce(p.blocks_done, 0)::int8, coalesce(p.blocks_total, 0)::int8, \
     coalesce(a.wait_event_type = 'Lock', false), coalesce((i.index_spec).index_is_unique, false) \
     FROM documentdb_api_catalog.documentdb_index_queue AS q \
     JOIN pg_catalog.pg_stat_activity AS a ON a.pid = q.global_pid AND a.backend_type = 'ermine index build' \
          AND a.datname = pg_catalog.current_database() \
     JOIN documentdb_api_catalog.collections AS c ON c.collection_id = q.collection_id \
     JOIN documentdb_api_catalog.collection_indexes AS i ON i.index_id = q.index_id \
     LEFT JOIN pg_catalog.pg_stat_progress_create_index AS p ON p.pid = a.pid \
     WHERE q.index_cmd_status = 2 ORDER BY q.index_id";

/// A build as MongoDB shows one: `msg` and `progress` tell how far it is.
fn describe_build(row: &[Cell]) -> Vec<u8> {
    let (pid, micros) = (spi::int(row, 0), spi::int(row, 5));
    let (done, total) = (spi::int(row, 7), spi::int(row, 8));
    let key = row.get(4).and_then(Cell::bytes).map_or(Doc::EMPTY, Doc::trusted);
    let mut index = DocWriter::new();
    index.put("v", &Value::Int32(2)).put_doc("key", key).put_str("name", &spi::text(row, 3));
    if spi::flag(row, 10) {
        index.put("unique", &Value::Bool(true));
    }
    let mut command = DocWriter::new();
    command
        .put_str("createIndexes", &spi::text(row, 2))
        .put("indexes", &Value::array_of(&[Value::Document(index.finish())]))
        .put_str("$db", &spi::text(row, 1));
    let mut progress = DocWriter::new();
    progress.put("done", &Value::Int64(done)).put("total", &Value::Int64(total));
    let percent = if total > 0 { done * 100 / total } else { 0 };
    let mut out = DocWriter::new();
    out.put_str("type", "op")
        .put_str("desc", &format!("IndexBuildsCoordinatorMongod-{pid}"))
        .put("active", &Value::Bool(true))
        .put_str("opid", &pid.to_string())
        .put("secs_running", &Value::Int64(micros / 1_000_000))
        .put("microsecs_running", &Value::Int64(micros))
        .put_str("op", "command")
        .put_str("ns", &format!("{}.{}", spi::text(row, 1), spi::text(row, 2)))
        .put_doc("command", Doc::trusted(&command.finish()))
        .put_str("msg", &format!("Index Build: {} {done}/{total} {percent}%", spi::text(row, 6)))
        .put_doc("progress", Doc::trusted(&progress.finish()))
        .put("waitingForLock", &Value::Bool(spi::flag(row, 9)));
    out.finish()
}

fn builds() -> Result<Vec<Vec<u8>>> {
    let _owner = crate::builds::AsOwner::new();
    spi::rows(BUILDS, &[], describe_build)
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
    let mut operations = spi::rows(OPERATIONS, &[Param::Bool(all), Param::Bool(own)], describe)?;
    if !own {
        operations.append(&mut builds()?);
    }
    for operation in operations {
        if filter.matches(Doc::trusted(&operation))? {
            inprog.push(&Value::Document(operation));
        }
    }
    let mut reply = DocWriter::new();
    reply.put_array("inprog", Doc::trusted(&inprog.finish())).put("ok", &Value::Double(1.0));
    Ok(reply.finish())
}

pgfn! { fn current_op_command(call) { Ok(varlena(&current_op(Doc::trusted(call.doc(0)?))?)) }}
