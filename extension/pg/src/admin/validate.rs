//! `validate` and `compact`.

use super::spi;
use crate::catalog::{self, Collection};
use crate::error::Result;
use crate::spi::Param;
use crate::sys::varlena;
use crate::{builds, ddl};
use engine::{Code, Doc, DocWriter, Error, Val, Value, codes};
use pgrx::pg_sys;

/// What the name stands for: its collection id, or a view.
enum Named {
    Table(i64),
    View,
    Nothing,
}

fn look_up(db: &str, collection: &str) -> Result<Named> {
    let query = "SELECT collection_id, view_definition IS NOT NULL FROM documentdb_api_catalog.collections \
                 WHERE database_name = $1 AND collection_name = $2";
    let found = spi::rows(query, &[Param::Text(Some(db)), Param::Text(Some(collection))], |row| {
        (spi::int(row, 0), spi::flag(row, 1))
    })?;
    Ok(match found.first() {
        Some((_, true)) => Named::View,
        Some((id, false)) => Named::Table(*id),
        None => Named::Nothing,
    })
}

fn fail(code: Code, message: impl Into<String>) -> crate::error::Error {
    Error::new(code, message).into()
}

/// Every stored document must be well-formed and agree with its key; every index must be usable.
fn check(db: &str, spec: Doc<'_>) -> Result<Vec<u8>> {
    let name = spec.get("validate").and_then(Val::as_str).unwrap_or("");
    if name.is_empty() {
        return Err(fail(codes::INVALID_NAMESPACE, format!("Invalid namespace specified '{db}.'")));
    }
    if spec.get("repair").is_some_and(super::is_true) {
        return Err(fail(
            codes::INVALID_OPTIONS,
            "Running the validate command with { repair: true } is not supported yet.",
        ));
    }
    let id = match look_up(db, name)? {
        Named::Table(id) => id,
        Named::View => {
            return Err(fail(
                codes::COMMAND_NOT_SUPPORTED_ON_VIEW,
                format!("Namespace {db}.{name} is a view, not a collection"),
            ));
        }
        Named::Nothing => {
            return Err(fail(
                codes::NAMESPACE_NOT_FOUND,
                format!("Collection '{db}.{name}' does not exist to validate."),
            ));
        }
    };
    let indexes = spi::rows(
        &format!(
            "SELECT '_id_'::text, coalesce((SELECT indisvalid FROM pg_catalog.pg_index \
             WHERE indexrelid = pg_catalog.to_regclass('documentdb_data.collection_pk_{id}')), false), -1 AS place \
             UNION ALL SELECT (index_spec).index_name, index_is_valid, index_id \
             FROM documentdb_api_catalog.collection_indexes \
             WHERE collection_id = {id} AND (index_spec).index_name <> '_id_' ORDER BY 3"
        ),
        &[],
        |row| (spi::text(row, 0), spi::flag(row, 1)),
    )?;
    let broken = broken_documents(id)?;
    let mut details = DocWriter::new();
    for (index, valid) in &indexes {
        let mut one = DocWriter::new();
        one.put("valid", &Value::Bool(*valid));
        details.put_doc(index, Doc::trusted(&one.finish()));
    }
    let mut errors = engine::ArrayWriter::new();
    if broken > 0 {
        errors.push(&Value::String(format!("{broken} documents are damaged or stored under another _id.")));
    }
    let valid = broken == 0 && indexes.iter().all(|(_, valid)| *valid);
    let mut out = DocWriter::new();
    out.put_str("ns", &format!("{db}.{name}"))
        .put("nIndexes", &Value::Int64(indexes.len().try_into().unwrap_or(i64::MAX)))
        .put_doc("indexDetails", Doc::trusted(&details.finish()))
        .put("valid", &Value::Bool(valid))
        .put("repaired", &Value::Bool(false))
        .put("warnings", &Value::Array(engine::ArrayWriter::new().finish()))
        .put("errors", &Value::Array(errors.finish()))
        .put("ok", &Value::Double(1.0));
    Ok(out.finish())
}

fn broken_documents(id: i64) -> Result<i64> {
    let query = format!(
        "SELECT count(*) FROM documentdb_data.documents_{id} \
         WHERE NOT documentdb_api_internal.document_is_sound(object_id, document)"
    );
    first_int(&query)
}

/// A stored row is sound when its document is well-formed BSON whose `_id` is the row's key.
fn is_sound(object_id: &[u8], document: &[u8]) -> bool {
    let (Ok(key), Ok(doc)) = (Doc::new(object_id), Doc::new(document)) else { return false };
    match (key.first(), doc.get("_id")) {
        (Some(key), Some(id)) => engine::compare::values(key.val, id).is_eq(),
        _ => false,
    }
}

