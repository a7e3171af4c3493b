//! Commands that meet others that change a collection as an object: a session that holds a lock forces the order.

mod names;

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use engine::raw::View;
use engine::{Doc, Val, Value};
use ermine_cluster::Node;
use sql_tests::{Session, cluster, doc, literal, sub, unhex};

fn text(s: &str) -> Value {
    Value::String(s.into())
}

/// Rows, or SQLSTATE and message.
type Outcome = Result<Vec<Vec<Option<String>>>, (String, String)>;

/// Statements on a connection of their own.
struct Other {
    pid: String,
    running: JoinHandle<Outcome>,
}

impl Other {
    /// Begins statements, one after the other up to the first that fails.
    fn start(node: &Node, statements: &[&str]) -> Other {
        let mut session = Session::open(node);
        let pid = session.sql("SELECT pg_backend_pid()").remove(0).remove(0).unwrap();
        let statements: Vec<String> = statements.iter().map(|s| (*s).to_owned()).collect();
        let running = thread::spawn(move || {
            statements.iter().try_fold(Vec::new(), |_, statement| session.try_sql(statement))
        });
        Other { pid, running }
    }

    /// Waits until a lock keeps it from going on, or it is through.
    fn waits(&self, s: &mut Session) {
        let waiting = format!("SELECT 1 FROM pg_locks WHERE NOT granted AND pid = {}", self.pid);
        let end = Instant::now() + Duration::from_secs(30);
        while s.sql(&waiting).is_empty() && !self.running.is_finished() {
            assert!(Instant::now() < end, "it neither waits nor ends");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn end(self) -> Outcome {
        self.running.join().expect("its connection lives")
    }

    /// The document that it ended with.
    fn reply(self) -> Vec<u8> {
        let rows = self.end().unwrap_or_else(|(state, message)| panic!("{state} {message}"));
        unhex(rows[0][0].as_deref().expect("a document"))
    }
}

fn insert_sql(db: &str, collection: &str, ids: std::ops::Range<i32>) -> String {
    let list: Vec<_> = ids.map(|id| sub(&[("_id", Value::Int32(id)), ("a", Value::Int32(id))])).collect();
    let command = doc(&[("insert", text(collection)), ("documents", Value::array_of(&list))]);
    format!("SELECT p_result FROM documentdb_api.insert('{db}', {})", literal(&command))
}

fn insert(s: &mut Session, collection: &str, ids: std::ops::Range<i32>) {
    let reply = s.doc(&insert_sql("t", collection, ids));
    assert!(Doc::trusted(&reply).get("writeErrors").is_none(), "{:?}", Doc::trusted(&reply));
}

fn ids(s: &mut Session, collection: &str) -> Vec<i32> {
    let found = s.find(&doc(&[("find", text(collection)), ("sort", sub(&[("_id", Value::Int32(1))]))]));
    let id = |d: &Vec<u8>| match Doc::trusted(d).get("_id").map(Val::view) {
        Some(View::Int32(id)) => id,
        other => panic!("{other:?}"),
    };
    found.iter().map(id).collect()
}

fn number(reply: &[u8], field: &str) -> Option<i32> {
    match Doc::trusted(reply).get(field).map(Val::view) {
        Some(View::Int32(n)) => Some(n),
        _ => None,
    }
}

fn exists(s: &mut Session, collection: &str) -> bool {
    let sql =
        "SELECT 1 FROM documentdb_api_catalog.collections WHERE database_name = 't' AND collection_name";
    !s.sql(&format!("{sql} = '{collection}'")).is_empty()
}

fn rename(from: &str, to: &str, drop_target: bool) -> String {
    format!("SELECT documentdb_api.rename_collection('t', '{from}', '{to}', {drop_target})")
}

fn convert(collection: &str) -> String {
    format!("SELECT documentdb_api_internal.convert_to_capped('t', '{collection}', 1000000)")
}

fn drop_collection(collection: &str) -> String {
    format!("SELECT documentdb_api.drop_collection('t', '{collection}')")
}

fn coll_mod(collection: &str, fields: &[(&str, Value)]) -> String {
    let mut all = vec![("collMod", text(collection))];
    all.extend_from_slice(fields);
    format!("SELECT documentdb_api.coll_mod('t', '{collection}', {})", literal(&doc(&all)))
}

/// `{a: {$gte: 0}}`
fn validator() -> Value {
    sub(&[("a", sub(&[("$gte", Value::Int32(0))]))])
}

#[test]
fn a_conversion_puts_its_copy_in_the_place_of_what_it_copied() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut s, mut holder) = (Session::open(node), Session::open(node));
    // What comes while the conversion waits for a reader of the collection.
    let mut meanwhile = |statements: &[&str]| {
        insert(&mut s, "c", 0..3);
        holder.sql("BEGIN");
        ids(&mut holder, "c");
        let convert = Other::start(node, &[&convert("c")]);
        convert.waits(&mut s);
        let other = Other::start(node, statements);
        other.waits(&mut s);
        holder.sql("COMMIT");
        let (convert, other) = (convert.end(), other.end());
        assert!(convert.is_ok(), "{statements:?}: {convert:?}");
        other.unwrap_or_else(|(state, message)| panic!("{statements:?}: {state} {message}"));
    };
    meanwhile(&[&drop_collection("c")]);
    let mut look = Session::open(node);
    assert!(!exists(&mut look, "c"), "it was dropped");
    meanwhile(&[&rename("c", "d", false)]);
    assert!(!exists(&mut look, "c"), "it has another name");
    assert_eq!(ids(&mut look, "d"), [0, 1, 2]);
    meanwhile(&[&coll_mod("c", &[("validator", validator())])]);
    let kept =
        look.sql("SELECT count(*) FROM documentdb_api_catalog.collections WHERE validator IS NOT NULL");
    assert_eq!(kept[0][0].as_deref(), Some("1"), "the validator is the copy's");
    look.sql(&drop_collection("c"));
    insert(&mut look, "new", 10..12);
    meanwhile(&[&rename("c", "old", false), &rename("new", "c", false)]);
    assert_eq!(ids(&mut look, "old"), [0, 1, 2]);
    assert_eq!(ids(&mut look, "c"), [10, 11]);
}

