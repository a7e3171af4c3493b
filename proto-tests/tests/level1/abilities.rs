//! What one storage extension has and another reads over in silence: it works, or it is refused by name.
use bson::{Document, doc};

use crate::roles::alone;

fn ids(reply: &Document) -> Vec<i32> {
    let batch = reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
    batch.iter().map(|found| found.as_document().unwrap().get_i32("_id").unwrap()).collect()
}

#[test]
fn the_bounds_of_an_index_are_obeyed_or_refused() {
    let (stage, _turn) = alone();
    let primary = stage.cluster.primary();
    let mut client = stage.primary();
    let documents: Vec<_> = (1..=9).map(|n| doc! { "_id": n, "a": 10 - n }).collect();
    client.ok(doc! { "insert": "c", "documents": documents, "$db": "bounds" });
    client
        .ok(doc! { "createIndexes": "c", "indexes": [{ "key": { "a": 1 }, "name": "a" }], "$db": "bounds" });
    // The lower bound is within, the upper one is not (MongoDB manual, cursor.min and cursor.max).
    let find = |bounds: Document| {
        let mut find = doc! { "find": "c", "hint": { "a": 1 } };
        find.extend(bounds);
        find.insert("$db", "bounds");
        find
    };
    let cases = [
        (doc! { "min": { "a": 8 } }, vec![2, 1]),
        (doc! { "max": { "a": 3 } }, vec![9, 8]),
        (doc! { "min": { "a": 4 }, "max": { "a": 6 } }, vec![6, 5]),
        (doc! { "min": { "a": 4 }, "max": { "a": 7 }, "filter": { "_id": { "$ne": 5 } } }, vec![6, 4]),
        (doc! { "min": {}, "max": null, "limit": 2 }, vec![9, 8]),
    ];
    for (bounds, want) in &cases {
        assert_eq!(ids(&client.ok(find(bounds.clone()))), *want, "{bounds}");
    }
    let explained = |inner: Document| doc! { "explain": inner, "verbosity": "queryPlanner", "$db": "bounds" };
    client.ok(explained(find(cases[2].0.clone())));
    let unhinted = doc! { "find": "c", "min": { "a": 4 }, "$db": "bounds" };
    assert_eq!(client.code(unhinted), 51173);

    let rename = |from: &str, to: &str| {
        let sql = format!("ALTER FUNCTION documentdb_api_internal.{from}() RENAME TO {to}");
        primary.execute(&sql).unwrap();
    };
    rename("obeys_index_bounds", "hidden");
    let refused = client.run(find(cases[2].0.clone()));
    let explained = client.run(explained(find(cases[0].0.clone())));
    let harmless = client.run(find(cases[4].0.clone()));
    rename("hidden", "obeys_index_bounds");
    for (reply, name) in [(refused, "max"), (explained, "min")] {
        assert_eq!(reply.get_i32("code").ok(), Some(115), "{reply}");
        let words = format!("The option '{name}' of the command 'find' other than {{}} is not supported");
        assert!(reply.get_str("errmsg").unwrap().starts_with(&words), "{reply}");
    }
    assert_eq!(ids(&harmless), [9, 8]);
}
