//! Codes and messages of paths and array filters.

use super::{Statement, apply, refused};

#[test]
fn paths_refuse() {
    let rows = [
        (r#"{"_id":1}"#, r#"{"$set":{"":1}}"#, 56, "An empty update path is not valid"),
        (
            r#"{"_id":1}"#,
            r#"{"$set":{"a.":1}}"#,
            56,
            "The update path 'a.' contains an empty field name, which is not allowed.",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$set":{"a..b":1}}"#,
            56,
            "The update path 'a..b' contains an empty field name, which is not allowed.",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$set":{"$.a":1}}"#,
            2,
            "Cannot have positional (i.e. '$') element in the first position in path '$.a'",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$set":{"$[].a":1}}"#,
            2,
            "Cannot have array filter identifier (i.e. '$[<id>]') element in the first position in path '$[].a'",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$set":{"a.$.b.$":1}}"#,
            2,
            "Too many positional (i.e. '$') elements found in path 'a.$.b.$'",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$set":{"a":1,"a.b":1}}"#,
            40,
            "Updating the path 'a.b' would create a conflict at 'a'",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$set":{"a.b":1,"a":1}}"#,
            40,
            "Updating the path 'a' would create a conflict at 'a'",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$set":{"a":1},"$inc":{"a":1}}"#,
            40,
            "Updating the path 'a' would create a conflict at 'a'",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$rename":{"a":"b","b":"c"}}"#,
            40,
            "Updating the path 'b' would create a conflict at 'b'",
        ),
        (
            r#"{"_id":1,"a":[]}"#,
            r#"{"$set":{"a.$[]":1,"a.0":1}}"#,
            40,
            "Updating the path 'a.0' would create a conflict at 'a'",
        ),
        (r#"{"_id":1,"a":1}"#, r#"{"$set":{"a.b":1}}"#, 28, "Cannot create field 'b' in element {a: 1}"),
        (
            r#"{"_id":1,"a":{"b":"x"}}"#,
            r#"{"$inc":{"a.b.c.d":1}}"#,
            28,
            "Cannot create field 'c' in element {b: \"x\"}",
        ),
        (
            r#"{"_id":1,"a":[1]}"#,
            r#"{"$set":{"a.b":1}}"#,
            28,
            "Cannot create field 'b' in element {a: [ 1 ]}",
        ),
        (
            r#"{"_id":1,"a":1}"#,
            r#"{"$pull":{"a.b":1}}"#,
            28,
            "Cannot use the part (b) of (a.b) to traverse the element ({a: 1})",
        ),
        (
            r#"{"_id":1,"a":[]}"#,
            r#"{"$set":{"a.1500001":1}}"#,
            34,
            "can't backfill more than 1500000 elements",
        ),
        (
            r#"{"_id":1,"a":[1]}"#,
            r#"{"$set":{"a.$":1}}"#,
            2,
            "The positional operator did not find the match needed from the query.",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$set":{"a.$[]":1}}"#,
            2,
            "The path 'a' must exist in the document in order to apply array updates.",
        ),
        (
            r#"{"_id":1,"a":5}"#,
            r#"{"$set":{"a.$[]":1}}"#,
            2,
            "Cannot apply array updates to non-array element a: 5",
        ),
    ];
    for (doc, update, code, message) in rows {
        refused(update, apply(doc, update), code, message);
    }
}

#[test]
fn array_filters_refuse() {
    let set_x = r#"{"$set":{"g.$[x]":0}}"#;
    let rows = [
        (set_x, "[]", 2, "No array filter found for identifier 'x' in path 'g.$[x]'"),
        (
            r#"{"$set":{"z":0}}"#,
            r#"[{"x":1}]"#,
            9,
            "The array filter for identifier 'x' was not used in the update { $set: { z: 0 } }",
        ),
        (
            set_x,
            r#"[{"x":1},{"x":2}]"#,
            9,
            "Found multiple array filters with the same top-level field name x",
        ),
        (
            set_x,
            r#"[{"x":1,"y":2}]"#,
            9,
            "Error parsing array filter :: caused by :: Expected a single top-level field name, found x and y",
        ),
        (
            set_x,
            r#"[{"$expr":true}]"#,
            224,
            "Error parsing array filter :: caused by :: $expr is not allowed in this context",
        ),
        (set_x, "[{}]", 9, "Cannot use an expression without a top-level field name in arrayFilters"),
        (
            set_x,
            "[1]",
            14,
            "BSON field 'update.updates.arrayFilters.0' is the wrong type 'int', expected type 'object'",
        ),
        (
            r#"{"$set":{"g.$[X]":0}}"#,
            r#"[{"X":1}]"#,
            2,
            "Error parsing array filter :: caused by :: The top-level field name must be an alphanumeric string beginning with a lowercase letter, found 'X'",
        ),
    ];
    for (update, filters, code, message) in rows {
        let outcome = Statement { query: "{}", update, filters: Some(filters) }.apply(r#"{"_id":1,"g":[1]}"#);
        refused(update, outcome, code, message);
    }
}

#[test]
fn two_paths_that_meet_in_one_element() {
    let outcome = Statement { query: r#"{"a":7}"#, update: r#"{"$set":{"a.$":1,"a.0":2}}"#, filters: None }
        .apply(r#"{"_id":1,"a":[7]}"#);
    refused("a.$ and a.0", outcome, 40, "Update created a conflict at 'a.0'");
}
