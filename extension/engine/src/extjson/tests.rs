use super::*;
use crate::raw::{Doc, validate};

/// Every type, with a repeated field name.
const ALL: &str = r#"{ "d" : { "$numberDouble" : "-0.0" }, "d" : { "$numberDouble" : "1e300" }, "nan" : { "$numberDouble" : "NaN" }, "s" : "a\"\\\n\u0001é", "o" : { "x" : { } }, "a" : [ { "$numberInt" : "1" }, [  ] ], "b" : { "$binary" : { "base64" : "AQIDBA==", "subType" : "80" } }, "u" : { "$undefined" : true }, "i" : { "$oid" : "0123456789abcdef01234567" }, "t" : true, "dt" : { "$date" : { "$numberLong" : "-1" } }, "n" : null, "r" : { "$regularExpression" : { "pattern" : "^a/", "options" : "im" } }, "p" : { "$dbPointer" : { "$ref" : "a.b", "$id" : { "$oid" : "0123456789abcdef01234567" } } }, "c" : { "$code" : "f()" }, "y" : { "$symbol" : "s" }, "w" : { "$code" : "g", "$scope" : { "x" : { "$numberInt" : "1" } } }, "ts" : { "$timestamp" : { "t" : 4294967295, "i" : 1 } }, "l" : { "$numberLong" : "9223372036854775807" }, "m" : { "$numberDecimal" : "-1.50E+700" }, "k" : { "$minKey" : 1 }, "K" : { "$maxKey" : 1 } }"#;

#[test]
fn every_type_survives_canonical_text() {
    let bytes = parse(ALL).unwrap();
    validate(&bytes).unwrap();
    assert_eq!(canonical(Doc::trusted(&bytes)), ALL);
    assert_eq!(read(&to_hex(&bytes)).unwrap(), bytes);
}

#[test]
fn relaxed_numbers_and_dates() {
    let text = r#"{ "i" : 1, "l" : 2147483648, "d" : 1.0, "x" : 1e100, "t" : { "$date" : "2001-02-03T04:05:06.007Z" } }"#;
    let bytes = parse(text).unwrap();
    let types: Vec<_> = Doc::trusted(&bytes).values().map(|v| v.type_name()).collect();
    assert_eq!(types, ["int", "long", "double", "double", "date"]);
    assert_eq!(relaxed(Doc::trusted(&bytes)), text);
}

#[test]
fn operators_and_references_stay_documents() {
    for text in [
        r#"{ "a" : { "$regex" : "^x", "$options" : "i" } }"#,
        r#"{ "a" : { "$ref" : "c", "$id" : "x" } }"#,
        r#"{ "a" : { "$gt" : "x" } }"#,
        r#"{ "a" : { "$oid" : "x", "b" : "y" } }"#,
    ] {
        assert_eq!(canonical(Doc::trusted(&parse(text).unwrap())), text);
    }
}

#[test]
fn says_what_is_wrong() {
    let message = |text| read(text).unwrap_err().message;
    assert_eq!(message(""), "invalid input syntax JSON for BSON: Code: '2', Message 'Empty JSON string'");
    assert_eq!(
        message("{} x"),
        "invalid input syntax JSON for BSON: Code: '1', Message 'Got parse error at \"x\", position 3: \"SPECIAL_EXPECTED\"'"
    );
    for text in ["5", "{", r#"{"a""#, r#"{"a":"#, r#"{"a":1"#, r#"{"a":[1"#, r#"{"a"#] {
        assert_eq!(
            message(text),
            "invalid input syntax JSON for BSON: Code: '1', Message 'Incomplete JSON'",
            "{text}"
        );
    }
    for text in [
        r#"{"a":01}"#,
        r#"{"a":+1}"#,
        r#"{"a":1.}"#,
        r#"{"a":nul}"#,
        r#"{"a":1,}"#,
        r#"{a:1}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":{"$oid":"xyz"}}"#,
        r#"{"a":{"$numberInt":"2147483648"}}"#,
        r#"{"a\u0000":1}"#,
        "BSONHEX05000000",
        "BSONHEX0",
        "BSONHEXzz",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    assert!(read(&deep).is_err());
}
