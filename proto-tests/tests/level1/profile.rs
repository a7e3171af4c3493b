//! The profiler: what it records and when, and system.profile as a collection.
use bson::{Document, doc};
use proto_tests::client::Client;

use crate::roles::{alone, client, make};
use crate::stage;

fn found(client: &mut Client, mut command: Document) -> Vec<Document> {
    command.insert("$db", "profiled");
    let reply = client.ok(command);
    let cursor = reply.get_document("cursor").unwrap();
    assert_eq!(cursor.get_str("ns").ok(), Some("profiled.system.profile"));
    let batch = cursor.get_array("firstBatch").unwrap();
    batch.iter().map(|entry| entry.as_document().unwrap().clone()).collect()
}

fn profile(client: &mut Client, level: i32) -> Document {
    client.ok(doc! { "profile": level, "$db": "profiled" })
}

#[test]
fn operations_are_recorded_and_read_back() {
    let mut client = stage().primary();
    assert_eq!(profile(&mut client, -1).get_i32("was").ok(), Some(0));
    client.ok(doc! { "insert": "c", "documents": [{ "_id": 0 }], "$db": "profiled" });
    assert_eq!(profile(&mut client, 2).get_i32("was").ok(), Some(0));
    client.ok(doc! { "insert": "c", "documents": [{ "_id": 1 }, { "_id": 2 }], "$db": "profiled" });
    client.ok(doc! { "find": "c", "filter": { "_id": { "$gt": 0 } }, "batchSize": 1, "$db": "profiled" });
    client.code(doc! { "find": "c", "filter": { "$no": 1 }, "$db": "profiled" });
    client.ok(doc! { "update": "c", "updates": [{ "q": { "_id": 1 }, "u": { "$set": { "a": "$b" } } }], "$db": "profiled" });
    client.ok(doc! { "insert": "c", "documents": [{}], "$db": "not_profiled" });
    assert_eq!(profile(&mut client, 0).get_i32("was").ok(), Some(2));
    client.ok(doc! { "delete": "c", "deletes": [{ "q": {}, "limit": 0 }], "$db": "profiled" });

    // The order is that of the operations; the last one turned the profiler off, when it was on no longer.
    let all = found(&mut client, doc! { "find": "system.profile" });
    let ops: Vec<_> = all.iter().map(|one| one.get_str("op").unwrap()).collect();
    assert_eq!(ops, ["command", "insert", "query", "query", "update"], "{all:?}");
    let insert = &all[1];
    assert_eq!(
        (insert.get_str("ns").ok(), insert.get_i32("ninserted").ok()),
        (Some("profiled.c"), Some(2)),
        "{insert}"
    );
    assert_eq!(insert.get_document("command").unwrap().get_i32("documents").ok(), Some(2));
    assert_eq!(
        (insert.get_str("user").ok(), insert.get_str("client").ok()),
        (Some("tester@admin"), Some("127.0.0.1"))
    );
    assert!(insert.get_i32("millis").is_ok() && insert.get_datetime("ts").is_ok(), "{insert}");
    let query = &all[2];
    assert_eq!(
        (query.get_i32("nreturned").ok(), query.get_i64("cursorid").is_ok()),
        (Some(1), true),
        "{query}"
    );
    assert_eq!(
        query.get_document("command").unwrap().get_document("filter").ok(),
        Some(&doc! { "_id": { "$gt": 0 } })
    );
    assert_eq!((all[3].get_i32("errCode").ok(), all[3].get_str("errName").ok()), (Some(2), Some("BadValue")));
    assert_eq!((all[4].get_i32("nMatched").ok(), all[4].get_i32("nModified").ok()), (Some(1), Some(1)));

    // A collection like others, as far as reading goes.
    let newest =
        found(&mut client, doc! { "find": "system.profile", "sort": { "$natural": -1 }, "limit": 1 });
    assert_eq!(newest[0].get_str("op").ok(), Some("update"));
    let filter = doc! { "op": "query", "errCode": { "$exists": false } };
    let some = found(
        &mut client,
        doc! { "find": "system.profile", "filter": &filter, "sort": { "ts": -1 }, "projection": { "ns": 1 } },
    );
    assert_eq!(some, [doc! { "ns": "profiled.c" }]);
    let count = client.ok(doc! { "count": "system.profile", "query": { "op": "query" }, "$db": "profiled" });
    assert_eq!(count.get_i32("n").ok(), Some(2));
    let group = [doc! { "$group": { "_id": "$op", "n": { "$sum": 1 } } }, doc! { "$sort": { "_id": 1 } }];
    let groups =
        found(&mut client, doc! { "aggregate": "system.profile", "pipeline": group.to_vec(), "cursor": {} });
    assert_eq!(groups.len(), 4, "{groups:?}");
    // Page by page.
    let reply = client.ok(doc! { "find": "system.profile", "batchSize": 3, "$db": "profiled" });
    let id = reply.get_document("cursor").unwrap().get_i64("id").unwrap();
    let reply = client.ok(doc! { "getMore": id, "collection": "system.profile", "$db": "profiled" });
    assert_eq!(reply.get_document("cursor").unwrap().get_array("nextBatch").unwrap().len(), 2, "{reply}");
    assert_eq!(client.code(doc! { "distinct": "system.profile", "key": "op", "$db": "profiled" }), 115);
    assert_eq!(client.code(doc! { "insert": "system.profile", "documents": [{}], "$db": "profiled" }), 73);

    // Only what is slow; and nothing here is that slow.
    let before = client.ok(doc! { "profile": 1, "slowms": 100_000, "$db": "profiled" });
    client.ok(doc! { "find": "c", "$db": "profiled" });
    assert_eq!(found(&mut client, doc! { "find": "system.profile" }).len(), 5);
    client.ok(doc! { "profile": 1, "slowms": 0, "$db": "profiled" });
    client.ok(doc! { "find": "c", "$db": "profiled" });
    assert_eq!(client.code(doc! { "drop": "system.profile", "$db": "profiled" }), 20);
    client.ok(doc! { "profile": 0, "slowms": before.get_i32("slowms").unwrap(), "$db": "profiled" });
    let slow = found(
        &mut client,
        doc! { "find": "system.profile", "filter": { "op": "query", "command.find": "c" } },
    );
    assert_eq!(slow.len(), 3, "{slow:?}");

    assert_eq!(
        client.ok(doc! { "drop": "system.profile", "$db": "profiled" }).get_str("ns").ok(),
        Some("profiled.system.profile")
    );
    assert!(found(&mut client, doc! { "find": "system.profile" }).is_empty());
    client.ok(doc! { "dropDatabase": 1, "$db": "profiled" });
}

#[test]
fn what_others_do_is_not_everybodys() {
    let (stage, _turn) = alone();
    make(stage, "reads_all", false);
    let mut reader = client(stage, "reads_all");
    for command in [
        doc! { "find": "system.profile" },
        doc! { "count": "system.profile" },
        doc! { "aggregate": "system.profile", "pipeline": [], "cursor": {} },
        doc! { "profile": 2 },
    ] {
        let mut command = command;
        command.insert("$db", "profiled");
        assert_eq!(reader.code(command.clone()), 13, "{command}");
    }
}
