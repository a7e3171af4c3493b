//! Has a background worker run that removes expired documents, wherever there is something for it to do.
//!
//! The worker is started by the first backend that meets a collection with such an index, so that nothing has to be
//! preloaded. It holds a lock while it lives; a second one ends at once.

use core::cell::Cell;
use std::time::Duration;

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

/// What this backend knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No collection needs it, as far as was seen.
    Unneeded,
    /// One does, but here nothing can be changed.
    Waiting,
    /// It was started, or it ran already.
    Done,
}

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::Unneeded) };
}

/// This backend has met a collection whose documents expire.
pub fn want() -> Result<()> {
    if STATE.get() == State::Unneeded {
        STATE.set(State::Waiting);
    }
    start()
}

/// Starts the worker if one is wanted and this server takes writes (a standby does, once it is promoted).
pub fn start() -> Result<()> {
    // SAFETY: reads the server's state.
    if STATE.get() != State::Waiting || interval().is_none() || unsafe { pg_sys::RecoveryInProgress() } {
        return Ok(());
    }
    STATE.set(State::Done);
    if runs()? {
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
        // All places for workers are taken: the next backend tries again.
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
    let rows = spi::query("SELECT pg_catalog.pg_try_advisory_lock($1)", &[Param::Int8(LOCK)])?;
    Ok(rows.first().and_then(|row| row.first()).and_then(Column::bool).unwrap_or(false))
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
