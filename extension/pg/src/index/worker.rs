//! The background worker that builds indexes beside writers: `CREATE INDEX CONCURRENTLY`, PostgreSQL's own.

use engine::{Doc, DocWriter, Error, Val, Value, codes};
use pgrx::bgworkers::BackgroundWorker;
use pgrx::pg_sys::{self, Datum, Oid, TransactionId};

use crate::builds::{BUILDING, BUILT, FAILED, QUEUED, release, take};
use crate::error::Result;
use crate::guc;
use crate::spi::{self, Cell, Param};
use crate::toplevel::{self, statement, transaction};
use crate::xact::Snapshot;

/// A build that was begun.
struct Job {
    index: i32,
    command: String,
    name: String,
    /// The indexes of the same createIndexes command: one fails with the others.
    together: Vec<i32>,
    attempt: i64,
}

/// The main function of the worker, called by PostgreSQL with the database's oid and a transaction to wait for.
#[pgrx::pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn ermine_build_main(argument: Datum) {
    toplevel::obey_signals();
    let (database, after) = (argument.value() as u32, (argument.value() as u64 >> 32) as u32);
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(Oid::from(database)), None);
    if let Err(e) = work(TransactionId::from(after)) {
        // What is left in the queue is taken up by another worker.
        pgrx::log!("ermine: an index build stopped: {}", e.message);
    }
}

fn work(after: TransactionId) -> Result<()> {
    transaction(|| {
        // SAFETY: waits for the transaction that filled the queue, as long as it takes.
        unsafe {
            if after != pg_sys::InvalidTransactionId {
                let none = core::ptr::null_mut();
                pg_sys::XactLockTableWait(after, none, core::ptr::null_mut(), pg_sys::XLTW_Oper::XLTW_None);
            }
        }
        let _snapshot = Snapshot::latest();
        spi::run("SELECT pg_catalog.set_config('lock_timeout', '0', false)", &[])?;
        Ok(())
    })?;
    // A collection whose right is elsewhere is that worker's, which looks again before it ends.
    while let Some(collection) = persistent(claim)? {
        while let Some(job) = persistent(|| next(collection))? {
            build(collection, &job)?;
        }
        persistent(release)?;
    }
    Ok(())
}

/// A transaction that a request to make way does not stop: that is meant for the build, and comes again.
fn persistent<T>(f: impl Fn() -> Result<T>) -> Result<T> {
    loop {
        match transaction(&f) {
            Err(e) if e.is(b"57014") => {}
            other => return other,
        }
    }
}

/// Takes the right to build on a collection that has something to build.
fn claim() -> Result<Option<i64>> {
    // One that was taken by an attempt that was cancelled afterwards.
    release()?;
    let _snapshot = Snapshot::latest();
    let there =
        "SELECT 1 WHERE pg_catalog.to_regclass('documentdb_api_catalog.documentdb_index_queue') IS NOT NULL";
    if spi::query(there, &[])?.is_empty() {
        return Ok(None);
    }
    let rows = spi::query(
        "SELECT collection_id FROM documentdb_api_catalog.documentdb_index_queue
         WHERE index_cmd_status OPERATOR(pg_catalog.<=) 3 GROUP BY collection_id ORDER BY pg_catalog.min(index_id)",
        &[],
    )?;
    for row in &rows {
        let collection = row.first().and_then(Cell::int).unwrap_or(0);
        if take(collection)? {
            return Ok(Some(collection));
        }
    }
    Ok(None)
}

/// The next build of a collection, marked as begun.
fn next(collection: i64) -> Result<Option<Job>> {
    // What an index waited for may have been dropped.
    settle(collection)?;
    let _snapshot = Snapshot::latest();
    let rows = spi::run_returning(
        "UPDATE documentdb_api_catalog.documentdb_index_queue AS q
         SET index_cmd_status = 2, global_pid = pg_catalog.pg_backend_pid(), start_time = pg_catalog.clock_timestamp(),
             attempt = COALESCE(q.attempt, 0::smallint) OPERATOR(pg_catalog.+) 1::smallint
         WHERE q.index_id OPERATOR(pg_catalog.=) (
             SELECT pg_catalog.min(n.index_id) FROM documentdb_api_catalog.documentdb_index_queue AS n
             WHERE n.collection_id OPERATOR(pg_catalog.=) $1 AND n.index_cmd_status OPERATOR(pg_catalog.<=) 2)
         RETURNING q.index_id, q.index_cmd, q.comment, q.attempt,
             (SELECT (i.index_spec).index_name FROM documentdb_api_catalog.collection_indexes AS i
              WHERE i.index_id OPERATOR(pg_catalog.=) q.index_id)",
        &[Param::Int8(collection)],
    )?;
    let Some([index, command, comment, attempt, name]) = rows.first().map(Vec::as_slice) else {
        return Ok(None);
    };
    Ok(Some(Job {
        index: number(index),
        command: command.text().unwrap_or("").to_owned(),
        name: name.text().unwrap_or("").to_owned(),
        together: together(comment),
        attempt: attempt.int().unwrap_or(1),
    }))
}

