//! The queue of builds, as commands see it: what they put in, and what they are told of it.

use engine::{ArrayWriter, Doc, DocWriter, Val, Value};

use crate::builds::{self, BUILT, QUEUED};
use crate::error::Result;
use crate::spi::{self, Cell, Param};
use crate::xact::Snapshot;

/// Puts builds into the queue: `(number, CREATE INDEX CONCURRENTLY …)`. They begin when this transaction has committed.
pub fn enqueue(collection: i64, builds: &[(i32, String)]) -> Result<()> {
    let mut ids = ArrayWriter::new();
    for (id, _) in builds {
        ids.push(&Value::Int32(*id));
    }
    let mut comment = DocWriter::new();
    comment.put_array("together", Doc::trusted(&ids.finish()));
    let comment = comment.finish();
    spi::run(
        "DELETE FROM documentdb_api_catalog.documentdb_index_queue
         WHERE index_cmd_status OPERATOR(pg_catalog.=) 4
         AND update_time OPERATOR(pg_catalog.<) (pg_catalog.now() OPERATOR(pg_catalog.-) interval '1 day')",
        &[],
    )?;
    for (id, command) in builds {
        spi::run(
            "INSERT INTO documentdb_api_catalog.documentdb_index_queue
                 (index_cmd, cmd_type, index_id, index_cmd_status, collection_id, comment, attempt, user_oid)
             VALUES ($5, 'C', $1, $4, $2, $3::documentdb_core.bson, 0,
                 (SELECT oid FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user))",
            &[
                Param::Int4(Some(*id)),
                Param::Int8(collection),
                Param::Bytes(Some(&comment)),
                Param::Int4(Some(QUEUED)),
                Param::Text(Some(command)),
            ],
        )?;
    }
    Ok(())
}

/// What the queue says of an index.
pub enum Status {
    /// Nothing: it is complete, or nobody asked for it.
    Complete,
    /// A worker is at it or at another one of its command, or will be.
    Going,
    /// It failed: message and packed code.
    Failed(String, i32),
}

/// Where a build has got to. Has a worker started if none is there.
pub fn status(id: i32) -> Result<Status> {
    let rows = spi::query(
        "SELECT comment, index_cmd_status, collection_id FROM documentdb_api_catalog.documentdb_index_queue
         WHERE index_id OPERATOR(pg_catalog.=) $1",
        &[Param::Int4(Some(id))],
    )?;
    let Some([comment, state, collection]) = rows.first().map(Vec::as_slice) else {
        return Ok(Status::Complete);
    };
    if state.int().unwrap_or(0) <= i64::from(BUILT) {
        builds::resume(collection.int().unwrap_or(0))?;
        return Ok(Status::Going);
    }
    let d = comment.bytes().map_or(Doc::EMPTY, Doc::trusted);
    let code = d.get("err_code").and_then(crate::spec::integer).and_then(|i| i32::try_from(i).ok());
    Ok(Status::Failed(d.get("err_msg").and_then(Val::as_str).unwrap_or("").to_owned(), code.unwrap_or(0)))
}

/// The indexes of a collection that are not complete, and whether a build of them is in the queue: as committed now, both of
/// one moment.
pub fn unfinished(collection: i64) -> Result<Vec<(i32, bool)>> {
    let _snapshot = Snapshot::latest();
    let rows = spi::query(
        "SELECT i.index_id, EXISTS (SELECT 1 FROM documentdb_api_catalog.documentdb_index_queue AS q
             WHERE q.index_id OPERATOR(pg_catalog.=) i.index_id AND q.index_cmd_status OPERATOR(pg_catalog.<=) 3)
         FROM documentdb_api_catalog.collection_indexes AS i
         WHERE i.collection_id OPERATOR(pg_catalog.=) $1 AND NOT i.index_is_valid",
        &[Param::Int8(collection)],
    )?;
    let id = |cell: Option<&Cell>| cell.and_then(Cell::int).and_then(|id| i32::try_from(id).ok());
    let queued = |cell: Option<&Cell>| cell.and_then(Cell::bool).unwrap_or(false);
    Ok(rows.iter().filter_map(|row| Some((id(row.first())?, queued(row.get(1))))).collect())
}
