//! Pipeline-style updates.

use super::{Statement, apply, bson, check, refused, show};

#[test]
fn stages() {
    check(&[
        (
            r#"{"_id":1,"a":2,"b":3}"#,
            r#"[{"$set":{"c":{"$add":["$a","$b"]}}}]"#,
            r#"{"_id":1,"a":2,"b":3,"c":5}"#,
        ),
        (r#"{"_id":1,"a":2}"#, r#"[{"$addFields":{"b.c":"$a"}}]"#, r#"{"_id":1,"a":2,"b":{"c":2}}"#),
        (r#"{"_id":1,"a":2,"b":1}"#, r#"[{"$unset":["b"]}]"#, r#"{"_id":1,"a":2}"#),
        (r#"{"_id":1,"a":2,"b":1}"#, r#"[{"$project":{"a":1}}]"#, r#"{"_id":1,"a":2}"#),
        (r#"{"_id":1,"a":{"x":1}}"#, r#"[{"$replaceRoot":{"newRoot":"$a"}}]"#, r#"{"_id":1,"x":1}"#),
        (r#"{"_id":1,"a":1}"#, r#"[{"$replaceWith":{"b":"$a"}}]"#, r#"{"_id":1,"b":1}"#),
        (
            r#"{"_id":1,"a":2}"#,
            r#"[{"$set":{"b":3}},{"$set":{"c":{"$add":["$b",1]}}}]"#,
            r#"{"_id":1,"a":2,"b":3,"c":4}"#,
        ),
        (r#"{"_id":1,"a":2,"b":1}"#, r#"[{"$set":{"b":"$$REMOVE"}}]"#, r#"{"_id":1,"a":2}"#),
        (
            r#"{"_id":1,"a":2}"#,
            r#"[{"$set":{"b":"$$NOW"}}]"#,
            r#"{"_id":1,"a":2,"b":{"$date":"2024-01-02T03:04:05.678Z"}}"#,
        ),
        (r#"{"_id":1,"a":2}"#, r#"[{"$unset":"_id"},{"$set":{"a":3}}]"#, r#"{"_id":1,"a":3}"#),
        (r#"{"_id":1,"a":2}"#, r#"[{"$set":{"a":2}}]"#, "="),
        (r#"{"_id":1,"a":2}"#, "[]", "="),
    ]);
}

#[test]
fn refusals() {
    let altered =
        "After applying the update, the (immutable) field '_id' was found to have been altered to _id: ";
    let rows = [
        (r#"[{"$match":{"a":1}}]"#, 72, "$match is not allowed to be used within an update"),
        (r#"[{"$foo":1}]"#, 40324, "Unrecognized pipeline stage name: '$foo'"),
        (r#"[5]"#, 14, "Each element of the 'pipeline' array must be an object"),
        (
            r#"[{"$set":{"b":1},"$unset":"a"}]"#,
            40323,
            "A pipeline stage specification object must contain exactly one field.",
        ),
        (r#"[{"$set":{"_id":5}}]"#, 66, &format!("{altered}5")),
        (r#"[{"$replaceWith":{"_id":9}}]"#, 66, &format!("{altered}9")),
        (r#"[{"$set":{"b":{"$add":["$s",1]}}}]"#, 14, "$add only supports numeric or date types, not string"),
    ];
    for (update, code, message) in rows {
        refused(update, apply(r#"{"_id":1,"a":2,"s":"x"}"#, update), code, message);
    }
    let filtered = Statement { query: "{}", update: r#"[{"$set":{"a":1}}]"#, filters: Some(r#"[{"x":1}]"#) };
    let message = "arrayFilters may not be specified for pipeline-style updates";
    refused("array filters", filtered.apply(r#"{"_id":1}"#), 9, message);
}

#[test]
fn upserts() {
    let made = Statement {
        query: r#"{"_id":1,"k":5}"#,
        update: r#"[{"$set":{"v":{"$add":["$k",1]}}}]"#,
        filters: None,
    }
    .upsert()
    .unwrap();
    assert_eq!(show(&made), show(&bson(r#"{"_id":1,"k":5,"v":6}"#)));
}