#[test]
fn a_conversion_copies_what_was_committed_while_it_waited() {
    let cluster = cluster();
    let node = cluster.primary();
    let mut s = Session::open(node);
    insert(&mut s, "c", 0..3);
    s.sql("BEGIN");
    insert(&mut s, "c", 3..5);
    let mut look = Session::open(node);
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ";
    let other = Other::start(node, &[begin, "SELECT 1", &convert("c"), "COMMIT"]);
    other.waits(&mut look);
    s.sql("COMMIT");
    other.end().unwrap();
    assert_eq!(ids(&mut s, "c"), [0, 1, 2, 3, 4]);
}

/// Writes that find document 1 of `c`, by function.
fn writes() -> Vec<(&'static str, Vec<u8>)> {
    let one = || sub(&[("_id", Value::Int32(1))]);
    let set = || sub(&[("$set", sub(&[("b", Value::Int32(1))]))]);
    let update = |upsert| {
        let statement = sub(&[("q", one()), ("u", set()), ("upsert", Value::Bool(upsert))]);
        doc(&[("update", text("c")), ("updates", Value::array_of(&[statement]))])
    };
    let delete = sub(&[("q", one()), ("limit", Value::Int32(1))]);
    let modify = |what, value| doc(&[("findAndModify", text("c")), ("query", one()), (what, value)]);
    vec![
        ("update", update(false)),
        ("update", update(true)),
        ("delete", doc(&[("delete", text("c")), ("deletes", Value::array_of(&[delete]))])),
        ("find_and_modify", modify("update", set())),
        ("find_and_modify", modify("remove", Value::Bool(true))),
    ]
}

fn write_sql(function: &str, command: &[u8]) -> String {
    format!("SELECT p_result FROM documentdb_api.{function}('t', {})", literal(command))
}

/// How many documents a write found.
fn found(reply: &[u8]) -> Option<i32> {
    let last = Doc::trusted(reply).get("lastErrorObject").and_then(Val::as_doc);
    number(last.map_or(reply, |last| last.bytes()), "n")
}

#[test]
fn a_write_that_waits_while_the_table_is_exchanged_finds_the_other_one() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut holder, mut s) = (Session::open(node), Session::open(node));
    for (function, command) in writes() {
        for exchange in [convert("c"), rename("new", "c", true)] {
            insert(&mut s, "c", 1..3);
            insert(&mut s, "new", 1..3);
            holder.sql("BEGIN");
            holder.sql(&exchange);
            let other = Other::start(node, &[&write_sql(function, &command)]);
            other.waits(&mut s);
            holder.sql("COMMIT");
            let reply = other.reply();
            assert_eq!(found(&reply), Some(1), "{function}: {:?}", Doc::trusted(&reply));
            assert!(Doc::trusted(&reply).get("upserted").is_none(), "it was there");
            for name in ["c", "new"] {
                s.sql(&drop_collection(name));
            }
        }
        // A transaction that does not see the other table's rows says so.
        insert(&mut s, "c", 1..3);
        holder.sql("BEGIN");
        holder.sql(&convert("c"));
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ";
        let other = Other::start(node, &[begin, &write_sql(function, &command)]);
        other.waits(&mut s);
        holder.sql("COMMIT");
        assert_eq!(other.end().unwrap_err().0, "40001", "{function}");
        s.sql(&drop_collection("c"));
    }
}

