//! Index builds in the background: beside writers, together, stopped, failed, interrupted by a crash.

use std::time::{Duration, Instant};

use engine::{Doc, Val, Value};
use sql_tests::builds::{
    RELATIONS, command, count, create, drop_index, hold, index, insert, number, plan, status, text, wait,
    wait_for_worker,
};
use sql_tests::{Session, cluster, doc, literal, sub};

/// The function that builds within the call.
const AT_ONCE: &str = "SELECT documentdb_api_internal.create_indexes_non_concurrently";

/// First half of the lock of a command that enters indexes; the second is the collection's number.
const ENTRY: i32 = 0x6572_6d65;

fn current_op(s: &mut Session) -> Vec<String> {
    let reply = s.doc(&format!(
        "SELECT document FROM documentdb_api.current_op_command({})",
        literal(&doc(&[("currentOp", Value::Int32(1)), ("command.createIndexes", text("c"))]))
    ));
    let list = Doc::trusted(&reply).get("inprog").and_then(Val::as_array).unwrap();
    list.values().map(|v| v.as_doc().unwrap().get("msg").and_then(Val::as_str).unwrap().to_owned()).collect()
}

#[test]
fn builds_stand_in_nobodys_way() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let mut holder = Session::open(cluster.primary());
    for from in (0..20_000).step_by(10_000) {
        insert(&mut s, "c", from..from + 10_000);
    }
    hold(&mut holder);
    let first = create(&mut s, "c", &[index("a", false)]);
    wait_for_worker(&mut s);
    // Writers go on; the index answers nothing before it is complete; currentOp shows it.
    insert(&mut s, "c", 20_000..20_100);
    let set = sub(&[("$set", sub(&[("a", Value::Int32(7))]))]);
    let update = sub(&[("q", sub(&[("_id", Value::Int32(3))])), ("u", set)]);
    s.write("update", &doc(&[("update", text("c")), ("updates", Value::array_of(&[update]))]));
    assert_eq!((plan(&mut s, "c", "a").as_str(), count(&mut s, "c", "a")), ("COLLSCAN", 202));
    assert!(!status(&mut s, &first).2);
    let shown = current_op(&mut s);
    assert!(matches!(shown.as_slice(), [one] if one.starts_with("Index Build: ")), "{shown:?}");
    // The same index again waits for the same build; a second one queues behind it; another collection's does not.
    let again = create(&mut s, "c", &[index("a", false)]);
    assert_eq!(again, first);
    let second = create(&mut s, "c", &[index("b", true)]);
    insert(&mut s, "d", 0..10);
    let other = create(&mut s, "d", &[index("a", false)]);
    holder.sql("COMMIT");
    for (requests, c, field, n) in [(&first, "c", "a", 202), (&second, "c", "b", 1), (&other, "d", "a", 1)] {
        assert!(wait(&mut s, requests).1);
        assert!(plan(&mut s, c, field).starts_with(&format!("IXSCAN {field}_1")));
        assert_eq!(count(&mut s, c, field), n);
    }
    assert!(current_op(&mut s).is_empty());

    // A unique index over equal keys fails, and the others of its command with it.
    let failing = create(&mut s, "d", &[index("b", false), index("a", false)]);
    assert!(wait(&mut s, &failing).1);
    insert(&mut s, "d", 100..110);
    let failing = create(&mut s, "d", &[index("z", false), index("e", true)]);
    let (reply, ok) = wait(&mut s, &failing);
    let message = Doc::trusted(&reply).get("raw").and_then(Val::as_doc).and_then(|d| d.first()).unwrap();
    let message = message.val.as_doc().unwrap().get("errmsg").and_then(Val::as_str).unwrap();
    assert!(!ok && message.ends_with("Index 'e_1'"), "{message}");
    assert!(plan(&mut s, "d", "z").starts_with("COLLSCAN"));
    assert_eq!(number(&mut s, RELATIONS), 4);
    assert!(current_op(&mut s).is_empty());
}

