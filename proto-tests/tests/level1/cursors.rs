//! Cursors: pages, whose they are, how they end; with results that any connection can continue, and with results
//! that one connection holds.
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bson::{Document, doc};
use ermine_cluster::{LogMark, Node};
use proto_tests::client::Client;
use proto_tests::stage::{Options, Stage};
use proto_tests::wait_until;

use crate::stage;

fn held(cursor_connections: usize, cursor_timeout: Duration) -> Options {
    let settings = vec![("ermine.official_cursors", "on")];
    Options { settings, cursor_connections, cursor_timeout, ..Options::default() }
}

/// Cursors that hold their connection, as with the official extension. One test at a time: the places are few, and one test
/// ends every connection that holds a cursor.
fn pinning() -> (&'static Stage, MutexGuard<'static, ()>) {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    (STAGE.get_or_init(|| Stage::new(&held(3, Duration::from_secs(600)))), turn)
}

fn fill(client: &mut Client, collection: &str, count: i32) {
    client.ok(doc! { "drop": collection, "$db": "cursors" });
    let documents: Vec<_> = (0..count).map(|n| doc! { "_id": n, "back": count - n }).collect();
    client.ok(doc! { "insert": collection, "documents": documents, "$db": "cursors" });
}

fn sorted(collection: &str, batch: i32) -> Document {
    doc! { "find": collection, "sort": { "back": 1 }, "batchSize": batch, "$db": "cursors" }
}

fn id(reply: &Document) -> i64 {
    reply.get_document("cursor").unwrap().get_i64("id").unwrap()
}

fn batch(reply: &Document) -> Vec<i32> {
    let cursor = reply.get_document("cursor").unwrap();
    let batch = cursor.get_array("firstBatch").or_else(|_| cursor.get_array("nextBatch")).unwrap();
    batch.iter().map(|entry| entry.as_document().unwrap().get_i32("_id").unwrap()).collect()
}

fn more(collection: &str, id: i64, batch: i32) -> Document {
    doc! { "getMore": id, "collection": collection, "batchSize": batch, "$db": "cursors" }
}

fn drain(client: &mut Client, find: Document, collection: &str) -> Vec<i32> {
    let db = find.get_str("$db").unwrap().to_owned();
    let mut reply = client.ok(find);
    let mut all = batch(&reply);
    while id(&reply) != 0 {
        let mut next = more(collection, id(&reply), 7);
        next.insert("$db", &db);
        reply = client.ok(next);
        all.extend(batch(&reply));
    }
    all
}

/// Whether a page after the first one was asked for in this database.
fn continued(mark: &LogMark, db: &str) -> bool {
    let (log, parameters) = (mark.text(), format!("parameters: $1 = '{db}'"));
    let next = log.lines().skip(1);
    log.lines().zip(next).any(|(line, next)| line.contains("cursor_get_more") && next.contains(&parameters))
}

/// Whether the server was told to forget what it kept for this cursor.
fn deleted(mark: &LogMark, cursor: i64) -> bool {
    mark.text().contains(&format!("parameters: $1 = '{{{cursor}}}'"))
}

#[test]
fn cursors_behind_a_load_balancer_end_with_their_connection() {
    let stage = crate::stage();
    let mut client = stage.primary();
    let documents: Vec<_> = (0..9).map(|n| doc! { "_id": n }).collect();
    client.ok(doc! { "insert": "c", "documents": documents, "$db": "balanced" });
    let open = |balanced: bool| {
        let mut other = stage.primary();
        if balanced {
            other.ok(doc! { "hello": 1, "loadBalanced": true, "$db": "admin" });
        }
        let reply = other.ok(doc! { "find": "c", "batchSize": 2, "$db": "balanced" });
        reply.get_document("cursor").unwrap().get_i64("id").unwrap()
    };
    let (balanced, direct) = (open(true), open(false));
    let more = |id: i64| doc! { "getMore": id, "collection": "c", "batchSize": 1, "$db": "balanced" };
    wait_until("the cursor ends", || client.run(more(balanced)).get_i32("code").ok() == Some(43));
    client.ok(more(direct));
    client.ok(doc! { "dropDatabase": 1, "$db": "balanced" });
}

