//! drop and dropDatabase.

use engine::codes;
use pgrx::pg_sys::{self, Datum};

use super::table::AsAdmin;
use super::{fail, lock};
use crate::catalog::{self, Collection};
use crate::error::{Error, Result};
use crate::spi::{self, Cell, Param};
use crate::{builds, guard, xact};

/// What the catalog keeps of a collection beside its row, by its number.
const PARTS: [&str; 3] = ["collection_indexes", "documentdb_index_queue", "capped_collections"];

/// Drops a collection or view whose row is [locked](lock).
pub fn drop(c: &Collection) -> Result<()> {
    let id = [Param::Int8(c.id)];
    spi::run(
        "DELETE FROM documentdb_api_catalog.collections WHERE collection_id OPERATOR(pg_catalog.=) $1",
        &id,
    )?;
    if c.view.is_some() {
        return Ok(());
    }
    builds::pause(c.id)?;
    {
        let _admin = AsAdmin::new()?;
        let tables = format!("documentdb_data.documents_{0}, documentdb_data.retry_{0}", c.id);
        spi::run(&format!("DROP TABLE IF EXISTS {tables}"), &[])?;
    }
    // Not before: another transaction that enters an index has the table until it ends.
    for part in PARTS {
        let sql = format!(
            "DELETE FROM documentdb_api_catalog.{part} WHERE collection_id OPERATOR(pg_catalog.=) $1"
        );
        spi::run(&sql, &id)?;
    }
    Ok(())
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
        let Some(found) = found else { return Ok(Datum::from(false)) };
        // SAFETY: the argument is declared uuid: 16 bytes behind a pointer.
        let wanted = call.arg(3).map(|uuid| unsafe { core::slice::from_raw_parts(uuid.cast_mut_ptr::<u8>(), 16) });
        let check = |c: &Collection| {
            if wanted.is_some_and(|wanted| c.uuid.as_ref().map(<[u8; 16]>::as_slice) != Some(wanted)) {
                let message = format!("drop collection {} UUID mismatch", c.namespace());
                return Err(fail(codes::COLLECTION_UUID_MISMATCH, message));
            }
            require_owner(c)
        };
        check(&found)?;
        // By the time that it can be locked the name may be gone, or another collection's.
        let Some(found) = lock::one(db, name)? else { return Ok(Datum::from(false)) };
        check(&found)?;
        drop(&found)?;
        Ok(Datum::from(true))
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
                 WHERE database_name OPERATOR(pg_catalog.=) $1 ORDER BY collection_id",
                &[Param::Text(Some(db))],
            )?
        };
        guard_drop(!names.is_empty())?;
        for row in &names {
            if let Some(name) = row.first().and_then(Cell::text) {
                xact::check_interrupts();
                if let Some(c) = lock::one(db, name)? {
                    drop(&c)?;
                }
            }
        }
        Ok(Datum::null())
    }
}
