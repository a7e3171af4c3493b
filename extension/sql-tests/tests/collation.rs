//! Collation in stored data: indexes under a collation answer as scans do and are used where they may be, uniqueness is
//! the collation's, collections and views have a default.

use engine::extjson::{parse, relaxed};
use engine::{Doc, Value};
use sql_tests::{Rng, Session, cluster, doc, literal};

const WORDS: [&str; 12] = ["a", "A", "á", "ab", "a b", "B", "b", "a10", "a2", "ß", "ss", "z"];

fn find(filter: &str, collation: &str) -> Vec<u8> {
    parse(&format!(
        r#"{{"find": "c", "filter": {filter}, "sort": {{"s": 1, "_id": 1}}, "collation": {collation}}}"#
    ))
    .unwrap()
}

fn create_index(s: &mut Session, spec: &str) {
    let command = parse(&format!(r#"{{"createIndexes": "c", "indexes": [{spec}]}}"#)).unwrap();
    s.sql(&format!(
        "SELECT documentdb_api_internal.create_indexes_non_concurrently('t', {}, true)",
        literal(&command)
    ));
}

/// SQLSTATE of the first write error.
fn refused(s: &mut Session, collection: &str, document: &str) -> bool {
    let command = parse(&format!(r#"{{"insert": "{collection}", "documents": [{document}]}}"#)).unwrap();
    let reply = s.doc(&format!("SELECT p_result FROM documentdb_api.insert('t', {})", literal(&command)));
    Doc::trusted(&reply).get("writeErrors").is_some()
}

#[test]
fn indexes_answer_as_scans() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let mut r = Rng(7);
    let documents: Vec<Value> = (0..300)
        .map(|i| {
            let word = Value::String((*r.pick(&WORDS)).into());
            let v = match r.below(6) {
                0 => Value::Int32(i % 5),
                1 => Value::array_of(&[word, Value::String((*r.pick(&WORDS)).into())]),
                _ => word,
            };
            Value::Document(doc(&[("_id", Value::Int32(i)), ("s", v)]))
        })
        .collect();
    s.write(
        "insert",
        &doc(&[("insert", Value::String("c".into())), ("documents", Value::array_of(&documents))]),
    );
    let collations = [
        r#"{"locale": "simple"}"#,
        r#"{"locale": "en", "strength": 1}"#,
        r#"{"locale": "en", "strength": 2}"#,
        r#"{"locale": "en", "numericOrdering": true}"#,
    ];
    let mut filters: Vec<String> = vec!["{}".into(), r#"{"s": 3}"#.into(), r#"{"s": {"$gte": 2}}"#.into()];
    for w in WORDS {
        filters.push(format!(r#"{{"s": "{w}"}}"#));
        filters.push(format!(r#"{{"s": {{"$gt": "{w}"}}}}"#));
        filters.push(format!(r#"{{"s": {{"$lte": "{w}"}}}}"#));
        filters.push(format!(r#"{{"s": {{"$in": ["{w}", "B", 1]}}}}"#));
        filters.push(format!(r#"{{"s": {{"$ne": "{w}"}}}}"#));
        filters.push(format!(r#"{{"s": {{"$regex": "^{w}"}}}}"#));
    }
    let ask = |s: &mut Session| -> Vec<Vec<Vec<u8>>> {
        let each = |c: &&str| filters.iter().map(|f| find(f, c)).collect::<Vec<_>>();
        collations.iter().flat_map(each).map(|command| s.find(&command)).collect()
    };
    let scans = ask(&mut s);
    create_index(&mut s, r#"{"key": {"s": 1}, "name": "plain"}"#);
    create_index(&mut s, r#"{"key": {"s": 1}, "name": "two", "collation": {"locale": "en", "strength": 2}}"#);
    let indexed = ask(&mut s);
    for (a, b) in scans.iter().zip(&indexed) {
        assert_eq!(a, b);
    }
    let plan = |s: &mut Session, filter: &str, collation: &str| {
        s.plan(&parse(&format!(r#"{{"find": "c", "filter": {filter}, "collation": {collation}}}"#)).unwrap())
    };
    assert!(plan(&mut s, r#"{"s": "a"}"#, collations[2]).contains("IXSCAN two"));
    assert!(plan(&mut s, r#"{"s": "a"}"#, collations[0]).contains("IXSCAN plain"));
    assert_eq!(plan(&mut s, r#"{"s": "a"}"#, collations[1]), "COLLSCAN");
    assert!(plan(&mut s, r#"{"s": 3}"#, collations[1]).contains("IXSCAN"));
}

#[test]
fn uniqueness_is_the_collations() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    assert!(!refused(&mut s, "c", r#"{"_id": 1, "s": "Anna"}"#));
    create_index(
        &mut s,
        r#"{"key": {"s": 1}, "name": "u", "unique": true, "collation": {"locale": "en", "strength": 2}}"#,
    );
    assert!(refused(&mut s, "c", r#"{"_id": 2, "s": "ANNA"}"#));
    assert!(!refused(&mut s, "c", r#"{"_id": 3, "s": "Ánna"}"#));

    let create = parse(r#"{"create": "d", "collation": {"locale": "en", "strength": 2}}"#).unwrap();
    s.doc(&format!("SELECT documentdb_api.create_collection_view('t', {})", literal(&create)));
    assert!(!refused(&mut s, "d", r#"{"_id": "x", "s": "Ω"}"#));
    // `_id` is unique under the default, and found by it.
    assert!(refused(&mut s, "d", r#"{"_id": "X"}"#));
    let by_id = parse(r#"{"find": "d", "filter": {"_id": "X"}}"#).unwrap();
    assert_eq!(s.find(&by_id).len(), 1);
    assert!(s.plan(&by_id).contains("IXSCAN _id_"));
    let simple =
        parse(r#"{"find": "d", "filter": {"_id": "X"}, "collation": {"locale": "simple"}}"#).unwrap();
    assert_eq!(s.find(&simple).len(), 0);
    let update =
        parse(r#"{"update": "d", "updates": [{"q": {"_id": "X"}, "u": {"$set": {"n": 1}}}]}"#).unwrap();
    s.write("update", &update);
    let shown = s.find(&by_id);
    assert!(relaxed(Doc::trusted(&shown[0])).contains("\"n\""), "{:?}", Doc::trusted(&shown[0]));
}
