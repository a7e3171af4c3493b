//! Has a background worker run that removes expired documents, wherever there is something for it to do.
//!
//! The worker is started by a backend that meets a collection with such an index, so that nothing has to be preloaded. It
//! holds a lock while it lives; a second one ends at once. Whoever has met such a collection looks from time to time whether it
//! is there.

use core::cell::Cell;
use std::time::{Duration, Instant};

use pgrx::bgworkers::BackgroundWorkerBuilder;
use pgrx::pg_sys;

use crate::error::Result;
use crate::guc;
use crate::spi::{self, Cell as Column, Param};
use crate::xact::Snapshot;

/// The advisory lock that the worker of a database holds ("ermine").
const LOCK: i64 = 0x6572_6d69_6e65;
/// A worker that failed is started again after this.
const RESTART: Duration = Duration::from_secs(60);

/// A backend that changes something looks for the worker no more often than this: it ends when nothing expires any more, when
/// it is told to, and with the server's settings.
const LOOK: Duration = Duration::from_secs(10);
/// The same for one that meets a collection whose documents expire.
const LOOK_MEETING: Duration = Duration::from_secs(1);

thread_local! {
    /// This backend has met a collection whose documents expire, and has not found since that there is none any more.
    static WANTED: Cell<bool> = const { Cell::new(false) };
    /// When it last looked for the worker.
    static LOOKED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// This backend has met a collection whose documents expire.
pub fn want() -> Result<()> {
    WANTED.set(true);
    start_after(LOOK_MEETING)
}

/// Starts the worker if one is wanted and this server takes writes (a standby does, once it is promoted).
pub fn start() -> Result<()> {
    start_after(LOOK)
}

/// [`start`], unless this backend has looked for it in the last `pause`.
fn start_after(pause: Duration) -> Result<()> {
    if !WANTED.get() || LOOKED.get().is_some_and(|at| at.elapsed() < pause) || interval().is_none() {
        return Ok(());
    }
    // SAFETY: reads the server's state.
    if unsafe { pg_sys::RecoveryInProgress() || !pg_sys::MyBgworkerEntry.is_null() } {
        return Ok(());
    }
    LOOKED.set(Some(Instant::now()));
    if runs()? {
        return Ok(());
    }
    if !needed()? {
        WANTED.set(false);
        return Ok(());
    }
    // SAFETY: reads a variable of the backend.
    let database = unsafe { pg_sys::MyDatabaseId };
    let worker = BackgroundWorkerBuilder::new("ermine upkeep")
        .set_library("ermine")
        .set_function("ermine_upkeep_main")
        .set_argument(Some(pg_sys::Datum::from(database)))
        .set_restart_time(Some(RESTART))
        .enable_spi_access();
    if worker.load_dynamic().is_err() {
        // All places for workers are taken: somebody tries again.
        pgrx::log!("ermine: no place for the worker that removes expired documents (max_worker_processes)");
    }
    Ok(())
}

/// How often the worker looks; `None` when it never does.
pub fn interval() -> Option<Duration> {
    let seconds = u64::try_from(guc::number(c"ermine.ttl_interval")).unwrap_or(0);
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// Takes the worker's lock; false if another one has it.
pub fn claim() -> Result<bool> {
    let _snapshot = Snapshot::latest();
    let rows = spi::query("SELECT pg_catalog.pg_try_advisory_lock($1)", &[Param::Int8(LOCK)])?;
    Ok(rows.first().and_then(|row| row.first()).and_then(Column::bool).unwrap_or(false))
}

/// Is there something whose documents expire, as committed now or made by this transaction?
pub fn needed() -> Result<bool> {
    let _snapshot = Snapshot::latest();
    let any = "SELECT 1 FROM documentdb_api_catalog.collection_indexes
               WHERE (index_spec).index_expire_after_seconds IS NOT NULL
               UNION ALL SELECT 1 FROM documentdb_api_catalog.collections
               WHERE documentdb_core.bson_get_value_text(storage_options, 'expireAfterSeconds') IS NOT NULL LIMIT 1";
    Ok(!spi::query(any, &[])?.is_empty())
}

fn runs() -> Result<bool> {
    let _snapshot = Snapshot::latest();
    let rows = spi::query(
        "SELECT 1 FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) l.database
         WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
         AND l.granted AND ((l.classid::int8 OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.|) l.objid::int8) OPERATOR(pg_catalog.=) $1",
        &[Param::Int8(LOCK)],
    )?;
    Ok(!rows.is_empty())
}
