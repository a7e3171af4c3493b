//! Writes of a batch that lose deadlocks against others while the rest of their batch is done.
use std::sync::OnceLock;

use bson::{Document, doc};
use proto_tests::client::Client;
use proto_tests::stage::{Options, Stage};
use proto_tests::wait_until;

use crate::limits::send;
use crate::own::Own;

fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    let options = Options {
        standbys: 0,
        superuser: true,
        // Every write is one of its own, and notices soon that it cannot win.
        settings: vec![("documentdb.batchWriteSubTransactionCount", "1"), ("deadlock_timeout", "10ms")],
        ..Options::default()
    };
    STAGE.get_or_init(|| Stage::new(&options))
}

/// A transaction that holds rows of a collection until it is released, and never gives way.
struct Rows {
    own: Own,
    table: String,
}

impl Rows {
    fn new(collection: &str) -> Self {
        let sql = format!(
            "SELECT collection_id FROM documentdb_api_catalog.collections WHERE collection_name = '{collection}'"
        );
        let id = stage().cluster.primary().query(&sql).unwrap().unwrap();
        let own = Own::new(stage());
        own.run(async |client| client.batch_execute("SET deadlock_timeout = '1h'; BEGIN").await.unwrap());
        Self { own, table: format!("documentdb_data.documents_{id}") }
    }

    /// Takes the `nth` document that was inserted.
    fn hold(&self, nth: usize) {
        let sql = format!("SELECT FROM {} WHERE ctid = '(0,{nth})' FOR UPDATE", self.table);
        self.own.run(async |client| client.batch_execute(&sql).await.unwrap());
    }

    fn release(&self) {
        self.own.run(async |client| client.batch_execute("ROLLBACK").await.unwrap());
    }
}

/// Processes that wait for another one's transaction.
fn waiting() -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    stage().cluster.primary().query(sql).unwrap().unwrap().parse().unwrap()
}

/// Runs a command that writes the documents 1 to 4 in turn, and has it lose against others at the third.
fn loses_at_the_third(client: &mut Client, collection: &str, command: Document) -> Document {
    let documents: Vec<_> = (1..=4).map(|n| doc! { "_id": n, "n": 0 }).collect();
    client.ok(doc! { "insert": collection, "documents": documents, "$db": "conflicts" });
    let (other, gate) = (Rows::new(collection), Rows::new(collection));
    other.hold(3);
    gate.hold(2);
    send(client, command);
    wait_until("the first is written and the second waits", || waiting() == 1);
    std::thread::scope(|scope| {
        // It gets the first one only when the command's call is over: it never gives way.
        let first = scope.spawn(|| other.hold(1));
        wait_until("the other one waits for the first", || waiting() == 2);
        gate.release();
        first.join().unwrap();
    });
    // Now the third alone is tried again, and nothing is held that the other one wants.
    other.release();
    client.receive().unwrap().0
}

fn counts(client: &mut Client, collection: &str) -> Vec<i32> {
    let reply = client.ok(doc! { "find": collection, "sort": { "_id": 1 }, "$db": "conflicts" });
    let batch = reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap().clone();
    batch.iter().map(|found| found.as_document().unwrap().get_i32("n").unwrap()).collect()
}

#[test]
fn what_loses_in_a_batch_runs_again_and_what_was_done_does_not() {
    let mut client = stage().primary();
    for (collection, ordered) in [("unordered", false), ("ordered", true)] {
        let updates: Vec<_> =
            (1..=4).map(|n| doc! { "q": { "_id": n }, "u": { "$inc": { "n": 1 } } }).collect();
        let command =
            doc! { "update": collection, "updates": updates, "ordered": ordered, "$db": "conflicts" };
        let reply = loses_at_the_third(&mut client, collection, command);
        assert_eq!(reply, doc! { "n": 4, "nModified": 4, "ok": 1.0 }, "{collection}");
        assert_eq!(counts(&mut client, collection), [1, 1, 1, 1], "{collection}");
    }
    for (collection, ordered) in [("bulk_unordered", false), ("bulk_ordered", true)] {
        let ops: Vec<_> = (1..=4)
            .map(|n| doc! { "update": 0, "filter": { "_id": n }, "updateMods": { "$inc": { "n": 1 } } })
            .collect();
        let command = doc! {
            "bulkWrite": 1, "ops": ops, "nsInfo": [{ "ns": format!("conflicts.{collection}") }],
            "ordered": ordered, "errorsOnly": true, "$db": "admin",
        };
        let reply = loses_at_the_third(&mut client, collection, command);
        assert_eq!(
            (reply.get_i32("nErrors").ok(), reply.get_i32("nModified").ok()),
            (Some(0), Some(4)),
            "{reply}"
        );
        assert_eq!(counts(&mut client, collection), [1, 1, 1, 1], "{collection}");
    }
}
