//! Documents that expire: by a call, and by themselves.

use std::time::{Duration, Instant};

use engine::raw::View;
use engine::{DocWriter, Value};
use ermine_cluster::{Cluster, Extension, Stop};
use sql_tests::{Session, doc, literal, sub};

fn cluster(interval: &str) -> Cluster {
    ermine_cluster::build_extension().expect("the extension builds");
    let extension = Extension::of_this_tree().expect("the extension's files");
    let builder = Cluster::builder().extension(extension).without_login().standbys(1);
    builder.setting("ermine.ttl_interval", interval).start().expect("a cluster")
}

fn text(s: &str) -> Value {
    Value::String(s.into())
}

/// Milliseconds since 1970, so many seconds ago.
fn ago(seconds: i64) -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    Value::DateTime(i64::try_from(now).unwrap() - seconds * 1000)
}

fn index(s: &mut Session, collection: &str, seconds: i32, partial: Option<Value>) {
    let mut fields = vec![
        ("key", sub(&[("at", Value::Int32(1))])),
        ("name", text("at_1")),
        ("expireAfterSeconds", Value::Int32(seconds)),
    ];
    fields.extend(partial.map(|filter| ("partialFilterExpression", filter)));
    let mut command = DocWriter::new();
    command.put_str("createIndexes", collection).put("indexes", &Value::array_of(&[sub(&fields)]));
    let sql = "SELECT documentdb_api_internal.create_indexes_non_concurrently";
    s.sql(&format!("{sql}('t', {}, true)", literal(&command.finish())));
}

fn insert(s: &mut Session, collection: &str, documents: &[(i32, Value)]) {
    let list: Vec<_> =
        documents.iter().map(|(id, at)| sub(&[("_id", Value::Int32(*id)), ("at", at.clone())])).collect();
    s.write("insert", &doc(&[("insert", text(collection)), ("documents", Value::array_of(&list))]));
}

fn ids(s: &mut Session, collection: &str) -> Vec<i32> {
    let all = s.find(&doc(&[("find", text(collection)), ("sort", sub(&[("_id", Value::Int32(1))]))]));
    let id = |d: &Vec<u8>| match engine::Doc::trusted(d).get("_id").unwrap().view() {
        View::Int32(id) => id,
        _ => panic!("another _id"),
    };
    all.iter().map(id).collect()
}

