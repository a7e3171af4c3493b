//! Documents that expire: those whose date under a TTL index is old enough (MongoDB manual, TTL Indexes).
//!
//! A field that is no date never expires; of several dates in an array the earliest counts. Deleting goes the way of every
//! delete, a batch for each index in a transaction.

mod worker;

use engine::collation::Collation;
use engine::{Doc, DocWriter, Value};

use crate::access::Hint;
use crate::catalog::{self, Index};
use crate::error::{Result, internal};
use crate::guard;
use crate::spi;
use crate::storage::{Access, Table};
use crate::write::{Context, Search, Step};
use crate::xact::{Snapshot, subtransaction};

/// Documents of an index in one go, where the caller does not say.
const BATCH: usize = 10_000;

/// Deletes expired documents, at most `batch` for each index. True if there may be more.
///
/// # Errors
/// 25006 on a standby. What goes wrong with one collection is logged, and the others have their turn.
pub fn pass(batch: usize) -> Result<bool> {
    guard::write()?;
    let rows = {
        let _snapshot = Snapshot::latest();
        spi::query(
            "SELECT c.database_name, c.collection_name, i.index_id
             FROM documentdb_api_catalog.collection_indexes AS i
             JOIN documentdb_api_catalog.collections AS c ON c.collection_id OPERATOR(pg_catalog.=) i.collection_id
             WHERE (i.index_spec).index_expire_after_seconds IS NOT NULL AND i.index_is_valid
             UNION ALL
             SELECT c.database_name, c.collection_name, 0 FROM documentdb_api_catalog.collections AS c
             WHERE documentdb_core.bson_get_value_text(c.storage_options, 'expireAfterSeconds') IS NOT NULL ORDER BY 3, 1, 2",
            &[],
        )?
    };
    let mut more = false;
    for row in &rows {
        let [db, name, index] = &row[..] else { return Err(internal("the index catalog has other columns")) };
        let (db, name) = (db.text().unwrap_or(""), name.text().unwrap_or(""));
        let index = index.int().unwrap_or(0);
        match subtransaction(|| expire(db, name, index, batch)) {
            Ok(deleted) => more |= deleted >= batch,
            Err(e) => pgrx::warning!("expired documents of {db}.{name} stay: {}", e.message),
        }
    }
    Ok(more)
}

/// Deletes expired documents of one collection by one index.
fn expire(db: &str, name: &str, index: i64, most: usize) -> Result<usize> {
    let Some(collection) = catalog::find_table(db, name)? else { return Ok(0) };
    let found = collection.indexes.iter().find(|i| i64::from(i.id) == index);
    // 0 stands for what a clustered collection is stored in.
    let seconds = match found {
        Some(index) => index.expire_after.map(i64::from),
        None if index == 0 => collection.expire_after(),
        None => None,
    };
    let Some(seconds) = seconds else { return Ok(0) };
    let context = Context::new(None)?;
    let bound = context.now().saturating_sub(seconds.saturating_mul(1_000));
    let filter = match found {
        Some(index) => filter(index, bound),
        None => Some(older("_id", bound)),
    };
    let Some(filter) = filter else { return Ok(0) };
    let simple = Collation::SIMPLE;
    let query = context.query(Doc::trusted(&filter), found.map_or(&simple, |index| &index.collation))?;
    let Some(table) = Table::open_if_there(&collection, Access::Delete)? else { return Ok(0) };
    let search =
        Search { collection: &collection, table: &table, query: &query, sort: None, hint: Hint::None };
    Ok(search.some(most, |_| Ok(Step::Remove))?.1)
}

/// The documents of an index that are older than `bound` (milliseconds since 1970).
fn filter(index: &Index, bound: i64) -> Option<Vec<u8>> {
    let path = Doc::trusted(&index.key).iter().next()?.name();
    let dates = older(path, bound);
    let Some(partial) = &index.partial else { return Some(dates) };
    let mut both = DocWriter::new();
    both.put("$and", &Value::array_of(&[Value::Document(dates), Value::Document(partial.clone())]));
    Some(both.finish())
}

/// Dates there that are older than `bound`.
fn older(path: &str, bound: i64) -> Vec<u8> {
    let mut older = DocWriter::new();
    older.put("$lt", &Value::DateTime(bound));
    let mut dates = DocWriter::new();
    dates.put_doc(path, Doc::trusted(&older.finish()));
    dates.finish()
}

pgfn! {
    /// `delete_expired_rows(p_batch_size)`
    fn command_delete_expired_rows(call) {
        let batch = call.arg(0).and_then(|n| usize::try_from(n.value() as i32).ok());
        pass(batch.filter(|n| *n > 0).unwrap_or(BATCH))?;
        Ok(pgrx::pg_sys::Datum::null())
    }
}
