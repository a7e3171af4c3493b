//! Rules beyond the recorded finds of `tests/contract.rs`.

use super::*;
use crate::extjson;

fn parsed(filter: &str) -> Query {
    let filter = extjson::parse(filter).unwrap();
    Query::parse(Doc::trusted(&filter), &ParseContext::default()).unwrap()
}

fn matches(filter: &str, doc: &str) -> bool {
    parsed(filter).matches(Doc::trusted(&extjson::parse(doc).unwrap())).unwrap()
}

fn error(filter: &str) -> String {
    let filter = extjson::parse(filter).unwrap();
    Query::parse(Doc::trusted(&filter), &ParseContext::default()).unwrap_err().to_string()
}

/// Filter, a document, whether they match.
const RULES: &[(&str, &str, bool)] = &[
    // Paths through arrays: documents in them, positions, but not arrays in arrays.
    (r#"{"a.b": 1}"#, r#"{"a": [{"b": 2}, {"b": [0, 1]}]}"#, true),
    (r#"{"a.b": 1}"#, r#"{"a": [[{"b": 1}]]}"#, false),
    (r#"{"a.0.b": 1}"#, r#"{"a": [[{"b": 1}]]}"#, true),
    (r#"{"a.0": 1}"#, r#"{"a": {"0": 1}}"#, true),
    (r#"{"a.0": 1}"#, r#"{"a": [{"0": 1}]}"#, true),
    (r#"{"a.0": 1}"#, r#"{"a": [[1]]}"#, false),
    (r#"{"a.0": [1]}"#, r#"{"a": [[1]]}"#, true),
    (r#"{"a.b": null}"#, r#"{"a": [1, 2]}"#, false),
    (r#"{"a.b": null}"#, r#"{"a": [{"b": 1}, {}]}"#, true),
    (r#"{"a.b": null}"#, r#"{"a": 5}"#, true),
    (r#"{"a.b": null}"#, r#"{"a": []}"#, false),
    (r#"{"a.0.b": null}"#, r#"{"a": [{"b": 1}]}"#, true),
    (r#"{"a.b": {"$exists": false}}"#, r#"{"a": []}"#, true),
    // The first field of a name counts.
    (r#"{"a": 1}"#, r#"{"a": 2, "a": 1}"#, false),
    // Equality with a document respects the order of fields.
    (r#"{"a": {"x": 1, "y": 2}}"#, r#"{"a": {"y": 2, "x": 1}}"#, false),
    (r#"{"a": {"$ref": "c", "$id": 1}}"#, r#"{"a": {"$ref": "c", "$id": 1}}"#, true),
    // Nested $elemMatch.
    (r#"{"a": {"$elemMatch": {"$elemMatch": {"$gt": 5}}}}"#, r#"{"a": [[1], [6]]}"#, true),
    (r#"{"a": {"$elemMatch": {"$elemMatch": {"$gt": 5}}}}"#, r#"{"a": [6]}"#, false),
    (r#"{"a": {"$elemMatch": {"b": 1, "c": 2}}}"#, r#"{"a": [{"b": 1}, {"c": 2}]}"#, false),
    (r#"{"a": {"$elemMatch": {"$gt": 1, "$lt": 3}}}"#, r#"{"a": [0, 5]}"#, false),
    (r#"{"a": {"$gt": 1, "$lt": 3}}"#, r#"{"a": [0, 5]}"#, true),
    (r#"{"a": {"$elemMatch": {"$not": {"$gt": 1}}}}"#, r#"{"a": [5, 1]}"#, true),
    (r#"{"a": {"$elemMatch": {"$nin": [1, 2]}}}"#, r#"{"a": [1, 2]}"#, false),
    (r#"{"a": {"$elemMatch": {"0": 5}}}"#, r#"{"a": [[5]]}"#, true),
    (r#"{"a": {"$elemMatch": {"$or": [{"b": 1}, {"b": 2}]}}}"#, r#"{"a": [{"b": 2}]}"#, true),
    (r#"{"a": {"$elemMatch": {}}}"#, r#"{"a": [{}]}"#, true),
    (r#"{"a": {"$elemMatch": {}}}"#, r#"{"a": [1]}"#, false),
    (r#"{"a.b": {"$elemMatch": {"$eq": 1}}}"#, r#"{"a": [{"b": 1}, {"b": [1]}]}"#, true),
    // $all
    (r#"{"a": {"$all": []}}"#, r#"{"a": []}"#, false),
    (r#"{"a": {"$all": [[1]]}}"#, r#"{"a": [1]}"#, true),
    (
        r#"{"a": {"$all": [{"$elemMatch": {"b": 1}}, {"$elemMatch": {"b": 2}}]}}"#,
        r#"{"a": [{"b": 1}, {"b": 2}]}"#,
        true,
    ),
    // $mod cuts fractions off and survives the smallest integer.
    (r#"{"a": {"$mod": [4.9, 1.9]}}"#, r#"{"a": 5.7}"#, true),
    (r#"{"a": {"$mod": [-1, 0]}}"#, r#"{"a": {"$numberLong": "-9223372036854775808"}}"#, true),
    (r#"{"a": {"$mod": [2, 0]}}"#, r#"{"a": 1e300}"#, false),
    // Numbers of different types, exactly.
    (
        r#"{"a": {"$gt": {"$numberDouble": "9007199254740992.0"}}}"#,
        r#"{"a": {"$numberLong": "9007199254740993"}}"#,
        true,
    ),
    (r#"{"a": {"$numberDecimal": "0.1"}}"#, r#"{"a": 0.1}"#, false),
    (r#"{"a": {"$in": [{"$numberDecimal": "1.0"}]}}"#, r#"{"a": 1}"#, true),
    // Regular expressions.
    (r#"{"a": {"$regex": "^B", "$options": "im"}}"#, r#"{"a": "a\nb"}"#, true),
    (r#"{"a": {"$regex": "a.b"}}"#, r#"{"a": "a\nb"}"#, false),
    (r#"{"a": {"$regex": "a.b", "$options": "s"}}"#, r#"{"a": "a\nb"}"#, true),
    (r#"{"a": {"$regex": "a b # c", "$options": "x"}}"#, r#"{"a": "ab"}"#, true),
    (r#"{"a": {"$regex": "^.$"}}"#, r#"{"a": "é"}"#, true),
    (r#"{"a": {"$regex": "(p)\\1"}}"#, r#"{"a": "app"}"#, true),
    (r#"{"a": {"$not": {"$regex": "^x"}}}"#, r#"{"a": "y"}"#, true),
    (
        r#"{"a": {"$regularExpression": {"pattern": "x", "options": "i"}}}"#,
        r#"{"a": {"$regularExpression": {"pattern": "x", "options": ""}}}"#,
        false,
    ),
    // Types.
    (r#"{"a": {"$type": [2, "number"]}}"#, r#"{"a": 1.5}"#, true),
    (r#"{"a": {"$gt": {"$minKey": 1}}}"#, r#"{"b": 1}"#, true),
    (r#"{"a": {"$lte": {"$maxKey": 1}}}"#, r#"{"b": 1}"#, true),
    (r#"{"a": {"$lt": {"$minKey": 1}}}"#, r#"{"b": 1}"#, false),
    (r#"{"a": {"$eq": {"$minKey": 1}}}"#, r#"{"b": 1}"#, false),
    (r#"{"a": {"$type": "minKey"}}"#, r#"{"a": {"$minKey": 1}}"#, true),
    (r#"{"a": {"$type": -1}}"#, r#"{"a": {"$minKey": 1}}"#, true),
    (r#"{"a": {"$size": 2.0}}"#, r#"{"a": [1, 2]}"#, true),
    (r#"{"a": {"$size": 0}}"#, "{}", false),
    (r#"{"$comment": {"x": 1}, "a": 1}"#, r#"{"a": 1}"#, true),
    (r#"{"$alwaysFalse": 1}"#, "{}", false),
    (r#"{"$nor": [{"a": 1}, {"b": 1}]}"#, r#"{"c": 1}"#, true),
];

#[test]
fn filters_match_as_in_mongodb() {
    for (filter, doc, expected) in RULES {
        assert_eq!(matches(filter, doc), *expected, "{filter} on {doc}");
    }
}

#[test]
fn errors_have_mongodbs_words() {
    for (filter, message) in [
        (r#"{"a": {"$type": 0}}"#, "BadValue: Invalid numerical type code: 0. Instead use {$exists:false}."),
        (r#"{"$where": "1"}"#, "BadValue: no globalScriptEngine in $where parsing"),
        (
            r#"{"a": {"$elemMatch": {"$text": {}}}}"#,
            "BadValue: $text can only be applied to the top-level document",
        ),
        (r#"{"$text": {}}"#, "NoSuchKey: Missing expected field \"$search\""),
        (
            r#"{"$text": {"$caseSensitive": 1, "$search": 1}}"#,
            "TypeMismatch: \"$search\" had the wrong type. Expected string, found int",
        ),
        (
            r#"{"$text": {"$search": "x", "$caseSensitive": 1}}"#,
            "TypeMismatch: \"$caseSensitive\" had the wrong type. Expected bool, found int",
        ),
        (r#"{"$text": {"$search": "x", "other": 1}}"#, "BadValue: extra fields in $text"),
        (r#"{"a": {"$in": [{"$ref": 1}]}}"#, "BadValue: cannot nest $ under $in"),
        (r#"{"a": {"$bitsAllSet": [1.5]}}"#, "BadValue: bit positions must be an integer but got: 0: 1.5"),
        (
            r#"{"a": {"$size": 1e300}}"#,
            "BadValue: Failed to parse $size. Cannot represent as a 64-bit integer: $size: 1e+300.0",
        ),
        (r#"{"$or": [{"a": {"$near": [0, 0]}}]}"#, "BadValue: geoNear must be top-level expr"),
        (
            r#"{"$and": [{"$text": {"$search": "x"}}, {"$text": {"$search": "y"}}]}"#,
            "BadValue: Too many text expressions",
        ),
        (r#"{"$nor": [{"$text": {"$search": "x"}}]}"#, "BadValue: text expression not allowed in nor"),
        (
            r#"{"$text": {"$search": "x", "$language": "klingon"}}"#,
            "BadValue: unsupported language: \"klingon\" for text index version 3",
        ),
    ] {
        let found = error(filter);
        let (_, found) = found.split_once(": ").unwrap();
        assert_eq!(found, message.split_once(": ").unwrap().1, "{filter}");
    }
}

#[test]
fn a_regular_expression_beyond_its_limits_fails() {
    let filter = extjson::parse(r#"{"a": {"$regex": "^(a+)+$"}}"#).unwrap();
    let query = Query::parse(Doc::trusted(&filter), &ParseContext::default()).unwrap();
    let doc = extjson::parse(&format!(r#"{{"a": "{}b"}}"#, "a".repeat(60))).unwrap();
    assert_eq!(query.matches(Doc::trusted(&doc)).unwrap_err().code, crate::codes::LOCATION51156);
}

#[test]
fn positions_are_those_of_the_outermost_array() {
    let position = |filter: &str, doc: &str| {
        let doc = extjson::parse(doc).unwrap();
        parsed(filter).match_position(Doc::trusted(&doc)).unwrap().map(|d| d.position)
    };
    for (filter, doc, expected) in [
        (r#"{"a": 2}"#, r#"{"a": [1, 2]}"#, Some(Some(1))),
        (r#"{"a": 2}"#, r#"{"a": 2}"#, Some(None)),
        (r#"{"a": 2}"#, r#"{"a": 3}"#, None),
        (r#"{"a.b": 2}"#, r#"{"a": [{"b": 1}, {"b": [1, 2]}]}"#, Some(Some(1))),
        (r#"{"a.b": 2}"#, r#"{"a": {"b": [1, 2]}}"#, Some(Some(1))),
        (r#"{"a.1.b": 2}"#, r#"{"a": [{}, {"b": [1, 5, 2]}]}"#, Some(Some(2))),
        (r#"{"a": {"$elemMatch": {"$gt": 1}}}"#, r#"{"a": [1, 2]}"#, Some(Some(1))),
        (
            r#"{"a": {"$elemMatch": {"b": {"$elemMatch": {"$gt": 1}}}}}"#,
            r#"{"a": [{"b": []}, {"b": [1, 1, 2]}]}"#,
            Some(Some(1)),
        ),
        (r#"{"a": 1, "b": 2}"#, r#"{"a": [1], "b": [1, 1, 2]}"#, Some(Some(2))),
        (r#"{"$or": [{"a": 9}, {"b": 2}]}"#, r#"{"a": [1], "b": [1, 2]}"#, Some(Some(1))),
        (r#"{"a": {"$ne": 9}}"#, r#"{"a": [1]}"#, Some(None)),
        (r#"{"a": [1, 2]}"#, r#"{"a": [1, 2]}"#, Some(None)),
    ] {
        assert_eq!(position(filter, doc), expected, "{filter} on {doc}");
    }
}

#[test]
fn conjuncts_of_nested_and_are_at_the_top() {
    let query =
        parsed(r#"{"a": 1, "$and": [{"b": {"$gt": 2, "$lte": 5}}, {"$and": [{"c": {"$in": [3, 1, 3]}}]}]}"#);
    let shown: Vec<_> = query
        .conjuncts()
        .map(|c| match c.bound {
            Bound::Eq(v) => format!("{} = {v:?}", c.path.as_str()),
            Bound::Range(relation, v) => format!("{} {relation:?} {v:?}", c.path.as_str()),
            Bound::In(list) => {
                format!("{} in {:?}", c.path.as_str(), list.iter().map(Operand::val).collect::<Vec<_>>())
            }
            _ => String::new(),
        })
        .collect();
    assert_eq!(shown, ["a = Int32(1)", "b Gt Int32(2)", "b Lte Int32(5)", "c in [Int32(1), Int32(3)]"]);
    assert!(query.is_exactly_conjuncts());
    assert!(!parsed(r#"{"a": 1, "b": {"$ne": 2}}"#).is_exactly_conjuncts());
    assert!(parsed(r#"{"$comment": "x"}"#).is_always_true());
    assert!(parsed(r#"{"a": 1, "$alwaysFalse": 1}"#).is_always_false());
}

#[test]
fn equalities_for_upserts() {
    let query = parsed(
        r#"{"a": 1, "b": {"$eq": 2, "$gt": 0}, "$and": [{"c.d": 3}], "$or": [{"e": 4}], "f": {"$in": [5]}, "g": {"$gt": 1}}"#,
    );
    let found: Vec<_> = query.equalities().iter().map(|(p, v)| format!("{}={v:?}", p.as_str())).collect();
    assert_eq!(found, ["a=Int32(1)", "b=Int32(2)", "c.d=Int32(3)", "e=Int32(4)", "f=Int32(5)"]);
}

#[test]
fn places_restrict() {
    let error = |filter: &str, cx: ParseContext<'_>| {
        let filter = extjson::parse(filter).unwrap();
        Query::parse(Doc::trusted(&filter), &cx).map(|_| ()).map_err(|e| e.message)
    };
    let partial = ParseContext { place: Place::PartialIndex, ..ParseContext::default() };
    let allowed =
        r#"{"a": {"$gt": 1, "$exists": true}, "$or": [{"b": {"$type": "int"}}, {"c": {"$in": [1]}}]}"#;
    assert_eq!(error(allowed, partial), Ok(()));
    for (filter, expression) in [
        (r#"{"a": {"$ne": 1}}"#, "a $ne 1"),
        (r#"{"a": {"$regex": "x"}}"#, "a $regex \"x\""),
        (r#"{"a": {"$exists": false}}"#, "a $exists false"),
        (r#"{"$nor": [{"a": 1}]}"#, "$nor"),
    ] {
        assert_eq!(
            error(filter, partial),
            Err(format!("unsupported expression in partial index: {expression}\n"))
        );
    }
    let code = |filter: &str, place: Place| {
        let filter = extjson::parse(filter).unwrap();
        let cx = ParseContext { place, ..ParseContext::default() };
        Query::parse(Doc::trusted(&filter), &cx).map(|_| ()).map_err(|e| (e.code.mongo, e.message))
    };
    let refused = |mongo, name: &str| Err((mongo, format!("{name} is not allowed in this context")));
    let text = r#"{"$or": [{"a": 1}, {"$text": {"$search": "x"}}]}"#;
    assert_eq!(code(text, Place::Find), Ok(()));
    for place in [Place::Validator, Place::Element] {
        assert_eq!(code(text, place), refused(2, "$text"));
        assert_eq!(code(r#"{"$where": "1"}"#, place), refused(2, "$where"));
    }
    let (expr, schema) = (r#"{"$expr": true}"#, r#"{"$jsonSchema": {}}"#);
    assert_eq!((code(expr, Place::Validator), code(schema, Place::Validator)), (Ok(()), Ok(())));
    assert_eq!(code(expr, Place::Element), refused(224, "$expr"));
    assert_eq!(code(schema, Place::Element), refused(224, "$jsonSchema"));
}

#[test]
fn choices_of_an_or_count_from_the_first() {
    let doc = extjson::parse(r#"{"a": 1, "b": 2}"#).unwrap();
    let q = parsed(r#"{"a": 1, "$or": [{"b": 1}, {"b": 2}, {"a": 1}]}"#);
    assert_eq!(q.choices(), 3);
    assert_eq!(q.first_choice(Doc::trusted(&doc)).unwrap(), Some(1));
    let q = parsed(r#"{"$or": [{"b": 1}, {"b": 3}]}"#);
    assert_eq!((q.choices(), q.first_choice(Doc::trusted(&doc)).unwrap()), (2, None));
    assert_eq!(parsed(r#"{"a": 1}"#).choices(), 0);
}

#[test]
fn an_expression_tells_which_values_fields_must_have() {
    for (filter, want) in [
        (r#"{"$expr": {"$eq": ["$a", 5]}}"#, Some(r#"{"a":{"$in":[5]}}"#)),
        (
            r#"{"b": 1, "$expr": {"$and": [{"$eq": ["x", "$a.b"]}, {"$gt": ["$c", 1]}]}}"#,
            Some(r#"{"a.b":{"$in":["x"]}}"#),
        ),
        (r#"{"$expr": {"$in": ["$a", [1, 2]]}}"#, Some(r#"{"a":{"$in":[1,2]}}"#)),
        // An expression compares these otherwise than a filter does, or says nothing about a field.
        (r#"{"$expr": {"$eq": ["$a", null]}}"#, None),
        (r#"{"$expr": {"$eq": ["$a", [1]]}}"#, None),
        (r#"{"$expr": {"$eq": ["$a", "$b"]}}"#, None),
        (r#"{"$expr": {"$or": [{"$eq": ["$a", 5]}]}}"#, None),
        (r#"{"$nor": [{"$expr": {"$eq": ["$a", 5]}}]}"#, None),
    ] {
        let query = parsed(filter);
        let shown = crate::extjson::relaxed(query.conditions()).replace(' ', "");
        match want {
            Some(want) => {
                assert!(shown.starts_with(r#"{"$and":["#) && shown.contains(want), "{filter}: {shown}")
            }
            None => assert_eq!(query.conditions().bytes(), query.source().bytes(), "{filter}"),
        }
        // An upsert takes nothing over from an expression.
        assert!(query.equalities().iter().all(|(p, _)| p.as_str() == "b"), "{filter}");
    }
}
