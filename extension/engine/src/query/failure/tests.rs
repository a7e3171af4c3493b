use crate::extjson;
use crate::query::{ParseContext, Query};
use crate::raw::Doc;

fn details(filter: &str, doc: &str) -> String {
    let (filter, doc) = (extjson::parse(filter).unwrap(), extjson::parse(doc).unwrap());
    let cx = ParseContext::default();
    let query = Query::parse(Doc::trusted(&filter), &cx).unwrap();
    let doc = Doc::trusted(&doc);
    assert!(!query.matches(doc).unwrap());
    extjson::relaxed(Doc::trusted(&query.failure(doc, &cx).unwrap()))
}

#[test]
fn conditions_name_what_they_considered() {
    for (filter, doc, expected) in [
        (
            r#"{"a": {"$gt": 5}}"#,
            r#"{"a": 1}"#,
            r#"{ "operatorName" : "$gt", "specifiedAs" : { "a" : { "$gt" : 5 } }, "reason" : "comparison failed", "consideredValue" : 1 }"#,
        ),
        (
            r#"{"a": 5}"#,
            "{}",
            r#"{ "operatorName" : "$eq", "specifiedAs" : { "a" : { "$eq" : 5 } }, "reason" : "field was missing" }"#,
        ),
        (
            r#"{"a": {"$type": "string"}, "b": 1}"#,
            r#"{"a": 1, "b": 1}"#,
            r#"{ "operatorName" : "$and", "clausesNotSatisfied" : [ { "index" : 0, "details" : { "operatorName" : "$type", "specifiedAs" : { "a" : { "$type" : "string" } }, "reason" : "type did not match", "consideredValue" : 1, "consideredType" : "int" } } ] }"#,
        ),
        (
            r#"{"$or": [{"a": 1}, {"b": {"$exists": true}}]}"#,
            r#"{"a": 2}"#,
            r#"{ "operatorName" : "$or", "clausesNotSatisfied" : [ { "index" : 0, "details" : { "operatorName" : "$eq", "specifiedAs" : { "a" : { "$eq" : 1 } }, "reason" : "comparison failed", "consideredValue" : 2 } }, { "index" : 1, "details" : { "operatorName" : "$exists", "specifiedAs" : { "b" : { "$exists" : true } }, "reason" : "path does not exist" } } ] }"#,
        ),
    ] {
        assert_eq!(details(filter, doc), expected, "{filter}");
    }
}

#[test]
fn schemas_name_the_rules() {
    for (schema, doc, expected) in [
        (
            r#"{"required": ["a", "b"]}"#,
            r#"{"a": 1}"#,
            r#"[ { "operatorName" : "required", "specifiedAs" : { "required" : [ "a", "b" ] }, "missingProperties" : [ "b" ] } ]"#,
        ),
        (
            r#"{"properties": {"a": {"bsonType": "int", "description": "a count"}}}"#,
            r#"{"a": "x"}"#,
            r#"[ { "operatorName" : "properties", "propertiesNotSatisfied" : [ { "propertyName" : "a", "description" : "a count", "details" : [ { "operatorName" : "bsonType", "specifiedAs" : { "bsonType" : "int" }, "reason" : "type did not match", "consideredValue" : "x", "consideredType" : "string" } ] } ] } ]"#,
        ),
        (
            r#"{"properties": {"a": {"minimum": 0}}, "patternProperties": {"^p": {}}, "additionalProperties": false}"#,
            r#"{"a": 1, "p1": 1, "b": 1}"#,
            r#"[ { "operatorName" : "additionalProperties", "specifiedAs" : { "additionalProperties" : false }, "additionalProperties" : [ "b" ] } ]"#,
        ),
        (
            r#"{"properties": {"a": {"items": {"minimum": 1, "exclusiveMinimum": true}}}}"#,
            r#"{"a": [2, 1]}"#,
            r#"[ { "operatorName" : "properties", "propertiesNotSatisfied" : [ { "propertyName" : "a", "details" : [ { "operatorName" : "items", "reason" : "At least one item did not match the sub-schema", "itemIndex" : 1, "details" : [ { "operatorName" : "minimum", "specifiedAs" : { "minimum" : 1 }, "reason" : "comparison failed", "consideredValue" : 1 } ] } ] } ] } ]"#,
        ),
        (
            r#"{"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}"#,
            r#"{"a": 1, "b": 1}"#,
            r#"[ { "operatorName" : "oneOf", "reason" : "more than one subschema matched", "matchingSchemaIndexes" : [ 0, 1 ] } ]"#,
        ),
        (
            r#"{"properties": {"a": {"uniqueItems": true}}}"#,
            r#"{"a": [1, 2, 1]}"#,
            r#"[ { "operatorName" : "properties", "propertiesNotSatisfied" : [ { "propertyName" : "a", "details" : [ { "operatorName" : "uniqueItems", "specifiedAs" : { "uniqueItems" : true }, "reason" : "found a duplicate item", "duplicatedValue" : 1, "consideredValue" : [ 1, 2, 1 ] } ] } ] } ]"#,
        ),
    ] {
        let filter = format!(r#"{{"$jsonSchema": {schema}}}"#);
        let wanted =
            format!(r#"{{ "operatorName" : "$jsonSchema", "schemaRulesNotSatisfied" : {expected} }}"#);
        assert_eq!(details(&filter, doc), wanted, "{schema}");
    }
}
