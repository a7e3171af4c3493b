//! Rules of expressions.

mod random;

use super::{Binding, EvalContext, Expr, ParseContext, Variables};
use crate::collation::Collation;
use crate::extjson;
use crate::raw::{Doc, Val};
use crate::value::Value;

/// Evaluates `{e: …}` against `doc`: the result in canonical form, `missing`, or the error.
fn run_in(cx: &ParseContext, doc: &str, e: &str) -> String {
    let doc = extjson::parse(doc).expect("a document");
    let spec = extjson::parse(&format!(r#"{{"e":{e}}}"#)).expect("an expression");
    let spec = Doc::trusted(&spec).get("e").unwrap_or(Val::NULL);
    let result = Expr::parse(spec, cx).and_then(|e| e.eval(&EvalContext::new(Doc::trusted(&doc))));
    match result {
        Ok(None) => "missing".into(),
        Ok(Some(v)) => shown(&v),
        Err(e) => format!("{} {}", e.code.mongo, e.message),
    }
}

fn shown(v: &Value) -> String {
    super::render::value(Some(v))
}

fn check(cases: &[(&str, &str, &str)]) {
    for (doc, e, want) in cases {
        assert_eq!(run_in(&ParseContext::default(), doc, e), *want, "{e} of {doc}");
    }
}

#[test]
fn the_table_is_sorted_and_its_names_are_unique() {
    let names: Vec<&str> = super::table::OPERATORS.iter().map(|o| o.name).collect();
    assert!(names.windows(2).all(|w| w[0] < w[1]), "binary search needs the order: {names:?}");
}

#[test]
fn paths_walk_documents_and_map_arrays() {
    check(&[
        (r#"{"a":{"b":1}}"#, r#""$a.b""#, "1"),
        (r#"{"a":[{"b":1},{"b":2},5,{"c":3}]}"#, r#""$a.b""#, "[ 1, 2 ]"),
        (r#"{"a":[{"b":1}]}"#, r#""$a.0""#, "[  ]"),
        (r#"{"a":5}"#, r#""$a.b""#, "missing"),
        (r#"{"a":null}"#, r#""$a""#, "null"),
        ("{}", r#""$a""#, "missing"),
        (r#"{"a":1}"#, r#""$$ROOT.a""#, "1"),
        (r#"{"a":1}"#, r#"["$a","$b"]"#, "[ 1, null ]"),
        (r#"{"a":1}"#, r#"{"x":"$a","y":"$b"}"#, r#"{ "x" : 1 }"#),
        ("{}", r#""$a..b""#, "15998 FieldPath field names may not be empty strings."),
        ("{}", r#""$$nope""#, "17276 Use of undefined variable: nope"),
    ]);
}

#[test]
fn variables_are_scoped() {
    check(&[
        ("{}", r#"{"$let":{"vars":{"a":1,"b":2},"in":{"$add":["$$a","$$b"]}}}"#, "3"),
        (
            r#"{"x":1}"#,
            r#"{"$let":{"vars":{"a":"$x"},"in":{"$let":{"vars":{"a":{"$add":["$$a",10]}},"in":"$$a"}}}}"#,
            "11",
        ),
        (r#"{"x":{"y":7}}"#, r#"{"$let":{"vars":{"CURRENT":"$x"},"in":"$y"}}"#, "7"),
        (r#"{"x":[1,2]}"#, r#"{"$map":{"input":"$x","as":"e","in":{"$multiply":["$$e",2]}}}"#, "[ 2, 4 ]"),
        (r#"{"x":[1,2,3]}"#, r#"{"$filter":{"input":"$x","cond":{"$gt":["$$this",1]},"limit":1}}"#, "[ 2 ]"),
        (
            r#"{"x":[1,2,3]}"#,
            r#"{"$reduce":{"input":"$x","initialValue":0,"in":{"$add":["$$value","$$this"]}}}"#,
            "6",
        ),
        (
            "{}",
            r#"{"$let":{"vars":{"A":1},"in":1}}"#,
            "9 'A' starts with an invalid character for a user variable name",
        ),
    ]);
    let mut cx = ParseContext::default();
    cx.variables.set("v", Binding::Value(Some(Value::Int32(5))));
    cx.now = 1000;
    assert_eq!(run_in(&cx, "{}", r#"{"$add":["$$v",1]}"#), "6");
    assert_eq!(run_in(&cx, "{}", r#"{"$toLong":"$$NOW"}"#), "1000");
}

#[test]
fn variables_of_a_command_see_those_before_them_and_no_document() {
    let refused = "4890500 Command let Expression tried to access a field, but this is not allowed because Command \
                   Let expressions run before the query examines any documents.";
    for (spec, last) in [
        (r#"{"y":1,"x":{"$add":["$$y",1]}}"#, "2"),
        (r#"{"x":{"$map":{"input":[1,2],"in":{"$add":["$$this",1]}}}}"#, "[ 2, 3 ]"),
        (r#"{"x":{"$let":{"vars":{"CURRENT":{"a":3}},"in":"$a"}}}"#, "3"),
        (r#"{"x":{"$literal":"$a"}}"#, "\"$a\""),
        (r#"{"x":"$$y","y":1}"#, "17276 Use of undefined variable: y"),
        (r#"{"x":"$a"}"#, refused),
        (r#"{"x":["$$ROOT"]}"#, refused),
        (r#"{"x":{"a":{"$cond":[true,1,"$$CURRENT.b"]}}}"#, refused),
        (r#"{"x":{"$reduce":{"input":[],"initialValue":0,"in":"$a"}}}"#, refused),
        (r#"{"x":{"$switch":{"branches":[{"case":true,"then":1}],"default":"$a"}}}"#, refused),
    ] {
        let doc = extjson::parse(spec).expect("a document");
        let found = match Variables::from_let(Doc::trusted(&doc), 0, &Collation::SIMPLE) {
            Err(e) => format!("{} {}", e.code.mongo, e.message),
            Ok(variables) => match variables.get("x") {
                Some(Binding::Value(Some(v))) => shown(v),
                other => format!("{other:?}"),
            },
        };
        assert_eq!(found, last, "{spec}");
    }
}

#[test]
fn constants_are_folded_and_their_errors_come_while_parsing() {
    let spec = extjson::parse(r#"{"$cond":[true,1,{"$divide":[1,0]}]}"#).expect("an expression");
    let parsed = Value::Document(spec).with_val(|v| Expr::parse(v, &ParseContext::default()));
    assert_eq!(parsed.map_err(|e| e.message).err().as_deref(), Some("can't $divide by zero"));
    // Of fields only the branch taken is evaluated.
    check(&[(r#"{"z":0}"#, r#"{"$cond":["$q",{"$divide":[1,"$z"]},"other"]}"#, "\"other\"")]);
}

#[test]
fn arithmetic_widens_one_step_at_a_time() {
    check(&[
        (
            r#"{"a":{"$numberInt":"2147483647"}}"#,
            r#"{"$type":{"$add":["$a",{"$numberInt":"1"}]}}"#,
            "\"long\"",
        ),
        (r#"{"a":{"$numberLong":"9223372036854775807"}}"#, r#"{"$type":{"$add":["$a",1]}}"#, "\"double\""),
        (r#"{"a":{"$numberDecimal":"1.5"}}"#, r#"{"$multiply":["$a",2]}"#, "3.0"),
        (r#"{"a":-7}"#, r#"{"$mod":["$a",3]}"#, "-1"),
        (r#"{"a":2.5}"#, r#"{"$round":["$a",0]}"#, "2"),
        (r#"{"a":1234.5678}"#, r#"{"$round":["$a",2]}"#, "1234.57"),
        (r#"{"a":null}"#, r#"{"$add":["$a","x"]}"#, "null"),
        (r#"{"a":"x"}"#, r#"{"$subtract":["$a",1]}"#, "14 can't $subtract int from string"),
        (r#"{"a":2}"#, r#"{"$pow":["$a",-1]}"#, "0.5"),
    ]);
}

#[test]
fn missing_and_null_are_told_apart_where_mongodb_does() {
    check(&[
        ("{}", r#"{"$type":"$a"}"#, "\"missing\""),
        ("{}", r#"{"$eq":["$a",null]}"#, "false"),
        (r#"{"a":null}"#, r#"{"$eq":["$a",null]}"#, "true"),
        ("{}", r#"{"$ifNull":["$a","$b","d"]}"#, "\"d\""),
        ("{}", r#"{"$lt":["$a",null]}"#, "true"),
        ("{}", r#"{"$size":"$a"}"#, "17124 The argument to $size must be an array, but was of type: missing"),
        (r#"{"a":[1]}"#, r#"{"$arrayElemAt":["$a",5]}"#, "missing"),
        (r#"{"a":[1,2,3]}"#, r#"{"$arrayElemAt":["$a",-1]}"#, "3"),
    ]);
}

#[test]
fn dates_follow_calendars_and_zones() {
    check(&[
        (
            r#"{"d":{"$date":{"$numberLong":"1709251198987"}}}"#,
            r#"{"$dateToString":{"date":"$d","format":"%Y-%j %H:%M %z","timezone":"America/New_York"}}"#,
            "\"2024-060 18:59 -0500\"",
        ),
        (
            r#"{"d":{"$date":{"$numberLong":"1706659200000"}}}"#,
            r#"{"$dateToString":{"date":{"$dateAdd":{"startDate":"$d","unit":"month","amount":1}}}}"#,
            "\"2024-02-29T00:00:00.000Z\"",
        ),
        (r#"{"d":{"$date":{"$numberLong":"1709251198987"}}}"#, r#"{"$isoWeek":"$d"}"#, "9"),
        ("{}", r#"{"$year":{"date":"$d"}}"#, "null"),
        (
            "{}",
            r#"{"$toLong":{"$dateFromString":{"dateString":"2024-02-29T10:20:30.5+02:00"}}}"#,
            "1709194830500",
        ),
        ("{}", r#"{"$year":5}"#, "16006 can't convert from BSON type int to Date"),
    ]);
}

#[test]
fn hashes_are_those_of_hashed_indexes() {
    // What MongoDB's convertShardKeyToHashed answers.
    check(&[
        ("{}", r#"{"$toHashedIndexKey":null}"#, "2338878944348059895"),
        ("{}", r#"{"$toHashedIndexKey":1}"#, "5902408780260971510"),
        ("{}", r#"{"$toHashedIndexKey":{"$literal":{"$numberDouble":"1.0"}}}"#, "5902408780260971510"),
    ]);
}

#[test]
fn binary_data_and_bases_are_converted() {
    let convert = |rest: &str| format!(r#"{{"$convert":{{{rest}}}}}"#);
    for rest in [
        r#""input":"hi","to":{"type":"binData"},"format":"utf8""#,
        r#""input":"aGk=","to":{"type":"binData","subtype":0},"format":"base64""#,
    ] {
        let back = format!(r#"{{"$convert":{{"input":{},"to":"string","format":"hex"}}}}"#, convert(rest));
        check(&[("{}", back.as_str(), "\"6869\"")]);
    }
    for (rest, want) in [
        (
            r#""input":{"$convert":{"input":258,"to":{"type":"binData"}}},"to":"string","format":"hex""#,
            "\"02010000\"",
        ),
        (
            r#""input":{"$convert":{"input":258,"to":{"type":"binData"},"byteOrder":"big"}},"to":"string","format":"hex""#,
            "\"00000102\"",
        ),
        (r#""input":{"$convert":{"input":1.5,"to":{"type":"binData"}}},"to":"double""#, "1.5"),
        (
            r#""input":{"$convert":{"input":{"$numberLong":"-2"},"to":{"type":"binData"},"byteOrder":"big"}},"to":"long","byteOrder":"big""#,
            "-2",
        ),
        (
            r#""input":{"$convert":{"input":"hi","to":{"type":"binData"},"format":"utf8"}},"to":"string","format":"auto""#,
            "\"aGk=\"",
        ),
        (
            r#""input":{"$toUUID":"00112233-4455-6677-8899-aabbccddeeff"},"to":"string","format":"auto""#,
            "\"00112233-4455-6677-8899-aabbccddeeff\"",
        ),
        (
            r#""input":"hi","to":"binData""#,
            "4341115 Format must be specified when converting from 'string' to 'binData'",
        ),
        (
            r#""input":"hi","to":"binData","format":"rot13""#,
            "4341125 Invalid 'format' argument for $convert: rot13",
        ),
        (
            r#""input":5,"to":"binData","byteOrder":"middle""#,
            "9130002 Invalid 'byteOrder' argument for $convert: middle",
        ),
        (
            r#""input":5,"to":{"type":"binData","subtype":4}"#,
            "241 Unsupported conversion from int to binData in $convert with no onError value",
        ),
        (r#""input":255,"to":"string","base":16"#, "\"FF\""),
        (r#""input":"-101","to":"int","base":2"#, "-5"),
        (r#""input":"zz","to":"int","base":8,"onError":0"#, "0"),
    ] {
        check(&[("{}", convert(rest).as_str(), want)]);
    }
}

#[test]
fn what_mongodb_answers_otherwise_than_one_might_think() {
    check(&[
        ("{}", r#"{"$multiply":[null,"a"]}"#, "null"),
        ("{}", r#"{"$multiply":["a",null]}"#, "14 $multiply only supports numeric types, not string"),
        // A double is rounded by its exact value.
        ("{}", r#"{"$round":[2.675,2]}"#, "2.67"),
        ("{}", r#"{"$round":[7.25,1]}"#, "7.2"),
        ("{}", r#"{"$round":["a",null]}"#, "51081 $round only supports numeric types, not string"),
        ("{}", r#"{"$round":[5,-19]}"#, "0"),
        ("{}", r#"{"$toLong":{"$numberDecimal":"0E+20"}}"#, "0"),
        ("{}", r#"{"$type":{"$ln":{"$numberDecimal":"NaN"}}}"#, "\"double\""),
        // Matches of nothing: before each character, not behind the last.
        ("{}", r#"{"$size":{"$regexFindAll":{"input":"abc","regex":""}}}"#, "3"),
        ("{}", r#"{"$size":{"$regexFindAll":{"input":"","regex":""}}}"#, "1"),
        ("{}", r#"{"$rand":5}"#, "10065 invalid parameter: expected an object ($rand)"),
        ("{}", r#"{"$foo":1}"#, "168 Unrecognized expression '$foo'"),
        ("{}", r#"{"$meta":5}"#, "17307 $meta only supports string arguments"),
        (r#"{"a":[4,1,"x",3]}"#, r#"{"$median":{"input":"$a","method":"approximate"}}"#, "3"),
        (
            r#"{"a":[4,1,3]}"#,
            r#"{"$percentile":{"input":"$a","p":[0,1],"method":"approximate"}}"#,
            "[ 1, 4 ]",
        ),
        ("{}", r#"{"$median":{"input":null,"method":"approximate"}}"#, "null"),
        ("{}", r#"{"$type":{"$add":[2147483647,1,-1]}}"#, "\"int\""),
        ("{}", r#"{"$type":{"$multiply":[65536,65536,0]}}"#, "\"int\""),
        ("{}", r#"{"$type":{"$mod":[7,{"$toDouble":2}]}}"#, "\"double\""),
        ("{}", r#"{"$type":{"$mod":[{"$toDouble":7},2]}}"#, "\"double\""),
        ("{}", r#"{"$mod":[7,2.5]}"#, "2"),
        ("{}", r#"{"$mod":[7,{"$numberDecimal":"0"}]}"#, "5733415 can't $mod by zero"),
        ("{}", r#"{"$bitNot":1.5}"#, "14 $bitNot only supports int and long, not: double."),
        ("{}", r#"{"$bitNot":true}"#, "28765 $bitNot only supports numeric types, not bool"),
        ("{}", r#"{"$maxN":{"input":null,"n":1}}"#, "5788200 Input must be an array"),
        ("{}", r#"{"$convert":{"input":1,"to":"foo"}}"#, "2 Unknown type name: foo"),
        ("{}", r#""$""#, "16872 '$' by itself is not a valid FieldPath"),
        ("{}", r#"{"$let":{"vars":{}}}"#, "16877 Missing 'in' parameter to $let"),
        (
            "{}",
            r#"{"$add":[1],"a":1}"#,
            "15983 An object representing an expression must have exactly one field: { \"$add\" : [ 1 ], \"a\" : 1 }",
        ),
        (
            "{}",
            r#"{"a.b":1}"#,
            "16412 FieldPath field names may not contain '.'. Consider using $getField or $setField.",
        ),
        (
            "{}",
            r#"{"$reduce":{"input":5,"initialValue":1,"in":1}}"#,
            "40080 $reduce requires that 'input' be an array, found: 5",
        ),
        (
            "{}",
            r#"{"$dateAdd":{"startDate":{"$date":"2024-01-01T00:00:00Z"},"unit":"day"}}"#,
            "5166402 $dateAdd requires startDate, unit, and amount to be present",
        ),
    ]);
}

#[test]
fn numbers_are_read_from_text_as_c_does() {
    let failed = |s: &str, why: &str| {
        format!("241 Failed to parse number '{s}' in $convert with no onError value: {why}")
    };
    for (text, why) in [
        ("1e400", "Out of range"),
        ("abc", "Did not consume any digits"),
        ("1.5x", "Did not consume whole string."),
        (" 1", "Leading whitespace"),
        ("", "Empty string"),
    ] {
        check(&[("{}", format!(r#"{{"$toDouble":"{text}"}}"#).as_str(), failed(text, why).as_str())]);
    }
    for name in ["$toDouble", "$toInt", "$toLong", "$toDecimal"] {
        let e = format!(r#"{{"{name}":"0x10"}}"#);
        let want = "241 Illegal hexadecimal input in $convert with no onError value: 0x10";
        check(&[("{}", e.as_str(), want)]);
    }
    check(&[
        ("{}", r#"{"$toDouble":"1e3"}"#, "1000"),
        ("{}", r#"{"$toDouble":"-inf"}"#, "-Infinity"),
        ("{}", r#"{"$toDouble":"-.5"}"#, "-0.5"),
    ]);
}

#[test]
fn sorted_arrays_compare_arrays_as_a_whole() {
    let input = r#"[{"a":[1,9],"n":1},{"a":[2],"n":2},{"a":[1,2],"n":3},{"n":4},5]"#;
    let sort = |by: &str| format!(r#"{{"$sortArray":{{"input":{input},"sortBy":{by}}}}}"#);
    let n = |by: &str| format!(r#"{{"$map":{{"input":{},"in":{{"$ifNull":["$$this.n","-"]}}}}}}"#, sort(by));
    check(&[
        ("{}", n(r#"{"a":1}"#).as_str(), r#"[ 4, "-", 3, 1, 2 ]"#),
        ("{}", n(r#"{"a":-1}"#).as_str(), r#"[ 2, 1, 3, 4, "-" ]"#),
        ("{}", n(r#"{"a.1":-1}"#).as_str(), r#"[ 1, 3, 2, 4, "-" ]"#),
    ]);
}

#[test]
fn dates_are_read_in_many_notations() {
    let day = 1_709_164_800_000i64;
    for (text, want) in [
        ("20240229", day),
        ("2024/02/29", day),
        ("02/29/2024", day),
        ("29.02.2024", day),
        ("29 Feb 2024", day),
        ("February 29, 2024", day),
        ("Thu, 29 Feb 2024 10:20:30 +0000", day + 37_230_000),
        ("Feb 29 2024 1:05 pm", day + 47_100_000),
        ("2024-W09-4", day),
        ("20240229T102030Z", day + 37_230_000),
    ] {
        let e = format!(r#"{{"$toLong":{{"$dateFromString":{{"dateString":"{text}"}}}}}}"#);
        check(&[("{}", e.as_str(), want.to_string().as_str())]);
    }
    for text in ["2024", "12:30", "abc", "29 Foo 2024", "2024-02-30", "20240229102030", ""] {
        let e = format!(r#"{{"$dateFromString":{{"dateString":"{text}","onError":"no"}}}}"#);
        check(&[("{}", e.as_str(), "\"no\"")]);
    }
    check(&[
        (
            "{}",
            r#"{"$dateToString":{"date":{"$date":{"$numberLong":"1709164800000"}},"format":"%d %b %Y, %B"}}"#,
            "\"29 Feb 2024, February\"",
        ),
        (
            "{}",
            r#"{"$toLong":{"$dateFromString":{"dateString":"29 feb 2024","format":"%d %b %Y"}}}"#,
            "1709164800000",
        ),
    ]);
}
