//! insert, update, delete, findAndModify: command documents in, reply documents out (sql-api.md 1.1).

mod batch;
pub mod capped;
mod change;
mod context;
mod delete;
mod find_and_modify;
mod id;
mod insert;
mod merge;
mod modify;
mod place;
mod retry;
mod update;
mod validate;

pub use change::{Search, Step};
pub use context::Context;
pub use id::object_id;
pub use merge::{Target, is_duplicate, verify_unique};

use engine::{ArrayWriter, Code, Doc, DocWriter, Value, codes};
use pgrx::pg_sys;

use crate::error::{Error, Result};
use crate::sys::Call;

/// An error with MongoDB's code.
fn fail(code: Code, message: impl Into<String>) -> Error {
    engine::Error::new(code, message).into()
}

/// `writeErrors`, left out when there are none.
fn put_errors(reply: &mut DocWriter, errors: &[(usize, Error)]) {
    if errors.is_empty() {
        return;
    }
    let mut list = ArrayWriter::new();
    for (index, e) in errors {
        let mut w = DocWriter::new();
        w.put("index", &Value::Int32(*index as i32));
        w.put("code", &Value::Int32(e.packed()));
        if let Some(info) = e.info() {
            w.put_doc("errInfo", Doc::trusted(&info));
        }
        w.put_str("errmsg", &e.message);
        list.push(&Value::Document(w.finish()));
    }
    reply.put("writeErrors", &Value::Array(list.finish()));
}

/// The bulk procedures are for callers without a transaction of their own.
fn refuse_in_transaction(call: Call<'_>, message: &str) -> Result<()> {
    // SAFETY: the frame is live; for CALL its context is a CallContext.
    let atomic = unsafe {
        let context = (*call.raw()).context;
        context.is_null()
            || (*context).type_ != pg_sys::NodeTag::T_CallContext
            || (*context.cast::<pg_sys::CallContext>()).atomic
    };
    if atomic { Err(fail(codes::INVALID_OPTIONS, message)) } else { Ok(()) }
}
