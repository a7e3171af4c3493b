//! Index builds whose command is ended before they are.
use std::time::Duration;

use bson::{Document, doc};
use proto_tests::stage::Stage;
use proto_tests::wait_until;

use crate::limits::send;
use crate::own::Own;
use crate::stage;

/// A snapshot that a build has to wait for at its end, so that it stays in the middle. It holds no lock.
struct Held(Own);

impl Held {
    fn new(stage: &Stage) -> Self {
        let own = Own::new(stage);
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1";
        own.run(async |client| client.batch_execute(begin).await.unwrap());
        Self(own)
    }

    fn release(self) {
        self.0.run(async |client| client.batch_execute("COMMIT").await.unwrap());
    }
}

fn number(stage: &Stage, sql: &str) -> i64 {
    stage.cluster.primary().query(sql).unwrap().unwrap().parse().unwrap()
}

/// Begins a build and waits until it has got as far as it may.
fn begun(stage: &Stage, collection: &str, more: Document) -> proto_tests::client::Client {
    let mut client = stage.primary();
    let documents: Vec<_> = (0..50).map(|n| doc! { "_id": n, "a": n, "b": n }).collect();
    client.ok(doc! { "insert": collection, "documents": documents, "$db": "builds" });
    let indexes = ["a", "b"].map(|field| doc! { "key": { field: 1 }, "name": field });
    let mut command = doc! { "createIndexes": collection, "indexes": indexes.to_vec() };
    command.extend(more);
    command.insert("$db", "builds");
    send(&mut client, command);
    let building = format!(
        "SELECT count(*) FROM documentdb_api_catalog.documentdb_index_queue q \
         JOIN documentdb_api_catalog.collections c USING (collection_id) JOIN pg_locks l ON l.pid = q.global_pid \
         WHERE c.collection_name = '{collection}' AND l.locktype = 'virtualxid' AND NOT l.granted"
    );
    wait_until("the build waits for the snapshot", || number(stage, &building) == 1);
    client
}

fn names(stage: &Stage, collection: &str) -> Vec<String> {
    let reply = stage.primary().ok(doc! { "listIndexes": collection, "$db": "builds" });
    let batch = reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
    batch.iter().map(|index| index.as_document().unwrap().get_str("name").unwrap().to_owned()).collect()
}

/// Relations of indexes that the collection's table has, complete or not.
fn relations(stage: &Stage, collection: &str) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM pg_index i JOIN documentdb_api_catalog.collections c \
         ON i.indrelid = ('documentdb_data.documents_' || c.collection_id)::regclass \
         WHERE c.database_name = 'builds' AND c.collection_name = '{collection}'"
    );
    number(stage, &sql)
}

#[test]
fn a_build_ends_with_its_command() {
    let stage = stage();
    for (collection, more, code) in [("killed", doc! {}, 11601), ("late", doc! { "maxTimeMS": 10_000 }, 50)] {
        let held = Held::new(stage);
        let mut builder = begun(stage, collection, more);
        if code == 11601 {
            let mut watcher = stage.primary();
            let shown = watcher.ok(doc! {
                "currentOp": 1, "ns": format!("builds.{collection}"), "command.createIndexes": collection, "op": "command", "$db": "admin",
            });
            let running = shown.get_array("inprog").unwrap().first().and_then(|op| op.as_document()).unwrap();
            let op = running.get_i32("opid").unwrap();
            watcher.ok(doc! { "killOp": 1, "op": op, "$db": "admin" });
        }
        let (reply, _) = builder.receive().unwrap();
        assert_eq!(reply.get_i32("code").ok(), Some(code), "{reply}");
        assert_eq!(names(stage, collection), ["_id_"]);
        let queued = format!(
            "SELECT count(*) FROM documentdb_api_catalog.documentdb_index_queue q \
             JOIN documentdb_api_catalog.collections c USING (collection_id) \
             WHERE c.collection_name = '{collection}' AND q.index_cmd_status <= 2"
        );
        assert_eq!(number(stage, &queued), 0);
        held.release();
        wait_until("what was built of it is gone", || relations(stage, collection) == 1);
        // It can be begun again, by the same connection.
        builder.ok(doc! {
            "createIndexes": collection, "indexes": [{ "key": { "a": 1 }, "name": "a" }], "$db": "builds",
        });
        assert_eq!(names(stage, collection), ["_id_", "a"]);
    }
}

#[test]
fn a_client_that_hangs_up_leaves_its_build() {
    let stage = stage();
    let held = Held::new(stage);
    drop(begun(stage, "left", doc! {}));
    std::thread::sleep(Duration::from_millis(300));
    held.release();
    wait_until("both indexes are complete", || names(stage, "left") == ["_id_", "a", "b"]);
}

#[test]
fn whoever_waits_for_anothers_build_ends_alone() {
    let stage = stage();
    let held = Held::new(stage);
    let mut first = begun(stage, "shared", doc! {});
    let mut second = stage.primary();
    let reply = second.run(doc! {
        "createIndexes": "shared", "indexes": [{ "key": { "a": 1 }, "name": "a" }], "maxTimeMS": 300, "$db": "builds",
    });
    assert_eq!(reply.get_i32("code").ok(), Some(50), "{reply}");
    held.release();
    let (reply, _) = first.receive().unwrap();
    assert_eq!(reply.get_f64("ok").ok(), Some(1.0), "{reply}");
    assert_eq!(names(stage, "shared"), ["_id_", "a", "b"]);
}
