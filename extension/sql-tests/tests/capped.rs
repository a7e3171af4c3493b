//! Capped and clustered collections: the order of insertion, what is removed to make room, and what others see of it.

use std::thread;

use engine::{Doc, Val, Value};
use sql_tests::{Session, cluster, doc, literal, sub, unhex};

fn text(s: &str) -> Value {
    Value::String(s.into())
}

fn create(s: &mut Session, fields: &[(&str, Value)]) -> Result<(), (String, String)> {
    let sql = format!("SELECT documentdb_api.create_collection_view('t', {})", literal(&doc(fields)));
    s.try_sql(&sql).map(|_| ())
}

fn capped(s: &mut Session, name: &str, size: i32, max: i32) {
    let size = ("size", Value::Int32(size));
    let fields = [("create", text(name)), ("capped", Value::Bool(true)), size, ("max", Value::Int32(max))];
    create(s, &fields[..if max > 0 { 4 } else { 3 }]).unwrap();
}

fn insert_command(name: &str, documents: &[Value]) -> Vec<u8> {
    doc(&[("insert", text(name)), ("documents", Value::array_of(documents))])
}

fn insert(s: &mut Session, name: &str, ids: impl Iterator<Item = i32>) {
    let documents: Vec<Value> = ids.map(|i| sub(&[("_id", Value::Int32(i))])).collect();
    s.write("insert", &insert_command(name, &documents));
}

fn ids_of(documents: &[Vec<u8>]) -> Vec<i32> {
    let id = |d: &Vec<u8>| {
        let id = Doc::trusted(d).get("_id").and_then(engine::number::exact_i64).expect("a number");
        i32::try_from(id).unwrap()
    };
    documents.iter().map(id).collect()
}

fn ids(s: &mut Session, name: &str) -> Vec<i32> {
    let find = doc(&[("find", text(name)), ("batchSize", Value::Int32(3))]);
    ids_of(&s.find(&find))
}

/// How full the catalog says that a collection is, and how full it is.
fn fullness(s: &mut Session, name: &str) -> [String; 2] {
    let id = format!(
        "SELECT collection_id FROM documentdb_api_catalog.collections WHERE database_name = 't' AND collection_name = '{name}'"
    );
    let id = s.sql(&id)[0][0].clone().unwrap();
    let told = s.sql(&format!(
        "SELECT documents || ' ' || bytes FROM documentdb_api_catalog.capped_collections WHERE collection_id = {id}"
    ));
    let real = s.sql(&format!(
        "SELECT count(*) || ' ' || coalesce(sum(octet_length(document::bytea)), 0) FROM documentdb_data.documents_{id}"
    ));
    [told[0][0].clone().unwrap(), real[0][0].clone().unwrap()]
}

#[test]
fn the_oldest_documents_make_room() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    capped(&mut s, "m", 100_000, 4);
    insert(&mut s, "m", [5, 3, 9].into_iter());
    assert_eq!(ids(&mut s, "m"), [5, 3, 9]);
    insert(&mut s, "m", [1, 7].into_iter());
    assert_eq!(ids(&mut s, "m"), [3, 9, 1, 7]);
    // One batch that is larger than the collection, ids that were removed earlier in it included.
    insert(&mut s, "m", 20..30);
    assert_eq!(ids(&mut s, "m"), [26, 27, 28, 29]);
    insert(&mut s, "m", [1, 2, 3, 4, 5, 1].into_iter());
    assert_eq!(ids(&mut s, "m"), [3, 4, 5, 1]);

    // Documents of 14 bytes: seven fit into 100.
    capped(&mut s, "b", 100, 0);
    for i in 0..10 {
        insert(&mut s, "b", i..=i);
    }
    assert_eq!(ids(&mut s, "b"), [3, 4, 5, 6, 7, 8, 9]);
    let large = sub(&[("_id", Value::Int32(1)), ("a", text(&"x".repeat(100)))]);
    let reply = s.doc(&format!(
        "SELECT p_result FROM documentdb_api.insert('t', {})",
        literal(&insert_command("b", &[large]))
    ));
    let errors = Doc::trusted(&reply).get("writeErrors").and_then(Val::as_array).expect("refused");
    let message = errors.values().next().and_then(Val::as_doc).and_then(|e| e.get("errmsg"));
    assert_eq!(message.and_then(Val::as_str), Some("object to insert exceeds cappedMaxSize"));
    for name in ["m", "b"] {
        let [told, real] = fullness(&mut s, name);
        assert_eq!(told, real, "{name}");
    }
}