#[test]
fn an_upsert_that_waits_for_a_drop_makes_the_collection_again() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut holder, mut s) = (Session::open(node), Session::open(node));
    insert(&mut s, "c", 1..3);
    holder.sql("BEGIN");
    holder.sql(&drop_collection("c"));
    let (function, command) = writes().remove(1);
    let other = Other::start(node, &[&write_sql(function, &command)]);
    other.waits(&mut s);
    holder.sql("COMMIT");
    let reply = other.reply();
    assert!(Doc::trusted(&reply).get("upserted").is_some(), "{:?}", Doc::trusted(&reply));
    assert_eq!(ids(&mut s, "c"), [1]);
}

#[test]
fn a_merge_that_waits_while_the_table_is_exchanged_goes_to_the_other_one() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut holder, mut s) = (Session::open(node), Session::open(node));
    insert(&mut s, "c", 1..3);
    insert(&mut s, "source", 2..5);
    let into = [("into", text("c")), ("whenMatched", text("replace")), ("whenNotMatched", text("discard"))];
    let set = sub(&[("$set", sub(&[("b", Value::Int32(1))]))]);
    let command = doc(&[
        ("aggregate", text("source")),
        ("pipeline", Value::array_of(&[set, sub(&[("$merge", sub(&into))])])),
        ("cursor", sub(&[])),
    ]);
    let sql = format!(
        "SELECT cursorpage FROM documentdb_api.aggregate_cursor_first_page('t', {})",
        literal(&command)
    );
    holder.sql("BEGIN");
    holder.sql(&convert("c"));
    let other = Other::start(node, &[&sql]);
    other.waits(&mut s);
    holder.sql("COMMIT");
    other.end().unwrap();
    let changed = s.find(&doc(&[("find", text("c")), ("filter", sub(&[("b", Value::Int32(1))]))]));
    assert_eq!(changed.len(), 1);
}

#[test]
fn what_two_coll_mods_change_at_once_is_changed() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut first, mut s) = (Session::open(node), Session::open(node));
    let mut both = |a: (&str, Value), b: (&str, Value)| {
        first.sql("BEGIN");
        first.sql(&coll_mod("c", &[a]));
        let second = Other::start(node, &[&coll_mod("c", &[b])]);
        second.waits(&mut s);
        first.sql("COMMIT");
        second.end().unwrap();
    };
    let mut look = Session::open(node);
    insert(&mut look, "c", 0..1);
    both(("validator", validator()), ("validationAction", text("warn")));
    let sql = "SELECT validator, validation_action FROM documentdb_api_catalog.collections";
    let row = look.sql(sql).remove(0);
    let stored = unhex(row[0].as_deref().unwrap());
    assert!(Doc::trusted(&stored).get("a").is_some(), "{:?}", Doc::trusted(&stored));
    assert_eq!(row[1].as_deref(), Some("warn"));
    look.sql(&convert("c"));
    both(("cappedSize", Value::Int32(4096)), ("cappedMax", Value::Int32(7)));
    let stored = look.doc("SELECT storage_options FROM documentdb_api_catalog.collections");
    assert_eq!((number(&stored, "size"), number(&stored, "max")), (Some(4096), Some(7)));
}

/// A `createIndexes` of one field of `c`.
fn index(field: &str) -> String {
    let index = sub(&[("key", sub(&[(field, Value::Int32(1))])), ("name", text(field))]);
    literal(&doc(&[("createIndexes", text("c")), ("indexes", Value::array_of(&[index]))]))
}

#[test]
fn builds_make_way_for_compact_and_conversions() {
    let cluster = cluster();
    let node = cluster.primary();
    let (mut holder, mut s) = (Session::open(node), Session::open(node));
    insert(&mut s, "c", 0..100);
    // A snapshot that a build has to wait for.
    holder.sql("BEGIN ISOLATION LEVEL REPEATABLE READ");
    holder.sql("SELECT 1");
    let compact = literal(&doc(&[("compact", text("c")), ("$db", text("t"))]));
    let calls = [
        format!("SELECT documentdb_api.compact({compact})"),
        "SELECT documentdb_api_internal.clone_collection_as_capped('t', 'c', 'copy', 1000000)".to_owned(),
        convert("c"),
    ];
    s.sql("SET statement_timeout = '60s'");
    // One each: the rewrite builds what it finds of an index, too.
    for (call, field) in calls.iter().zip(["a", "b", "d"]) {
        s.sql(&format!("SELECT ok FROM documentdb_api.create_indexes_background('t', {})", index(field)));
        let end = Instant::now() + Duration::from_secs(30);
        let waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'virtualxid' AND NOT granted";
        while s.sql(waiting).is_empty() {
            assert!(Instant::now() < end, "no worker builds");
            thread::sleep(Duration::from_millis(10));
        }
        s.sql(call);
    }
    assert_eq!(ids(&mut s, "c").len(), 100);
    assert_eq!(ids(&mut s, "copy").len(), 100);
}
