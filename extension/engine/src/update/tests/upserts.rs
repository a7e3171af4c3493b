//! Documents an upsert makes.

use super::{Statement, bson, refused, show};

fn check(rows: &[(&str, &str, &str)]) {
    for (query, update, expected) in rows {
        let made = Statement { query, update, filters: None }.upsert();
        let made = made.unwrap_or_else(|e| panic!("{query} {update}: {e}"));
        assert_eq!(show(&made), show(&bson(expected)), "{query} {update}");
    }
}

#[test]
fn equalities_are_taken_over() {
    let set = r#"{"$set":{"z":1}}"#;
    check(&[
        (r#"{"_id":5}"#, set, r#"{"_id":5,"z":1}"#),
        (r#"{"k":5}"#, set, r#"{"k":5,"z":1}"#),
        (r#"{"k":5,"_id":1}"#, set, r#"{"_id":1,"k":5,"z":1}"#),
        (
            r#"{"a":1,"b":{"$eq":2},"c":{"$gt":3},"d":{"$in":[4]},"e":{"$all":[5]}}"#,
            set,
            r#"{"a":1,"b":2,"d":4,"e":5,"z":1}"#,
        ),
        (r#"{"$and":[{"a":1},{"b":{"$eq":2}}]}"#, set, r#"{"a":1,"b":2,"z":1}"#),
        (r#"{"$or":[{"a":1}]}"#, set, r#"{"a":1,"z":1}"#),
        (r#"{"$or":[{"a":1},{"a":2}]}"#, set, r#"{"z":1}"#),
        (r#"{"a.b":1,"a.c":2}"#, set, r#"{"a":{"b":1,"c":2},"z":1}"#),
        (r#"{"a.0":1}"#, set, r#"{"a":{"0":1},"z":1}"#),
        (r#"{"_id.a":1,"_id.b":2}"#, set, r#"{"_id":{"a":1,"b":2},"z":1}"#),
        (r#"{"_id":null}"#, set, r#"{"_id":null,"z":1}"#),
        (r#"{"a":{"$not":{"$gt":1}},"b":{"$in":[1,2]},"c":{"$exists":true}}"#, set, r#"{"z":1}"#),
        (r#"{"a":{"$elemMatch":{"b":1}}}"#, set, r#"{"z":1}"#),
        (r#"{"b":1,"a":2}"#, set, r#"{"a":2,"b":1,"z":1}"#),
    ]);
}

#[test]
fn operators_apply_to_the_new_document() {
    check(&[
        (r#"{"_id":1}"#, r#"{"$setOnInsert":{"b":1},"$set":{"a":2}}"#, r#"{"_id":1,"a":2,"b":1}"#),
        (r#"{"x":1}"#, r#"{"$setOnInsert":{"_id":77}}"#, r#"{"_id":77,"x":1}"#),
        (r#"{"_id":1,"n":10}"#, r#"{"$inc":{"n":5}}"#, r#"{"_id":1,"n":15}"#),
        (r#"{"a":{"b":1}}"#, r#"{"$set":{"a.c":2}}"#, r#"{"a":{"b":1,"c":2}}"#),
        (r#"{"_id":1}"#, r#"{"$unset":{"u":1},"$pull":{"p":1}}"#, r#"{"_id":1}"#),
        (r#"{"_id":5}"#, r#"{"$set":{"_id":5,"a":1}}"#, r#"{"_id":5,"a":1}"#),
    ]);
}

#[test]
fn replacements_take_only_the_id() {
    check(&[
        (r#"{"_id":5,"k":1}"#, r#"{"a":1}"#, r#"{"_id":5,"a":1}"#),
        (r#"{"k":5}"#, r#"{"a":1,"_id":7}"#, r#"{"_id":7,"a":1}"#),
        (r#"{"k":5}"#, r#"{"a":1}"#, r#"{"a":1}"#),
        (r#"{"_id":1}"#, r#"{}"#, r#"{"_id":1}"#),
    ]);
}

#[test]
fn refusals() {
    let set = r#"{"$set":{"z":1}}"#;
    let rows = [
        (
            r#"{"a":1,"$and":[{"a":2}]}"#,
            set,
            54,
            "cannot infer query fields to set, path 'a' is matched twice",
        ),
        (
            r#"{"a":{"b":1},"a.b":1}"#,
            set,
            54,
            "cannot infer query fields to set, both paths 'a.b' and 'a' are matched",
        ),
        (r#"{"_id":[1]}"#, set, 53, "The '_id' value cannot be of type array"),
        (
            r#"{"$and":[{"$expr":{"$eq":["$a",1]}}]}"#,
            set,
            224,
            "$expr is not allowed in the query predicate for an upsert",
        ),
        (
            r#"{"_id":5}"#,
            r#"{"_id":7}"#,
            66,
            "After applying the update, the (immutable) field '_id' was found to have been altered to _id: 7",
        ),
        (
            r#"{"_id":5}"#,
            r#"{"$set":{"_id":6}}"#,
            66,
            "Performing an update on the path '_id' would modify the immutable field '_id'",
        ),
        (
            r#"{"_id.a":1}"#,
            r#"{"b":1}"#,
            111,
            "field at '_id' must be exactly specified, field at sub-path '_id.a'found",
        ),
        (
            r#"{"a":5}"#,
            r#"{"$set":{"a.$":9}}"#,
            2,
            "The positional operator did not find the match needed from the query.",
        ),
    ];
    for (query, update, code, message) in rows {
        let made = Statement { query, update, filters: None }.upsert();
        refused(&format!("{query} {update}"), made, code, message);
    }
}
