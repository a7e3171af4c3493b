//! A collection that is dropped while others are about to use it: they wait for the drop, and then find it gone.

use std::thread;
use std::time::{Duration, Instant};

use engine::raw::View;
use engine::{Doc, Value};
use sql_tests::{Session, cluster, doc, literal, sub};

fn text(s: &str) -> Value {
    Value::String(s.into())
}

/// The reply of a call that met the drop, or its SQLSTATE and message.
type Outcome = Result<Vec<u8>, (String, String)>;

#[test]
fn a_collection_dropped_while_others_wait_for_it_is_gone_for_them() {
    let cluster = cluster();
    let primary = cluster.primary();
    let mut dropper = Session::open(primary);
    let one = || {
        Value::array_of(&[sub(&[("q", sub(&[])), ("u", sub(&[("$set", sub(&[("a", Value::Int32(2))]))]))])])
    };
    let none = || Value::array_of(&[sub(&[("q", sub(&[])), ("limit", Value::Int32(0))])]);
    let calls = [
        ("find_cursor_first_page", "cursorpage", doc(&[("find", text("c"))])),
        ("count_query", "document", doc(&[("count", text("c")), ("query", sub(&[("a", Value::Int32(1))]))])),
        ("distinct_query", "document", doc(&[("distinct", text("c")), ("key", text("a"))])),
        ("update", "p_result", doc(&[("update", text("c")), ("updates", one())])),
        ("delete", "p_result", doc(&[("delete", text("c")), ("deletes", none())])),
        (
            "find_and_modify",
            "p_result",
            doc(&[("findAndModify", text("c")), ("query", sub(&[])), ("remove", Value::Bool(true))]),
        ),
    ];
    for (function, column, command) in &calls {
        dropper.write(
            "insert",
            &doc(&[
                ("insert", text("c")),
                ("documents", Value::array_of(&[sub(&[("_id", Value::Int32(1)), ("a", Value::Int32(1))])])),
            ]),
        );
        dropper.sql("BEGIN");
        dropper.sql("SELECT documentdb_api.drop_collection('t', 'c')");
        let sql = format!("SELECT {column} FROM documentdb_api.{function}('t', {})", literal(command));
        let again = sql.clone();
        let mut session = Session::open(primary);
        let waiting = thread::spawn(move || -> Outcome {
            let rows = session.try_sql(&sql)?;
            let cell =
                rows.first().and_then(|row| row.first()).and_then(Option::as_deref).expect("a document");
            Ok(sql_tests::unhex(cell))
        });
        let end = Instant::now() + Duration::from_secs(30);
        let blocked = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'relation'";
        while dropper.sql(blocked).is_empty() {
            assert!(Instant::now() < end, "{function} does not wait for the drop");
            thread::sleep(Duration::from_millis(20));
        }
        dropper.sql("COMMIT");
        let outcome = waiting.join().unwrap_or_else(|_| panic!("{function}: its connection was lost"));
        // A read says that it has to look again.
        let reads = matches!(*function, "find_cursor_first_page" | "count_query" | "distinct_query");
        let reply = match outcome {
            Err((state, _)) if reads && state == "42P01" => dropper.doc(&again),
            outcome => outcome.unwrap_or_else(|(state, message)| panic!("{function}: {state} {message}")),
        };
        let reply = Doc::trusted(&reply);
        assert!(reply.get("writeErrors").is_none(), "{function}: {reply:?}");
        let found = match *function {
            "find_cursor_first_page" => reply
                .get("cursor")
                .and_then(engine::Val::as_doc)
                .and_then(|cursor| cursor.get("firstBatch"))
                .and_then(engine::Val::as_array)
                .map(|batch| batch.values().count()),
            "distinct_query" => {
                reply.get("values").and_then(engine::Val::as_array).map(|values| values.values().count())
            }
            "find_and_modify" => {
                Some(usize::from(reply.get("value").and_then(engine::Val::as_doc).is_some()))
            }
            _ => match reply.get("n").map(engine::Val::view) {
                Some(View::Int32(n)) => usize::try_from(n).ok(),
                _ => None,
            },
        };
        assert_eq!(found, Some(0), "{function}: {reply:?}");
    }
}
