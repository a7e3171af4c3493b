//! The background worker: looks for expired documents from time to time, as long as there are indexes that make them expire.

use pgrx::bgworkers::{BackgroundWorker, SignalWakeFlags};
use pgrx::pg_sys::{self, Datum, Oid};

use super::{BATCH, pass};
use crate::error::{self, Result};
use crate::spi;
use crate::upkeep;

/// What one look gave.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// There may be more to delete.
    More,
    /// Nothing for now.
    Done,
    /// No index makes documents expire any more, or the extension is gone.
    Unneeded,
}

/// The main function of the worker, called by PostgreSQL with the database's oid.
#[pgrx::pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn ermine_upkeep_main(database: Datum) {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(Oid::from(database.value() as u32)), None);
    if !transaction(upkeep::claim) {
        return;
    }
    // Whoever made the first such index has not committed it yet.
    let mut looked = 0;
    while let Some(interval) = upkeep::interval() {
        if !BackgroundWorker::wait_latch(Some(interval)) {
            return;
        }
        if BackgroundWorker::sighup_received() {
            // SAFETY: outside of a transaction, as PostgreSQL wants it.
            unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
        }
        loop {
            match transaction(look) {
                Look::More if !BackgroundWorker::sigterm_received() => {}
                Look::More => return,
                Look::Unneeded if looked > 0 => return,
                Look::Unneeded | Look::Done => break,
            }
        }
        looked += 1;
    }
}

fn look() -> Result<Look> {
    let there =
        "SELECT 1 WHERE pg_catalog.to_regclass('documentdb_api_catalog.collection_indexes') IS NOT NULL";
    if spi::query(there, &[])?.is_empty() {
        return Ok(Look::Unneeded);
    }
    let any = "SELECT 1 FROM documentdb_api_catalog.collection_indexes
               WHERE (index_spec).index_expire_after_seconds IS NOT NULL
               UNION ALL SELECT 1 FROM documentdb_api_catalog.collections
               WHERE documentdb_core.bson_get_value_text(storage_options, 'expireAfterSeconds') IS NOT NULL LIMIT 1";
    if spi::query(any, &[])?.is_empty() {
        return Ok(Look::Unneeded);
    }
    Ok(if pass(BATCH)? { Look::More } else { Look::Done })
}

/// Runs `f` in a transaction of its own. A failure is logged by PostgreSQL and ends the worker; it comes back after a while.
fn transaction<T: Copy>(f: fn() -> Result<T>) -> T {
    // SAFETY: the clock of statements, which `now` of a command is read from.
    unsafe { pg_sys::SetCurrentStatementStartTimestamp() };
    // SAFETY: nothing here has a destructor, and the guard around main catches what is raised.
    BackgroundWorker::transaction(move || unsafe { error::boundary_as(f) })
}
