//! Statements that PostgreSQL allows only outside of transaction blocks, run by a background worker.

use core::ffi::{c_int, c_long};
use std::ffi::CString;

use pgrx::pg_sys::{self, CommandTag};

use crate::error::{Result, caught, internal};

unsafe extern "C-unwind" {
    /// tcop/postgres.c: a backend's own way to end when it is asked to, at its next safe place.
    fn die(signal: c_int);
}

/// Has SIGTERM end the worker at its next safe place, in the midst of a statement too, and lets signals in. (SIGINT cancels the
/// statement: PostgreSQL has set that up.)
pub fn obey_signals() {
    // SAFETY: what a background worker does first; the handler is PostgreSQL's own.
    unsafe {
        pg_sys::pqsignal(pg_sys::SIGTERM as c_int, Some(die));
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

/// Runs `f` in a transaction of its own; whatever goes wrong is a value, and the transaction is undone.
pub fn transaction<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    // SAFETY: the protocol of PostgreSQL's own workers; `caught` leaves the error state clean.
    unsafe {
        pg_sys::SetCurrentStatementStartTimestamp();
        pg_sys::StartTransactionCommand();
        let result = caught(|| {
            let value = f()?;
            pg_sys::CommitTransactionCommand();
            Ok(value)
        });
        if result.is_err() {
            pg_sys::AbortCurrentTransaction();
        }
        result
    }
}

/// Runs one statement as a client would send it alone: it may begin and end transactions.
pub fn statement(sql: &str) -> Result<()> {
    let text = CString::new(sql).map_err(|_| internal("NUL in a statement"))?;
    // SAFETY: a context that outlives the statement's transactions, as the parsed statement must.
    let memory = unsafe {
        pg_sys::AllocSetContextCreateInternal(
            pg_sys::TopMemoryContext,
            c"ermine statement".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        )
    };
    let result = transaction(|| {
        // SAFETY: what exec_simple_query does with one utility statement; the parsed statement lives in
        // `memory`, the portal in PostgreSQL's own, and the text outlives both.
        unsafe {
            pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, text.as_ptr());
            pg_sys::MemoryContextSwitchTo(memory);
            let parsed = pg_sys::pg_parse_query(text.as_ptr());
            let raw = pg_sys::list_nth(parsed, 0).cast::<pg_sys::RawStmt>();
            let none = core::ptr::null_mut();
            let queries = pg_sys::pg_analyze_and_rewrite_fixedparams(
                raw,
                text.as_ptr(),
                core::ptr::null(),
                0,
                core::ptr::null_mut(),
            );
            let plans = pg_sys::pg_plan_queries(queries, text.as_ptr(), 0, core::ptr::null_mut());
            let portal = pg_sys::CreateNewPortal();
            let tag = CommandTag::CMDTAG_UNKNOWN;
            pg_sys::PortalDefineQuery(portal, core::ptr::null(), text.as_ptr(), tag, plans, none);
            pg_sys::PortalStart(portal, core::ptr::null_mut(), 0, core::ptr::null_mut());
            let nowhere = pg_sys::None_Receiver;
            let all = c_long::MAX;
            pg_sys::PortalRun(portal, all, true, true, nowhere, nowhere, core::ptr::null_mut());
            pg_sys::PortalDrop(portal, false);
            pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, core::ptr::null());
        }
        Ok(())
    });
    // SAFETY: the statement is over, and with it the last use of what is in there.
    unsafe {
        pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        pg_sys::MemoryContextDelete(memory);
    }
    result
}
