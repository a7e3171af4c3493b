//! What currentOp shows of the operations in progress, and what killOp does to them.
use std::time::{Duration, Instant};

use bson::{Bson, Document, doc};
use proto_tests::client::Client;
use proto_tests::stage::{Options, Stage};
use proto_tests::wait_until;

use crate::limits::{Locked, send};
use crate::roles::{alone, client, make};
use crate::stage;

/// The operations that match, in whatever database they are.
fn current(client: &mut Client, filter: Document) -> Vec<Document> {
    let mut command = doc! { "currentOp": 1 };
    command.extend(filter);
    command.insert("$db", "admin");
    documents(client.ok(command).get_array("inprog").unwrap())
}

fn documents(list: &[Bson]) -> Vec<Document> {
    list.iter().map(|entry| entry.as_document().unwrap().clone()).collect()
}

/// The only operation on this namespace, once it waits for a lock.
fn waiting(client: &mut Client, ns: &str) -> Document {
    wait_until("the operation waits for a lock", || {
        current(client, doc! { "ns": ns, "waitingForLock": true }).len() == 1
    });
    current(client, doc! { "ns": ns }).remove(0)
}

fn kill(client: &mut Client, operation: &Document) -> Document {
    client.ok(doc! { "killOp": 1, "op": operation.get_i32("opid").unwrap(), "$db": "admin" })
}

fn lsid(n: u8) -> Document {
    let id = bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: vec![n; 16] };
    doc! { "id": id }
}

#[test]
fn an_operation_is_shown_as_it_is_and_ends_when_it_is_killed() {
    let stage = stage();
    let (mut reader, mut watcher) = (stage.stranger(), stage.primary());
    let metadata = doc! {
        "application": { "name": "shown" }, "driver": { "name": "d", "version": "1" }, "os": { "type": "Linux" },
    };
    let hello = reader.ok(doc! { "hello": 1, "client": &metadata, "$db": "admin" });
    let mut reader = reader.logged_in(proto_tests::stage::USER, proto_tests::stage::PASSWORD);
    watcher.ok(doc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "shown" });
    let lock = Locked::new(stage, "shown", "c");
    let filter = doc! { "a": { "$gt": 1 }, "b": "$x" };
    let find = doc! { "find": "c", "filter": &filter, "lsid": lsid(7), "comment": "why", "$db": "shown" };
    send(&mut reader, find);
    let shown = waiting(&mut watcher, "shown.c");
    assert_eq!(shown.get_str("type").ok(), Some("op"));
    assert_eq!((shown.get_str("op").ok(), shown.get_bool("active").ok()), (Some("query"), Some(true)));
    assert_eq!(shown.get_i64("connectionId").unwrap(), i64::from(hello.get_i32("connectionId").unwrap()));
    assert_eq!(shown.get_str("desc").unwrap(), format!("conn{}", hello.get_i32("connectionId").unwrap()));
    assert!(shown.get_str("client").unwrap().starts_with("127.0.0.1:"), "{shown}");
    assert_eq!(
        (shown.get_str("appName").ok(), shown.get_document("clientMetadata").ok()),
        (Some("shown"), Some(&metadata))
    );
    assert_eq!(
        shown.get_array("effectiveUsers").unwrap(),
        &vec![doc! { "user": "tester", "db": "admin" }.into()]
    );
    assert_eq!(shown.get_document("lsid").unwrap().get("id"), lsid(7).get("id"));
    assert_eq!(shown.get_document("command").unwrap().get_document("filter").ok(), Some(&filter));
    assert_eq!(shown.get_document("command").unwrap().get_str("comment").ok(), Some("why"));
    let (seconds, micros) =
        (shown.get_i64("secs_running").unwrap(), shown.get_i64("microsecs_running").unwrap());
    assert!(micros > 0 && seconds == micros / 1_000_000, "{shown}");
    assert!(!shown.contains_key("killPending"));
    let reply = kill(&mut watcher, &shown);
    assert_eq!(reply.get_str("info").ok(), Some("attempting to kill op"));
    let (reply, _) = reader.receive().unwrap();
    assert_eq!(
        (reply.get_i32("code").ok(), reply.get_str("codeName").ok()),
        (Some(11601), Some("Interrupted")),
        "{reply}"
    );
    assert_eq!(lock.waiting(), 0);
    assert!(current(&mut watcher, doc! { "ns": "shown.c" }).is_empty());
    // Its connection goes on, and so does everything that comes on it.
    lock.release();
    reader.ok(doc! { "find": "c", "$db": "shown" });
}