#[test]
fn the_order_survives_updates_vacuum_and_rewrites() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let mut admin = Session::open_as(cluster.primary(), "ermine", "postgres");
    capped(&mut s, "c", 1_000_000, 0);
    insert(&mut s, "c", (0..50).rev());
    let update = |q: Value, u: Value, multi: bool| {
        let one = sub(&[("q", q), ("u", u), ("multi", Value::Bool(multi))]);
        doc(&[("update", text("c")), ("updates", Value::array_of(&[one]))])
    };
    // Rows that grow move to other places; places of rows that are gone are used again.
    let grow = sub(&[("$set", sub(&[("a", text(&"x".repeat(2000)))]))]);
    let odd = sub(&[("_id", sub(&[("$mod", Value::array_of(&[Value::Int32(2), Value::Int32(1)]))]))]);
    s.write("update", &update(odd.clone(), grow, true));
    let delete =
        sub(&[("q", sub(&[("_id", sub(&[("$lt", Value::Int32(10))]))])), ("limit", Value::Int32(0))]);
    s.write("delete", &doc(&[("delete", text("c")), ("deletes", Value::array_of(&[delete]))]));
    let table = admin.sql("SELECT 'documentdb_data.documents_' || collection_id FROM documentdb_api_catalog.collections WHERE collection_name = 'c'");
    let table = table[0][0].clone().unwrap();
    admin.sql(&format!("VACUUM {table}"));
    let upsert = sub(&[
        ("q", sub(&[("_id", Value::Int32(1000))])),
        ("u", sub(&[("$set", sub(&[("b", Value::Int32(1))]))])),
        ("upsert", Value::Bool(true)),
    ]);
    s.write("update", &doc(&[("update", text("c")), ("updates", Value::array_of(&[upsert]))]));
    insert(&mut s, "c", 2000..2003);
    let expected: Vec<i32> = (10..50).rev().chain([1000, 2000, 2001, 2002]).collect();
    assert_eq!(ids(&mut s, "c"), expected);
    admin.sql(&format!("VACUUM FULL {table}"));
    assert_eq!(ids(&mut s, "c"), expected);
    let backward = doc(&[
        ("find", text("c")),
        ("hint", sub(&[("$natural", Value::Int32(-1))])),
        ("batchSize", Value::Int32(7)),
    ]);
    let reversed: Vec<i32> = expected.iter().rev().copied().collect();
    assert_eq!(ids_of(&s.find(&backward)), reversed);
    let [told, real] = fullness(&mut s, "c");
    assert_eq!(told, real);
    assert_eq!(s.plan(&doc(&[("find", text("c"))])), "COLLSCAN");
}

#[test]
fn concurrent_writers_and_rollbacks_keep_the_bounds() {
    let cluster = cluster();
    let node = cluster.primary();
    let mut s = Session::open(node);
    capped(&mut s, "c", 1_000_000, 100);
    thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || {
                let mut s = Session::open(node);
                for i in 0..60 {
                    let id = writer * 1000 + i;
                    if i % 5 == 4 {
                        s.sql("BEGIN");
                        insert(&mut s, "c", 100_000 + id..=100_000 + id);
                        s.sql("ROLLBACK");
                    }
                    insert(&mut s, "c", id..=id);
                }
            });
        }
    });
    let all = ids(&mut s, "c");
    assert_eq!(all.len(), 100);
    assert!(all.iter().all(|id| *id < 100_000), "nothing of what was rolled back");
    for writer in 0..4 {
        let own: Vec<i32> = all.iter().copied().filter(|id| id / 1000 == writer).collect();
        assert!(own.is_sorted(), "each writer's documents are in its order: {own:?}");
    }
    let [told, real] = fullness(&mut s, "c");
    assert_eq!(told, real);
}

/// A page of a tailable cursor and how it goes on.
fn page(rows: &[Vec<Option<String>>], batch: &str) -> (Vec<i32>, Option<Vec<u8>>) {
    let page = unhex(rows[0][0].as_deref().unwrap());
    let cursor = Doc::trusted(&page).get("cursor").and_then(Val::as_doc).unwrap();
    let list = cursor.get(batch).and_then(Val::as_array).unwrap();
    let documents: Vec<Vec<u8>> = list.values().filter_map(Val::as_doc).map(|d| d.bytes().to_vec()).collect();
    (ids_of(&documents), rows[0][1].as_deref().map(unhex))
}

fn tail(s: &mut Session, fields: &[(&str, Value)]) -> (Vec<i32>, Option<Vec<u8>>) {
    let mut all = vec![("find", text("c")), ("tailable", Value::Bool(true))];
    all.extend_from_slice(fields);
    let sql = format!(
        "SELECT cursorpage, continuation FROM documentdb_api.find_cursor_first_page('t', {})",
        literal(&doc(&all))
    );
    page(&s.sql(&sql), "firstBatch")
}

fn more_sql(continuation: &[u8]) -> String {
    let id = Doc::trusted(continuation).get("qi").unwrap();
    let command = doc(&[("getMore", Value::from(id)), ("collection", text("c"))]);
    format!(
        "SELECT cursorpage, continuation FROM documentdb_api.cursor_get_more('t', {}, {})",
        literal(&command),
        literal(continuation)
    )
}

