//! Long batches, document sequences, and writes that want no answer.
use bson::{Document, doc};
use proto_tests::client::{Client, Message};
use proto_tests::wait_until;

use crate::stage;

fn documents(range: std::ops::Range<i32>) -> Vec<Document> {
    range.map(|n| doc! { "_id": n }).collect()
}

fn insert(collection: &str, documents: Vec<Document>, ordered: bool) -> Message {
    Message {
        body: doc! { "insert": collection, "ordered": ordered, "$db": "batches" },
        sequences: vec![("documents".into(), documents)],
        flags: 0,
    }
}

#[test]
fn more_writes_than_one_call_takes() {
    let mut client = stage().primary();
    client.ok(doc! { "drop": "long", "$db": "batches" });
    client.send(&insert("long", documents(0..60_000), true));
    let reply = client.receive().unwrap().0;
    assert_eq!(reply, doc! { "n": 60_000, "ok": 1.0 });
    let count = client.ok(doc! { "count": "long", "query": { "_id": { "$gte": 0 } }, "$db": "batches" });
    assert_eq!(count.get_i32("n").ok(), Some(60_000));
    // In the command itself, in order: what follows the failure is not written.
    let mut again = documents(60_000..95_000);
    again[30_000] = doc! { "_id": 5 };
    let reply = client.ok(doc! { "insert": "long", "documents": again.clone(), "$db": "batches" });
    assert_eq!(reply.get_i32("n").ok(), Some(30_000));
    let errors = reply.get_array("writeErrors").unwrap();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].as_document().unwrap().get_i32("index").ok(), Some(30_000));
    // Out of order: all others are, whichever call they fell into.
    client.ok(doc! { "drop": "long", "$db": "batches" });
    client.ok(doc! { "insert": "long", "documents": [{ "_id": 5 }, { "_id": 60_001 }], "$db": "batches" });
    client.send(&insert("long", again, false));
    let reply = client.receive().unwrap().0;
    assert_eq!(reply.get_i32("n").ok(), Some(34_998));
    let indexes: Vec<_> = reply
        .get_array("writeErrors")
        .unwrap()
        .iter()
        .map(|error| error.as_document().unwrap().get_i32("index").unwrap())
        .collect();
    assert_eq!(indexes, [1, 30_000]);
}

#[test]
fn more_writes_than_a_command_takes() {
    let mut client = stage().primary();
    client.send(&insert("too_long", documents(0..100_001), true));
    let reply = client.receive().unwrap().0;
    assert_eq!(reply.get_i32("code").ok(), Some(16));
    let words = "Write batch sizes must be between 1 and 100000. Got 100001 operations.";
    assert_eq!(reply.get_str("errmsg").ok(), Some(words));
}

#[test]
fn updates_and_deletes_in_sequences() {
    let mut client = stage().primary();
    client.ok(doc! { "drop": "seq", "$db": "batches" });
    client.send(&insert("seq", documents(0..3), true));
    assert_eq!(client.receive().unwrap().0.get_i32("n").ok(), Some(3));
    let updates: Vec<_> = (0..26_000)
        .map(|n| doc! { "q": { "_id": n }, "u": { "$set": { "n": n } }, "upsert": n == 25_999 })
        .collect();
    client.send(&Message {
        body: doc! { "update": "seq", "$db": "batches" },
        sequences: vec![("updates".into(), updates)],
        flags: 0,
    });
    let reply = client.receive().unwrap().0;
    assert_eq!(reply.get_i32("n").ok(), Some(4), "{reply}");
    assert_eq!(reply.get_i32("nModified").ok(), Some(3));
    assert_eq!(
        reply.get_array("upserted").unwrap()[0].as_document().unwrap(),
        &doc! { "index": 25_999, "_id": 25_999 }
    );
    client.send(&Message {
        body: doc! { "delete": "seq", "$db": "batches" },
        sequences: vec![("deletes".into(), vec![doc! { "q": {}, "limit": 0 }])],
        flags: 0,
    });
    assert_eq!(client.receive().unwrap().0, doc! { "n": 4, "ok": 1.0 });
}

#[test]
fn a_sequence_that_the_command_does_not_know() {
    let mut client = stage().primary();
    let mut message = insert("seq", documents(0..1), true);
    message.sequences[0].0 = "updates".into();
    client.send(&message);
    assert_eq!(client.receive().unwrap().0.get_i32("code").ok(), Some(40415));
}

#[test]
fn writes_without_an_answer_are_done_and_not_answered() {
    let mut client = stage().primary();
    client.ok(doc! { "drop": "quiet", "$db": "batches" });
    client.tell(doc! {
        "insert": "quiet", "documents": [{ "_id": 1 }], "writeConcern": { "w": 0 }, "$db": "batches",
    });
    client.tell(doc! { "insert": "quiet", "documents": [], "writeConcern": { "w": 0 }, "$db": "batches" });
    // The next reply is that of the next question.
    assert_eq!(client.ok(doc! { "ping": 1, "$db": "batches" }), doc! { "ok": 1.0 });
    wait_until("the write is done", || {
        client.ok(doc! { "count": "quiet", "query": { "_id": 1 }, "$db": "batches" }).get_i32("n").ok()
            == Some(1)
    });
}

fn bulk_write(ops: Vec<Document>, namespaces: &[&str], options: Document) -> Message {
    let namespaces = namespaces.iter().map(|ns| doc! { "ns": ns }).collect();
    let mut body = doc! { "bulkWrite": 1, "$db": "admin" };
    body.extend(options);
    Message { body, sequences: vec![("ops".into(), ops), ("nsInfo".into(), namespaces)], flags: 0 }
}

