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
            r#"{ "operatorName" : "$eq", "specifiedAs" : { "a" : 5 }, "reason" : "field was missing" }"#,
        ),
        (
            r#"{"a": {"$type": "string"}, "b": 1}"#,
            r#"{"a": 1, "b": 1}"#,
            r#"{ "operatorName" : "$and", "clausesNotSatisfied" : [ { "index" : 0, "details" : { "operatorName" : "$type", "specifiedAs" : { "a" : { "$type" : "string" } }, "reason" : "type did not match", "consideredValue" : 1, "consideredType" : "int" } } ] }"#,
        ),
        (
            r#"{"$or": [{"a": 1}, {"b": {"$exists": true}}]}"#,
            r#"{"a": 2}"#,
            r#"{ "operatorName" : "$or", "clausesNotSatisfied" : [ { "index" : 0, "details" : { "operatorName" : "$eq", "specifiedAs" : { "a" : 1 }, "reason" : "comparison failed", "consideredValue" : 2 } }, { "index" : 1, "details" : { "operatorName" : "$exists", "specifiedAs" : { "b" : { "$exists" : true } }, "reason" : "path does not exist" } } ] }"#,
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
            r#"[ { "operatorName" : "properties", "propertiesNotSatisfied" : [ { "propertyName" : "a", "details" : [ { "operatorName" : "items", "reason" : "At least one item did not match the sub-schema", "itemIndex" : 1, "details" : [ { "operatorName" : "minimum", "specifiedAs" : { "minimum" : 1, "exclusiveMinimum" : true }, "reason" : "comparison failed", "consideredValue" : 1 } ] } ] } ] } ]"#,
        ),
        (
            r#"{"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}"#,
            r#"{"a": 1, "b": 1}"#,
            r#"[ { "operatorName" : "oneOf", "reason" : "more than one subschema matched", "matchingSchemaIndexes" : [ 0, 1 ] } ]"#,
        ),
        (
            r#"{"properties": {"a": {"uniqueItems": true}}}"#,
            r#"{"a": [2, {"x": 1, "y": 2}, {"y": 2, "x": 1}, 2]}"#,
            r#"[ { "operatorName" : "properties", "propertiesNotSatisfied" : [ { "propertyName" : "a", "details" : [ { "operatorName" : "uniqueItems", "specifiedAs" : { "uniqueItems" : true }, "reason" : "found a duplicate item", "consideredValue" : [ 2, { "x" : 1, "y" : 2 }, { "y" : 2, "x" : 1 }, 2 ], "duplicatedValue" : { "y" : 2, "x" : 1 } } ] } ] } ]"#,
        ),
    ] {
        let filter = format!(r#"{{"$jsonSchema": {schema}}}"#);
        let wanted =
            format!(r#"{{ "operatorName" : "$jsonSchema", "schemaRulesNotSatisfied" : {expected} }}"#);
        assert_eq!(details(&filter, doc), wanted, "{schema}");
    }
}

#[test]
fn negations_tell_what_matched() {
    let found = r#""specifiedAs" : { "a" : 1 }, "reason" : "comparison succeeded", "consideredValue" : 1"#;
    for (filter, doc, expected) in [
        (
            r#"{"$nor": [{"b": 1}, {"a": 1}]}"#,
            r#"{"a": 1}"#,
            format!(
                r#"{{ "operatorName" : "$nor", "clausesSatisfied" : [ {{ "index" : 1, "details" : {{ "operatorName" : "$eq", {found} }} }} ] }}"#
            ),
        ),
        (
            r#"{"a": {"$not": {"$gt": 1}}}"#,
            r#"{"a": 2}"#,
            r#"{ "operatorName" : "$not", "details" : { "operatorName" : "$gt", "specifiedAs" : { "a" : { "$gt" : 1 } }, "reason" : "comparison succeeded", "consideredValue" : 2 } }"#.to_owned(),
        ),
        (
            r#"{"a": {"$not": {"$gt": 1, "$ne": 5}}}"#,
            r#"{"a": 2}"#,
            r#"{ "operatorName" : "$not", "details" : { "operatorName" : "$and", "clausesSatisfied" : [ { "index" : 0, "details" : { "operatorName" : "$gt", "specifiedAs" : { "a" : { "$gt" : 1 } }, "reason" : "comparison succeeded", "consideredValue" : 2 } }, { "index" : 1, "details" : { "operatorName" : "$ne", "specifiedAs" : { "a" : { "$ne" : 5 } }, "reason" : "comparison failed", "consideredValue" : 2 } } ] } }"#.to_owned(),
        ),
        (
            r#"{"a": {"$not": {"$regex": "^x", "$options": "i"}}}"#,
            r#"{"a": "X"}"#,
            r#"{ "operatorName" : "$not", "details" : { "operatorName" : "$regex", "specifiedAs" : { "a" : { "$regex" : "^x", "$options" : "i" } }, "reason" : "regular expression did match", "consideredValue" : "X" } }"#.to_owned(),
        ),
        (
            r#"{"$nor": [{"$or": [{"a": 1}, {"b": 1}]}]}"#,
            r#"{"a": 1}"#,
            format!(
                r#"{{ "operatorName" : "$nor", "clausesSatisfied" : [ {{ "index" : 0, "details" : {{ "operatorName" : "$or", "clausesSatisfied" : [ {{ "index" : 0, "details" : {{ "operatorName" : "$eq", {found} }} }} ] }} }} ] }}"#
            ),
        ),
        (
            r#"{"$nor": [{"$jsonSchema": {"required": ["a"]}}]}"#,
            r#"{"a": 1}"#,
            r#"{ "operatorName" : "$nor", "clausesSatisfied" : [ { "index" : 0, "details" : { "operatorName" : "$jsonSchema", "reason" : "schema matched" } } ] }"#.to_owned(),
        ),
        (
            r#"{"a": {"$exists": false}}"#,
            r#"{"a": 1}"#,
            r#"{ "operatorName" : "$exists", "specifiedAs" : { "a" : { "$exists" : false } }, "reason" : "path does exist" }"#.to_owned(),
        ),
        (
            r#"{"$comment": "x", "a": {"$gt": 1, "$lt": 5}}"#,
            r#"{"a": 7}"#,
            r#"{ "operatorName" : "$and", "clausesNotSatisfied" : [ { "index" : 1, "details" : { "operatorName" : "$lt", "specifiedAs" : { "a" : { "$lt" : 5 } }, "reason" : "comparison failed", "consideredValue" : 7 } } ] }"#.to_owned(),
        ),
    ] {
        assert_eq!(details(filter, doc), expected, "{filter}");
    }
}

/// A condition on `a`, the document, and what follows `specifiedAs`.
#[test]
fn operators_tell_what_they_look_at() {
    for (condition, doc, rest) in [
        (
            r#"{"$gt": 5}"#,
            r#"{"a": [1, 2]}"#,
            r#""reason" : "comparison failed", "consideredValues" : [ 1, 2 ]"#,
        ),
        (r#"{"$gt": 5}"#, r#"{"a": []}"#, r#""reason" : "comparison failed", "consideredValues" : [  ]"#),
        (
            r#"{"$in": [5]}"#,
            r#"{"a": [[1]]}"#,
            r#""reason" : "no matching value found in array", "consideredValue" : [ 1 ]"#,
        ),
        (
            r#"{"$eq": 0}"#,
            r#"{"a": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}"#,
            r#""reason" : "comparison failed", "consideredValues" : [ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 ], "consideredValuesTruncated" : true"#,
        ),
        (
            r#"{"$type": "bool"}"#,
            r#"{"a": [1, "x", 2]}"#,
            r#""reason" : "type did not match", "consideredValues" : [ 1, "x", 2 ], "consideredTypes" : [ "int", "string" ]"#,
        ),
        (
            r#"{"$mod": [2, 0]}"#,
            r#"{"a": "x"}"#,
            r#""reason" : "type did not match", "consideredType" : "string", "expectedTypes" : [ "decimal", "double", "int", "long" ], "consideredValue" : "x""#,
        ),
        (
            r#"{"$size": 2}"#,
            r#"{"a": 1}"#,
            r#""reason" : "type did not match", "consideredType" : "int", "expectedType" : "array", "consideredValue" : 1"#,
        ),
        (
            r#"{"$size": 2}"#,
            r#"{"a": [1]}"#,
            r#""reason" : "array length was not equal to given size", "consideredValue" : [ 1 ]"#,
        ),
        (
            r#"{"$all": [2]}"#,
            r#"{"a": [1]}"#,
            r#""reason" : "array did not contain all specified values", "consideredValue" : [ 1 ]"#,
        ),
        (r#"{"$all": []}"#, r#"{"a": [1]}"#, r#""reason" : "expression always evaluates to false""#),
        (r#"{"$ne": null}"#, r#"{}"#, r#""reason" : "field was missing""#),
    ] {
        let found = details(&format!(r#"{{"a": {condition}}}"#), doc);
        assert!(found.ends_with(&format!(" }} }}, {rest} }}")), "{condition}: {found}");
    }
    let geo = r#"{"a": {"$geoWithin": {"$centerSphere": [[0, 0], 0.1]}}}"#;
    let no_geometry =
        r#""reason" : "could not find a valid geometry at the given path", "consideredValue" : "x" }"#;
    assert!(details(geo, r#"{"a": "x"}"#).ends_with(no_geometry));
    let outside = details(geo, r#"{"a": [50, 50]}"#);
    assert!(
        outside.contains("none of the considered geometries were contained within the expression’s geometry")
    );
}

/// A schema of `a`, the value, and its rules in the order of MongoDB's parser.
#[test]
fn rules_are_told_in_a_fixed_order() {
    for (schema, value, rules) in [
        (
            r#"{"bsonType": "int", "enum": [2]}"#,
            "1.5",
            r#"{ "operatorName" : "enum", "specifiedAs" : { "enum" : [ 2 ] }, "reason" : "value was not found in enum", "consideredValue" : 1.5 }, { "operatorName" : "bsonType", "specifiedAs" : { "bsonType" : "int" }, "reason" : "type did not match", "consideredValue" : 1.5, "consideredType" : "double" }"#,
        ),
        (
            r#"{"required": ["z", "b"], "properties": {"c": {"minimum": 2}}}"#,
            r#"{"c": 1}"#,
            r#"{ "operatorName" : "properties", "propertiesNotSatisfied" : [ { "propertyName" : "c", "details" : [ { "operatorName" : "minimum", "specifiedAs" : { "minimum" : 2 }, "reason" : "comparison failed", "consideredValue" : 1 } ] } ] }, { "operatorName" : "required", "specifiedAs" : { "required" : [ "z", "b" ] }, "missingProperties" : [ "b", "z" ] }"#,
        ),
        (
            r#"{"maxItems": 1, "items": [{"maximum": 1}, {"maximum": 1}], "additionalItems": false}"#,
            "[1, 2, 3]",
            r#"{ "operatorName" : "maxItems", "specifiedAs" : { "maxItems" : 1 }, "reason" : "array did not match specified length", "consideredValue" : [ 1, 2, 3 ], "numberOfItems" : 3 }, { "operatorName" : "items", "details" : [ { "itemIndex" : 1, "details" : [ { "operatorName" : "maximum", "specifiedAs" : { "maximum" : 1 }, "reason" : "comparison failed", "consideredValue" : 2 } ] } ] }, { "operatorName" : "additionalItems", "specifiedAs" : { "additionalItems" : false }, "reason" : "found additional items", "additionalItems" : [ 3 ] }"#,
        ),
        (
            r#"{"items": [{"maximum": 1}], "additionalItems": {"maximum": 2, "title": "t"}}"#,
            "[1, 2, 3]",
            r#"{ "operatorName" : "additionalItems", "title" : "t", "reason" : "At least one additional item did not match the sub-schema", "itemIndex" : 2, "details" : [ { "operatorName" : "maximum", "specifiedAs" : { "maximum" : 2 }, "reason" : "comparison failed", "consideredValue" : 3 } ] }"#,
        ),
        (
            r#"{"dependencies": {"b": ["c", "d"], "c": ["b"], "e": {"required": ["f"]}}}"#,
            r#"{"b": 1, "c": 1, "e": 1}"#,
            r#"{ "operatorName" : "dependencies", "failingDependencies" : [ { "conditionalProperty" : "b", "missingProperties" : [ "d" ] }, { "conditionalProperty" : "e", "details" : [ { "operatorName" : "required", "specifiedAs" : { "required" : [ "f" ] }, "missingProperties" : [ "f" ] } ] } ] }"#,
        ),
        (
            r#"{"patternProperties": {"^p": {"maximum": 1, "description": "d"}}, "additionalProperties": {"bsonType": "string"}}"#,
            r#"{"p": 1, "p2": 2, "q": 3}"#,
            r#"{ "operatorName" : "additionalProperties", "reason" : "at least one additional property did not match the subschema", "failingProperty" : "q", "details" : [ { "operatorName" : "bsonType", "specifiedAs" : { "bsonType" : "string" }, "reason" : "type did not match", "consideredValue" : 3, "consideredType" : "int" } ] }, { "operatorName" : "patternProperties", "details" : [ { "propertyName" : "p2", "description" : "d", "regexMatched" : "^p", "details" : [ { "operatorName" : "maximum", "specifiedAs" : { "maximum" : 1 }, "reason" : "comparison failed", "consideredValue" : 2 } ] } ] }"#,
        ),
    ] {
        let filter = format!(r#"{{"$jsonSchema": {{"properties": {{"a": {schema}}}}}}}"#);
        let wanted = format!(
            r#"{{ "operatorName" : "$jsonSchema", "schemaRulesNotSatisfied" : [ {{ "operatorName" : "properties", "propertiesNotSatisfied" : [ {{ "propertyName" : "a", "details" : [ {rules} ] }} ] }} ] }}"#
        );
        assert_eq!(details(&filter, &format!(r#"{{"a": {value}}}"#)), wanted, "{schema}");
    }
    assert_eq!(
        details(r#"{"$jsonSchema": {"bsonType": "int"}}"#, "{}"),
        r#"{ "operatorName" : "$jsonSchema", "specifiedAs" : { "$jsonSchema" : { "bsonType" : "int" } }, "reason" : "expression always evaluates to false" }"#
    );
}