fn wait_for(what: &str, mut is: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_expires_and_what_does_not() {
    let cluster = cluster("0");
    let mut s = Session::open(cluster.primary());
    let documents = [
        (1, ago(3601)),
        (2, ago(3000)),
        (3, ago(-3600)),
        (4, text("1970-01-01")),
        (5, Value::Int32(0)),
        (6, Value::Null),
        (7, Value::array_of(&[ago(-3600), ago(5000)])),
        (8, Value::array_of(&[text("x"), ago(10)])),
        (9, Value::DateTime(i64::MIN)),
        (10, Value::Timestamp { t: 0, i: 1 }),
    ];
    insert(&mut s, "c", &documents);
    index(&mut s, "c", 3600, None);
    s.sql("CALL documentdb_api_internal.delete_expired_rows()");
    assert_eq!(ids(&mut s, "c"), [2, 3, 4, 5, 6, 8, 10]);
    // Changed with collMod.
    let change = sub(&[("name", text("at_1")), ("expireAfterSeconds", Value::Int32(5))]);
    let command = doc(&[("collMod", text("c")), ("index", change)]);
    s.sql(&format!("SELECT documentdb_api.coll_mod('t', 'c', {})", literal(&command)));
    s.sql("CALL documentdb_api_internal.delete_expired_rows()");
    assert_eq!(ids(&mut s, "c"), [3, 4, 5, 6, 10]);

    // Only what the index holds.
    insert(&mut s, "partial", &[(1, ago(100)), (2, ago(100)), (3, ago(100))]);
    index(&mut s, "partial", 0, Some(sub(&[("_id", sub(&[("$gte", Value::Int32(2))]))])));
    s.sql("CALL documentdb_api_internal.delete_expired_rows()");
    assert_eq!(ids(&mut s, "partial"), [1]);

    // In batches; other indexes have their turn too.
    let many: Vec<_> = (0..25).map(|id| (id, ago(100))).collect();
    insert(&mut s, "many", &many);
    index(&mut s, "many", 0, None);
    s.sql("CALL documentdb_api_internal.delete_expired_rows(10)");
    assert_eq!(ids(&mut s, "many").len(), 15);
    s.sql("CALL documentdb_api_internal.delete_expired_rows(10)");
    s.sql("CALL documentdb_api_internal.delete_expired_rows(10)");
    assert!(ids(&mut s, "many").is_empty());

    // Never on a standby.
    cluster.wait_replayed().unwrap();
    let mut standby = Session::open(&cluster.standbys()[0]);
    let refused = standby.try_sql("CALL documentdb_api_internal.delete_expired_rows()").unwrap_err();
    assert_eq!(refused.0, "25006");
}

#[test]
fn they_go_by_themselves_also_after_a_crash_and_a_promotion() {
    let cluster = cluster("1");
    let mut s = Session::open(cluster.primary());
    insert(&mut s, "c", &[(1, ago(100)), (2, ago(-1000))]);
    index(&mut s, "c", 10, None);
    wait_for("the first is gone", || ids(&mut s, "c") == [2]);
    let workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'ermine upkeep'";
    // Other backends that know the collection start no second one.
    for _ in 0..3 {
        ids(&mut Session::open(cluster.primary()), "c");
    }
    assert_eq!(cluster.primary().query(workers).unwrap().as_deref(), Some("1"));

    cluster.primary().kill().unwrap();
    cluster.primary().start().unwrap();
    let mut s = Session::open(cluster.primary());
    insert(&mut s, "c", &[(3, ago(100))]);
    wait_for("it runs again", || ids(&mut s, "c") == [2]);

    // A backend that knew the collection on the standby works on when that one is promoted.
    let mut other = Session::open(&cluster.standbys()[0]);
    wait_for("the standby follows", || ids(&mut other, "c") == [2]);
    cluster.primary().stop(Stop::Immediate).unwrap();
    cluster.standbys()[0].promote().unwrap();
    insert(&mut other, "c", &[(4, ago(100))]);
    wait_for("it runs on the new primary", || ids(&mut other, "c") == [2]);

    // Nothing to do any more: it ends.
    let drop = doc(&[("dropIndexes", text("c")), ("index", text("at_1"))]);
    other.sql(&format!("CALL documentdb_api.drop_indexes('t', {})", literal(&drop)));
    wait_for("it ends", || cluster.standbys()[0].query(workers).unwrap().as_deref() == Some("0"));
}

#[test]
fn the_worker_comes_again_when_it_is_wanted_again() {
    let cluster = cluster("1");
    let node = cluster.primary();
    // One session has met everything there is: no other one has a worker started.
    let mut s = Session::open(node);
    let there = || {
        let workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'ermine upkeep'";
        node.query(workers).unwrap().as_deref() == Some("1")
    };
    insert(&mut s, "c", &[(1, ago(100))]);
    index(&mut s, "c", 10, None);
    wait_for("the first is gone", || ids(&mut s, "c").is_empty());
    // It has nothing to do any more, and then it has.
    let drop = doc(&[("dropIndexes", text("c")), ("index", text("at_1"))]);
    s.sql(&format!("CALL documentdb_api.drop_indexes('t', {})", literal(&drop)));
    wait_for("the worker ends", || !there());
    index(&mut s, "c", 10, None);
    wait_for("a worker is there again", || {
        ids(&mut s, "c");
        there()
    });
    insert(&mut s, "c", &[(2, ago(100))]);
    wait_for("the second is gone", || ids(&mut s, "c").is_empty());
    // Somebody ends it: whoever writes has it started again.
    node.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'ermine upkeep'",
    )
    .unwrap();
    wait_for("the worker is ended", || !there());
    let mut id = 10;
    wait_for("a worker is there after all", || {
        id += 1;
        insert(&mut s, "d", &[(id, Value::Null)]);
        there()
    });
}

#[test]
fn an_index_that_has_to_wait_holds_up_no_other() {
    let cluster = cluster("1");
    let node = cluster.primary();
    let (mut s, mut holder) = (Session::open(node), Session::open(node));
    insert(&mut s, "a", &[(1, ago(100))]);
    insert(&mut s, "b", &[(1, ago(-100))]);
    index(&mut s, "a", 100_000, None);
    assert_eq!(ids(&mut s, "a"), [1]);
    let b = s.sql("SELECT collection_id FROM documentdb_api_catalog.collections WHERE collection_name = 'b'");
    holder.sql("BEGIN");
    holder
        .sql(&format!("LOCK TABLE documentdb_data.documents_{} IN SHARE MODE", b[0][0].as_deref().unwrap()));
    index(&mut s, "b", 0, None);
    let waiting = "FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                   WHERE a.backend_type = 'ermine upkeep' AND l.locktype = 'relation' AND NOT l.granted";
    let waits = || node.query(&format!("SELECT count(*) {waiting}")).unwrap().as_deref() == Some("1");
    wait_for("the worker waits for the second", waits);
    // Now there is something to delete for the first, and the worker begins again with it.
    let change = sub(&[("name", text("at_1")), ("expireAfterSeconds", Value::Int32(0))]);
    let command = doc(&[("collMod", text("a")), ("index", change)]);
    s.sql(&format!("SELECT documentdb_api.coll_mod('t', 'a', {})", literal(&command)));
    node.execute(&format!("SELECT pg_cancel_backend(pid) {waiting}")).unwrap();
    wait_for("the first is gone, whatever the second waits for", || ids(&mut s, "a").is_empty());
    wait_for("the worker waits for the second again", waits);
    holder.sql("COMMIT");
    insert(&mut s, "b", &[(2, ago(100))]);
    wait_for("the second has its turn", || ids(&mut s, "b") == [1]);
}
