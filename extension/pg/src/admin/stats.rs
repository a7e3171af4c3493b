//! `coll_stats`, `db_stats`, `list_databases`: sizes as PostgreSQL knows them.

use super::spi;
use crate::catalog::{self, null_argument};
use crate::error::Result;
use crate::spi::Param;
use crate::sys::{Call, varlena};
use engine::query::{ParseContext, Query};
use engine::{ArrayWriter, Doc, DocWriter, Error, Value, codes};

/// Collections up to this size are counted exactly, larger ones by PostgreSQL's estimate
/// (`documentdb.coll_stats_count_policy_threshold`).
const EXACT_COUNT_LIMIT: f64 = 10_000.0;

/// An int32 when it fits, else an int64: how MongoDB reports sizes.
pub fn number(n: i64) -> Value {
    i32::try_from(n).map_or(Value::Int64(n), Value::Int32)
}

/// Sizes in bytes are whole multiples of the scale, rounded down.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "sizes stay far below 2^53")]
fn scaled(bytes: i64, scale: f64) -> i64 {
    (bytes as f64 / scale.trunc()) as i64
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the scale was checked to be at least 1; larger ones saturate"
)]
fn scale_value(scale: f64) -> Value {
    Value::Int32(scale as i32)
}

struct Table {
    id: i64,
    data: i64,
    storage: i64,
    indexes: i64,
    index_size: i64,
    estimate: f64,
}

/// One row per table of the database, or of one collection.
const TABLES: &str = "SELECT c.collection_id, pg_catalog.pg_relation_size(t.oid), pg_catalog.pg_table_size(t.oid), \
     (SELECT count(*) FROM pg_catalog.pg_index i WHERE i.indrelid = t.oid \
      AND i.indexrelid IS DISTINCT FROM pg_catalog.to_regclass('documentdb_data.collection_order_' || c.collection_id)), \
     pg_catalog.pg_indexes_size(t.oid), t.reltuples::float8 \
     FROM documentdb_api_catalog.collections c \
     JOIN pg_catalog.pg_class t ON t.oid = pg_catalog.to_regclass('documentdb_data.documents_' || c.collection_id) \
     WHERE c.database_name = $1 AND ($2 IS NULL OR c.collection_name = $2) \
     AND c.collection_name <> 'system.dbSentinel' AND c.view_definition IS NULL ORDER BY c.collection_id";

fn tables(db: &str, collection: Option<&str>) -> Result<Vec<Table>> {
    spi::rows(TABLES, &[Param::Text(Some(db)), Param::Text(collection)], |row| Table {
        id: spi::int(row, 0),
        data: spi::int(row, 1),
        storage: spi::int(row, 2),
        indexes: spi::int(row, 3),
        index_size: spi::int(row, 4),
        estimate: spi::float(row, 5),
    })
}

/// Number of documents and their size in bytes: exact for small tables, from statistics for large ones.
#[allow(clippy::cast_possible_truncation, reason = "row estimates are far below 2^63")]
fn contents(table: &Table) -> Result<(i64, i64)> {
    if table.estimate > EXACT_COUNT_LIMIT {
        return Ok((table.estimate as i64, table.data));
    }
    let query = format!(
        "SELECT count(*), coalesce(sum(pg_catalog.octet_length(document::bytea)), 0)::int8 FROM documentdb_data.documents_{}",
        table.id
    );
    let found = spi::rows(&query, &[], |row| (spi::int(row, 0), spi::int(row, 1)))?;
    Ok(found.into_iter().next().unwrap_or_default())
}

