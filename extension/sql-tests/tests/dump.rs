//! A dump by pg_dump, restored elsewhere: the same answers, the same ways to them, and everything goes on from there.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use engine::{Doc, Value};
use ermine_cluster::Node;
use sql_tests::{Rng, Session, cluster, doc, literal, sub};

fn int(i: usize) -> Value {
    Value::Int32(i32::try_from(i).unwrap())
}

fn text(s: &str) -> Value {
    Value::String(s.into())
}

fn index(s: &mut Session, name: &str, key: &[(&str, Value)], options: &[(&str, Value)]) {
    let mut fields = vec![("key", sub(key)), ("name", text(name))];
    fields.extend_from_slice(options);
    let command = doc(&[("createIndexes", text("c")), ("indexes", Value::array_of(&[sub(&fields)]))]);
    s.sql(&format!(
        "SELECT documentdb_api_internal.create_indexes_non_concurrently('t', {}, true)",
        literal(&command)
    ));
}

/// A program of PostgreSQL's, told where the node is.
fn program(node: &Node, name: &str, database: &str) -> Command {
    let bin = std::env::var_os("PG_CONFIG")
        .and_then(|p| PathBuf::from(p).parent().map(PathBuf::from))
        .unwrap_or_else(|| "/usr/lib/postgresql/15/bin".into());
    let mut command = Command::new(bin.join(name));
    command.arg("-h").arg(node.socket_dir()).args([
        "-p",
        &node.port().to_string(),
        "-U",
        "postgres",
        "-d",
        database,
    ]);
    command
}

/// Filters with the index that each should use.
fn finds() -> Vec<(Vec<u8>, &'static str)> {
    let find =
        |filter: Value| doc(&[("find", text("c")), ("filter", filter), ("batchSize", Value::Int32(1000))]);
    let range = || sub(&[("$gte", int(3)), ("$lt", int(7))]);
    vec![
        (find(sub(&[])), "COLLSCAN"),
        (find(sub(&[("_id", int(77))])), "IXSCAN _id_"),
        (find(sub(&[("u", int(50))])), "IXSCAN u_1"),
        (find(sub(&[("a", int(3)), ("b", range())])), "IXSCAN a_1_b_-1"),
        (find(sub(&[("tags", int(2))])), "IXSCAN tags_1"),
        (find(sub(&[("p", int(4)), ("b", sub(&[("$gte", int(5))]))])), "IXSCAN p_1"),
        (find(sub(&[("o", int(1))])), "IXSCAN o_1"),
        (find(sub(&[("h", text("h3"))])), "IXSCAN h_hashed"),
        (find(sub(&[("x.y", int(6))])), "IXSCAN x.y_1"),
        (find(sub(&[("w.k1", int(3))])), "IXSCAN w.$**_1"),
        (find(sub(&[("$text", sub(&[("$search", text("blue whales"))]))])), "IXSCAN words_text"),
        (find(sub(&[("place", sub(&[("$geoWithin", circle())]))])), "IXSCAN place_2dsphere"),
        (
            doc(&[
                ("find", text("c")),
                ("filter", sub(&[("name", text("NAME 3"))])),
                ("collation", german()),
                ("batchSize", Value::Int32(1000)),
            ]),
            "IXSCAN name_1",
        ),
        (doc(&[("find", text("log")), ("batchSize", Value::Int32(7))]), "COLLSCAN"),
        (doc(&[("find", text("v"))]), ""),
    ]
}

fn circle() -> Value {
    let center = Value::array_of(&[Value::array_of(&[int(10), int(10)]), Value::Double(0.1)]);
    sub(&[("$centerSphere", center)])
}

fn german() -> Value {
    sub(&[("locale", text("de")), ("strength", Value::Int32(2))])
}

/// A capped collection and its `_id`s in their order.
fn log(s: &mut Session) -> Vec<i64> {
    let found = s.find(&doc(&[("find", text("log")), ("batchSize", Value::Int32(7))]));
    let id = |d: &Vec<u8>| Doc::trusted(d).get("_id").and_then(engine::number::exact_i64).expect("a number");
    found.iter().map(id).collect()
}

fn insert_log(s: &mut Session, ids: std::ops::Range<usize>) {
    let documents: Vec<Value> = ids.map(|i| sub(&[("_id", int(i))])).collect();
    s.write("insert", &doc(&[("insert", text("log")), ("documents", Value::array_of(&documents))]));
}

fn answers(s: &mut Session) -> Vec<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for (find, way) in finds() {
        if !way.is_empty() {
            let plan = s.plan(&find);
            assert!(plan.starts_with(way), "{plan} instead of {way}");
        }
        let mut found = s.find(&find);
        found.sort();
        assert!(!found.is_empty(), "{:?}", Doc::trusted(&find));
        all.push(found);
    }
    all
}

