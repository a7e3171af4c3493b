//! Snapshots, subtransactions, time limits.

use core::ffi::c_int;

use pgrx::pg_sys;

use crate::error::{Result, caught};
use crate::guc;

/// An active snapshot, popped when dropped. After an ERROR the (sub)transaction's end pops it instead.
pub struct Snapshot(());

impl Snapshot {
    /// What the transaction's isolation level sees now, its own changes up to here included.
    pub fn fresh() -> Self {
        // SAFETY: plain calls inside a transaction.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
        Snapshot(())
    }

    /// What is committed now, whatever the isolation level: for the catalog.
    pub fn latest() -> Self {
        // SAFETY: as above.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
        Snapshot(())
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: pushed by the constructor; uses nest.
            unsafe { pg_sys::PopActiveSnapshot() };
        }
    }
}

/// Runs `f` in a subtransaction: kept when `f` succeeds, undone when it fails with anything. The failure is a value.
pub fn subtransaction<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    // SAFETY: the protocol of plpgsql's exception blocks: begin, run, release or roll back, then restore the memory
    // context and resource owner that the subtransaction replaced.
    unsafe {
        let (context, owner) = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(core::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let result = caught(f);
        pg_sys::MemoryContextSwitchTo(context);
        if result.is_ok() {
            pg_sys::ReleaseCurrentSubTransaction();
        } else {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        result
    }
}

/// True when the transaction keeps one snapshot: a conflict with another one is then an error, not a wait and retry.
pub fn keeps_snapshot() -> bool {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as c_int }
}

unsafe extern "C-unwind" {
    fn enable_timeout_after(id: c_int, delay_ms: c_int);
}

/// PostgreSQL 15's `TimeoutId` of the statement timeout.
const STATEMENT_TIMEOUT: c_int = 3;

/// Arms the statement timeout for the rest of the running statement (maxTimeMS). 0 means no limit of its own.
pub fn limit_time(ms: i64) {
    if ms <= 0 || !guc::flag(c"documentdb.enableStatementTimeout") {
        return;
    }
    let most = i64::from(guc::number(c"documentdb.maxCustomCommandTimeoutLimit"));
    // SAFETY: the backend's own timeout; PostgreSQL disarms it when the statement ends.
    unsafe { enable_timeout_after(STATEMENT_TIMEOUT, ms.min(most) as c_int) };
}

/// To be called in every loop over documents: cancels and timeouts act here.
#[inline]
pub fn check_interrupts() {
    pg_sys::check_for_interrupts!();
}
