//! createIndexes as a request that is asked about later.
//!
//! The build runs in a background worker ([`super::worker`]) and begins when the call's transaction has committed. A new
//! collection, an empty one and a call in a transaction block have theirs within the call: in the block the worker would
//! wait for a commit that waits for the worker.

use engine::{ArrayWriter, Doc, DocWriter, Error, Val, Value, codes};
use pgrx::pg_sys::{self, Datum};

use super::create::{Command, build, failure, statement};
use super::queue::{self, Status};
use crate::builds;
use crate::catalog::{Collection, null_argument};
use crate::error::Result;
use crate::storage::{Access, Table};
use crate::sys::varlena;
use crate::xact::subtransaction;

pgfn! {
    /// `create_indexes_background(p_database_name, p_index_spec)`. Errors are reported in the reply, not raised.
    fn command_create_indexes_background(call) {
        super::create::not_null(call)?;
        let db = call.opt_text(0)?.ok_or_else(|| null_argument("dbName"))?;
        let command = Doc::trusted(call.opt_bytes(1).ok_or_else(|| null_argument("arg"))?);
        // SAFETY: reads the transaction's state.
        let at_once = unsafe { pg_sys::IsTransactionBlock() };
        let (reply, ok, requests) = match subtransaction(|| request(db, command, at_once)) {
            Ok((reply, requests)) => (reply, true, requests),
            Err(e) => (failure(&e), false, Doc::EMPTY.bytes().to_vec()),
        };
        call.record(&[Some(varlena(&reply)), Some(Datum::from(ok)), Some(varlena(&requests))])
    }
}

fn request(db: &str, command: Doc<'_>, at_once: bool) -> Result<(Vec<u8>, Vec<u8>)> {
    let done = Command::parse(db, command)?.enter(db, at_once)?;
    let c = &done.collection;
    let none = || Doc::EMPTY.bytes().to_vec();
    // With the collection made just now there is nothing to build from: a failure is the command's.
    if done.made_collection() || (done.new.is_empty() && done.going.is_empty()) {
        done.build()?;
        return Ok((done.reply(), none()));
    }
    if at_once {
        done.build()?;
    } else if !done.new.is_empty() {
        // SAFETY: the number of this transaction, which has written.
        let here = unsafe { pg_sys::GetTopTransactionId() };
        if is_empty(c)? || !builds::start(here) {
            for (id, s) in &done.new {
                build(c, *id, s)?;
            }
        } else {
            let queued = done.new.iter().map(|(id, s)| (*id, statement(c, *id, s, "CONCURRENTLY")));
            queue::enqueue(c.id, &queued.collect::<Vec<_>>())?;
        }
    }
    let mut ids = ArrayWriter::new();
    for id in done.new.iter().map(|(id, _)| id).chain(&done.going) {
        ids.push(&Value::Int32(*id));
    }
    let mut inner = DocWriter::new();
    inner.put_str("cmdType", "C").put_array("ids", Doc::trusted(&ids.finish()));
    let mut requests = DocWriter::new();
    requests.put_doc("indexRequest", Doc::trusted(&inner.finish()));
    Ok((done.reply(), requests.finish()))
}

/// The table has no page: nothing was ever in it, or all of it was vacuumed away.
fn is_empty(c: &Collection) -> Result<bool> {
    let table = Table::open(c, Access::Read)?;
    // SAFETY: the relation is open.
    let pages = unsafe {
        pg_sys::RelationGetNumberOfBlocksInFork(table.relation(), pg_sys::ForkNumber::MAIN_FORKNUM)
    };
    Ok(pages == 0)
}

pgfn! {
    /// `check_build_index_status(p_arg)`: `p_arg` is what `create_indexes_background` gave as `requests`.
    fn command_check_build_index_status(call) {
        let arg = Doc::trusted(call.doc(0)?);
        let flag = |is: bool| Some(Datum::from(is));
        let (failed, complete) = status(arg)?;
        let ok = failed.is_none();
        let reply = failed.unwrap_or_else(|| {
            let mut w = DocWriter::new();
            w.put("ok", &Value::Int32(1));
            w.finish()
        });
        call.record(&[Some(varlena(&reply)), flag(ok), flag(complete || !ok)])
    }
}

/// The indexes of a request.
pub(super) fn ids(requests: Doc<'_>) -> Result<Vec<i32>> {
    let wrong = |text: &str| crate::error::Error::from(Error::new(codes::BAD_VALUE, text));
    let Some(request) = requests.get("indexRequest").and_then(Val::as_doc) else {
        return if requests.is_empty() { Ok(Vec::new()) } else { Err(wrong("indexRequest is missing")) };
    };
    let ids = request.get("ids").and_then(Val::as_array).ok_or_else(|| wrong("ids is missing"))?;
    let number = |id| crate::spec::integer(id).and_then(|id| i32::try_from(id).ok());
    ids.values().map(|id| number(id).ok_or_else(|| wrong("an id is no number"))).collect()
}

/// The failure of the first request that failed; whether all are complete.
fn status(arg: Doc<'_>) -> Result<(Option<Vec<u8>>, bool)> {
    let mut complete = true;
    for id in ids(arg)? {
        match queue::status(id)? {
            Status::Complete => {}
            Status::Going => complete = false,
            Status::Failed(message, code) => {
                let mut w = DocWriter::new();
                w.put("ok", &Value::Int32(0)).put_str("errmsg", &message).put("code", &Value::Int32(code));
                return Ok((Some(super::create::wrap(w, 0)), true));
            }
        }
    }
    Ok((None, complete))
}
