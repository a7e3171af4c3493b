//! `list_collections_cursor_first_page`, `list_indexes_cursor_first_page`: always one page.

use engine::query::Query;
use engine::{Doc, DocWriter, Error, Value, codes};

use super::find::First;
use super::page::Page;
use super::spec::required;
use super::walk::query;
use crate::catalog::{self, Collection, Index};
use crate::error::Result;
use crate::spec::{document, is_common, max_time_ms, wrong_type};
use crate::spi::{self, Cell, Param};
use crate::xact::{Snapshot, limit_time};

pgfn! {
    /// `list_collections_cursor_first_page(database, commandSpec, cursorId)`
    fn command_list_collections_cursor_first_page(call) {
        let (db, command) = (call.text(0)?, Doc::trusted(call.doc(1)?));
        let mut page = Page::new(&[db, ".$cmd.ListCollections"], "firstBatch", usize::MAX);
        let (filter, name_only) = list_collections_spec(command)?;
        for document in collections(db, &filter, name_only)? {
            page.push(&document);
        }
        First::complete(page, false).record(call)
    }
}

fn list_collections_spec(command: Doc<'_>) -> Result<(Query, bool)> {
    let (mut filter, mut name_only) = (Doc::EMPTY, false);
    for e in command {
        match e.name() {
            "listCollections" | "authorizedCollections" => {}
            "filter" => filter = document("filter", e.val)?,
            "nameOnly" => name_only = crate::spec::bool("nameOnly", e.val)?,
            "cursor" => check_cursor(e.val)?,
            "maxTimeMS" => limit_time(max_time_ms("listCollections", e.val)?),
            name if is_common(name) => {}
            name => {
                let text = format!("BSON field listCollections.{name} is an unknown field");
                return Err(Error::new(codes::LOCATION40415, text).into());
            }
        }
    }
    Ok((query(filter)?, name_only))
}

/// `{batchSize}`: accepted, the list comes in one batch.
fn check_cursor(v: engine::Val<'_>) -> Result<()> {
    for e in document("cursor", v)? {
        match e.name() {
            "batchSize" => super::spec::batch_size("cursor.batchSize", e.val).map(|_| ())?,
            name => {
                let text = format!("Unrecognized field: {name}");
                return Err(Error::new(codes::FAILED_TO_PARSE, text).into());
            }
        }
    }
    Ok(())
}

/// The entries of a database's collections that match, by name.
fn collections(db: &str, filter: &Query, name_only: bool) -> Result<Vec<Vec<u8>>> {
    let _snapshot = Snapshot::latest();
    let rows = spi::query(
        "SELECT collection_name, view_definition, validator, validation_level, validation_action,
                collection_uuid, shard_key, default_collation, storage_options
         FROM documentdb_api_catalog.collections
         WHERE database_name OPERATOR(pg_catalog.=) $1 AND collection_name OPERATOR(pg_catalog.<>) 'system.dbSentinel'
         ORDER BY collection_name",
        &[Param::Text(Some(db))],
    )?;
    let mut out = Vec::new();
    for row in &rows {
        let full = collection_entry(row);
        if !filter.matches(Doc::trusted(&full))? {
            continue;
        }
        if name_only {
            let mut w = DocWriter::new();
            for e in Doc::trusted(&full).iter().take(2) {
                w.put_elem(&e);
            }
            out.push(w.finish());
        } else {
            out.push(full);
        }
    }
    Ok(out)
}