#[test]
fn a_time_limit_is_one_of_all_pages() {
    let stage = crate::stage();
    let mut client = stage.primary();
    let documents: Vec<_> = (0..9).map(|n| doc! { "_id": n }).collect();
    client.ok(doc! { "insert": "c", "documents": documents, "$db": "timed" });
    let mut page = |batch: i32| {
        let reply = client.ok(doc! { "find": "c", "batchSize": batch, "maxTimeMS": 5000, "$db": "timed" });
        reply.get_document("cursor").unwrap().get_i64("id").unwrap()
    };
    let (paused, slow) = (page(2), page(2));
    let more = |id: i64| doc! { "getMore": id, "collection": "c", "batchSize": 2, "$db": "timed" };
    // A pause between pages is the client's.
    std::thread::sleep(Duration::from_millis(5500));
    client.ok(more(paused));
    client.ok(more(slow));
    let lock = crate::limits::Locked::new(stage, "timed", "c");
    let begin = std::time::Instant::now();
    assert_eq!(client.code(more(slow)), 50);
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(15), "{took:?}");
    lock.release();
    assert_eq!(client.code(more(slow)), 43);
    client.ok(more(paused));
    client.ok(doc! { "dropDatabase": 1, "$db": "timed" });
}

#[test]
fn pages_in_order_on_both_endpoints_and_in_both_modes() {
    let (pinning, _turn) = pinning();
    for (name, stage) in [("free", stage()), ("held", pinning)] {
        let documents: Vec<_> = (0..50).map(|n| doc! { "_id": n, "back": 50 - n }).collect();
        stage.primary().ok(doc! { "insert": "pages", "documents": documents, "$db": "pages" });
        stage.replayed();
        for mut client in [stage.primary(), stage.secondary()] {
            // In the logs a database of its own: other tests read pages meanwhile.
            let [primary, standby] = [stage.cluster.primary(), stage.cluster.standby()].map(Node::log_mark);
            let mut find = sorted("pages", 3);
            find.insert("$db", "pages");
            let all = drain(&mut client, find, "pages");
            assert_eq!(all, (0..50).rev().collect::<Vec<_>>(), "{name}");
            // The pages after the first come from the node of the first.
            assert_ne!(continued(&primary, "pages"), continued(&standby, "pages"), "{name}");
            let plain = doc! { "find": "pages", "batchSize": 4, "$db": "pages" };
            let mut all = drain(&mut client, plain, "pages");
            all.sort_unstable();
            assert_eq!(all, (0..50).collect::<Vec<_>>(), "{name}");
        }
    }
}

#[test]
fn an_empty_first_batch_opens_a_cursor() {
    let mut client = stage().primary();
    fill(&mut client, "empty", 5);
    let reply = client.ok(doc! { "find": "empty", "batchSize": 0, "$db": "cursors" });
    assert!(batch(&reply).is_empty() && id(&reply) != 0);
    let reply = client.ok(doc! { "getMore": id(&reply), "collection": "empty", "$db": "cursors" });
    assert_eq!((batch(&reply).len(), id(&reply)), (5, 0));
}

#[test]
fn a_cursor_is_its_users_its_namespaces_and_its_sessions() {
    let mut client = stage().primary();
    fill(&mut client, "owned", 20);
    let mut find = sorted("owned", 2);
    find.insert("lsid", doc! { "id": uuid(1) });
    let cursor = id(&client.ok(find));
    assert_eq!(client.code(more("other", cursor, 2)), 13);
    assert_eq!(client.code(more("owned", cursor, 2)), 50737);
    let with = |n: u8| {
        let mut next = more("owned", cursor, 2);
        next.insert("lsid", doc! { "id": uuid(n) });
        next
    };
    assert_eq!(client.code(with(2)), 50738);
    let mut timed = with(1);
    timed.insert("maxTimeMS", 100);
    assert_eq!(client.code(timed), 2);
    // None of these ended it.
    assert_eq!(batch(&client.ok(with(1))).len(), 2);
    // Nor does another user see or kill it.
    client.ok(doc! {
        "createUser": "cursor_reader", "pwd": "Secret-123",
        "roles": [{ "role": "readAnyDatabase", "db": "admin" }], "$db": "admin",
    });
    let mut other = stage().stranger().logged_in("cursor_reader", "Secret-123");
    assert_eq!(other.code(with(1)), 13);
    let reply = other.ok(doc! { "killCursors": "owned", "cursors": [cursor], "$db": "cursors" });
    assert!(reply.get_array("cursorsKilled").unwrap().is_empty());
    client.ok(doc! { "dropUser": "cursor_reader", "$db": "admin" });
    // The end of its session is its end.
    client.ok(doc! { "endSessions": [{ "id": uuid(1) }], "$db": "admin" });
    assert_eq!(client.code(with(1)), 43);
    let mut sessionless = more("owned", id(&client.ok(sorted("owned", 2))), 2);
    sessionless.insert("lsid", doc! { "id": uuid(1) });
    assert_eq!(client.code(sessionless), 50736);
}

