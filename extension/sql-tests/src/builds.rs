//! What tests of index builds have in common: builds in the background, and holding one in its middle.

use std::time::{Duration, Instant};

use engine::Value;

use super::{Session, doc, literal, sub, unhex};

/// A string.
#[must_use]
pub fn text(s: &str) -> Value {
    Value::String(s.into())
}

/// Waits until something is so.
///
/// # Panics
/// When it does not come about within a minute.
pub fn wait_until(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Inserts documents whose `a` is equal in every hundredth, and whose `b` is not.
pub fn insert(s: &mut Session, collection: &str, ids: std::ops::Range<i32>) {
    let one = |id| sub(&[("_id", Value::Int32(id)), ("a", Value::Int32(id % 100)), ("b", Value::Int32(id))]);
    let list: Vec<_> = ids.map(one).collect();
    s.write("insert", &doc(&[("insert", text(collection)), ("documents", Value::array_of(&list))]));
}

/// An index on a field, as createIndexes wants it.
#[must_use]
pub fn index(field: &str, unique: bool) -> Value {
    let mut fields = vec![("key", sub(&[(field, Value::Int32(1))])), ("name", text(&format!("{field}_1")))];
    if unique {
        fields.push(("unique", Value::Bool(true)));
    }
    sub(&fields)
}

/// A `createIndexes`.
#[must_use]
pub fn command(collection: &str, indexes: &[Value]) -> Vec<u8> {
    doc(&[("createIndexes", text(collection)), ("indexes", Value::array_of(indexes))])
}

/// Queues builds; what `check_build_index_status` wants to know.
///
/// # Panics
/// When the command fails.
pub fn create(s: &mut Session, collection: &str, indexes: &[Value]) -> Vec<u8> {
    let command = command(collection, indexes);
    let sql = "SELECT requests, ok FROM documentdb_api.create_indexes_background";
    let row = s.sql(&format!("{sql}('t', {})", literal(&command))).remove(0);
    assert_eq!(row[1].as_deref(), Some("t"));
    unhex(row[0].as_deref().expect("requests"))
}

/// The call that drops an index.
#[must_use]
pub fn drop_index(collection: &str, name: &str) -> String {
    let command = doc(&[("dropIndexes", text(collection)), ("index", text(name))]);
    format!("CALL documentdb_api.drop_indexes('t', {})", literal(&command))
}

/// Reply, success, completeness.
///
/// # Panics
/// When the call fails.
pub fn status(s: &mut Session, requests: &[u8]) -> (Vec<u8>, bool, bool) {
    let sql = "SELECT retval, ok, complete FROM documentdb_api_internal.check_build_index_status";
    let row = s.sql(&format!("{sql}({})", literal(requests))).remove(0);
    let reply = unhex(row[0].as_deref().expect("a reply"));
    (reply, row[1].as_deref() == Some("t"), row[2].as_deref() == Some("t"))
}

/// Waits for builds; reply and success.
///
/// # Panics
/// When they do not end.
pub fn wait(s: &mut Session, requests: &[u8]) -> (Vec<u8>, bool) {
    let mut last = status(s, requests);
    wait_until("the build ends", || {
        last = status(s, requests);
        last.2
    });
    (last.0, last.1)
}

/// The way to the documents that have 7 there.
pub fn plan(s: &mut Session, collection: &str, field: &str) -> String {
    s.plan(&doc(&[("find", text(collection)), ("filter", sub(&[(field, Value::Int32(7))]))]))
}

/// The number of documents that have 7 there.
pub fn count(s: &mut Session, collection: &str, field: &str) -> usize {
    s.find(&doc(&[("find", text(collection)), ("filter", sub(&[(field, Value::Int32(7))]))])).len()
}

/// The number a query gives.
///
/// # Panics
/// When it gives none.
pub fn number(s: &mut Session, sql: &str) -> i64 {
    let rows = s.sql(sql);
    let cell = rows.first().and_then(|row| row.first()).and_then(Option::as_deref);
    cell.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no number: {sql}"))
}

/// Index relations of our kind, valid or not.
pub const RELATIONS: &str =
    "SELECT count(*) FROM pg_class c JOIN pg_am m ON m.oid = c.relam WHERE m.amname = 'bson_btree'";

/// A snapshot that a build has to wait for, so that it stays in the middle.
pub fn hold(s: &mut Session) {
    s.sql("BEGIN ISOLATION LEVEL REPEATABLE READ");
    s.sql("SELECT 1");
}

/// Waits until a worker waits for the one who [`hold`]s.
pub fn wait_for_worker(s: &mut Session) {
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'virtualxid' AND NOT granted";
    wait_until("a worker builds", || number(s, waiting) > 0);
}

/// Waits until somebody waits for the end of a transaction, for a row that it has locked.
pub fn wait_for_row(s: &mut Session) {
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted";
    wait_until("somebody waits for a row", || number(s, waiting) > 0);
}
