//! Index builds that go on beside writers: the queue of them, who works on it, and how one is stopped.
//!
//! `documentdb_index_queue` holds what is to be built. Background workers take their work from it, one collection each at a
//! time: two `CREATE INDEX CONCURRENTLY` on one table would wait for each other. The right to build on a collection is an
//! advisory lock. Whoever needs a stronger lock on the table takes that right away first, by cancelling the worker.
//!
//! A build that a crash has interrupted stays in the queue; the first backend that meets its collection has it resumed.

use core::cell::Cell;
use std::time::{Duration, Instant};

use pgrx::bgworkers::BackgroundWorkerBuilder;
use pgrx::pg_sys::{self, Datum, TransactionId};

use crate::error::Result;
use crate::spi::{self, Cell as Column, Param};
use crate::xact::{Snapshot, check_interrupts};

/// First half of the advisory locks that are rights to build ("ermb"); the second is the collection's number.
pub const RIGHT: i32 = 0x6572_6d62;
/// First half of the locks that keep two commands from entering indexes of one collection at a time ("erme").
const ENTRY: i32 = 0x6572_6d65;

/// First half of the locks of those who want the right for themselves ("ermw"): no worker takes it while there is one.
const WANT: i32 = 0x6572_6d77;

/// In the queue and waiting.
pub const QUEUED: i32 = 1;
/// A worker has taken it up.
pub const BUILDING: i32 = 2;
/// Complete, but not yet valid: that it becomes together with the others of its command. Up to here an entry stands for an
/// index that is still to come.
pub const BUILT: i32 = 3;
/// Failed; the reason is kept until a day has passed.
pub const FAILED: i32 = 4;

/// A backend looks for workers no more often than this.
const LOOK: Duration = Duration::from_secs(2);

/// How long a worker has for making way before it is cancelled for the second time, and at the most.
const FIRST_PATIENCE: Duration = Duration::from_millis(50);
const LAST_PATIENCE: Duration = Duration::from_secs(2);

thread_local! {
    static LOOKED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Second half of a collection's locks.
pub fn half(collection: i64) -> i32 {
    (collection & 0x7FFF_FFFF) as i32
}

/// Starts a worker that waits for transaction `after` and then looks into the queue. False when there is no place for one.
pub fn start(after: TransactionId) -> bool {
    // SAFETY: reads a variable of the backend.
    let database = u64::from(u32::from(unsafe { pg_sys::MyDatabaseId }));
    let argument = database | u64::from(u32::from(after)) << 32;
    let worker = BackgroundWorkerBuilder::new("ermine index build")
        .set_library("ermine")
        .set_function("ermine_build_main")
        .set_argument(Some(Datum::from(argument)))
        .set_restart_time(None)
        .enable_spi_access();
    worker.load_dynamic().is_ok()
}

/// Has builds of a collection resumed that nobody works on: after a crash, or when there was no place for a worker.
pub fn resume(collection: i64) -> Result<()> {
    // SAFETY: reads the server's state.
    let never = unsafe { pg_sys::RecoveryInProgress() || !pg_sys::MyBgworkerEntry.is_null() };
    if never || LOOKED.get().is_some_and(|at| at.elapsed() < LOOK) {
        return Ok(());
    }
    LOOKED.set(Some(Instant::now()));
    let _snapshot = Snapshot::latest();
    let idle = spi::query(
        "SELECT 1 FROM documentdb_api_catalog.documentdb_index_queue AS q
         WHERE q.collection_id OPERATOR(pg_catalog.=) $1 AND q.index_cmd_status OPERATOR(pg_catalog.<=) 3 AND NOT EXISTS (
             SELECT 1 FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) l.database
             WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
             AND l.classid::int8 OPERATOR(pg_catalog.=) $2 AND l.objid::int8 OPERATOR(pg_catalog.=) $3) LIMIT 1",
        &[
            Param::Int8(collection),
            Param::Int8(i64::from(RIGHT)),
            Param::Int8(i64::from(half(collection))),
        ],
    )?;
    if !idle.is_empty() && !start(pg_sys::InvalidTransactionId) {
        pgrx::log!("ermine: no place for a worker that builds indexes (max_worker_processes)");
    }
    Ok(())
}