pgfn! { fn document_is_sound(call) { Ok(pg_sys::Datum::from(is_sound(call.bytes(0)?, call.bytes(1)?))) }}
pgfn! { fn validate(call) { Ok(varlena(&check(call.text(0)?, Doc::trusted(call.doc(1)?))?)) }}

/// Rewrites a collection's table and indexes without their dead space.
fn squeeze(spec: Doc<'_>) -> Result<Vec<u8>> {
    let (mut name, mut db, mut dry_run) = ("", "", false);
    for e in spec {
        match e.name() {
            "compact" => match e.val.as_str() {
                Some(text) => name = text,
                None => {
                    return Err(super::wrong_type("compact", e.val, "type 'string'"));
                }
            },
            "$db" => db = e.val.as_str().unwrap_or(""),
            "dryRun" => dry_run = super::is_true(e.val),
            "force" if !super::is_true(e.val) => {
                return Err(fail(
                    codes::COMMAND_NOT_SUPPORTED,
                    "command compact option force:false is not supported",
                ));
            }
            _ => {}
        }
    }
    if name.is_empty() || db.is_empty() {
        return Err(fail(
            codes::BAD_VALUE,
            "Invalid command compact specification, missing database or collection name",
        ));
    }
    // Nobody drops it while it is rewritten; that a standby rewrites nothing PostgreSQL says below.
    // SAFETY: reads the server's state.
    let only_look = dry_run || unsafe { pg_sys::RecoveryInProgress() };
    let found = if only_look { catalog::find(db, name)? } else { ddl::lock(db, name)? };
    let Some(collection) = found else {
        return Err(fail(codes::NAMESPACE_NOT_FOUND, format!("ns does not exist: {db}.{name}")));
    };
    collection.require_table()?;
    let table = format!("documentdb_data.documents_{}", collection.id);
    let mut out = DocWriter::new();
    out.put("ok", &Value::Double(1.0));
    if dry_run {
        out.put("estimatedBytesFreed", &Value::Int64(dead_bytes(&table)?));
    } else {
        let before = total_size(&table)?;
        rewrite(&collection)?;
        out.put("bytesFreed", &Value::Int64((before - total_size(&table)?).max(0)));
    }
    Ok(out.finish())
}

fn first_int(query: &str) -> Result<i64> {
    Ok(spi::rows(query, &[], |row| spi::int(row, 0))?.first().copied().unwrap_or(0))
}

fn total_size(table: &str) -> Result<i64> {
    let query = format!("SELECT pg_catalog.pg_total_relation_size('{table}')");
    first_int(&query)
}

/// The share of dead rows in what the table takes now.
fn dead_bytes(table: &str) -> Result<i64> {
    let query = format!(
        "SELECT coalesce((SELECT pg_catalog.pg_total_relation_size(relid) * n_dead_tup \
         / nullif(n_live_tup + n_dead_tup, 0) FROM pg_catalog.pg_stat_all_tables WHERE relid = '{table}'::regclass), 0)::int8"
    );
    first_int(&query)
}

/// `ClusterParams` of PostgreSQL 15 (commands/cluster.h), which the bindings leave out.
#[repr(C)]
struct ClusterParams {
    options: u32,
}

unsafe extern "C-unwind" {
    fn cluster_rel(table: pg_sys::Oid, index: pg_sys::Oid, params: *mut ClusterParams);
}

fn rewrite(collection: &Collection) -> Result<()> {
    let oid = collection.heap;
    let mut params = ClusterParams { options: 0 };
    // SAFETY: the OID of a table that nobody drops. cluster_rel takes its own lock and does what VACUUM FULL does; ownership is the
    // caller's to check.
    unsafe {
        if !pg_sys::pg_class_ownercheck(oid, pg_sys::GetUserId()) {
            pg_sys::aclcheck_error(
                pg_sys::AclResult::ACLCHECK_NOT_OWNER,
                pg_sys::ObjectType::OBJECT_TABLE,
                pg_sys::get_rel_name(oid),
            );
        }
        // A build of an index makes way; the lock would wait for it, and everybody else behind the lock.
        builds::pause(collection.id)?;
        crate::sys::guarded(|| cluster_rel(oid, pg_sys::InvalidOid, &raw mut params));
    }
    Ok(())
}

pgfn! { fn compact(call) { Ok(varlena(&squeeze(Doc::trusted(call.doc(0)?))?)) }}