fn of_collection(db: &str, collection: &str, scale: f64) -> Result<Vec<u8>> {
    if scale.is_nan() || scale < 1.0 {
        return Err(Error::new(
            codes::LOCATION51024,
            format!("BSON field 'scale' value must be >= 1, actual value '{}'", scale.trunc()),
        )
        .into());
    }
    let there = catalog::find(db, collection)?;
    if let Some(c) = &there {
        c.require_table()?;
    }
    let mut out = DocWriter::new();
    out.put_str("ns", &format!("{db}.{collection}"));
    let found = tables(db, Some(collection))?;
    let Some(table) = found.first() else {
        for field in ["size", "count", "storageSize", "totalSize", "nindexes", "totalIndexSize"] {
            out.put(field, &Value::Int32(0));
        }
        out.put_doc("indexSizes", Doc::EMPTY)
            .put("scaleFactor", &scale_value(scale))
            .put("ok", &Value::Int32(1));
        return Ok(out.finish());
    };
    let (count, size) = contents(table)?;
    out.put("size", &number(scaled(size, scale)));
    out.put("count", &number(count));
    out.put("avgObjSize", &number(size.checked_div(count).unwrap_or(0)));
    out.put("storageSize", &number(scaled(table.storage, scale)));
    if let Some(bounds) = there.as_ref().and_then(|c| c.capped) {
        out.put("capped", &Value::Bool(true)).put("max", &number(bounds.max.unwrap_or(0)));
        out.put("maxSize", &number(scaled(bounds.size, scale)));
    }
    out.put("nindexes", &number(table.indexes));
    out.put("indexBuilds", &Value::Array(building(table.id)?));
    out.put("totalIndexSize", &number(scaled(table.index_size, scale)));
    out.put("totalSize", &number(scaled(table.storage + table.index_size, scale)));
    out.put("indexSizes", &Value::Document(index_sizes(table.id, scale)?));
    out.put("scaleFactor", &scale_value(scale)).put("ok", &Value::Int32(1));
    Ok(out.finish())
}

/// Names of the indexes that are queued or under construction.
fn building(id: i64) -> Result<Vec<u8>> {
    let query = "SELECT (index_spec).index_name FROM documentdb_api_catalog.collection_indexes \
                 WHERE collection_id = $1 AND NOT index_is_valid ORDER BY index_id";
    let mut names = ArrayWriter::new();
    for name in spi::rows(query, &[Param::Int8(id)], |row| spi::text(row, 0))? {
        names.push(&Value::String(name));
    }
    Ok(names.finish())
}

fn index_sizes(id: i64, scale: f64) -> Result<Vec<u8>> {
    let query = format!(
        "SELECT n.name, coalesce(pg_catalog.pg_relation_size(pg_catalog.to_regclass(n.relation)), 0) FROM (\
         SELECT '_id_'::text AS name, 'documentdb_data.collection_pk_{id}' AS relation, -1 AS place UNION ALL \
         SELECT (index_spec).index_name, 'documentdb_data.documents_rum_index_' || index_id, index_id \
         FROM documentdb_api_catalog.collection_indexes \
         WHERE collection_id = {id} AND index_is_valid AND (index_spec).index_name <> '_id_') n ORDER BY n.place"
    );
    let mut sizes = DocWriter::new();
    for (name, size) in spi::rows(&query, &[], |row| (spi::text(row, 0), spi::int(row, 1)))? {
        sizes.put(&name, &Value::Int64(scaled(size, scale)));
    }
    Ok(sizes.finish())
}

