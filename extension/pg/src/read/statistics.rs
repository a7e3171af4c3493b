//! `$collStats` and `$indexStats`: what the server knows about the command's collection.

use engine::stage::Statistics;
use engine::{Doc, DocWriter, Error, Val, Value, codes};

use super::host::Server;
use super::lists::{id_entry, index_entry};
use super::walk::now;
use crate::catalog;
use crate::error::Result;
use crate::spi::{self, Cell, Param};

/// The documents of a statistics stage.
pub fn documents(server: &Server, what: Statistics<'_>) -> Result<Vec<Vec<u8>>> {
    match what {
        Statistics::Collection(options) => Ok(vec![collection(server, options)?]),
        Statistics::Indexes => indexes(server),
        Statistics::Operations(spec) => operations(spec),
    }
}

fn name(server: &Server) -> &str {
    server.collection.as_deref().unwrap_or("")
}

fn one(sql: &str, params: &[Param<'_>]) -> Result<Option<Vec<u8>>> {
    let rows = spi::query(sql, params)?;
    Ok(rows.first().and_then(|r| r.first()).and_then(Cell::bytes).map(<[u8]>::to_vec))
}

fn collection(server: &Server, options: Doc<'_>) -> Result<Vec<u8>> {
    let c = catalog::find(&server.db, name(server))?;
    let Some(c) = c else {
        let text = format!("Collection [{}.{}] not found.", server.db, name(server));
        return Err(Error::new(codes::NAMESPACE_NOT_FOUND, text).into());
    };
    let storage = options.get("storageStats").and_then(Val::as_doc);
    let scale = storage.and_then(|d| d.get("scale")).map_or(1.0, engine::number::to_f64);
    let stats = one(
        "SELECT documentdb_api.coll_stats($1, $2, $3::float8)",
        &[Param::Text(Some(&c.db)), Param::Text(Some(&c.name)), Param::Text(Some(&scale.to_string()))],
    )?;
    let stats = stats.unwrap_or_else(|| Doc::EMPTY.bytes().to_vec());
    let stats = Doc::trusted(&stats);
    let mut w = DocWriter::new();
    w.put_str("ns", &c.namespace());
    if options.get("count").is_none() {
        w.put("localTime", &Value::DateTime(now()));
    }
    if storage.is_some() {
        let mut inner = DocWriter::new();
        for e in stats.iter().filter(|e| !matches!(e.name(), "ns" | "ok")) {
            inner.put_elem(&e);
        }
        w.put_doc("storageStats", Doc::trusted(&inner.finish()));
    }
    if options.get("count").is_some()
        && let Some(count) = stats.get("count")
    {
        w.put_val("count", count);
    }
    Ok(w.finish())
}

fn indexes(server: &Server) -> Result<Vec<Vec<u8>>> {
    let Some(c) = catalog::find_table(&server.db, name(server))? else { return Ok(Vec::new()) };
    let rows = spi::query(
        "SELECT i.index_id, (i.index_spec).index_name, (i.index_spec).index_key,
                pg_catalog.pg_stat_get_numscans(CASE WHEN (i.index_spec).index_name OPERATOR(pg_catalog.=) '_id_'
                    THEN pg_catalog.to_regclass('documentdb_data.collection_pk_' || i.collection_id)
                    ELSE pg_catalog.to_regclass('documentdb_data.documents_rum_index_' || i.index_id) END)
         FROM documentdb_api_catalog.collection_indexes i
         WHERE i.collection_id OPERATOR(pg_catalog.=) $1 AND i.index_is_valid ORDER BY i.index_id",
        &[Param::Int8(c.id)],
    )?;
    let since = Value::DateTime(server_start());
    let mut out = Vec::new();
    for row in &rows {
        let [id, name, key, scans] = row.as_slice() else { continue };
        let mut accesses = DocWriter::new();
        accesses.put("ops", &Value::Int64(scans.int().unwrap_or(0))).put("since", &since);
        let mut w = DocWriter::new();
        w.put_str("name", name.text().unwrap_or(""));
        w.put_doc("key", Doc::trusted(key.bytes().unwrap_or(Doc::EMPTY.bytes())));
        w.put_doc("accesses", Doc::trusted(&accesses.finish()));
        let spec = c
            .secondary()
            .find(|i| Some(i64::from(i.id)) == id.int())
            .map_or_else(|| id_entry(&c), index_entry);
        w.put_doc("spec", Doc::trusted(&spec));
        out.push(w.finish());
    }
    Ok(out)
}

/// When the server was started, in milliseconds since 1970.
fn server_start() -> i64 {
    /// PostgreSQL counts microseconds from 2000-01-01.
    const EPOCH: i64 = 946_684_800_000;
    // SAFETY: set once by the postmaster.
    unsafe { pgrx::pg_sys::PgStartTime / 1000 + EPOCH }
}

fn operations(spec: Doc<'_>) -> Result<Vec<Vec<u8>>> {
    let mut w = DocWriter::new();
    w.put("currentOp", &Value::Int32(1));
    if spec.get("allUsers").and_then(Val::as_bool).unwrap_or(false) {
        w.put("$all", &Value::Bool(true));
    }
    let reply = one(
        "SELECT document FROM documentdb_api.current_op_command($1::documentdb_core.bson)",
        &[Param::Bytes(Some(&w.finish()))],
    )?;
    let reply = reply.unwrap_or_else(|| Doc::EMPTY.bytes().to_vec());
    let list = Doc::trusted(&reply).get("inprog").and_then(Val::as_array).unwrap_or(Doc::EMPTY);
    Ok(list.values().filter_map(Val::as_doc).map(|d| d.bytes().to_vec()).collect())
}