/// Waits until no other command enters indexes of this collection; this one may until its transaction ends.
pub fn enter(collection: i64) -> Result<()> {
    let params = [Param::Int4(Some(ENTRY)), Param::Int4(Some(half(collection)))];
    spi::run("SELECT pg_catalog.pg_advisory_xact_lock($1, $2)", &params)?;
    Ok(())
}

/// Takes the right to build on a collection until this transaction ends, from a worker if need be. What that worker was at
/// stays in the queue and begins anew.
pub fn pause(collection: i64) -> Result<()> {
    let want = [Param::Int4(Some(WANT)), Param::Int4(Some(half(collection)))];
    spi::run("SELECT pg_catalog.pg_advisory_xact_lock($1, $2)", &want)?;
    let params = [Param::Int4(Some(RIGHT)), Param::Int4(Some(half(collection)))];
    // A cancel can come too early to be noticed, so it is repeated; ever more rarely, because each one also stops what the
    // worker does to make way.
    let (mut again, mut patience) = (Instant::now(), FIRST_PATIENCE);
    loop {
        let got = spi::run_returning("SELECT pg_catalog.pg_try_advisory_xact_lock($1, $2)", &params)?;
        if got.first().and_then(|row| row.first()).and_then(Column::bool).unwrap_or(false) {
            return Ok(());
        }
        if Instant::now() >= again {
            cancel(collection)?;
            again = Instant::now() + patience;
            patience = (patience * 2).min(LAST_PATIENCE);
        }
        check_interrupts();
        // SAFETY: sleeps for 10 ms.
        unsafe { pg_sys::pg_usleep(10_000) };
    }
}

/// Takes the right to build on a collection for this session, if it is free and nobody [`pause`]s the collection.
pub fn take(collection: i64) -> Result<bool> {
    let _snapshot = Snapshot::latest();
    // The first lock ends with this transaction, also when that is cancelled.
    let got = spi::query(
        "SELECT CASE WHEN pg_catalog.pg_try_advisory_xact_lock($1, $3) THEN pg_catalog.pg_try_advisory_lock($2, $3) END",
        &[Param::Int4(Some(WANT)), Param::Int4(Some(RIGHT)), Param::Int4(Some(half(collection)))],
    )?;
    Ok(got.first().and_then(|row| row.first()).and_then(Column::bool).unwrap_or(false))
}

/// Gives every right of this session back.
pub fn release() -> Result<()> {
    let _snapshot = Snapshot::latest();
    spi::query("SELECT pg_catalog.pg_advisory_unlock_all()", &[])?;
    Ok(())
}

/// Cancels what workers are doing for this collection.
fn cancel(collection: i64) -> Result<()> {
    let _snapshot = Snapshot::latest();
    // PostgreSQL keeps what a transaction has first seen in pg_stat_activity. A worker may have begun since.
    spi::query("SELECT pg_catalog.pg_stat_clear_snapshot()", &[])?;
    // The worker is the server's own: only its owner may stop it.
    let _owner = AsOwner::new();
    spi::query(
        "SELECT pg_catalog.pg_cancel_backend(a.pid)
         FROM pg_catalog.pg_locks AS l
         JOIN pg_catalog.pg_stat_activity AS a ON a.pid OPERATOR(pg_catalog.=) l.pid
         WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.granted
         AND a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
         AND a.backend_type OPERATOR(pg_catalog.=) 'ermine index build'
         AND l.classid::int8 OPERATOR(pg_catalog.=) $1 AND l.objid::int8 OPERATOR(pg_catalog.=) $2",
        &[Param::Int8(i64::from(RIGHT)), Param::Int8(i64::from(half(collection)))],
    )?;
    Ok(())
}

/// While it lives, statements run as the server's owner: for fixed statements about this extension's own workers only.
pub struct AsOwner {
    user: pg_sys::Oid,
    context: i32,
}

impl AsOwner {
    /// Becomes the owner.
    pub fn new() -> Self {
        // SAFETY: the backend's own way of running as another user; undone by `drop`.
        unsafe {
            let (mut user, mut context) = (pg_sys::InvalidOid, 0);
            pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
            let owner = pg_sys::Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID);
            pg_sys::SetUserIdAndSecContext(owner, context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32);
            AsOwner { user, context }
        }
    }
}

impl Drop for AsOwner {
    fn drop(&mut self) {
        // SAFETY: puts back what was there; right also after an ERROR.
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.context) };
    }
}
