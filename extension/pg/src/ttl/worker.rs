//! The background worker: looks for expired documents from time to time, as long as there are indexes that make them expire.

use std::time::Duration;

use pgrx::bgworkers::{BackgroundWorker, SignalWakeFlags};
use pgrx::pg_sys::{self, Datum, Oid};

use super::{BATCH, expire, targets};
use crate::error::Result;
use crate::spi;
use crate::toplevel;
use crate::upkeep;
use crate::xact::Snapshot;

/// How long it rests at least when something went wrong with the whole.
const REST: Duration = Duration::from_secs(60);

/// What one look gave.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// There may be more to delete.
    More,
    /// Nothing for now.
    Done,
    /// The server wants it to end.
    Ended,
    /// No index makes documents expire any more, or the extension is gone.
    Unneeded,
}

/// The main function of the worker, called by PostgreSQL with the database's oid.
#[pgrx::pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn ermine_upkeep_main(database: Datum) {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(Oid::from(database.value() as u32)), None);
    match transaction(upkeep::claim) {
        Ok(true) => {}
        Ok(false) => return,
        Err(e) => return complain(&e),
    }
    // Whoever made the first such index has not committed it yet.
    let mut looked = 0;
    let mut rest = Duration::ZERO;
    while let Some(interval) = upkeep::interval() {
        if !BackgroundWorker::wait_latch(Some(interval.max(rest))) {
            return;
        }
        if BackgroundWorker::sighup_received() {
            // SAFETY: outside of a transaction, as PostgreSQL wants it.
            unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
        }
        rest = Duration::ZERO;
        loop {
            let found = look();
            // SAFETY: outside of a transaction; PostgreSQL's own vacuum is to hear of the deleted rows.
            unsafe { pg_sys::pgstat_report_stat(true) };
            match found {
                Ok(Look::More) => {}
                Ok(Look::Ended) => return,
                Ok(Look::Unneeded) if looked > 0 => return,
                Ok(Look::Unneeded | Look::Done) => break,
                Err(e) => {
                    // It keeps its lock: one that ended would be started anew by whoever needs it.
                    complain(&e);
                    rest = REST;
                    break;
                }
            }
        }
        looked += 1;
    }
}

/// One look. Each index has a transaction of its own: while one has to wait, what went before is done, and holds nobody up.
fn look() -> Result<Look> {
    let Some(targets) = transaction(|| needed()?.then(targets).transpose())? else {
        return Ok(Look::Unneeded);
    };
    let mut more = false;
    for target in &targets {
        match transaction(|| expire(target, BATCH)) {
            Ok(deleted) => more |= deleted >= BATCH,
            Err(e) => target.complain(&e),
        }
        if BackgroundWorker::sigterm_received() {
            return Ok(Look::Ended);
        }
    }
    Ok(if more { Look::More } else { Look::Done })
}

/// Is the extension there, and something that makes documents expire?
fn needed() -> Result<bool> {
    let there =
        "SELECT 1 WHERE pg_catalog.to_regclass('documentdb_api_catalog.collection_indexes') IS NOT NULL";
    Ok(!spi::query(there, &[])?.is_empty() && upkeep::needed()?)
}

/// Runs `f` in a transaction of its own, under a snapshot as a statement has one.
fn transaction<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    toplevel::transaction(|| {
        let _snapshot = Snapshot::fresh();
        f()
    })
}

fn complain(e: &crate::error::Error) {
    pgrx::log!("ermine: expired documents stay: {}", e.message);
}
