//! Indexes as objects: createIndexes, dropIndexes and what goes with them.
//!
//! Kinds that are not built yet are refused by name; nothing is stored that is not really an index.

mod abort;
mod background;
mod create;
mod drop;
mod geo;
mod parse;
mod partial;
mod pattern;
mod queue;
mod show;
mod text;
mod wild;
mod worker;

pub use create::definition;

use crate::catalog::Collection;
use crate::error::Result;
use crate::spi::{self, Param};

/// Number of a collection's indexes, `_id_` included.
fn count(c: &Collection) -> i32 {
    i32::try_from(c.secondary().count()).unwrap_or(i32::MAX - 1) + 1
}

/// Removes an index: its relation, its catalog row, its place in the queue. Builds of the collection are [paused](builds::pause).
fn remove(id: i32) -> Result<()> {
    drop_relation(id)?;
    spi::run(
        "DELETE FROM documentdb_api_catalog.collection_indexes WHERE index_id OPERATOR(pg_catalog.=) $1",
        &[Param::Int4(Some(id))],
    )?;
    spi::run(
        "DELETE FROM documentdb_api_catalog.documentdb_index_queue
         WHERE index_id OPERATOR(pg_catalog.=) $1 AND index_cmd_status OPERATOR(pg_catalog.<=) 3",
        &[Param::Int4(Some(id))],
    )?;
    Ok(())
}

/// What there is of an index, complete or not.
fn drop_relation(id: i32) -> Result<()> {
    let _admin = crate::ddl::AsAdmin::new()?;
    spi::run(&format!("DROP INDEX IF EXISTS documentdb_data.documents_rum_index_{id}"), &[])?;
    Ok(())
}