#[test]
fn a_killed_write_did_not_happen() {
    let stage = stage();
    let (mut writer, mut watcher) = (stage.primary(), stage.primary());
    watcher.ok(doc! { "insert": "c", "documents": [{ "_id": 1, "n": 0 }], "$db": "killed" });
    let lock = Locked::new(stage, "killed", "c");
    let updates =
        [doc! { "q": {}, "u": { "$inc": { "n": 1 } } }, doc! { "q": {}, "u": { "$inc": { "n": 1 } } }];
    send(&mut writer, doc! { "update": "c", "updates": updates.to_vec(), "$db": "killed" });
    let shown = waiting(&mut watcher, "killed.c");
    // A batch is told by its length.
    assert_eq!(shown.get_document("command").unwrap().get_i32("updates").ok(), Some(2), "{shown}");
    kill(&mut watcher, &shown);
    assert_eq!(writer.receive().unwrap().0.get_i32("code").ok(), Some(11601));
    lock.release();
    let reply = watcher.ok(doc! { "find": "c", "$db": "killed" });
    let batch = reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
    assert_eq!(batch, &vec![doc! { "_id": 1, "n": 0 }.into()]);
}

#[test]
fn sessions_take_their_operations_along() {
    let stage = stage();
    let (mut reader, mut watcher) = (stage.primary(), stage.primary());
    watcher.ok(doc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "sessions" });
    let lock = Locked::new(stage, "sessions", "c");
    send(&mut reader, doc! { "find": "c", "lsid": lsid(8), "$db": "sessions" });
    waiting(&mut watcher, "sessions.c");
    watcher.ok(doc! { "killSessions": [lsid(9)], "$db": "admin" });
    assert_eq!(lock.waiting(), 1);
    watcher.ok(doc! { "killSessions": [lsid(8)], "$db": "admin" });
    assert_eq!(reader.receive().unwrap().0.get_i32("code").ok(), Some(11601));
    lock.release();
}

#[test]
fn the_stage_feeds_a_pipeline() {
    let stage = stage();
    let (mut reader, mut watcher, _idle) = (stage.primary(), stage.primary(), stage.primary());
    watcher
        .ok(doc! { "insert": "c", "documents": [{ "_id": 1 }, { "_id": 2 }, { "_id": 3 }], "$db": "staged" });
    let lock = Locked::new(stage, "staged", "c");
    send(&mut reader, doc! { "count": "c", "query": { "a": "$b" }, "$db": "staged" });
    waiting(&mut watcher, "staged.c");
    let mut run = |stages: Vec<Document>| {
        watcher.run(doc! { "aggregate": 1, "pipeline": stages, "cursor": {}, "$db": "admin" })
    };
    let first = |reply: &Document| {
        let cursor = reply.get_document("cursor").unwrap_or_else(|_| panic!("{reply}"));
        assert_eq!(cursor.get_str("ns").ok(), Some("admin.$cmd.aggregate"));
        documents(cursor.get_array("firstBatch").unwrap())
    };
    let reply = run(vec![
        doc! { "$currentOp": { "allUsers": true } },
        doc! { "$match": { "ns": "staged.c", "active": true } },
        doc! { "$project": { "op": 1, "command.query": 1 } },
    ]);
    assert_eq!(first(&reply), [doc! { "op": "command", "command": { "query": { "a": "$b" } } }]);
    // What the shell sends without a filter.
    let reply = run(vec![
        doc! { "$currentOp": { "allUsers": true, "idleConnections": false } },
        doc! { "$match": {} },
    ]);
    let all = first(&reply);
    assert!(all.iter().any(|one| one.get_str("ns").ok() == Some("staged.c")), "{reply}");
    // It sees itself.
    assert!(all.iter().any(|one| one.get_str("ns").ok() == Some("admin.$cmd.aggregate")), "{reply}");
    assert!(all.iter().all(|one| one.get_bool("active").ok() == Some(true)), "{reply}");
    let reply = run(vec![
        doc! { "$currentOp": { "allUsers": true, "idleConnections": true } },
        doc! { "$match": { "active": false } },
        doc! { "$count": "n" },
    ]);
    assert_eq!(first(&reply).len(), 1, "somebody is idle");
    for (stages, code) in [
        (vec![doc! { "$currentOp": { "allUsers": 1 } }], 9),
        (vec![doc! { "$currentOp": { "everybody": true } }], 9),
        (vec![doc! { "$currentOp": 1 }], 9),
        (vec![doc! { "$match": {} }, doc! { "$currentOp": {} }], 73),
    ] {
        assert_eq!(run(stages.clone()).get_i32("code").ok(), Some(code), "{stages:?}");
    }
    lock.release();
    reader.receive().unwrap();
    // A cursor that waits for its getMore.
    let page = watcher.ok(doc! { "find": "c", "batchSize": 1, "$db": "staged" });
    let id = page.get_document("cursor").unwrap().get_i64("id").unwrap();
    let stages = [
        doc! { "$currentOp": { "idleCursors": true } },
        doc! { "$match": { "type": "idleCursor", "cursor.cursorId": id } },
    ];
    let reply =
        watcher.ok(doc! { "aggregate": 1, "pipeline": stages.to_vec(), "cursor": {}, "$db": "admin" });
    let shown = documents(reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap());
    assert_eq!((shown.len(), shown[0].get_str("ns").ok()), (1, Some("staged.c")), "{reply}");
    assert_eq!(shown[0].get_document("cursor").unwrap().get_bool("tailable").ok(), Some(false));
    // One that follows a capped collection says so.
    watcher.ok(doc! { "create": "log", "capped": true, "size": 1000, "$db": "staged" });
    watcher.ok(doc! { "insert": "log", "documents": [{ "_id": 1 }], "$db": "staged" });
    let page = watcher.ok(doc! { "find": "log", "tailable": true, "awaitData": true, "$db": "staged" });
    let id = page.get_document("cursor").unwrap().get_i64("id").unwrap();
    let stages =
        [doc! { "$currentOp": { "idleCursors": true } }, doc! { "$match": { "cursor.cursorId": id } }];
    let reply =
        watcher.ok(doc! { "aggregate": 1, "pipeline": stages.to_vec(), "cursor": {}, "$db": "admin" });
    let shown = documents(reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap());
    let cursor = shown[0].get_document("cursor").unwrap();
    assert_eq!(
        (cursor.get_bool("tailable").ok(), cursor.get_bool("awaitData").ok()),
        (Some(true), Some(true))
    );
}