fn number(cell: &Cell) -> i32 {
    cell.int().and_then(|id| i32::try_from(id).ok()).unwrap_or(0)
}

/// The indexes of one command, as the queue names them with each.
fn together(comment: &Cell) -> Vec<i32> {
    let list = comment.bytes().map(Doc::trusted).and_then(|d| d.get("together")).and_then(Val::as_array);
    let id = |v| crate::spec::integer(v).and_then(|id| i32::try_from(id).ok());
    list.into_iter().flat_map(Doc::values).filter_map(id).collect()
}

/// Builds one index. An error is one of the bookkeeping: what goes wrong with the build itself is kept in the queue.
fn build(collection: i64, job: &Job) -> Result<()> {
    let most = i64::from(guc::number(c"documentdb.maxIndexBuildAttempts"));
    // An attempt that was interrupted when only the books were left to do.
    let built = if persistent(|| is_complete(job.index))? {
        Ok(())
    } else if job.attempt > most {
        Err(Error::new(codes::INTERNAL_ERROR, "the index build was interrupted too often").into())
    } else {
        // What an interrupted attempt has left is of no use.
        clear(job.index).and_then(|()| statement(&job.command))
    };
    let Err(e) = built.and_then(|()| transaction(|| finish(collection, job.index))) else { return Ok(()) };
    if e.is(b"57014") {
        return make_way(collection, job);
    }
    // A deadlock, or something that passes: another attempt.
    if job.attempt < most && (e.is(b"40P01") || e.is(b"XX000")) {
        pgrx::log!("ermine: building an index begins anew: {}", e.message);
        return Ok(());
    }
    let reason = if e.is(b"23505") {
        let text = format!("Duplicate key violation on the requested collection: Index '{}'", job.name);
        Error::new(codes::DUPLICATE_KEY, text).into()
    } else {
        e
    };
    // First the relations, whose entries would go on to stand in the way of writers; with nothing built as the queue has
    // it this begins anew if it is interrupted.
    let going = persistent(|| reset(job))?;
    for id in &going {
        match clear(*id) {
            Err(e) if e.is(b"57014") => return make_way(collection, job),
            other => other?,
        }
    }
    persistent(|| fail(&going, &reason))
}

fn clear(index: i32) -> Result<()> {
    let name = format!("documents_rum_index_{index}");
    let there = transaction(|| {
        let _snapshot = Snapshot::latest();
        Ok(crate::catalog::relation(c"documentdb_data", &name)? != pg_sys::InvalidOid)
    })?;
    if there {
        statement(&format!("DROP INDEX CONCURRENTLY IF EXISTS documentdb_data.{name}"))
    } else {
        Ok(())
    }
}

/// Is this index built to its end?
pub(super) fn is_complete(index: i32) -> Result<bool> {
    let relation = crate::catalog::relation(c"documentdb_data", &format!("documents_rum_index_{index}"))?;
    let _snapshot = Snapshot::latest();
    let rows = spi::query(
        "SELECT 1 FROM pg_catalog.pg_index WHERE indexrelid::int8 OPERATOR(pg_catalog.=) $1 AND indisvalid AND indisready",
        &[Param::Int8(i64::from(u32::from(relation)))],
    )?;
    Ok(!rows.is_empty())
}

/// The index is complete.
fn finish(collection: i64, index: i32) -> Result<()> {
    {
        let _snapshot = Snapshot::latest();
        spi::run(
            "UPDATE documentdb_api_catalog.documentdb_index_queue
             SET index_cmd_status = $2, update_time = pg_catalog.clock_timestamp()
             WHERE index_id OPERATOR(pg_catalog.=) $1 AND index_cmd_status OPERATOR(pg_catalog.=) $3",
            &[Param::Int4(Some(index)), Param::Int4(Some(BUILT)), Param::Int4(Some(BUILDING))],
        )?;
    }
    settle(collection)
}

/// What is built becomes valid where nothing of its command is left to build: a createIndexes makes all of its indexes or
/// none, and nobody may be told of one that can still be taken away.
fn settle(collection: i64) -> Result<()> {
    let _snapshot = Snapshot::latest();
    let rows = spi::query(
        "SELECT index_id, comment, index_cmd_status FROM documentdb_api_catalog.documentdb_index_queue
         WHERE collection_id OPERATOR(pg_catalog.=) $1 AND index_cmd_status OPERATOR(pg_catalog.<=) 3",
        &[Param::Int8(collection)],
    )?;
    let (mut built, mut left) = (Vec::new(), Vec::new());
    for row in &rows {
        let [index, comment, state] = row.as_slice() else { continue };
        if state.int() == Some(i64::from(BUILT)) {
            built.push((number(index), together(comment)));
        } else {
            left.push(number(index));
        }
    }
    let whole = built.iter().filter(|(_, together)| !together.iter().any(|id| left.contains(id)));
    whole.map(|(index, _)| *index).try_for_each(validate)
}

