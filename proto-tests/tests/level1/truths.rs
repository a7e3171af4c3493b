//! Small things that clients ask for wrongly, and that get MongoDB's answer.
use bson::doc;

use crate::stage;

#[test]
fn unknown_fields_of_single_writes_are_named() {
    let mut client = stage().primary();
    for (command, field) in [
        (
            doc! { "update": "c", "updates": [{ "q": {}, "u": {}, "comment": "why" }] },
            "update.updates.comment",
        ),
        (
            doc! { "update": "c", "updates": [{ "q": {}, "u": {} }, { "q": {}, "u": {}, "multiple": true }] },
            "update.updates.multiple",
        ),
        (
            doc! { "delete": "c", "deletes": [{ "q": {}, "limit": 1, "comment": "why" }] },
            "delete.deletes.comment",
        ),
    ] {
        let mut command = command;
        command.insert("$db", "truths");
        let reply = client.run(command);
        assert_eq!(reply.get_i32("code").ok(), Some(40415), "{reply}");
        assert_eq!(reply.get_str("errmsg").unwrap(), format!("BSON field '{field}' is an unknown field."));
    }
    client.ok(doc! { "update": "c", "updates": [{ "q": {}, "u": { "$set": { "a": 1 } } }], "comment": "why", "$db": "truths" });
}

#[test]
fn a_hint_of_find_and_modify_names_an_index_or_is_refused() {
    let mut client = stage().primary();
    client.ok(doc! { "insert": "c", "documents": [{ "_id": 1, "a": 1, "b": 1 }], "$db": "hinted" });
    let indexes = [
        doc! { "key": { "a": 1, "b": -1 }, "name": "ab" },
        doc! { "key": { "b": 1 }, "name": "b", "sparse": true },
    ];
    client.ok(doc! { "createIndexes": "c", "indexes": indexes.to_vec(), "$db": "hinted" });
    let mut run = |collection: &str, hint: bson::Bson| {
        client.run(doc! {
            "findAndModify": collection, "query": { "a": 1 }, "update": { "$inc": { "n": 1 } }, "hint": hint, "$db": "hinted",
        })
    };
    for hint in [
        doc! { "a": 1.0, "b": -1 }.into(),
        "ab".into(),
        "_id_".into(),
        doc! { "_id": 1 }.into(),
        doc! { "$natural": 1 }.into(),
        doc! {}.into(),
    ] {
        let reply = run("c", hint);
        assert_eq!(reply.get_document("value").unwrap().get_i32("_id").ok(), Some(1), "{reply}");
    }
    for (hint, code) in
        [("none".into(), 2), (doc! { "b": -1, "a": 1 }.into(), 2), ("b".into(), 115), (1.into(), 9)]
    {
        let reply = run("c", hint);
        assert_eq!(reply.get_i32("code").ok(), Some(code), "{reply}");
    }
    assert_eq!(run("missing", "none".into()).get("value"), Some(&bson::Bson::Null));
    let reply = client.ok(doc! { "find": "c", "$db": "hinted" });
    let batch = reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
    assert_eq!(batch[0].as_document().unwrap().get_i32("n").ok(), Some(6));
    client.ok(doc! { "dropDatabase": 1, "$db": "hinted" });
}

#[test]
fn killing_no_cursor_at_all_is_a_mistake() {
    let mut client = stage().primary();
    let reply = client.run(doc! { "killCursors": "c", "cursors": [], "$db": "truths" });
    assert_eq!(reply.get_i32("code").ok(), Some(2), "{reply}");
    assert!(
        reply
            .get_str("errmsg")
            .unwrap()
            .starts_with("Must specify at least one cursor id in: { killCursors: \"c\"")
    );
}

#[test]
fn what_the_stable_api_does_not_have_is_listed() {
    let mut client = stage().primary();
    let indexes = [
        doc! { "key": { "a": 1 }, "name": "plain" },
        doc! { "key": { "b": 1 }, "name": "thin", "sparse": true },
        doc! { "key": { "c": "text" }, "name": "words" },
    ];
    client.ok(doc! { "createIndexes": "c", "indexes": indexes.to_vec(), "$db": "stable" });
    client.ok(doc! { "create": "v", "viewOn": "c", "pipeline": [{ "$match": { "a": 1 } }], "$db": "stable" });
    let mut told = |more: bson::Document| {
        let mut command = doc! { "validateDBMetadata": 1 };
        command.extend(more);
        command.insert("$db", "stable");
        client.run(command)
    };
    let strict = doc! { "version": "1", "strict": true, "deprecationErrors": true };
    let error = |name: &str| {
        let message = format!("The index with name {name} is not allowed in API version 1.");
        doc! { "ns": "stable.c", "code": 323, "codeName": "APIStrictError", "errmsg": message }.into()
    };
    for scope in [doc! { "db": "stable" }, doc! { "db": "stable", "collection": "c" }] {
        let mut command = doc! { "apiParameters": &strict };
        command.extend(scope);
        let reply = told(command);
        assert_eq!(
            reply.get_array("apiVersionErrors").unwrap(),
            &vec![error("thin"), error("words")],
            "{reply}"
        );
        assert_eq!(reply.get_f64("ok").ok(), Some(1.0));
    }
    // All databases, when none is named.
    let reply = told(doc! { "apiParameters": &strict, "collection": "c" });
    assert!(reply.get_array("apiVersionErrors").unwrap().contains(&error("thin")), "{reply}");
    for nothing in [
        doc! { "apiParameters": { "version": "1" }, "db": "stable" },
        doc! { "apiParameters": &strict, "db": "stable", "collection": "v" },
        doc! { "apiParameters": &strict, "db": "absent" },
    ] {
        let reply = told(nothing.clone());
        assert_eq!(reply.get_array("apiVersionErrors").unwrap().len(), 0, "{nothing} {reply}");
    }
    for (wrong, code) in [
        (doc! {}, 40414),
        (doc! { "apiParameters": {} }, 40414),
        (doc! { "apiParameters": { "version": 1 } }, 14),
        (doc! { "apiParameters": { "version": "1", "loose": true } }, 40415),
        (doc! { "apiParameters": &strict, "db": 1 }, 14),
    ] {
        assert_eq!(told(wrong.clone()).get_i32("code").ok(), Some(code), "{wrong}");
    }
    client.ok(doc! { "dropDatabase": 1, "$db": "stable" });
}