fn collection_entry(row: &[Cell]) -> Vec<u8> {
    let cell = |i: usize| row.get(i).unwrap_or(&Cell::Null);
    let doc = |i: usize| cell(i).bytes().map(Doc::trusted);
    let view = doc(1);
    let mut w = DocWriter::new();
    w.put_str("name", cell(0).text().unwrap_or(""));
    w.put_str("type", if view.is_some() { "view" } else { "collection" });
    let mut options = DocWriter::new();
    if let Some(view) = view {
        options.put_elements(view.elements());
    }
    let storage = doc(8);
    if let Some(storage) = storage {
        options.put_elements(storage.elements());
    }
    let collation = doc(7);
    if let Some(collation) = collation {
        options.put_doc("collation", collation);
    }
    if let Some(validator) = doc(2) {
        options.put_doc("validator", validator);
        options.put_str("validationLevel", cell(3).text().unwrap_or("strict"));
        options.put_str("validationAction", cell(4).text().unwrap_or("error"));
    }
    w.put_doc("options", Doc::trusted(&options.finish()));
    let mut info = DocWriter::new();
    info.put("readOnly", &Value::Bool(view.is_some()));
    if let (None, Some(uuid)) = (view, cell(5).bytes()) {
        info.put("uuid", &Value::Binary { subtype: 4, bytes: uuid.to_vec() });
    }
    if let Some(key) = doc(6) {
        info.put_doc("shardKey", key);
    }
    w.put_doc("info", Doc::trusted(&info.finish()));
    let clustered = storage.is_some_and(|o| o.get("clusteredIndex").is_some());
    if view.is_some() {
        w.put("idIndex", &Value::Null);
    } else if !clustered {
        let mut id = DocWriter::new();
        id.put("v", &Value::Int32(2)).put_str("name", "_id_").put_doc("key", Doc::trusted(&id_pattern()));
        if let Some(collation) = collation {
            id.put_doc("collation", collation);
        }
        w.put_doc("idIndex", Doc::trusted(&id.finish()));
    }
    w.finish()
}

/// `{_id: 1}`
fn id_pattern() -> Vec<u8> {
    let mut w = DocWriter::new();
    w.put("_id", &Value::Int32(1));
    w.finish()
}

pgfn! {
    /// `list_indexes_cursor_first_page(database, commandSpec, cursorId)`
    fn command_list_indexes_cursor_first_page(call) {
        let (db, command) = (call.text(0)?, Doc::trusted(call.doc(1)?));
        let name = list_indexes_spec(command)?;
        let Some(c) = catalog::find(db, name)? else {
            let text = format!("ns does not exist: {db}.{name}");
            return Err(Error::new(codes::NAMESPACE_NOT_FOUND, text).into());
        };
        c.require_table()?;
        let mut page = Page::new(&[db, ".", name], "firstBatch", usize::MAX);
        page.push(&id_entry(&c));
        for index in c.secondary().filter(|i| i.valid) {
            page.push(&index_entry(index));
        }
        First::complete(page, false).record(call)
    }
}

fn list_indexes_spec(command: Doc<'_>) -> Result<&str> {
    let mut name = None;
    for e in command {
        match e.name() {
            "listIndexes" => match e.val.as_str() {
                Some(s) => name = Some(s),
                None => return Err(wrong_type("listIndexes", e.val, "string")),
            },
            "cursor" => check_cursor(e.val)?,
            "maxTimeMS" => limit_time(max_time_ms("listIndexes", e.val)?),
            name if is_common(name) => {}
            name => {
                let text = format!("BSON field listIndexes.{name} is an unknown field");
                return Err(Error::new(codes::LOCATION40415, text).into());
            }
        }
    }
    name.ok_or_else(|| required("listIndexes"))
}

/// The index on `_id` as listIndexes shows it.
pub fn id_entry(c: &Collection) -> Vec<u8> {
    let mut w = DocWriter::new();
    if let Some(index) = c.clustered() {
        w.put_elements(index.elements()).put("clustered", &Value::Bool(true));
        if let Some(spec) = c.collation.spec() {
            w.put_doc("collation", spec);
        }
        return w.finish();
    }
    w.put("v", &Value::Int32(2)).put_doc("key", Doc::trusted(&id_pattern())).put_str("name", "_id_");
    if let Some(spec) = c.collation.spec() {
        w.put_doc("collation", spec);
    }
    w.finish()
}

/// An index as listIndexes shows it.
pub fn index_entry(i: &Index) -> Vec<u8> {
    let mut w = DocWriter::new();
    w.put("v", &Value::Int32(i.version)).put_doc("key", Doc::trusted(&i.key)).put_str("name", &i.name);
    if let Some(p) = &i.partial {
        w.put_doc("partialFilterExpression", Doc::trusted(p));
    }
    if let Some(p) = &i.wildcard {
        w.put_doc("wildcardProjection", Doc::trusted(p));
    }
    if i.sparse {
        w.put("sparse", &Value::Bool(true));
    }
    if i.unique {
        w.put("unique", &Value::Bool(true));
    }
    if let Some(s) = i.expire_after {
        w.put("expireAfterSeconds", &Value::Int32(s));
    }
    if let Some(o) = &i.options {
        w.put_elements(Doc::trusted(o).elements());
    }
    w.finish()
}
