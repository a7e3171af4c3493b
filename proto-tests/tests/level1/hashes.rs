//! dbHash, filemd5 and reIndex.
use bson::{Document, doc};

use crate::stage;

/// MD5 of no bytes.
const OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

#[test]
fn equal_databases_have_equal_hashes() {
    let mut client = stage().primary();
    let documents = |order: &[i32]| -> Vec<Document> {
        order.iter().map(|n| doc! { "_id": n, "text": "x".repeat(1000) }).collect()
    };
    let ascending: Vec<i32> = (0..500).collect();
    let descending: Vec<i32> = (0..500).rev().collect();
    for (db, order) in [("hash_a", &ascending), ("hash_b", &descending)] {
        client.ok(doc! { "insert": "many", "documents": documents(order), "$db": db });
        client.ok(doc! { "insert": "one", "documents": [{ "_id": 1 }], "$db": db });
        client.ok(doc! { "create": "none", "$db": db });
        client.ok(doc! { "create": "view", "viewOn": "many", "$db": db });
    }
    let hash = |db: &str| {
        let mut client = stage().primary();
        client.ok(doc! { "dbHash": 1, "$db": db })
    };
    let (a, b) = (hash("hash_a"), hash("hash_b"));
    let of = a.get_document("collections").unwrap();
    assert_eq!(of.keys().collect::<Vec<_>>(), ["many", "none", "one"]);
    assert_eq!(
        (of.get_str("one").ok(), of.get_str("none").ok()),
        (Some("ac31f467545a7db3022b1c5083a9a0a0"), Some(OF_NOTHING))
    );
    assert_eq!(Some(of), b.get_document("collections").ok());
    assert_eq!(a.get_str("md5").unwrap(), b.get_str("md5").unwrap());
    let only = client.ok(doc! { "dbHash": 1, "collections": ["one"], "$db": "hash_a" });
    assert_eq!(only.get_document("collections").unwrap().len(), 1);
    assert_eq!(only.get_str("md5").ok(), Some("06c537c7a8d9f0484918dfa91da0ddf6"));
    client.ok(doc! { "update": "many", "updates": [{ "q": { "_id": 250 }, "u": { "$set": { "text": "y" } } }], "$db": "hash_b" });
    let changed = hash("hash_b");
    assert_ne!(a.get_str("md5").unwrap(), changed.get_str("md5").unwrap());
    assert_eq!(
        of.get_str("one").unwrap(),
        changed.get_document("collections").unwrap().get_str("one").unwrap()
    );
    // A standby has the same.
    stage().replayed();
    let there = stage().secondary().ok(doc! { "dbHash": 1, "$db": "hash_a" });
    assert_eq!(there.get_str("md5").unwrap(), a.get_str("md5").unwrap());
    for db in ["hash_a", "hash_b"] {
        client.ok(doc! { "dropDatabase": 1, "$db": db });
    }
}

#[test]
fn files_are_hashed_in_the_order_of_their_chunks() {
    let mut client = stage().primary();
    let chunk = |n: i32, data: &str| {
        doc! { "files_id": 1, "n": n, "data": proto_tests::client::binary(data.as_bytes()) }
    };
    let chunks = vec![
        chunk(1, "world"),
        chunk(0, "hello "),
        doc! { "files_id": 2, "n": 0, "data": "text" },
        doc! { "files_id": 3, "n": 1, "data": "text" },
    ];
    client.ok(doc! { "insert": "fs.chunks", "documents": chunks, "$db": "files" });
    let reply = client.ok(doc! { "filemd5": 1, "root": "fs", "$db": "files" });
    assert_eq!(
        (reply.get_i32("numChunks").ok(), reply.get_str("md5").ok()),
        (Some(2), Some("5eb63bbbe01eeed093cb22bb8f5acdc3"))
    );
    let reply = client.ok(doc! { "filemd5": 9, "$db": "files" });
    assert_eq!((reply.get_i32("numChunks").ok(), reply.get_str("md5").ok()), (Some(0), Some(OF_NOTHING)));
    assert_eq!(client.code(doc! { "filemd5": 2, "$db": "files" }), 50849);
    assert_eq!(client.code(doc! { "filemd5": 3, "$db": "files" }), 10040);
    client.ok(doc! { "dropDatabase": 1, "$db": "files" });
}

#[test]
fn indexes_are_made_anew() {
    let mut client = stage().primary();
    let documents: Vec<Document> = (0..100).map(|n| doc! { "_id": n, "a": n % 10 }).collect();
    client.ok(doc! { "insert": "c", "documents": documents, "$db": "again" });
    let indexes = [
        doc! { "key": { "a": 1 }, "name": "a" },
        doc! { "key": { "b": 1 }, "name": "b", "unique": true, "sparse": true },
    ];
    client.ok(doc! { "createIndexes": "c", "indexes": indexes.to_vec(), "$db": "again" });
    let files = "SELECT string_agg(relfilenode::text, ',' ORDER BY c.oid) FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid \
                 JOIN documentdb_api_catalog.collections d ON i.indrelid = ('documentdb_data.documents_' || d.collection_id)::regclass \
                 WHERE d.database_name = 'again' AND d.collection_name = 'c'";
    let before = stage().cluster.primary().query(files).unwrap();
    let reply = client.ok(doc! { "reIndex": "c", "$db": "again" });
    assert_eq!(
        (reply.get_i32("nIndexesWas").ok(), reply.get_i32("nIndexes").ok()),
        (Some(3), Some(3)),
        "{reply}"
    );
    assert_eq!(reply.get_array("indexes").unwrap().len(), 3);
    let after = stage().cluster.primary().query(files).unwrap();
    assert_eq!(after.as_ref().map(|files| files.split(',').count()), Some(3));
    assert_ne!(before, after);
    let count = client.ok(doc! { "count": "c", "query": { "a": 3 }, "hint": "a", "$db": "again" });
    assert_eq!(count.get_i32("n").ok(), Some(10));
    assert_eq!(client.code(doc! { "reIndex": "missing", "$db": "again" }), 26);
    client.ok(doc! { "create": "v", "viewOn": "c", "$db": "again" });
    assert_eq!(client.code(doc! { "reIndex": "v", "$db": "again" }), 166);
    client.ok(doc! { "dropDatabase": 1, "$db": "again" });
}
