//! insert, update, delete, findAndModify: command documents in, reply documents out (sql-api.md 1.1).

mod batch;
mod id;
mod insert;
mod validate;

use engine::{ArrayWriter, Code, DocWriter, Value};

use crate::error::Error;

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
        w.put_str("errmsg", &e.message);
        list.push(&Value::Document(w.finish()));
    }
    reply.put("writeErrors", &Value::Array(list.finish()));
}
