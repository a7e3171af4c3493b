//! Databases whose names differ only in case cannot be together, as in MongoDB.
//!
//! Collections of transactions that have not ended are not to be seen in the catalog. So whoever makes one holds a lock
//! that names the database until his transaction ends: in shared mode, because two collections of one database are in
//! nobody's way. Whoever makes one in a database of another case waits for that lock.

use engine::codes;

use crate::error::{Result, internal};
use crate::spi::{self, Cell, Param};
use crate::xact::{Snapshot, check_interrupts};

/// First half of these locks ("ermc").
const CASE: i32 = 0x6572_6d63;

/// Checks that a collection can be made in this database, and that it stays so until the transaction ends.
///
/// # Errors
/// 13297 for a database that differs only in case.
pub fn check(db: &str) -> Result<()> {
    let own = key(db)?;
    spi::run(
        "SELECT pg_catalog.pg_advisory_xact_lock_shared($1, $2)",
        &[Param::Int4(Some(CASE)), Param::Int4(Some(own))],
    )?;
    while let Some(other) = other(own)? {
        check_interrupts();
        spi::run(
            "SELECT pg_catalog.pg_advisory_xact_lock($1, $2)",
            &[Param::Int4(Some(CASE)), Param::Int4(Some(other))],
        )?;
    }
    let _snapshot = Snapshot::latest();
    let rows = spi::query(
        "SELECT database_name FROM documentdb_api_catalog.collections
         WHERE pg_catalog.lower(database_name) OPERATOR(pg_catalog.=) pg_catalog.lower($1)
           AND database_name OPERATOR(pg_catalog.<>) $1 LIMIT 1",
        &[Param::Text(Some(db))],
    )?;
    match rows.first().and_then(|r| r.first()).and_then(Cell::text) {
        None => Ok(()),
        Some(there) => Err(engine::Error::new(
            codes::DATABASE_DIFFER_CASE,
            format!("db already exists with different case already have: [{there}] trying to create [{db}]"),
        )
        .into()),
    }
}

/// Second half of a database's lock: 16 bits that tell the name whatever its case, 16 bits that tell it with its case.
fn key(db: &str) -> Result<i32> {
    let _snapshot = Snapshot::latest();
    let rows = spi::query(
        "SELECT pg_catalog.hashtext(pg_catalog.lower($1)), pg_catalog.hashtext($1)",
        &[Param::Text(Some(db))],
    )?;
    match rows.first().map(Vec::as_slice) {
        Some([Cell::Int(any), Cell::Int(exact)]) => {
            Ok(((*any as u32 & 0xFFFF) << 16 | (*exact as u32 & 0xFFFF)) as i32)
        }
        _ => Err(internal("no hash of a database's name")),
    }
}

/// The lock of a database of another case in which another transaction makes a collection. One that waits for such a lock
/// itself is not waited for: it looks again.
fn other(own: i32) -> Result<Option<i32>> {
    let _snapshot = Snapshot::latest();
    // Read at once: what one row says and what another one says are of the same moment.
    let rows = spi::query(
        "SELECT l.objid::int8, l.pid, l.granted
         FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) l.database
         WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
         AND l.classid::int8 OPERATOR(pg_catalog.=) $1 AND l.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()",
        &[Param::Int8(i64::from(CASE))],
    )?;
    let locks: Vec<(i32, i64, bool)> = rows
        .iter()
        .filter_map(|row| match row.as_slice() {
            [Cell::Int(key), Cell::Int(pid), Cell::Bool(granted)] => {
                Some((*key as u32 as i32, *pid, *granted))
            }
            _ => None,
        })
        .collect();
    let waits = |pid| locks.iter().any(|(_, p, granted)| *p == pid && !granted);
    let alike = |key: i32| key != own && (key ^ own) as u32 >> 16 == 0;
    let found = locks.iter().find(|(key, pid, granted)| *granted && alike(*key) && !waits(*pid));
    Ok(found.map(|(key, _, _)| *key))
}
