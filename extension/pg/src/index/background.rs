//! createIndexes as a request that is asked about later.
//!
//! The build itself runs within the call; what comes of it is kept in `documentdb_index_queue` until it is asked for. So
//! `check_build_index_status` always answers that the work is complete.

use engine::{ArrayWriter, Doc, DocWriter, Error, Val, Value, codes};

use super::create::{Command, build, failure, forget};
use crate::catalog::null_argument;
use crate::error::{Result, caught};
use crate::spi::{self, Cell, Param};
use crate::sys::varlena;
use crate::xact::subtransaction;

pgfn! {
    /// `create_indexes_background(p_database_name, p_index_spec)`. Errors are reported in the reply, not raised.
    fn command_create_indexes_background(call) {
        super::create::not_null(call)?;
        let db = call.opt_text(0)?.ok_or_else(|| null_argument("dbName"))?;
        let command = Doc::trusted(call.opt_bytes(1).ok_or_else(|| null_argument("arg"))?);
        let (reply, ok, requests) = match subtransaction(|| request(db, command)) {
            Ok((reply, requests)) => (reply, true, requests),
            Err(e) => (failure(&e), false, Doc::EMPTY.bytes().to_vec()),
        };
        call.record(&[Some(varlena(&reply)), Some(pgrx::pg_sys::Datum::from(ok)), Some(varlena(&requests))])
    }
}

fn request(db: &str, command: Doc<'_>) -> Result<(Vec<u8>, Vec<u8>)> {
    let done = Command::parse(db, command)?.enter(db)?;
    // With the collection made just now there is nothing to build from: a failure is the command's.
    if done.made_collection() || done.new.is_empty() {
        for (id, s) in &done.new {
            build(&done.collection, *id, s)?;
        }
        return Ok((done.reply(), Doc::EMPTY.bytes().to_vec()));
    }
    let mut ids = ArrayWriter::new();
    for (id, s) in &done.new {
        ids.push(&Value::Int32(*id));
        if let Err(e) = subtransaction(|| build(&done.collection, *id, s)) {
            forget(*id)?;
            record_failure(*id, done.collection.id, &e)?;
        }
    }
    let mut inner = DocWriter::new();
    inner.put_str("cmdType", "C").put_array("ids", Doc::trusted(&ids.finish()));
    let mut requests = DocWriter::new();
    requests.put_doc("indexRequest", Doc::trusted(&inner.finish()));
    Ok((done.reply(), requests.finish()))
}

fn record_failure(id: i32, collection: i64, e: &crate::error::Error) -> Result<()> {
    let mut comment = DocWriter::new();
    comment.put_str("err_msg", &e.message).put("err_code", &Value::Int32(e.packed()));
    spi::run(
        "INSERT INTO documentdb_api_catalog.documentdb_index_queue
             (index_cmd, cmd_type, index_id, index_cmd_status, collection_id, comment, attempt, user_oid)
         VALUES ('', 'C', $1, 4, $2, $3::documentdb_core.bson, 1, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user))",
        &[Param::Int4(Some(id)), Param::Int8(collection), Param::Bytes(Some(&comment.finish()))],
    )?;
    Ok(())
}

pgfn! {
    /// `check_build_index_status(p_arg)`: `p_arg` is what `create_indexes_background` gave as `requests`.
    fn command_check_build_index_status(call) {
        let arg = Doc::trusted(call.doc(0)?);
        let (reply, ok) = match caught(|| status(arg)) {
            Ok(None) => {
                let mut w = DocWriter::new();
                w.put("ok", &Value::Int32(1));
                (w.finish(), true)
            }
            Ok(Some(failed)) => (failed, false),
            Err(e) => return Err(e),
        };
        let yes = pgrx::pg_sys::Datum::from(true);
        call.record(&[Some(varlena(&reply)), Some(pgrx::pg_sys::Datum::from(ok)), Some(yes)])
    }
}

/// The failure of the first request that failed.
fn status(arg: Doc<'_>) -> Result<Option<Vec<u8>>> {
    let wrong = |text: &str| crate::error::Error::from(Error::new(codes::BAD_VALUE, text));
    let request = arg.get("indexRequest").and_then(Val::as_doc);
    let Some(request) = request else {
        return if arg.is_empty() { Ok(None) } else { Err(wrong("indexRequest is missing")) };
    };
    let ids = request.get("ids").and_then(Val::as_array).ok_or_else(|| wrong("ids is missing"))?;
    for id in ids.values() {
        let id = crate::spec::integer(id)
            .and_then(|i| i32::try_from(i).ok())
            .ok_or_else(|| wrong("an id is no number"))?;
        let rows = spi::query(
            "SELECT comment FROM documentdb_api_catalog.documentdb_index_queue WHERE index_id OPERATOR(pg_catalog.=) $1",
            &[Param::Int4(Some(id))],
        )?;
        let Some(comment) = rows.first().and_then(|r| r.first()).and_then(Cell::bytes) else { continue };
        let d = Doc::trusted(comment);
        let code =
            d.get("err_code").and_then(crate::spec::integer).and_then(|i| i32::try_from(i).ok()).unwrap_or(0);
        let mut w = DocWriter::new();
        w.put("ok", &Value::Int32(0));
        w.put_str("errmsg", d.get("err_msg").and_then(Val::as_str).unwrap_or(""));
        w.put("code", &Value::Int32(code));
        return Ok(Some(super::create::wrap(w, 0)));
    }
    Ok(None)
}
