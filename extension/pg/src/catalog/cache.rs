//! The per-backend cache of catalog entries.
//!
//! Any change of the catalog tables fires a trigger that invalidates the relation cache entry of `collections`; DDL on a
//! data table invalidates that table's. PostgreSQL delivers both at the right moments: to this backend at the next
//! command, to others when the change commits and they next take a lock or start a transaction, and to this backend again
//! when it is rolled back. So an entry never outlives what it was read from, and no transaction logic is needed here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use pgrx::pg_sys::{self, Datum, Oid};

use super::{Collection, load};
use crate::error::Result;

#[derive(Default)]
struct Cache {
    by_name: HashMap<String, HashMap<String, Rc<Collection>>>,
    /// Oids of `collections` and `collection_indexes` when the entries were read.
    catalog: [Oid; 2],
    /// Grows with every invalidation: an entry read before one is not kept after it.
    generation: u64,
    registered: bool,
}

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

pub fn find(db: &str, name: &str) -> Result<Option<Rc<Collection>>> {
    register();
    // SAFETY: pending invalidations are taken in as PostgreSQL does when it locks a relation; the callback only
    // touches CACHE, which is not borrowed here.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    let hit = CACHE.with_borrow(|c| c.by_name.get(db).and_then(|names| names.get(name)).cloned());
    if hit.is_some() {
        return Ok(hit);
    }
    let before = CACHE.with_borrow(|c| c.generation);
    let catalog = load::catalog_oids()?;
    let Some(found) = load::collection(db, name)?.map(Rc::new) else { return Ok(None) };
    CACHE.with_borrow_mut(|c| {
        if c.generation == before {
            c.catalog = catalog;
            c.by_name.entry(db.to_owned()).or_default().insert(name.to_owned(), found.clone());
        }
    });
    Ok(Some(found))
}

/// Takes an entry out.
pub fn forget(db: &str, name: &str) {
    CACHE.with_borrow_mut(|c| c.by_name.get_mut(db).and_then(|names| names.remove(name)));
}

fn register() {
    let first = CACHE.with_borrow_mut(|c| !core::mem::replace(&mut c.registered, true));
    if first {
        // SAFETY: the callback is a plain function that lives as long as the library.
        unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(invalidate), Datum::null()) };
    }
}

/// PostgreSQL calls this for every invalidated relation; invalid oid means all of them.
unsafe extern "C-unwind" fn invalidate(_: Datum, relation: Oid) {
    CACHE.with(|cell| {
        // Never borrowed while PostgreSQL runs; were it, forgetting nothing would be the greater harm.
        let Ok(mut c) = cell.try_borrow_mut() else { return };
        c.generation += 1;
        if relation == pg_sys::InvalidOid || c.catalog.contains(&relation) {
            c.by_name.clear();
        } else {
            for names in c.by_name.values_mut() {
                names.retain(|_, found| found.heap != relation);
            }
        }
    });
}

pgfn! {
    /// The catalog tables' trigger: announces a change to all backends.
    fn catalog_changed(_call) {
        for oid in load::catalog_oids()? {
            // SAFETY: an oid of a relation that exists.
            unsafe { pg_sys::CacheInvalidateRelcacheByRelid(oid) };
        }
        Ok(Datum::null())
    }
}