#[test]
fn builds_make_way() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let mut holder = Session::open(cluster.primary());
    for c in ["c", "d"] {
        insert(&mut s, c, 0..500);
    }
    hold(&mut holder);
    s.sql(&format!("{AT_ONCE}('t', {}, true)", literal(&command("c", &[index("z", false)]))));
    let kept = create(&mut s, "c", &[index("a", false)]);
    create(&mut s, "d", &[index("a", false)]);
    wait_for_worker(&mut s);
    // Another index and another collection can be dropped in the meantime, and the build goes on afterwards.
    s.sql("SET statement_timeout = '30s'");
    s.sql(&drop_index("c", "z_1"));
    s.sql("SELECT documentdb_api.drop_collection('t', 'd')");
    holder.sql("COMMIT");
    assert!(wait(&mut s, &kept).1);
    assert!(plan(&mut s, "c", "a").starts_with("IXSCAN a_1"));
    // An index can be dropped while it is built.
    hold(&mut holder);
    create(&mut s, "c", &[index("b", false)]);
    wait_for_worker(&mut s);
    s.sql(&drop_index("c", "b_1"));
    holder.sql("COMMIT");
    assert!(plan(&mut s, "c", "b").starts_with("COLLSCAN"));
    let end = Instant::now() + Duration::from_secs(60);
    while number(&mut s, RELATIONS) != 1 {
        assert!(Instant::now() < end, "a dropped index is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(number(&mut s, "SELECT count(*) FROM documentdb_api_catalog.documentdb_index_queue"), 0);
}

#[test]
fn what_another_worker_has_built_stays() {
    let cluster = cluster();
    let node = cluster.primary();
    let mut s = Session::open(node);
    let (mut holder, mut other) = (Session::open(node), Session::open(node));
    insert(&mut s, "c", 0..500);
    s.sql(&format!("{AT_ONCE}('t', {}, true)", literal(&command("c", &[index("z", false)]))));
    hold(&mut holder);
    let requests = create(&mut s, "c", &[index("b", true)]);
    wait_for_worker(&mut s);
    let workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'ermine index build'";
    let pid = number(&mut s, "SELECT pid FROM pg_locks WHERE locktype = 'virtualxid' AND NOT granted");
    // The worker makes way, and asks again and again; halted between two times, where it has no lock.
    other.sql("BEGIN");
    other.sql(&drop_index("c", "z_1"));
    let process = u32::try_from(pid).unwrap();
    let locks = format!("SELECT count(*) FROM pg_locks WHERE pid = {pid}");
    loop {
        node.halt_process(process, true).unwrap();
        let (looker, locks) = (&mut s, &locks);
        let left = std::thread::scope(|scope| {
            let (tell, told) = std::sync::mpsc::channel();
            scope.spawn(move || tell.send(number(looker, locks)));
            let left = told.recv_timeout(Duration::from_secs(2)).ok();
            // Halted within PostgreSQL's own table of locks, it holds up whoever looks at that.
            if left.is_none() {
                node.halt_process(process, false).unwrap();
            }
            left
        });
        if left == Some(0) {
            break;
        }
        node.halt_process(process, false).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    other.sql("COMMIT");
    holder.sql("COMMIT");
    // Whoever waits for the build sees that nobody is at it, and has another worker started.
    assert!(wait(&mut s, &requests).1);
    node.halt_process(process, false).unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while node.query(workers).unwrap().as_deref() != Some("0") {
        assert!(Instant::now() < end, "the workers do not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(number(&mut s, RELATIONS), 1);
    assert!(plan(&mut s, "c", "b").starts_with("IXSCAN b_1"));
}

#[test]
fn builds_that_are_asked_for_together_all_come() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let mut holder = Session::open(cluster.primary());
    insert(&mut s, "c", 0..500);
    // Both commands have begun before either has entered anything: first the one, then the other goes on.
    let half = number(
        &mut s,
        "SELECT collection_id FROM documentdb_api_catalog.collections WHERE collection_name = 'c'",
    );
    hold(&mut holder);
    let mut door = Session::open(cluster.primary());
    door.sql("BEGIN");
    door.sql(&format!("SELECT pg_advisory_xact_lock({ENTRY}, {half})"));
    let commands: Vec<_> = ["a", "b"]
        .into_iter()
        .enumerate()
        .map(|(n, field)| {
            let mut session = Session::open(cluster.primary());
            let command = std::thread::spawn(move || create(&mut session, "c", &[index(field, false)]));
            let end = Instant::now() + Duration::from_secs(30);
            let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
            while number(&mut s, waiting) <= i64::try_from(n).unwrap() {
                assert!(Instant::now() < end, "the command does not come to the door");
                std::thread::sleep(Duration::from_millis(20));
            }
            command
        })
        .collect();
    door.sql("COMMIT");
    let requests: Vec<_> = commands.into_iter().map(|command| command.join().unwrap()).collect();
    holder.sql("COMMIT");
    for (requests, field) in requests.iter().zip(["a", "b"]) {
        assert!(wait(&mut s, requests).1);
        assert!(plan(&mut s, "c", field).starts_with(&format!("IXSCAN {field}_1")), "{field}");
    }
    assert_eq!(number(&mut s, RELATIONS), 2);
}

#[test]
fn a_build_outlives_a_crash() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let mut holder = Session::open(cluster.primary());
    insert(&mut s, "c", 0..500);
    hold(&mut holder);
    let requests = create(&mut s, "c", &[index("b", false), index("a", true)]);
    wait_for_worker(&mut s);
    cluster.primary().kill().unwrap();
    cluster.primary().start().unwrap();
    let mut s = Session::open(cluster.primary());
    // Whoever meets the collection has the build resumed. It fails for its equal keys, as it would have.
    assert_eq!(count(&mut s, "c", "a"), 5);
    let (_, ok) = wait(&mut s, &requests);
    assert!(!ok);
    assert_eq!(number(&mut s, RELATIONS), 0);
    let requests = create(&mut s, "c", &[index("a", false)]);
    assert!(wait(&mut s, &requests).1);
    assert!(plan(&mut s, "c", "a").starts_with("IXSCAN a_1"));
    assert_eq!(count(&mut s, "c", "a"), 5);
}

#[test]
fn a_build_is_given_up_with_its_command() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let mut holder = Session::open(cluster.primary());
    insert(&mut s, "c", 0..1000);
    let before = number(&mut s, RELATIONS);
    hold(&mut holder);
    let requests = create(&mut s, "c", &[index("a", false), index("b", true)]);
    wait_for_worker(&mut s);
    let abort = format!("SELECT documentdb_api_internal.abort_index_build({})", literal(&requests));
    assert_eq!(s.sql(&abort)[0][0].as_deref(), Some("t"));
    // Both are gone, and whoever waits is told why.
    let (reply, ok, complete) = status(&mut s, &requests);
    assert!(!ok && complete);
    let raw = Doc::trusted(&reply).get("raw").and_then(Val::as_doc).unwrap();
    let shard = raw.get("defaultShard").and_then(Val::as_doc).unwrap();
    assert_eq!(
        shard.get("errmsg").and_then(Val::as_str),
        Some("Index build aborted: its command was interrupted")
    );
    assert_eq!(s.sql(&abort)[0][0].as_deref(), Some("f"));
    holder.sql("COMMIT");
    let end = Instant::now() + Duration::from_secs(30);
    while number(&mut s, RELATIONS) != before {
        assert!(Instant::now() < end, "something is left of the build");
        std::thread::sleep(Duration::from_millis(20));
    }
    // They can be made again.
    let again = create(&mut s, "c", &[index("a", false), index("b", true)]);
    assert!(wait(&mut s, &again).1);
    assert!(plan(&mut s, "c", "a").starts_with("IXSCAN a_1"));
    // Too late: others may have been told of them.
    let abort = format!("SELECT documentdb_api_internal.abort_index_build({})", literal(&again));
    assert_eq!(s.sql(&abort)[0][0].as_deref(), Some("f"));
    assert_eq!(number(&mut s, RELATIONS), before + 2);
    assert!(plan(&mut s, "c", "a").starts_with("IXSCAN a_1"));
}