#[test]
fn bulk_write_in_sequences_and_pages() {
    let mut client = stage().primary();
    for collection in ["one", "two"] {
        client.ok(doc! { "drop": collection, "$db": "batches" });
    }
    // Long runs of one kind, longer than one call takes, and operations that take turns.
    let mut ops: Vec<_> = (0..30_000).map(|n| doc! { "insert": 0, "document": { "_id": n } }).collect();
    for n in 0..50 {
        ops.push(doc! { "insert": 1, "document": { "_id": n, "n": 0 } });
        ops.push(doc! { "update": 1, "filter": { "_id": n }, "updateMods": { "$inc": { "n": 1 } } });
    }
    client.send(&bulk_write(
        ops,
        &["batches.one", "batches.two"],
        doc! { "cursor": { "batchSize": 20_000 } },
    ));
    let reply = client.receive().unwrap().0;
    assert_eq!(reply.get_i32("nInserted").ok(), Some(30_050), "{reply}");
    assert_eq!(reply.get_i32("nModified").ok(), Some(50), "{reply}");
    let mut results = reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap().clone();
    assert_eq!(results.len(), 20_000);
    let id = reply.get_document("cursor").unwrap().get_i64("id").unwrap();
    let more = doc! { "getMore": id, "collection": "$cmd.bulkWrite", "batchSize": 10_000, "$db": "admin" };
    for left in [100, 0] {
        let reply = client.ok(more.clone());
        let cursor = reply.get_document("cursor").unwrap();
        results.extend(cursor.get_array("nextBatch").unwrap().iter().cloned());
        assert_eq!((cursor.get_i64("id").unwrap() != 0, results.len()), (left > 0, 30_100 - left));
    }
    for (position, result) in results.iter().enumerate() {
        let result = result.as_document().unwrap();
        assert_eq!(result.get_i32("idx").ok(), i32::try_from(position).ok());
        assert_eq!((result.get_f64("ok").ok(), result.get_i32("n").ok()), (Some(1.0), Some(1)));
    }
    assert_eq!(client.code(more), 43);
    // A cursor of results is killed like any other.
    let ops = (0..3).map(|n| doc! { "delete": 1, "filter": { "_id": n } }).collect();
    client.send(&bulk_write(ops, &["batches.two"], doc! { "cursor": { "batchSize": 1 } }));
    let reply = client.receive().unwrap().0;
    assert_eq!(reply.get_i32("code").ok(), Some(2), "a namespace that is not there: {reply}");
    let ops = (0..3).map(|n| doc! { "delete": 0, "filter": { "_id": n } }).collect();
    client.send(&bulk_write(ops, &["batches.two"], doc! { "cursor": { "batchSize": 1 } }));
    let reply = client.receive().unwrap().0;
    let id = reply.get_document("cursor").unwrap().get_i64("id").unwrap();
    let killed = client.ok(doc! { "killCursors": "$cmd.bulkWrite", "cursors": [id], "$db": "admin" });
    assert_eq!(killed.get_array("cursorsKilled").unwrap().len(), 1);
    assert_eq!(client.code(doc! { "getMore": id, "collection": "$cmd.bulkWrite", "$db": "admin" }), 43);
}

#[test]
fn what_is_wrong_at_the_end_of_a_long_batch_hides_nothing_that_was_written() {
    let mut client = stage().primary();
    let count = 25_010;
    client.ok(doc! { "drop": "wrong", "$db": "batches" });
    client.send(&insert("wrong", documents(0..count), true));
    assert_eq!(client.receive().unwrap().0.get_i32("n").ok(), Some(count));
    let mut run = |kind: &str, last: Document, ordered: bool| {
        let mut writes: Vec<_> = (0..count)
            .map(|n| match kind {
                "update" => doc! { "q": { "_id": n }, "u": { "$inc": { "n": 1 } } },
                _ => doc! { "q": { "_id": n }, "limit": 1 },
            })
            .collect();
        writes[25_005] = last;
        client.send(&Message {
            body: doc! { kind: "wrong", "ordered": ordered, "$db": "batches" },
            sequences: vec![(format!("{kind}s"), writes)],
            flags: 0,
        });
        let reply = client.receive().unwrap().0;
        let left = |client: &mut Client, query: Document| {
            client.ok(doc! { "count": "wrong", "query": query, "$db": "batches" }).get_i32("n").unwrap()
        };
        let changed = left(&mut client, doc! { "n": { "$gt": 0 } });
        (reply, changed, left(&mut client, doc! { "_id": { "$gte": 0 } }))
    };
    // As MongoDB, which reads all before it writes.
    for (kind, last, code) in [
        ("update", doc! { "q": {}, "u": {}, "x": 1 }, 40415),
        ("update", doc! { "q": {} }, 40414),
        ("delete", doc! { "q": {} }, 40414),
    ] {
        let (reply, changed, left) = run(kind, last, true);
        assert_eq!((reply.get_i32("code").ok(), changed, left), (Some(code), 0, count), "{reply}");
    }
    // What only the extension finds: it is told at its place.
    for (kind, last, ordered, n) in [
        ("update", doc! { "q": {}, "u": { "$inc": { "n": 1 } }, "multi": "x" }, true, 25_005),
        ("delete", doc! { "q": 1, "limit": 1 }, false, count - 1),
    ] {
        let (reply, changed, left) = run(kind, last, ordered);
        assert_eq!(reply.get_i32("n").ok(), Some(n), "{reply}");
        let errors = reply.get_array("writeErrors").unwrap();
        let error = errors[0].as_document().unwrap();
        assert_eq!(
            (errors.len(), error.get_i32("index").ok(), error.get_i32("code").ok()),
            (1, Some(25_005), Some(14)),
            "{reply}"
        );
        let wanted = if kind == "update" { (n, count) } else { (0, 1) };
        assert_eq!((changed, left), wanted, "{kind}");
    }
}
