use super::*;
use crate::extjson;

fn matches(schema: &str, doc: &str) -> bool {
    let (schema, doc) = (extjson::parse(schema).unwrap(), extjson::parse(doc).unwrap());
    let schema = Schema::parse(Val { ty: ty::DOCUMENT, bytes: &schema }).unwrap();
    schema.matches(Doc::trusted(&doc)).unwrap()
}

fn error(schema: &str) -> String {
    let schema = extjson::parse(schema).unwrap();
    Schema::parse(Val { ty: ty::DOCUMENT, bytes: &schema }).unwrap_err().to_string()
}

/// Schema, documents that satisfy it, documents that don't.
const RULES: &[(&str, &[&str], &[&str])] = &[
    (r#"{"required": ["a"]}"#, &[r#"{"a": null}"#], &["{}", r#"{"b": 1}"#]),
    (
        r#"{"properties": {"a": {"enum": [1, {"x": 1, "y": 2}]}}}"#,
        &[r#"{"a": {"y": 2, "x": 1}}"#, r#"{"a": 1.0}"#, "{}"],
        &[r#"{"a": 2}"#],
    ),
    (
        r#"{"properties": {"a": {"type": "number", "minimum": 1, "exclusiveMinimum": true, "maximum": 5}}}"#,
        &[r#"{"a": 5}"#, r#"{"a": 1.5}"#],
        &[r#"{"a": 1}"#, r#"{"a": 6}"#, r#"{"a": "x"}"#],
    ),
    (
        r#"{"properties": {"a": {"minimum": 1}}}"#,
        &[r#"{"a": "x"}"#],
        &[r#"{"a": 0}"#, r#"{"a": {"$numberDouble": "NaN"}}"#],
    ),
    (r#"{"properties": {"a": {"multipleOf": 0.1}}}"#, &[r#"{"a": 0.3}"#, r#"{"a": 7}"#], &[r#"{"a": 0.35}"#]),
    (
        r#"{"properties": {"a": {"minLength": 2, "maxLength": 3}}}"#,
        &[r#"{"a": "éé"}"#, r#"{"a": 1}"#],
        &[r#"{"a": "é"}"#, r#"{"a": "abcd"}"#],
    ),
    (r#"{"properties": {"a": {"pattern": "^x"}}}"#, &[r#"{"a": "xy"}"#], &[r#"{"a": "y"}"#]),
    (
        r#"{"properties": {"a": {"minItems": 1, "maxItems": 2, "uniqueItems": true}}}"#,
        &[r#"{"a": [1, 2]}"#],
        &[r#"{"a": []}"#, r#"{"a": [1, 1.0]}"#, r#"{"a": [1, 2, 3]}"#],
    ),
    (
        r#"{"properties": {"a": {"items": [{"type": "string"}], "additionalItems": {"type": "number"}}}}"#,
        &[r#"{"a": ["x", 1, 2]}"#, r#"{"a": []}"#],
        &[r#"{"a": [1]}"#, r#"{"a": ["x", "y"]}"#],
    ),
    (
        r#"{"properties": {"a": {}}, "additionalProperties": false}"#,
        &[r#"{"a": 1}"#, "{}"],
        &[r#"{"a": 1, "b": 1}"#],
    ),
    (
        r#"{"patternProperties": {"^n": {"bsonType": "int"}}, "additionalProperties": {"type": "string"}}"#,
        &[r#"{"n1": 1, "s": "x"}"#],
        &[r#"{"n1": "x"}"#, r#"{"s": 1}"#],
    ),
    (r#"{"minProperties": 1, "maxProperties": 2}"#, &[r#"{"a": 1}"#], &["{}", r#"{"a": 1, "b": 1, "c": 1}"#]),
    (
        r#"{"dependencies": {"a": ["b"], "c": {"required": ["d"]}}}"#,
        &["{}", r#"{"a": 1, "b": 1}"#, r#"{"c": 1, "d": 1}"#],
        &[r#"{"a": 1}"#, r#"{"c": 1}"#],
    ),
    (r#"{"allOf": [{"required": ["a"]}, {"required": ["b"]}]}"#, &[r#"{"a": 1, "b": 1}"#], &[r#"{"a": 1}"#]),
    (
        r#"{"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}"#,
        &[r#"{"a": 1, "b": 1}"#, r#"{"b": 1}"#],
        &["{}"],
    ),
    (
        r#"{"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}"#,
        &[r#"{"b": 1}"#],
        &["{}", r#"{"a": 1, "b": 1}"#],
    ),
    (r#"{"not": {"required": ["a"]}}"#, &["{}"], &[r#"{"a": 1}"#]),
    (r#"{"title": "t", "description": "d", "bsonType": "object"}"#, &["{}"], &[]),
    (r#"{"bsonType": "string"}"#, &[], &["{}"]),
];

#[test]
fn every_keyword_decides() {
    for (schema, good, bad) in RULES {
        for doc in *good {
            assert!(matches(schema, doc), "{schema} refuses {doc}");
        }
        for doc in *bad {
            assert!(!matches(schema, doc), "{schema} accepts {doc}");
        }
    }
}

#[test]
fn bad_schemas_are_refused_in_mongodbs_words() {
    for (schema, message) in [
        (r#"{"foo": 1}"#, "FailedToParse: Unknown $jsonSchema keyword: foo"),
        (r##"{"$ref": "#"}"##, "FailedToParse: $jsonSchema keyword '$ref' is not currently supported"),
        (r#"{"properties": 5}"#, "TypeMismatch: $jsonSchema keyword 'properties' must be an object"),
        (r#"{"required": []}"#, "FailedToParse: $jsonSchema keyword 'required' cannot be an empty array"),
        (
            r#"{"required": "n"}"#,
            "TypeMismatch: $jsonSchema keyword 'required' must be an array, but found an element of type string",
        ),
        (
            r#"{"required": ["a", "a"]}"#,
            "FailedToParse: $jsonSchema keyword 'required' array cannot contain duplicate values",
        ),
        (
            r#"{"exclusiveMinimum": true}"#,
            "FailedToParse: $jsonSchema keyword 'minimum' must be a present if exclusiveMinimum is present",
        ),
        (
            r#"{"type": "string", "bsonType": "string"}"#,
            "FailedToParse: Cannot specify both $jsonSchema keywords 'type' and 'bsonType'",
        ),
        (r#"{"type": "integer"}"#, "FailedToParse: $jsonSchema type 'integer' is not currently supported."),
        (r#"{"minLength": -1}"#, "FailedToParse: Expected a non-negative number in: minLength: -1"),
        (
            r#"{"multipleOf": 0}"#,
            "FailedToParse: $jsonSchema keyword 'multipleOf' must have a positive value",
        ),
        (r#"{"anyOf": []}"#, "BadValue: $jsonSchema keyword 'anyOf' must be a non-empty array"),
        (r#"{"title": 1}"#, "TypeMismatch: $jsonSchema keyword 'title' must be of type string"),
        (r#"{"type": "string", "type": "number"}"#, "FailedToParse: Duplicate $jsonSchema keyword: type"),
    ] {
        assert_eq!(error(schema), message, "{schema}");
    }
}
