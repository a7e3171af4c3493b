//! Where a command writes to.

use std::rc::Rc;

use crate::catalog::{self, Collection};
use crate::ddl;
use crate::error::{Error, Result, internal};
use crate::storage::{Access, Table};
use crate::xact::{check_interrupts, keeps_snapshot};

/// A collection and its table, which nobody drops or exchanges until the transaction ends.
pub struct Place {
    /// The collection.
    pub collection: Rc<Collection>,
    /// Its table. The privilege has not been asked for: [`Table::require`] does where a refusal belongs.
    pub table: Table,
}

impl Place {
    /// The collection of this name, views refused; with `make` it is made where there is none.
    ///
    /// The table may be gone when its lock is free: dropped, or exchanged by a rename onto the name or by convertToCapped.
    /// The name is looked up again then, because the documents may be in another table.
    ///
    /// # Errors
    /// Those of [`ddl::ensure`]; 40001 in a transaction that keeps its snapshot and sees nothing of what is in the other
    /// table.
    pub fn find(db: &str, name: &str, access: Access, make: bool) -> Result<Option<Place>> {
        let mut exchanged = false;
        loop {
            let collection = match catalog::find_table(db, name)? {
                Some(_) if exchanged && keeps_snapshot() => {
                    return Err(Error::native(
                        b"40001",
                        "could not serialize access due to concurrent update",
                    ));
                }
                Some(found) => found,
                None if make => ddl::ensure(db, name)?,
                None => return Ok(None),
            };
            if let Some(table) = Table::lock(&collection, access) {
                return Ok(Some(Place { collection, table }));
            }
            exchanged = true;
            check_interrupts();
        }
    }

    /// As [`Place::find`], made if there is none.
    ///
    /// # Errors
    /// Those of [`Place::find`].
    pub fn ensure(db: &str, name: &str, access: Access) -> Result<Place> {
        Self::find(db, name, access, true)?.ok_or_else(|| internal("a collection vanished while it was made"))
    }
}