#[test]
fn others_are_shown_to_operators_only() {
    let (stage, _turn) = alone();
    make(stage, "watched", true);
    make(stage, "curious", false);
    let (mut own, mut curious, mut other) =
        (client(stage, "curious"), client(stage, "curious"), client(stage, "watched"));
    other.ok(doc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "watched" });
    for command in [
        doc! { "currentOp": 1, "$db": "admin" },
        doc! { "aggregate": 1, "pipeline": [{ "$currentOp": { "allUsers": true } }], "cursor": {}, "$db": "admin" },
        doc! { "killOp": 1, "op": 1, "$db": "admin" },
    ] {
        assert_eq!(curious.code(command.clone()), 13, "{command}");
    }
    let lock = Locked::new(stage, "watched", "c");
    send(&mut own, doc! { "find": "c", "$db": "watched" });
    wait_until("the read runs", || lock.waiting() == 1);
    let all = current(&mut other, doc! {});
    let shown = all.iter().find(|one| one.get_str("ns").ok() == Some("watched.c")).unwrap();
    let elsewhere = all.iter().find(|one| one.get_str("ns").ok() == Some("admin.$cmd")).unwrap();
    let mine = current(&mut curious, doc! { "$ownOps": true });
    let whose = |one: &Document| {
        let users = documents(one.get_array("effectiveUsers").unwrap());
        users[0].get_str("user").unwrap().to_owned()
    };
    assert!(mine.len() == 2 && mine.iter().all(|one| whose(one) == "curious"), "{mine:?}");
    assert_eq!(
        curious.code(doc! { "killOp": 1, "op": elsewhere.get_i32("opid").unwrap(), "$db": "admin" }),
        13
    );
    // One's own may be ended.
    kill(&mut curious, shown);
    assert_eq!(own.receive().unwrap().0.get_i32("code").ok(), Some(11601));
    lock.release();
}

#[test]
fn a_stuck_storage_hides_nothing() {
    let options =
        Options { connections: 1, standbys: 0, wait: Duration::from_secs(300), ..Options::default() };
    let stage = Stage::new(&options);
    let (mut one, mut two, mut watcher) = (stage.primary(), stage.primary(), stage.primary());
    watcher.ok(doc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "stuck" });
    let lock = Locked::new(&stage, "stuck", "c");
    send(&mut one, doc! { "find": "c", "$db": "stuck" });
    wait_until("the only connection is in use", || lock.waiting() == 1);
    send(&mut two, doc! { "count": "c", "$db": "stuck" });
    let running = || stage.context().operations.all().iter().filter(|seen| seen.running.is_some()).count();
    wait_until("the other waits for it", || running() == 2);
    let begin = Instant::now();
    let all = current(&mut watcher, doc! {});
    assert!(begin.elapsed() < Duration::from_secs(40), "{:?}", begin.elapsed());
    let stuck: Vec<_> = all.iter().filter(|one| one.get_str("ns").ok() == Some("stuck.c")).collect();
    assert_eq!(stuck.len(), 2, "{all:?}");
    for operation in stuck {
        kill(&mut watcher, operation);
    }
    // The one that waits for a connection ends where it would begin.
    for client in [&mut one, &mut two] {
        assert_eq!(client.receive().unwrap().0.get_i32("code").ok(), Some(11601));
    }
    lock.release();
    watcher.ok(doc! { "find": "c", "$db": "stuck" });
}

#[test]
fn numbers_that_are_none() {
    let mut client = stage().primary();
    for (op, code) in [
        (Bson::Double(1.5), 2),
        (Bson::Boolean(true), 14),
        (Bson::Int64(1 << 40), 26823),
        (Bson::String("1:2".into()), 115),
    ] {
        assert_eq!(client.code(doc! { "killOp": 1, "op": op.clone(), "$db": "admin" }), code, "{op}");
    }
    assert_eq!(client.code(doc! { "killOp": 1, "$db": "admin" }), 4);
    client.ok(doc! { "killOp": 1, "op": -5, "$db": "admin" });
}