#[allow(clippy::cast_precision_loss, reason = "sizes stay far below 2^53")]
fn of_database(db: &str, scale: f64) -> Result<Vec<u8>> {
    if scale.is_nan() || scale < 1.0 {
        return Err(Error::new(codes::LOCATION51024, "scale has to be > 0").into());
    }
    let views = spi::rows(
        "SELECT count(*) FROM documentdb_api_catalog.collections WHERE database_name = $1 AND view_definition IS NOT NULL",
        &[Param::Text(Some(db))],
        |row| spi::int(row, 0),
    )?;
    let found = tables(db, None)?;
    let (mut objects, mut data, mut storage, mut indexes, mut index_size) = (0, 0, 0, 0, 0);
    for table in &found {
        let (count, size) = contents(table)?;
        objects += count;
        data += size;
        storage += table.storage;
        indexes += table.indexes;
        index_size += table.index_size;
    }
    let size = |n: i64| Value::Double(scaled(n, scale) as f64);
    let average = if objects == 0 { 0.0 } else { data as f64 / objects as f64 };
    let mut out = DocWriter::new();
    out.put_str("db", db)
        .put("collections", &Value::Int64(found.len().try_into().unwrap_or(i64::MAX)))
        .put("views", &Value::Int64(views.first().copied().unwrap_or(0)))
        .put("objects", &Value::Int64(objects))
        .put("avgObjSize", &Value::Double(average))
        .put("dataSize", &size(data))
        .put("storageSize", &size(storage))
        .put("indexes", &Value::Int64(indexes))
        .put("indexSize", &size(index_size))
        .put("totalSize", &size(storage + index_size))
        .put("scaleFactor", &scale_value(scale))
        .put("ok", &Value::Int32(1));
    Ok(out.finish())
}

const DATABASES: &str = "SELECT c.database_name, coalesce(sum(pg_catalog.pg_total_relation_size(\
     pg_catalog.to_regclass('documentdb_data.documents_' || c.collection_id))), 0)::int8 \
     FROM documentdb_api_catalog.collections c GROUP BY 1 ORDER BY 1";

fn databases(spec: Doc<'_>) -> Result<Vec<u8>> {
    let (mut filter, mut name_only) = (None, false);
    for e in spec {
        match e.name() {
            "filter" => {
                let Some(doc) = e.val.as_doc() else {
                    return Err(super::wrong_type("filter", e.val, "type 'object'"));
                };
                filter = Some(Query::parse(doc, &ParseContext::default())?);
            }
            "nameOnly" => name_only = super::is_true(e.val),
            "listDatabases" | "comment" | "lsid" | "maxTimeMS" | "readConcern" | "txnNumber"
            | "autocommit" => {}
            name if name.starts_with('$') || name.starts_with("api") => {}
            name => return Err(Error::new(codes::BAD_VALUE, format!("{name} is an unknown field")).into()),
        }
    }
    let mut list = ArrayWriter::new();
    let mut total = 0;
    for (name, size) in spi::rows(DATABASES, &[], |row| (spi::text(row, 0), spi::int(row, 1)))? {
        let mut full = DocWriter::new();
        full.put_str("name", &name).put("sizeOnDisk", &number(size)).put("empty", &Value::Bool(false));
        let full = full.finish();
        if let Some(filter) = &filter
            && !filter.matches(Doc::trusted(&full))?
        {
            continue;
        }
        total += size;
        if name_only {
            let mut short = DocWriter::new();
            short.put_str("name", &name);
            list.push(&Value::Document(short.finish()));
        } else {
            list.push(&Value::Document(full));
        }
    }
    let mut out = DocWriter::new();
    out.put_array("databases", Doc::trusted(&list.finish()));
    if !name_only {
        out.put("totalSize", &number(total));
    }
    out.put("ok", &Value::Double(1.0));
    Ok(out.finish())
}

fn scale(call: &Call<'_>, n: usize) -> Result<f64> {
    if call.arg(n).is_some() { call.f64(n) } else { Ok(1.0) }
}

pgfn! { fn coll_stats(call) {
    let db = call.opt_text(0)?.ok_or_else(|| null_argument("db name"))?;
    let collection = call.opt_text(1)?.ok_or_else(|| null_argument("collection name"))?;
    Ok(varlena(&of_collection(db, collection, scale(&call, 2)?)?))
}}
pgfn! { fn db_stats(call) {
    let db = call.opt_text(0)?.ok_or_else(|| null_argument("db name"))?;
    Ok(varlena(&of_database(db, scale(&call, 1)?)?))
}}
pgfn! { fn list_databases(call) { Ok(varlena(&databases(Doc::trusted(call.doc(0)?))?)) }}