#[test]
fn a_restored_dump_answers_the_same() {
    let cluster = cluster();
    let node = cluster.primary();
    let mut s = Session::open(node);
    let mut r = Rng(3);
    let documents: Vec<Value> = (0..200)
        .map(|i| {
            let tags: Vec<Value> = (0..r.below(4)).map(|_| int(r.below(5))).collect();
            let mut fields = vec![
                ("_id", int(i)),
                ("u", int(i)),
                ("a", int(i % 7)),
                ("b", int(i % 11)),
                ("tags", Value::array_of(&tags)),
                ("p", int(i % 5)),
                ("h", text(&format!("h{}", i % 6))),
                ("x", sub(&[("y", int(i % 8))])),
                ("w", sub(&[(["k0", "k1"][i % 2], int(i % 4)), ("z", int(i))])),
                ("words", text(["a blue sea", "whales are blue", "nothing"][i % 3])),
                ("place", Value::array_of(&[int(i % 20), int(i % 40)])),
                ("name", text(&format!("Name {}", i % 9))),
            ];
            if i % 3 == 0 {
                fields.push(("o", int(i % 4)));
            }
            sub(&fields)
        })
        .collect();
    let one = || Value::Int32(1);
    // A collection that goes leaves a gap in the numbers.
    s.write("insert", &doc(&[("insert", text("gone")), ("documents", Value::array_of(&[sub(&[])]))]));
    s.sql("SELECT documentdb_api.drop_collection('t', 'gone')");
    s.write("insert", &doc(&[("insert", text("c")), ("documents", Value::array_of(&documents))]));
    index(&mut s, "u_1", &[("u", one())], &[("unique", Value::Bool(true))]);
    index(&mut s, "a_1_b_-1", &[("a", one()), ("b", Value::Int32(-1))], &[]);
    index(&mut s, "tags_1", &[("tags", one())], &[]);
    let partial = sub(&[("b", sub(&[("$gte", int(5))]))]);
    index(&mut s, "p_1", &[("p", one())], &[("partialFilterExpression", partial)]);
    index(&mut s, "o_1", &[("o", one())], &[("sparse", Value::Bool(true))]);
    index(&mut s, "h_hashed", &[("h", text("hashed"))], &[]);
    index(&mut s, "x.y_1", &[("x.y", one())], &[]);
    index(&mut s, "w.$**_1", &[("w.$**", one())], &[]);
    index(&mut s, "words_text", &[("words", text("text"))], &[]);
    index(&mut s, "place_2dsphere", &[("place", text("2dsphere"))], &[]);
    index(&mut s, "name_1", &[("name", one())], &[("collation", german())]);
    let capped = doc(&[
        ("create", text("log")),
        ("capped", Value::Bool(true)),
        ("size", Value::Int32(10_000)),
        ("max", Value::Int32(30)),
    ]);
    s.sql(&format!("SELECT documentdb_api.create_collection_view('t', {})", literal(&capped)));
    insert_log(&mut s, 0..40);
    index(&mut s, "at_1", &[("at", one())], &[("expireAfterSeconds", Value::Int32(3600))]);
    index(&mut s, "hidden_1", &[("z", one())], &[("hidden", Value::Bool(true))]);
    let stages = Value::array_of(&[sub(&[("$match", sub(&[("a", int(2))]))])]);
    let view = doc(&[("create", text("v")), ("viewOn", text("c")), ("pipeline", stages)]);
    s.sql(&format!("SELECT documentdb_api.create_collection_view('t', {})", literal(&view)));

    let file = cluster.directory().join("dump");
    let dump = program(node, "pg_dump", "ermine").arg("-Fc").arg("-f").arg(&file).status().unwrap();
    assert!(dump.success());
    node.execute("CREATE DATABASE restored").unwrap();
    let restored = program(node, "pg_restore", "restored")
        .arg("--exit-on-error")
        .arg(&file)
        .stdin(Stdio::null())
        .status();
    assert!(restored.unwrap().success());

    let mut new = Session::open_in(node, "restored");
    assert_eq!(answers(&mut new), answers(&mut s));
    let list = "SELECT i.index_id, (i.index_spec)::text, i.index_is_valid, c.collection_name, c.collection_uuid, c.view_definition
                FROM documentdb_api_catalog.collections c LEFT JOIN documentdb_api_catalog.collection_indexes i USING (collection_id)
                ORDER BY c.collection_id, i.index_id";
    assert_eq!(new.sql(list), s.sql(list));

    // The capped collection goes on where it was.
    assert_eq!(log(&mut new), log(&mut s));
    insert_log(&mut new, 40..45);
    assert_eq!(log(&mut new), (15..45).collect::<Vec<_>>());

    // The unique index holds, and new collections and indexes get new numbers.
    let again = doc(&[
        ("insert", text("c")),
        ("documents", Value::array_of(&[sub(&[("_id", int(900)), ("u", int(50))])])),
    ]);
    let sql = format!("SELECT p_success FROM documentdb_api.insert('t', {})", literal(&again));
    assert_eq!(new.sql(&sql)[0][0].as_deref(), Some("f"));
    let fresh = doc(&[("insert", text("fresh")), ("documents", Value::array_of(&[sub(&[("_id", int(1))])]))]);
    new.write("insert", &fresh);
    index(&mut new, "late_1", &[("late", one())], &[]);
    let set = sub(&[
        ("q", sub(&[("_id", int(5))])),
        ("u", sub(&[("$set", sub(&[("u", int(500)), ("a", int(3))]))])),
    ]);
    new.write("update", &doc(&[("update", text("c")), ("updates", Value::array_of(&[set]))]));
    let find = doc(&[("find", text("c")), ("filter", sub(&[("u", int(500))]))]);
    assert_eq!((new.find(&find).len(), s.find(&find).len()), (1, 0));
}
