//! drop and dropDatabase.

use engine::codes;
use pgrx::pg_sys::{self, Datum};

use super::fail;
use super::table::AsAdmin;
use crate::catalog::{self, Collection};
use crate::error::{Error, Result};
use crate::spi::{self, Cell, Param};
use crate::{builds, guard, xact};

/// Drops a collection or view; false when there is none.
pub fn drop(db: &str, name: &str) -> Result<bool> {
    // Waits for another transaction that drops the same one, and then finds nothing.
    let rows = spi::run_returning(
        "DELETE FROM documentdb_api_catalog.collections
         WHERE database_name OPERATOR(pg_catalog.=) $1 AND collection_name OPERATOR(pg_catalog.=) $2
         RETURNING collection_id, view_definition IS NOT NULL",
        &[Param::Text(Some(db)), Param::Text(Some(name))],
    )?;
    let Some(row) = rows.first() else { return Ok(false) };
    let (id, is_view) = (row.first().and_then(Cell::int), row.get(1).and_then(Cell::bool));
    let Some(id) = id else { return Ok(false) };
    if is_view == Some(true) {
        return Ok(true);
    }
    spi::run(
        "DELETE FROM documentdb_api_catalog.collection_indexes WHERE collection_id OPERATOR(pg_catalog.=) $1",
        &[Param::Int8(id)],
    )?;
    spi::run(
        "DELETE FROM documentdb_api_catalog.capped_collections WHERE collection_id OPERATOR(pg_catalog.=) $1",
        &[Param::Int8(id)],
    )?;
    builds::stop(id)?;
    let _admin = AsAdmin::new()?;
    spi::run(
        &format!("DROP TABLE IF EXISTS documentdb_data.documents_{id}, documentdb_data.retry_{id}"),
        &[],
    )?;
    Ok(true)
}

/// A table can be dropped by its owner, the role of all members of documentdb_admin_role.
fn require_owner(c: &Collection) -> Result<()> {
    // SAFETY: look-ups in PostgreSQL's caches.
    let owner = c.view.is_some() || unsafe { pg_sys::pg_class_ownercheck(c.heap, pg_sys::GetUserId()) };
    if owner {
        return Ok(());
    }
    Err(Error::native(b"42501", format!("must be owner of table documents_{}", c.id)))
}

/// On a standby: what PostgreSQL says about dropping a table, when there is something to drop.
fn guard_drop(exists: bool) -> Result<()> {
    // SAFETY: reads the server's state.
    if exists && unsafe { pg_sys::RecoveryInProgress() } {
        return Err(Error::native(b"25006", "cannot execute DROP TABLE in a read-only transaction"));
    }
    guard::write()
}

pgfn! {
    /// `documentdb_api.drop_collection`
    fn command_drop_collection(call) {
        let (Some(db), Some(name)) = (call.opt_text(0)?, call.opt_text(1)?) else { return Ok(Datum::from(false)) };
        let found = catalog::find(db, name)?;
        guard_drop(found.is_some())?;
        if let (Some(c), Some(wanted)) = (&found, call.arg(3)) {
            // SAFETY: the argument is declared uuid: 16 bytes behind a pointer.
            let wanted = unsafe { core::slice::from_raw_parts(wanted.cast_mut_ptr::<u8>(), 16) };
            if c.uuid.as_ref().map(<[u8; 16]>::as_slice) != Some(wanted) {
                let message = format!("drop collection {} UUID mismatch", c.namespace());
                return Err(fail(codes::COLLECTION_UUID_MISMATCH, message));
            }
        }
        if let Some(c) = &found {
            require_owner(c)?;
        }
        Ok(Datum::from(found.is_some() && drop(db, name)?))
    }
}
pgfn! {
    /// `documentdb_api.drop_database`
    fn command_drop_database(call) {
        let Some(db) = call.opt_text(0)? else { return Ok(Datum::null()) };
        let names = {
            let _snapshot = xact::Snapshot::latest();
            spi::query(
                "SELECT collection_name FROM documentdb_api_catalog.collections
                 WHERE database_name OPERATOR(pg_catalog.=) $1 ORDER BY collection_name",
                &[Param::Text(Some(db))],
            )?
        };
        guard_drop(!names.is_empty())?;
        for row in &names {
            if let Some(name) = row.first().and_then(Cell::text) {
                xact::check_interrupts();
                drop(db, name)?;
            }
        }
        Ok(Datum::null())
    }
}
