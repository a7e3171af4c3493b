//! Sizes, depths, and what may be stored at all.

use super::{apply, bson, refused};
use crate::raw::Doc;

fn nested(levels: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

#[test]
fn size_and_depth_are_limited() {
    let long = "x".repeat(9 << 20);
    let outcome = apply(&format!(r#"{{"_id":1,"a":"{long}"}}"#), &format!(r#"{{"$set":{{"b":"{long}"}}}}"#));
    refused("size", outcome, 17419, "Resulting document after update is larger than 16777216");
    let too_deep = "Document exceeds maximum nesting depth of 180";
    assert!(apply(r#"{"_id":1}"#, &format!(r#"{{"$set":{{"x":{}}}}}"#, nested(179))).is_ok());
    refused("value", apply(r#"{"_id":1}"#, &format!(r#"{{"$set":{{"x":{}}}}}"#, nested(180))), 15, too_deep);
    refused(
        "existing",
        apply(r#"{"_id":1,"x":1}"#, &format!(r#"{{"$set":{{"x":{}}}}}"#, nested(180))),
        15,
        too_deep,
    );
    refused(
        "pushed",
        apply(r#"{"_id":1,"x":[]}"#, &format!(r#"{{"$push":{{"x":{}}}}}"#, nested(179))),
        15,
        too_deep,
    );
    let path = vec!["p"; 181].join(".");
    refused("path", apply(r#"{"_id":1}"#, &format!(r#"{{"$set":{{"{path}":1}}}}"#)), 15, too_deep);
    let endless = vec!["p"; 1_000_000].join(".");
    for (op, v) in [("$set", "1"), ("$unset", "1"), ("$pull", "1"), ("$rename", "\"q\"")] {
        let update = format!(r#"{{"{op}":{{"a.$[].{endless}":{v}}}}}"#);
        refused("endless path", apply(r#"{"_id":1,"a":[]}"#, &update), 15, too_deep);
    }
    refused("replacement", apply(r#"{"_id":1}"#, &nested(181)), 15, too_deep);
}

#[test]
fn messages_stay_short() {
    let doc = format!(r#"{{"_id":1,"a":"{}"}}"#, "é".repeat(1 << 20));
    let Err(e) = apply(&doc, r#"{"$set":{"a.b":1}}"#) else { panic!("a string has no fields") };
    assert!(e.message.len() < 5000 && e.message.ends_with("...}"), "{}", e.message.len());
}

#[test]
fn stored_documents_are_checked() {
    let rows = [
        (r#"{"_id":[1]}"#, 53, "The '_id' value cannot be of type array"),
        (
            r#"{"_id":{"$regularExpression":{"pattern":"a","options":""}}}"#,
            53,
            "The '_id' value cannot be of type regex",
        ),
        (
            r#"{"_id":{"$a":1}}"#,
            52,
            "_id fields may not contain '$'-prefixed fields: $a is not valid for storage.",
        ),
    ];
    for (doc, code, message) in rows {
        refused(doc, crate::update::check_stored(Doc::trusted(&bson(doc))), code, message);
    }
    assert!(crate::update::check_stored(Doc::trusted(&bson(r#"{"_id":1,"$a":1,"b.c":{"$d":1}}"#))).is_ok());
}
