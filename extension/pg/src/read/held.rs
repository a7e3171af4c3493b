//! The official extension's way with results that are not streamed: one of them is held by a backend, and lost when the
//! backend opens the next one (sql-api.md 1.2). Only with `ermine.official_cursors`.

use std::cell::RefCell;

use engine::{Error, codes};
use pgrx::pg_sys;

use super::spool;
use crate::error::Result;

struct Held {
    cursor: i64,
    file: String,
    offset: u64,
    /// Opened in a transaction block: ends with it.
    transaction: Option<u32>,
}

impl Drop for Held {
    fn drop(&mut self) {
        spool::remove(&self.file);
    }
}

thread_local! {
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

/// Inside a transaction block.
pub fn in_transaction() -> bool {
    // SAFETY: reads the transaction's state.
    unsafe { pg_sys::IsTransactionBlock() }
}

fn transaction() -> u32 {
    // SAFETY: a backend that runs a function has its process entry.
    unsafe { (*pg_sys::MyProc).lxid }
}

/// Closes what is held, as opening the next one does.
pub fn close() {
    HELD.take();
}

/// Holds a result.
pub fn hold(cursor: i64, file: String) {
    let transaction = in_transaction().then(transaction);
    HELD.set(Some(Held { cursor, file, offset: 0, transaction }));
}

fn lost() -> crate::error::Error {
    Error::new(codes::CURSOR_NOT_FOUND, "Cursor not found in the store.").into()
}

/// The rest of a held result, to be given back by [`keep`] unless it is finished.
///
/// # Errors
/// CursorNotFound 43 when it is not held here (any more).
pub fn reader(cursor: i64) -> Result<spool::Reader> {
    let found = HELD.with_borrow(|h| {
        let h = h.as_ref().filter(|h| h.cursor == cursor)?;
        let alive = h.transaction.is_none_or(|t| in_transaction() && t == transaction());
        alive.then(|| (h.file.clone(), h.offset))
    });
    let (file, offset) = found.ok_or_else(lost)?;
    spool::Reader::open(&file, offset)?.ok_or_else(lost)
}

/// Remembers how far a held result has been read.
pub fn keep(offset: u64) {
    HELD.with_borrow_mut(|h| {
        if let Some(h) = h {
            h.offset = offset;
        }
    });
}
