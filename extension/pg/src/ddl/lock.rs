//! Collections that are about to be changed as objects: whoever changes, renames, converts or drops one holds its row in
//! the catalog until his transaction ends.
//!
//! Locks are taken in one order, or two commands would wait for each other: the rows, those of two collections in the order
//! of their numbers; the right to build on the collection ([`crate::builds`]); the table. Commands that read or write
//! documents take the table alone.

use std::rc::Rc;

use crate::catalog::{self, Collection};
use crate::error::{Error, Result};
use crate::spi::{self, Param};
use crate::xact::{check_interrupts, keeps_snapshot};

type Name<'a> = (&'a str, &'a str);
type Found = Option<Rc<Collection>>;

/// The collection or view of this name, as it is once nobody else changes it: what a command that waited for another one
/// had found before says nothing.
///
/// # Errors
/// 42501 without the privilege; 40001 in a transaction that keeps its snapshot, where the collection is newer.
pub fn one(db: &str, name: &str) -> Result<Found> {
    Ok(all(&[(db, name)])?.pop().flatten())
}

/// As [`one`], for two names at once.
///
/// # Errors
/// Those of [`one`].
pub fn both(a: Name<'_>, b: Name<'_>) -> Result<(Found, Found)> {
    let mut found = all(&[a, b])?;
    let second = found.pop().flatten();
    Ok((found.pop().flatten(), second))
}

fn all(names: &[Name<'_>]) -> Result<Vec<Found>> {
    let ids =
        |found: &[Found]| -> Vec<Option<i64>> { found.iter().map(|c| c.as_ref().map(|c| c.id)).collect() };
    loop {
        check_interrupts();
        let before = names.iter().map(|n| catalog::find(n.0, n.1)).collect::<Result<Vec<_>>>()?;
        let before = ids(&before);
        let mut rows: Vec<i64> = before.iter().flatten().copied().collect();
        rows.sort_unstable();
        rows.dedup();
        let mut locked = true;
        for id in rows {
            locked &= row(id)?;
        }
        let found = names.iter().map(|n| catalog::find_anew(n.0, n.1)).collect::<Result<Vec<_>>>()?;
        if ids(&found) != before {
            continue;
        }
        if locked {
            return Ok(found);
        }
        if keeps_snapshot() {
            return Err(Error::native(b"40001", "could not serialize access due to concurrent update"));
        }
    }
}

/// Locks a row; false when it is gone.
fn row(id: i64) -> Result<bool> {
    let rows = spi::run_returning(
        "SELECT 1 FROM documentdb_api_catalog.collections WHERE collection_id OPERATOR(pg_catalog.=) $1 FOR UPDATE",
        &[Param::Int8(id)],
    )?;
    Ok(!rows.is_empty())
}