fn uuid(n: u8) -> bson::Binary {
    let mut bytes = vec![n; 16];
    bytes[6] = 0x40;
    bytes[8] = 0x80;
    bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes }
}

#[test]
fn killing_gives_the_connection_back() {
    let (stage, _turn) = pinning();
    let mut client = stage.primary();
    fill(&mut client, "killed", 20);
    // More than the budget, one after the other: each is given back.
    for _ in 0..6 {
        let cursor = id(&client.ok(sorted("killed", 2)));
        let marks = stage.marks();
        let reply = client.ok(doc! { "killCursors": "killed", "cursors": [cursor], "$db": "cursors" });
        assert_eq!(reply.get_array("cursorsKilled").unwrap().len(), 1);
        assert_eq!(client.code(more("killed", cursor, 2)), 43);
        wait_until("the portal is closed", || marks.primary_ran("CLOSE ALL"));
    }
}

#[test]
fn killing_removes_what_the_server_kept() {
    let mut client = stage().primary();
    fill(&mut client, "kept", 20);
    let cursor = id(&client.ok(sorted("kept", 2)));
    let mark = stage().cluster.primary().log_mark();
    client.ok(doc! { "killCursors": "kept", "cursors": [cursor], "$db": "cursors" });
    wait_until("the result is deleted", || mark.ran("delete_cursors") && deleted(&mark, cursor));
    // A cursor that only remembers its place has nothing to delete.
    let cursor = id(&client.ok(doc! { "find": "kept", "batchSize": 2, "$db": "cursors" }));
    let mark = stage().cluster.primary().log_mark();
    client.ok(doc! { "killCursors": "kept", "cursors": [cursor], "$db": "cursors" });
    client.ok(doc! { "count": "kept", "$db": "cursors" });
    assert!(!deleted(&mark, cursor));
}

#[test]
fn too_many_held_cursors_are_refused_and_idle_ones_time_out() {
    let stage = Stage::new(&held(2, Duration::from_secs(8)));
    let mut client = stage.primary();
    fill(&mut client, "many", 20);
    let first = id(&client.ok(sorted("many", 2)));
    let second = id(&client.ok(sorted("many", 2)));
    let reply = client.run(sorted("many", 2));
    assert_eq!(reply.get_i32("code").ok(), Some(462), "{reply}");
    assert_eq!(reply.get_array("errorLabels").unwrap().len(), 2, "{reply}");
    // Results of one page and unsorted finds need no place.
    client.ok(sorted("many", 100));
    client.ok(doc! { "find": "many", "batchSize": 2, "$db": "cursors" });
    // The standby has places of its own.
    stage.replayed();
    stage.secondary().ok(sorted("many", 2));
    // Both time out, and their places are free again.
    wait_until("a place is free", || client.run(sorted("many", 2)).contains_key("cursor"));
    wait_until("another place is free", || client.run(sorted("many", 2)).contains_key("cursor"));
    assert_eq!(client.code(more("many", first, 1)), 43);
    assert_eq!(client.code(more("many", second, 1)), 43);
}

#[test]
fn a_page_that_fails_ends_its_cursor_and_its_connection_only() {
    let (stage, _turn) = pinning();
    let mut client = stage.primary();
    fill(&mut client, "broken", 20);
    let cursor = id(&client.ok(sorted("broken", 2)));
    // Another connection of the same user ends the backend under the cursor.
    let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%find_cursor_first_page%' \
                 AND state = 'idle' AND pid <> pg_backend_pid()";
    stage.cluster.primary().execute(ended).unwrap();
    let reply = client.run(more("broken", cursor, 2));
    assert_eq!(reply.get_f64("ok").ok(), Some(0.0), "{reply}");
    assert_eq!(client.code(more("broken", cursor, 2)), 43);
    client.ok(sorted("broken", 100));
}

#[test]
fn a_stream_of_pages() {
    let mut client = stage().primary();
    fill(&mut client, "stream", 10);
    let first = client.ok(sorted("stream", 2));
    client.stream(more("stream", id(&first), 3));
    let mut all = batch(&first);
    loop {
        let (reply, follows) = client.receive().unwrap();
        all.extend(batch(&reply));
        assert_eq!(follows, id(&reply) != 0);
        if !follows {
            break;
        }
    }
    assert_eq!(all, (0..10).rev().collect::<Vec<_>>());
}
