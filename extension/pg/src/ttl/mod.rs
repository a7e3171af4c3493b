//! Documents that expire: those whose date under a TTL index is old enough (MongoDB manual, TTL Indexes).
//!
//! A field that is no date never expires; of several dates in an array the earliest counts. Deleting goes the way of every
//! delete, a batch for each index; the background worker has a transaction for each.

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

/// What makes documents of a collection expire.
pub struct Target {
    db: String,
    name: String,
    /// Number of the index; 0 stands for what a clustered collection is stored in.
    index: i64,
}

impl Target {
    /// Says that its documents stay for now. What goes wrong with one collection keeps no other one waiting.
    fn complain(&self, e: &crate::error::Error) {
        pgrx::warning!("expired documents of {}.{} stay: {}", self.db, self.name, e.message);
    }
}

/// Everything that makes documents expire.
///
/// # Errors
/// 25006 on a standby.
fn targets() -> Result<Vec<Target>> {
    guard::write()?;
    let _snapshot = Snapshot::latest();
    let rows = spi::query(
        "SELECT c.database_name, c.collection_name, i.index_id
         FROM documentdb_api_catalog.collection_indexes AS i
         JOIN documentdb_api_catalog.collections AS c ON c.collection_id OPERATOR(pg_catalog.=) i.collection_id
         WHERE (i.index_spec).index_expire_after_seconds IS NOT NULL AND i.index_is_valid
         UNION ALL
         SELECT c.database_name, c.collection_name, 0 FROM documentdb_api_catalog.collections AS c
         WHERE documentdb_core.bson_get_value_text(c.storage_options, 'expireAfterSeconds') IS NOT NULL ORDER BY 3, 1, 2",
        &[],
    )?;
    let target = |row: &Vec<spi::Cell>| {
        let [db, name, index] = &row[..] else { return Err(internal("the index catalog has other columns")) };
        let own = |cell: &spi::Cell| cell.text().unwrap_or("").to_owned();
        Ok(Target { db: own(db), name: own(name), index: index.int().unwrap_or(0) })
    };
    rows.iter().map(target).collect()
}

/// Deletes expired documents, at most `batch` for each index, in the transaction of the caller.
///
/// # Errors
/// 25006 on a standby. What goes wrong with one collection is logged, and the others have their turn.
fn pass(batch: usize) -> Result<()> {
    for target in targets()? {
        if let Err(e) = subtransaction(|| expire(&target, batch)) {
            target.complain(&e);
        }
    }
    Ok(())
}

/// Deletes expired documents of one collection by one index.
fn expire(Target { db, name, index }: &Target, most: usize) -> Result<usize> {
    let index = *index;
    let Some(collection) = catalog::find_table(db, name)? else { return Ok(0) };
    let found = collection.indexes.iter().find(|i| i64::from(i.id) == index);
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