#[test]
fn tailable_cursors_follow_the_collection() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    capped(&mut s, "c", 1_000_000, 5);
    let (none, end) = tail(&mut s, &[]);
    assert!(none.is_empty() && end.is_none(), "an empty collection is not followed");
    insert(&mut s, "c", 1..=3);
    let (first, next) = tail(&mut s, &[]);
    assert_eq!(first, [1, 2, 3]);
    let mut next = next.expect("it stays open");
    for round in 0..3 {
        let (none, again) = page(&s.sql(&more_sql(&next)), "nextBatch");
        assert!(none.is_empty());
        next = again.expect("it stays open at the end");
        insert(&mut s, "c", 10 * round + 10..=10 * round + 10);
        let (more, again) = page(&s.sql(&more_sql(&next)), "nextBatch");
        assert_eq!(more, [10 * round + 10]);
        next = again.unwrap();
    }
    // A filter that nothing matches yet.
    let (none, waiting) = tail(&mut s, &[("filter", sub(&[("_id", Value::Int32(99))]))]);
    assert!(none.is_empty());
    insert(&mut s, "c", 99..=99);
    let (found, _) = page(&s.sql(&more_sql(&waiting.unwrap())), "nextBatch");
    assert_eq!(found, [99]);
    // What the first cursor saw last is overwritten.
    insert(&mut s, "c", 200..206);
    let (state, message) = s.try_sql(&more_sql(&next)).unwrap_err();
    assert_eq!(state, "MZC00");
    assert!(message.starts_with("CollectionScan died due to failure to restore tailable cursor position"));
    insert(&mut s, "plain", 1..=1);
    let find = doc(&[("find", text("plain")), ("tailable", Value::Bool(true))]);
    let sql = format!("SELECT documentdb_api.find_cursor_first_page('t', {})", literal(&find));
    assert!(s.try_sql(&sql).unwrap_err().1.contains("tailable cursor requested on non capped collection"));
}

#[test]
fn conversions_keep_the_newest_documents() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    insert(&mut s, "c", 0..1000);
    s.sql("SELECT documentdb_api_internal.clone_collection_as_capped('t', 'c', 'copy', 140)");
    assert_eq!(ids(&mut s, "copy"), (990..1000).collect::<Vec<_>>());
    assert_eq!(ids(&mut s, "c").len(), 1000);
    s.sql("SELECT documentdb_api_internal.convert_to_capped('t', 'c', 14000)");
    assert_eq!(ids(&mut s, "c"), (0..1000).collect::<Vec<_>>());
    insert(&mut s, "c", 1000..1003);
    assert_eq!(ids(&mut s, "c"), (3..1003).collect::<Vec<_>>());
    let [told, real] = fullness(&mut s, "c");
    assert_eq!(told, real);
    // Smaller bounds count from the next insert on.
    let change =
        doc(&[("collMod", text("c")), ("cappedSize", Value::Int32(10_000)), ("cappedMax", Value::Int32(3))]);
    s.sql(&format!("SELECT documentdb_api.coll_mod('t', 'c', {})", literal(&change)));
    assert_eq!(ids(&mut s, "c").len(), 1000);
    insert(&mut s, "c", 1003..=1003);
    assert_eq!(ids(&mut s, "c"), [1001, 1002, 1003]);
    for (sql, state) in [
        ("SELECT documentdb_api_internal.convert_to_capped('t', 'missing', 1)", "M0008"),
        ("SELECT documentdb_api_internal.convert_to_capped('t', 'c', 0)", "M000P"),
    ] {
        let (got, message) = s.try_sql(sql).unwrap_err();
        assert_eq!(got, state, "{sql}: {message}");
    }
    s.sql("SELECT documentdb_api.drop_collection('t', 'c')");
    let left = s.sql("SELECT count(*) FROM documentdb_api_catalog.capped_collections");
    assert_eq!(left[0][0].as_deref(), Some("1"), "only the copy is left");
}

#[test]
fn documents_of_clustered_collections_expire() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let key = sub(&[
        ("key", sub(&[("_id", Value::Int32(1))])),
        ("unique", Value::Bool(true)),
        ("name", text("own")),
    ]);
    let fields = [("create", text("k")), ("clusteredIndex", key), ("expireAfterSeconds", Value::Int32(60))];
    create(&mut s, &fields).unwrap();
    let dates = [0_i64, 1_000, 4_000_000_000_000].map(|t| sub(&[("_id", Value::DateTime(t))]));
    let mut all = dates.to_vec();
    all.push(sub(&[("_id", text("no date"))]));
    s.write("insert", &insert_command("k", &all));
    s.sql("CALL documentdb_api_internal.delete_expired_rows()");
    let find = doc(&[("find", text("k")), ("hint", text("own"))]);
    assert_eq!(s.find(&find).len(), 2);
    let list = doc(&[("listIndexes", text("k"))]);
    let list = s.doc(&format!(
        "SELECT cursorpage FROM documentdb_api.list_indexes_cursor_first_page('t', {})",
        literal(&list)
    ));
    let shown = engine::extjson::relaxed(Doc::trusted(&list));
    assert!(shown.contains("\"clustered\""), "{shown}");
    let off = doc(&[("collMod", text("k")), ("expireAfterSeconds", text("off"))]);
    s.sql(&format!("SELECT documentdb_api.coll_mod('t', 'k', {})", literal(&off)));
    s.write("insert", &insert_command("k", &dates[..1]));
    s.sql("CALL documentdb_api_internal.delete_expired_rows()");
    assert_eq!(s.find(&find).len(), 3);
}
