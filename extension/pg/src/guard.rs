//! Refusing writes where there can be none (sql-api.md 0 and 6).

use engine::codes;
use pgrx::pg_sys;

use crate::error::{Error, Result};
use crate::guc;
use crate::upkeep;

/// What a standby says to a write.
const RECOVERY: &str = "Can't execute write operation, the database is in recovery and waiting for the standby node to be promoted.";

/// Refuses on a standby. Every command that may write calls this when it has understood its arguments and before it
/// looks at any data: a write is refused there even if it would change nothing.
///
/// # Errors
/// 25006 on a standby, and on a primary that plays one (`documentdb.simulateRecoveryState`).
pub fn standby() -> Result<()> {
    // SAFETY: reads the server's state.
    if unsafe { pg_sys::RecoveryInProgress() } || guc::flag(c"documentdb.simulateRecoveryState") {
        return Err(Error::native(b"25006", RECOVERY));
    }
    Ok(())
}

/// [`standby`], then the transaction's own read-only state.
///
/// # Errors
/// NotWritablePrimary 10107 when transactions are read-only by default, OperationNotSupportedInTransaction 263 when this
/// one was made so.
pub fn write() -> Result<()> {
    standby()?;
    upkeep::start()?;
    // SAFETY: reads variables of the backend.
    let (read_only, by_default) = unsafe { (pg_sys::XactReadOnly, pg_sys::DefaultXactReadOnly) };
    if !read_only {
        return Ok(());
    }
    let (code, message) = if by_default {
        (
            codes::NOT_WRITABLE_PRIMARY,
            "cannot execute write operations when the server is in a read-only state.",
        )
    } else {
        (
            codes::OPERATION_NOT_SUPPORTED_IN_TRANSACTION,
            "cannot execute write operation when the transaction is in a read-only state.",
        )
    };
    Err(engine::Error::new(code, message).into())
}

/// Refuses while the operator has declared the disk full. Part of each operation, not of the command: it is reported in
/// `writeErrors`.
///
/// # Errors
/// 53100.
pub fn disk_full() -> Result<()> {
    if guc::flag(c"documentdb.IsPgReadOnlyForDiskFull") {
        return Err(Error::native(b"53100", "Can't execute write operation, The database disk is full"));
    }
    Ok(())
}