/// The index may be used from now on, and is in the queue no more.
pub(super) fn validate(index: i32) -> Result<()> {
    let id = [Param::Int4(Some(index))];
    spi::run(
        "UPDATE documentdb_api_catalog.collection_indexes SET index_is_valid = true WHERE index_id OPERATOR(pg_catalog.=) $1",
        &id,
    )?;
    spi::run(
        "DELETE FROM documentdb_api_catalog.documentdb_index_queue WHERE index_id OPERATOR(pg_catalog.=) $1",
        &id,
    )?;
    Ok(())
}

/// What the command has built so far is to be built again: it is about to go. All of its indexes that are still its own.
fn reset(job: &Job) -> Result<Vec<i32>> {
    let _snapshot = Snapshot::latest();
    let others = job.together.iter().filter(|id| **id != job.index);
    let mut going = Vec::new();
    for id in others.chain([&job.index]) {
        let there = spi::run(
            "UPDATE documentdb_api_catalog.documentdb_index_queue
             SET index_cmd_status = CASE WHEN index_cmd_status OPERATOR(pg_catalog.=) 3 THEN $2 ELSE index_cmd_status END
             WHERE index_id OPERATOR(pg_catalog.=) $1 AND index_cmd_status OPERATOR(pg_catalog.<=) 3",
            &[Param::Int4(Some(*id)), Param::Int4(Some(QUEUED))],
        )?;
        if there > 0 {
            going.push(*id);
        }
    }
    Ok(going)
}

/// The indexes of a command are out of the catalog, and the reason is in the queue.
fn fail(going: &[i32], reason: &crate::error::Error) -> Result<()> {
    let _snapshot = Snapshot::latest();
    going.iter().try_for_each(|id| record(*id, reason))
}

/// Takes an index out of the catalog and keeps the reason.
pub(super) fn record(id: i32, reason: &crate::error::Error) -> Result<()> {
    let mut comment = DocWriter::new();
    comment.put_str("err_msg", &reason.message).put("err_code", &Value::Int32(reason.packed()));
    let comment = comment.finish();
    spi::run(
        "DELETE FROM documentdb_api_catalog.collection_indexes WHERE index_id OPERATOR(pg_catalog.=) $1",
        &[Param::Int4(Some(id))],
    )?;
    spi::run(
        "UPDATE documentdb_api_catalog.documentdb_index_queue
         SET index_cmd_status = $2, comment = $3::documentdb_core.bson, update_time = pg_catalog.clock_timestamp()
         WHERE index_id OPERATOR(pg_catalog.=) $1",
        &[Param::Int4(Some(id)), Param::Int4(Some(FAILED)), Param::Bytes(Some(&comment))],
    )?;
    Ok(())
}

/// Somebody needs the table for himself: lets him, and waits until he is done.
fn make_way(collection: i64, job: &Job) -> Result<()> {
    persistent(|| {
        let _snapshot = Snapshot::latest();
        spi::run(
            "UPDATE documentdb_api_catalog.documentdb_index_queue
             SET index_cmd_status = 1, attempt = attempt OPERATOR(pg_catalog.-) 1::smallint
             WHERE index_id OPERATOR(pg_catalog.=) $1 AND index_cmd_status OPERATOR(pg_catalog.=) 2",
            &[Param::Int4(Some(job.index))],
        )?;
        Ok(())
    })?;
    loop {
        persistent(release)?;
        // Asked for again and again instead of waited for: no transaction of this worker may stand in that one's way.
        while !persistent(|| take(collection))? {
            // SAFETY: sleeps for 20 ms.
            unsafe { pg_sys::pg_usleep(20_000) };
        }
        // The index may be gone with whoever wanted the table; then so must be what was built of it. It may also be
        // complete: another worker took the right first.
        if persistent(|| validity(job.index))?.is_some() {
            return Ok(());
        }
        match clear(job.index) {
            Err(e) if e.is(b"57014") => {}
            done => return done,
        }
    }
}

/// May this index be used? As committed now, or changed by this transaction; `None` when it is not in the catalog.
pub(super) fn validity(id: i32) -> Result<Option<bool>> {
    let _snapshot = Snapshot::latest();
    let rows = spi::query(
        "SELECT index_is_valid FROM documentdb_api_catalog.collection_indexes WHERE index_id OPERATOR(pg_catalog.=) $1",
        &[Param::Int4(Some(id))],
    )?;
    Ok(rows.first().map(|row| row.first().and_then(Cell::bool).unwrap_or(false)))
}
