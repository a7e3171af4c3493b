//! convertToCapped and cloneCollectionAsCapped, where the surface of the official extension has nothing.

use engine::{DocWriter, codes};
use pgrx::pg_sys::{self, Datum};

use super::table::{self, Options};
use super::{fail, lock, rename, storage};
use crate::catalog::{self, Collection};
use crate::error::{Result, internal};
use crate::storage::{Access, NewRow, Scan, Table};
use crate::write::capped;
use crate::xact::{Snapshot, check_interrupts};
use crate::{builds, guard};

/// Documents that are copied at once.
const BATCH: usize = 500;

/// What becomes of the source.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Stays,
    Goes,
}

/// Makes a capped collection of this name out of the newest documents of another one that fit. Indexes are not copied.
///
/// Nobody writes to the source meanwhile, and nobody reads it either if it is to go: what comes later would be lost.
fn clone(db: &str, from: &str, to: &str, size: i64, source: Source) -> Result<()> {
    if size <= 0 {
        return Err(fail(codes::INVALID_OPTIONS, "Capped collection size must be greater than zero"));
    }
    guard::write()?;
    let Some(old) = lock::one(db, from)? else {
        let text = format!("source collection {db}.{from} does not exist");
        return Err(fail(codes::NAMESPACE_NOT_FOUND, text));
    };
    if old.view.is_some() {
        let text = format!("cloneCollectionAsCapped not supported for views: {}", old.namespace());
        return Err(fail(codes::COMMAND_NOT_SUPPORTED_ON_VIEW, text));
    }
    let mode = match source {
        Source::Stays => pg_sys::ShareLock,
        Source::Goes => pg_sys::AccessExclusiveLock,
    };
    // Behind its row, which whoever drops the table has: a build of an index makes way, the others are waited for.
    builds::pause(old.id)?;
    // SAFETY: waits for a lock on a table that is there.
    unsafe { pg_sys::LockRelationOid(old.heap, mode as i32) };
    if catalog::find(db, to)?.is_some() {
        let text = format!(
            "cloneCollectionAsCapped failed - destination collection {db}.{to} already exists. source collection: {db}.{from}"
        );
        return Err(fail(codes::NAMESPACE_EXISTS, text));
    }
    let mut options = DocWriter::new();
    storage::bounds(&mut options, size, None)?;
    let options = options.finish();
    let options = Options {
        view: None,
        validator: old.validator.as_ref(),
        collation: old.collation.clone(),
        storage: Some(&options),
    };
    if !table::create(db, to, &options)? {
        return Err(fail(codes::NAMESPACE_EXISTS, format!("collection {db}.{to} already exists")));
    }
    let new =
        catalog::find_table(db, to)?.ok_or_else(|| internal("a collection vanished while it was made"))?;
    copy(&old, &new, size)
}

/// All documents of a collection, in their order.
fn scan<'t>(table: &'t Table, c: &Collection) -> Result<Scan<'t>> {
    if c.capped.is_some() { Scan::by_order(table, None, false) } else { Ok(Scan::all(table, false)) }
}

/// Copies the last documents that fit into `size` bytes together.
fn copy(old: &Collection, new: &Collection, size: i64) -> Result<()> {
    let bytes = |document: &[u8]| i64::try_from(document.len()).unwrap_or(i64::MAX);
    let (source, target) = (Table::open(old, Access::Read)?, Table::open(new, Access::Insert)?);
    // Whatever the isolation level is: what was committed before the table was locked would be lost otherwise.
    let _snapshot = Snapshot::latest();
    let mut total = 0;
    let mut rows = scan(&source, old)?;
    while let Some(row) = rows.next() {
        total += bytes(row.document);
    }
    drop(rows);
    let mut batch: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut rows = scan(&source, old)?;
    while let Some(row) = rows.next() {
        check_interrupts();
        if total > size {
            total -= bytes(row.document);
            continue;
        }
        batch.push((row.object_id.to_vec(), row.document.to_vec()));
        if batch.len() == BATCH {
            add(&target, new, &batch)?;
            batch.clear();
        }
    }
    if !batch.is_empty() {
        add(&target, new, &batch)?;
    }
    Ok(())
}

fn add(target: &Table, new: &Collection, batch: &[(Vec<u8>, Vec<u8>)]) -> Result<()> {
    let rows: Vec<NewRow<'_>> =
        batch.iter().map(|(object_id, document)| NewRow { object_id, document }).collect();
    capped::insert(target, new, &rows)
}

pgfn! {
    /// `documentdb_api_internal.clone_collection_as_capped(database, source, target, size)`
    fn command_clone_collection_as_capped(call) {
        clone(call.text(0)?, call.text(1)?, call.text(2)?, call.i64(3)?, Source::Stays)?;
        Ok(Datum::null())
    }
}
pgfn! {
    /// `documentdb_api_internal.convert_to_capped(database, collection, size)`
    fn command_convert_to_capped(call) {
        let (db, name) = (call.text(0)?, call.text(1)?);
        let passing = format!("tmp{:016x}.convertToCapped", crate::read::random()?);
        clone(db, name, &passing, call.i64(2)?, Source::Goes)?;
        // The row of the old one is locked since before it was copied: the name is still its own.
        rename::rename((db, &passing), (db, name), true)?;
        Ok(Datum::null())
    }
}
