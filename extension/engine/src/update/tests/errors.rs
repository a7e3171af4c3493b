//! Codes and messages.

use super::{Statement, apply, refused};
use crate::raw::{Val, ty};

const IMMUTABLE: &str = "Performing an update on the path '_id' would modify the immutable field '_id'";

#[test]
fn operators_refuse() {
    let rows = [
        (
            r#"{"_id":1}"#,
            r#"{"$foo":{"a":1}}"#,
            9,
            "Unknown modifier: $foo. Expected a valid update modifier or pipeline-style update specified as an array",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$set":{"a":1},"b":1}"#,
            9,
            "Unknown modifier: b. Expected a valid update modifier or pipeline-style update specified as an array",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$set":5}"#,
            9,
            "Modifiers operate on fields but we found type int instead. For example: {$mod: {<field>: ...}} not {$set: 5}",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"a":1,"$set":{}}"#,
            52,
            "The dollar ($) prefixed field '$set' in '$set' is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with $replaceWith.",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"_id":2}"#,
            66,
            "After applying the update, the (immutable) field '_id' was found to have been altered to _id: 2",
        ),
        (r#"{"_id":1}"#, r#"{"$set":{"_id":2}}"#, 66, IMMUTABLE),
        (r#"{"_id":1}"#, r#"{"$set":{"_id":1.0}}"#, 66, IMMUTABLE),
        (r#"{"_id":1}"#, r#"{"$inc":{"_id":2}}"#, 66, IMMUTABLE),
        (r#"{"_id":1}"#, r#"{"$unset":{"_id":2}}"#, 66, IMMUTABLE),
        (r#"{"_id":1}"#, r#"{"$rename":{"_id":"x"}}"#, 66, IMMUTABLE),
        (r#"{"_id":1,"x":2}"#, r#"{"$rename":{"x":"_id"}}"#, 66, IMMUTABLE),
        (
            r#"{"_id":{"x":1}}"#,
            r#"{"$set":{"_id.x":2}}"#,
            66,
            "Performing an update on the path '_id.x' would modify the immutable field '_id'",
        ),
        (
            r#"{"_id":1,"a":"x"}"#,
            r#"{"$inc":{"a":1}}"#,
            14,
            "Cannot apply $inc to a value of non-numeric type. {_id: 1} has the field 'a' of non-numeric type string",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$inc":{"a":"1"}}"#,
            14,
            "Cannot increment with non-numeric argument: {a: \"1\"}",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$mul":{"a":"1"}}"#,
            14,
            "Cannot multiply with non-numeric argument: {a: \"1\"}",
        ),
        (
            r#"{"_id":1,"a":{"$numberLong":"9223372036854775807"}}"#,
            r#"{"$inc":{"a":2}}"#,
            2,
            "Failed to apply $inc operations to current value ((NumberLong)9223372036854775807) for document {_id: 1}",
        ),
        (
            r#"{"_id":1,"a":{"$numberLong":"9223372036854775807"}}"#,
            r#"{"$mul":{"a":2}}"#,
            2,
            "Failed to apply $mul operations to current value ((NumberLong)9223372036854775807) for document {_id: 1}",
        ),
        (
            r#"{"_id":1,"a":5}"#,
            r#"{"$push":{"a":1}}"#,
            2,
            "The field 'a' must be an array but is of type int in document {_id: 1}",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$push":{"a":{"$each":5}}}"#,
            2,
            "The argument to $each in $push must be an array but it was of type: int",
        ),
        (r#"{"_id":1}"#, r#"{"$push":{"a":{"$each":[],"$foo":1}}}"#, 2, "Unrecognized clause in $push: $foo"),
        (
            r#"{"_id":1}"#,
            r#"{"$push":{"a":{"$each":[],"$position":1.5}}}"#,
            2,
            "The value for $position must be an integer value, not of type: double",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$push":{"a":{"$each":[],"$slice":"2"}}}"#,
            2,
            "The value for $slice must be an integer value but was given type: string",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$push":{"a":{"$each":[],"$sort":2}}}"#,
            2,
            "The $sort element value must be either 1 or -1",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$push":{"a":{"$each":[],"$sort":{}}}}"#,
            2,
            "The $sort pattern is empty when it should be a set of fields.",
        ),
        (
            r#"{"_id":1,"a":1}"#,
            r#"{"$addToSet":{"a":1}}"#,
            2,
            "Cannot apply $addToSet to non-array field. Field named 'a' has non-array type int",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$addToSet":{"a":{"$each":1}}}"#,
            14,
            "The argument to $each in $addToSet must be an array but it was of type int",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$addToSet":{"a":{"$each":[1],"$slice":1}}}"#,
            2,
            "Found unexpected fields after $each in $addToSet: { $each: [ 1 ], $slice: 1 }",
        ),
        (r#"{"_id":1}"#, r#"{"$pop":{"a":2}}"#, 9, "$pop expects 1 or -1, found: 2"),
        (r#"{"_id":1}"#, r#"{"$pop":{"a":"1"}}"#, 9, "Expected a number in: a: \"1\""),
        (
            r#"{"_id":1,"a":5}"#,
            r#"{"$pop":{"a":1}}"#,
            14,
            "Path 'a' contains an element of non-array type 'int'",
        ),
        (r#"{"_id":1,"a":5}"#, r#"{"$pull":{"a":1}}"#, 2, "Cannot apply $pull to a non-array value"),
        (r#"{"_id":1,"a":5}"#, r#"{"$pullAll":{"a":[1]}}"#, 2, "Cannot apply $pullAll to a non-array value"),
        (
            r#"{"_id":1}"#,
            r#"{"$pullAll":{"a":1}}"#,
            2,
            "$pullAll requires an array argument but was given a int",
        ),
        (
            r#"{"_id":1,"a":5.0}"#,
            r#"{"$bit":{"a":{"and":1}}}"#,
            2,
            "Cannot apply $bit to a value of non-integral type._id: 1 has the field a of non-integer type double",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$bit":{"a":{"and":1.0}}}"#,
            2,
            "The $bit modifier field must be an Integer(32/64 bit); a 'double' is not supported here: {and: 1.0}",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$bit":{"a":{}}}"#,
            2,
            "You must pass in at least one bitwise operation. The format is: {$bit: {field: {and/or/xor: #}}",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$currentDate":{"a":1}}"#,
            2,
            "int is not valid type for $currentDate. Please use a boolean ('true') or a $type expression ({$type: 'timestamp/date'}).",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$currentDate":{"a":{"type":"date"}}}"#,
            2,
            "Unrecognized $currentDate option: type",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$rename":{"a":"a"}}"#,
            2,
            "The source and target field for $rename must differ: a: \"a\"",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$rename":{"a":"a.b"}}"#,
            2,
            "The source and target field for $rename must not be on the same path: a: \"a.b\"",
        ),
        (r#"{"_id":1}"#, r#"{"$pop":{"a":1.5}}"#, 9, "Expected an integer: a: 1.5"),
        (
            r#"{"_id":1}"#,
            r#"{"$set":{"$a":1}}"#,
            52,
            "The dollar ($) prefixed field '$a' in '$a' is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with $replaceWith.",
        ),
        (
            r#"{"_id":1,"a":1}"#,
            r#"{"$rename":{"a":"$b"}}"#,
            52,
            "The dollar ($) prefixed field '$b' in '$b' is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with $replaceWith.",
        ),
        (
            r#"{"_id":1}"#,
            r#"{"$bit":{"a":1}}"#,
            2,
            "The $bit modifier is not compatible with a int. You must pass in an embedded document: {$bit: {field: {and/or/xor: #}}",
        ),
        (r#"{"_id":1}"#, r#"{"$rename":{"a":5}}"#, 2, "The 'to' field for $rename must be a string: a: 5"),
        (
            r#"{"_id":1}"#,
            r#"{"$rename":{"a.$[]":"b"}}"#,
            2,
            "The source field for $rename may not be dynamic: a.$[]",
        ),
        (
            r#"{"_id":1,"a":1,"x":[1]}"#,
            r#"{"$rename":{"a":"x.0"}}"#,
            2,
            "The destination field cannot be an array element, 'x.0' in doc with _id: 1 has an array field called 'x'",
        ),
        (
            r#"{"_id":1,"x":[{"b":1}]}"#,
            r#"{"$rename":{"x.0.b":"z"}}"#,
            2,
            "The source field cannot be an array element, 'x.0.b' in doc with _id: 1 has an array field called 'x'",
        ),
    ];
    for (doc, update, code, message) in rows {
        refused(update, apply(doc, update), code, message);
    }
}

#[test]
fn several_documents_are_not_replaced() {
    let (_, u) = Statement { query: "{}", update: "{}", filters: None }.parse().unwrap();
    refused("multi", u.check_multi(), 9, "multi update is not supported for replacement-style update");
    let (_, u) = Statement { query: "{}", update: r#"{"$set":{}}"#, filters: None }.parse().unwrap();
    assert!(u.check_multi().is_ok());
}

#[test]
fn what_is_no_update() {
    for v in [Val::NULL, Val { ty: ty::INT32, bytes: &[1, 0, 0, 0] }] {
        let parsed = crate::update::Update::parse(v, None, &super::cx());
        refused("scalar", parsed, 9, "Update argument must be either an object or an array");
    }
}
