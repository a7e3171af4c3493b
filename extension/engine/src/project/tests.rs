//! Tables of documents and what projections show of them.

use super::{Kind, Projection};
use crate::error::Result;
use crate::extjson;
use crate::query::{ParseContext, Query};
use crate::raw::Doc;
use crate::value::{DocWriter, Value};
use proptest::prelude::*;

const DOC: &str = r#"{"_id":1,"a":1,"b":{"x":1,"y":{"z":2,"w":3}},"arr":[1,2,3,4,5],
    "docs":[{"k":1,"v":"p"},{"k":2,"v":"q"},{"k":2,"v":"r"}],"s":"str","n":null}"#;

fn bson(text: &str) -> Vec<u8> {
    extjson::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn show(doc: &[u8]) -> String {
    extjson::relaxed(Doc::trusted(doc))
}

fn project(kind: Kind, filter: &str, spec: &str, doc: &[u8]) -> Result<Vec<u8>> {
    let cx = ParseContext::default();
    let query = Query::parse(Doc::trusted(&bson(filter)), &cx)?;
    Projection::parse(Doc::trusted(&bson(spec)), kind, &cx)?.apply(Doc::trusted(doc), Some(&query))
}

fn find(spec: &str, doc: &str) -> Result<Vec<u8>> {
    project(Kind::Find, "{}", spec, &bson(doc))
}

fn check(rows: &[(&str, &str, &str)]) {
    for (doc, spec, expected) in rows {
        let shown = find(spec, doc).unwrap_or_else(|e| panic!("{spec}: {e}"));
        crate::raw::validate(&shown).unwrap_or_else(|e| panic!("{spec}: {e}"));
        assert_eq!(show(&shown), show(&bson(expected)), "{spec}");
    }
}

fn refused(spec: &str, result: Result<Vec<u8>>, mongo: i32, message: &str) {
    match result {
        Ok(doc) => panic!("{spec}: {}", show(&doc)),
        Err(e) => assert_eq!((e.code.mongo, e.message.as_str()), (mongo, message), "{spec}"),
    }
}

#[test]
fn inclusion() {
    check(&[
        (DOC, r#"{"s":1,"a":true}"#, r#"{"_id":1,"a":1,"s":"str"}"#),
        (DOC, r#"{"_id":0,"a":1.5}"#, r#"{"a":1}"#),
        (DOC, r#"{"_id":1}"#, r#"{"_id":1}"#),
        (DOC, r#"{"zz":1}"#, r#"{"_id":1}"#),
        (DOC, r#"{"b.y.z":1}"#, r#"{"_id":1,"b":{"y":{"z":2}}}"#),
        (DOC, r#"{"b":{"x":1}}"#, r#"{"_id":1,"b":{"x":1}}"#),
        (DOC, r#"{"b":{"y.z":1}}"#, r#"{"_id":1,"b":{"y":{"z":2}}}"#),
        (DOC, r#"{"docs.k":1}"#, r#"{"_id":1,"docs":[{"k":1},{"k":2},{"k":2}]}"#),
        (DOC, r#"{"docs.0.k":1}"#, r#"{"_id":1,"docs":[{},{},{}]}"#),
        (DOC, r#"{"a.x":1}"#, r#"{"_id":1}"#),
        (DOC, r#"{"_id.x":1}"#, r#"{}"#),
        (
            r#"{"_id":1,"m":[{"k":1,"j":2},5,[{"k":3,"j":4}]]}"#,
            r#"{"m.k":1}"#,
            r#"{"_id":1,"m":[{"k":1},[{"k":3}]]}"#,
        ),
    ]);
}

#[test]
fn exclusion() {
    check(&[
        (DOC, "{}", DOC),
        (DOC, r#"{"_id":0,"b":0,"arr":0,"docs":0}"#, r#"{"a":1,"s":"str","n":null}"#),
        (DOC, r#"{"_id":1,"b":0,"arr":-0.0,"docs":false}"#, r#"{"_id":1,"a":1,"s":"str","n":null}"#),
        (r#"{"_id":1,"b":{"x":1,"y":2}}"#, r#"{"b.x":0,"q.r":0}"#, r#"{"_id":1,"b":{"y":2}}"#),
        (
            r#"{"_id":1,"m":[{"k":1,"j":2},5,[{"k":3,"j":4}]]}"#,
            r#"{"m.k":0}"#,
            r#"{"_id":1,"m":[{"j":2},5,[{"j":4}]]}"#,
        ),
        (r#"{"_id":1,"a":2}"#, r#"{"_id":0}"#, r#"{"a":2}"#),
    ]);
}

#[test]
fn computed_fields_come_last_in_the_order_of_the_specification() {
    check(&[
        (DOC, r#"{"t":{"$add":["$a",10]}}"#, r#"{"_id":1,"t":11}"#),
        (DOC, r#"{"t":"$s","u":"lit","a":1}"#, r#"{"_id":1,"a":1,"t":"str","u":"lit"}"#),
        (DOC, r#"{"a":{"$multiply":["$a",5]},"s":1}"#, r#"{"_id":1,"s":"str","a":5}"#),
        (DOC, r#"{"t":"$zz","a":null}"#, r#"{"_id":1,"a":null}"#),
        (DOC, r#"{"t":["$a",2]}"#, r#"{"_id":1,"t":[1,2]}"#),
        (DOC, r#"{"o":{"p":{"$add":["$a",1]},"q":"$s"}}"#, r#"{"_id":1,"o":{"p":2,"q":"str"}}"#),
        (DOC, r#"{"o":{"p":"$zz"}}"#, r#"{"_id":1,"o":{}}"#),
        (DOC, r#"{"_id":{"$add":["$_id",100]},"a":1}"#, r#"{"_id":101,"a":1}"#),
        (DOC, r#"{"a":"$$REMOVE","s":1}"#, r#"{"_id":1,"s":"str"}"#),
        (DOC, r#"{"t":{"$literal":"$a"}}"#, r#"{"_id":1,"t":"$a"}"#),
        (r#"{"_id":1,"a":[{"b":1},2]}"#, r#"{"a":{"c":"$_id"}}"#, r#"{"_id":1,"a":[{"c":1},{"c":1}]}"#),
    ]);
}

#[test]
fn slice() {
    let rows = [
        ("2", "[1,2]"),
        ("-2", "[4,5]"),
        ("0", "[]"),
        ("100", "[1,2,3,4,5]"),
        ("2.9", "[1,2]"),
        ("[1,2]", "[2,3]"),
        ("[-3,2]", "[3,4]"),
        ("[-100,2]", "[1,2]"),
        ("[100,2]", "[]"),
        (r#"{"$numberLong":"-9223372036854775808"}"#, "[1,2,3,4,5]"),
    ];
    for (argument, shown) in rows {
        check(&[(
            r#"{"_id":1,"a":1,"arr":[1,2,3,4,5]}"#,
            &format!("{{\"arr\":{{\"$slice\":{argument}}}}}"),
            &format!("{{\"_id\":1,\"a\":1,\"arr\":{shown}}}"),
        )]);
    }
    check(&[
        (DOC, r#"{"a":1,"arr":{"$slice":1}}"#, r#"{"_id":1,"a":1,"arr":[1]}"#),
        (
            r#"{"_id":1,"a":1,"arr":[1,2],"b":2}"#,
            r#"{"a":0,"arr":{"$slice":1}}"#,
            r#"{"_id":1,"arr":[1],"b":2}"#,
        ),
        (r#"{"_id":1,"a":5}"#, r#"{"a":{"$slice":1}}"#, r#"{"_id":1,"a":5}"#),
        (r#"{"_id":1,"a":{"b":[1,2],"c":3}}"#, r#"{"a.b":{"$slice":1}}"#, r#"{"_id":1,"a":{"b":[1],"c":3}}"#),
        (DOC, r#"{"arr":{"$slice":["$arr",1,2]}}"#, r#"{"_id":1,"arr":[2,3]}"#),
    ]);
}

#[test]
fn elem_match() {
    check(&[
        (DOC, r#"{"docs":{"$elemMatch":{"k":2}}}"#, r#"{"_id":1,"docs":[{"k":2,"v":"q"}]}"#),
        (DOC, r#"{"docs":{"$elemMatch":{"k":2,"v":"r"}}}"#, r#"{"_id":1,"docs":[{"k":2,"v":"r"}]}"#),
        (DOC, r#"{"docs":{"$elemMatch":{"k":99}}}"#, r#"{"_id":1}"#),
        (DOC, r#"{"arr":{"$elemMatch":{"$gt":2}}}"#, r#"{"_id":1,"arr":[3]}"#),
        (DOC, r#"{"a":{"$elemMatch":{"$gt":0}}}"#, r#"{"_id":1}"#),
        (DOC, r#"{"s":1,"arr":{"$elemMatch":{"$gt":2}}}"#, r#"{"_id":1,"s":"str","arr":[3]}"#),
        (
            r#"{"_id":1,"a":[1,2],"b":3}"#,
            r#"{"z":0,"a":{"$elemMatch":{"$gt":1}}}"#,
            r#"{"_id":1,"a":[2],"b":3}"#,
        ),
        (r#"{"_id":1,"a":[1,2],"b":3}"#, r#"{"z":0,"a":{"$elemMatch":{"$gt":9}}}"#, r#"{"_id":1,"b":3}"#),
    ]);
}

#[test]
fn positional() {
    let rows = [
        (r#"{"docs.k":2}"#, r#"{"docs.$":1}"#, r#"{"_id":1,"docs":[{"k":2,"v":"q"}]}"#),
        (r#"{"arr":{"$gte":3}}"#, r#"{"a":1,"arr.$":true}"#, r#"{"_id":1,"a":1,"arr":[3]}"#),
        (
            r#"{"docs":{"$elemMatch":{"k":2,"v":"r"}}}"#,
            r#"{"docs.$":1}"#,
            r#"{"_id":1,"docs":[{"k":2,"v":"r"}]}"#,
        ),
    ];
    for (filter, spec, expected) in rows {
        let shown = project(Kind::Find, filter, spec, &bson(DOC)).unwrap();
        assert_eq!(show(&shown), show(&bson(expected)), "{filter} {spec}");
    }
    let none = project(Kind::Find, r#"{"a":1}"#, r#"{"docs.$":1}"#, &bson(DOC));
    let message = "positional operator '.$' couldn't find a matching element in the array";
    refused("no array in the filter", none, 51246, message);
}

#[test]
fn refusals() {
    let names = "FieldPath field names may not start with '$'. Consider using $getField or $setField.";
    let rows = [
        (r#"{"a":1,"s":0}"#, 31254, "Cannot do exclusion on field s in inclusion projection"),
        (r#"{"a":0,"s":1}"#, 31253, "Cannot do inclusion on field s in exclusion projection"),
        (r#"{"a":0,"t":"$s"}"#, 31310, "Cannot use an expression t: \"$s\" in an exclusion projection"),
        (
            r#"{"a":0,"t":{"$add":[1,2]}}"#,
            31252,
            "Cannot use expression other than $meta in exclusion projection",
        ),
        (r#"{"t":{"$foo":1}}"#, 31325, "Unknown expression $foo"),
        (r#"{"t":{"$slice":1,"x":1}}"#, 16410, names),
        (r#"{"docs.$":"x"}"#, 31308, "positional projection cannot be used with a literal"),
        (
            r#"{"docs":{"$elemMatch":{"k":1}},"arr.$":1}"#,
            31256,
            "Cannot specify positional operator and $elemMatch.",
        ),
        (
            r#"{"arr.$":1,"docs":{"$elemMatch":{"k":1}}}"#,
            31255,
            "Cannot specify positional operator and $elemMatch.",
        ),
        (r#"{"b":1,"b.x":1}"#, 31249, "Path collision at b.x remaining portion x"),
        (r#"{"b.c":1,"b.c.d":1}"#, 31249, "Path collision at b.c.d remaining portion c.d"),
        (r#"{"b.x":1,"b":1}"#, 31250, "Path collision at b"),
        (r#"{"b":{"x":1},"b.x":1}"#, 31250, "Path collision at b.x"),
        (r#"{"_id":1,"_id.x":1}"#, 31250, "Path collision at _id.x"),
        (r#"{"":1}"#, 40352, "FieldPath cannot be constructed with empty string"),
        (r#"{"a.":1}"#, 40353, "FieldPath must not end with a '.'."),
        (r#"{"b..x":1}"#, 15998, "FieldPath field names may not be empty strings."),
        (r#"{"$a":1}"#, 16410, names),
        (r#"{"docs.$.k":1}"#, 16410, names),
        (r#"{"t":{}}"#, 51270, "An empty sub-projection is not a valid value. Found empty object at path t"),
        (r#"{"docs.$":0}"#, 31395, "positional projection cannot be used with exclusion"),
        (r#"{"docs.$":1,"arr.$":1}"#, 31276, "Cannot specify more than one positional projection per query."),
        (
            r#"{"docs.$":{"$slice":1}}"#,
            31271,
            "positional projection cannot be used with an expression or sub object",
        ),
        (
            r#"{"arr":{"$slice":[1,0]}}"#,
            28724,
            "First argument to $slice must be an array, but is of type: int",
        ),
        (
            r#"{"arr":{"$slice":"1"}}"#,
            28667,
            "Invalid $slice syntax. The given syntax { $slice: \"1\" } did not match the find() syntax because :: Location31273: $slice only supports numbers and [skip, limit] arrays :: The given syntax did not match the expression $slice syntax. :: caused by :: Expression $slice takes at least 2 arguments, and at most 3, but 1 were passed in.",
        ),
        (r#"{"docs":{"$elemMatch":1}}"#, 31274, "elemMatch: Invalid argument, object required, but got int"),
        (
            r#"{"b.docs":{"$elemMatch":{"k":1}}}"#,
            31275,
            "Cannot use $elemMatch projection on a nested field.",
        ),
        (r#"{"docs":{"$elemMatch":{"$foo":1}}}"#, 2, "unknown operator: $foo"),
        (
            r#"{"t":{"$meta":"textScore"}}"#,
            40218,
            "query requires text score metadata, but it is not available",
        ),
        (r#"{"t":{"$meta":"foo"}}"#, 17308, "Unsupported argument to $meta: foo"),
        (r#"{"t":{"$meta":"indexKey"}}"#, 115, "Returning indexKey for $meta not supported"),
    ];
    for (spec, code, message) in rows {
        refused(spec, find(spec, DOC), code, message);
    }
}

#[test]
fn endless_paths_are_refused() {
    let path = vec!["p"; 1_000_000].join(".");
    for spec in [format!(r#"{{"{path}":1}}"#), format!(r#"{{"a":{{"{path}":{{"$slice":1}}}}}}"#)] {
        refused("endless", find(&spec, DOC), 15, "FieldPath is too long");
    }
}

/// Keeps the named fields of the document itself: the plain model of an inclusion.
fn kept(doc: &[u8], names: &[String]) -> Vec<u8> {
    let mut w = DocWriter::new();
    for e in Doc::trusted(doc).iter().filter(|e| e.name() == "_id" || names.iter().any(|n| n == e.name())) {
        w.put_elem(&e);
    }
    w.finish()
}

proptest! {
    #[test]
    fn inclusion_and_exclusion_are_complements(
        present in prop::collection::btree_set("[a-f]", 0..6),
        named in prop::collection::btree_set("[a-f]", 1..6),
    ) {
        let mut w = DocWriter::new();
        w.put("_id", &Value::Int32(1));
        for (i, name) in present.iter().enumerate() {
            w.put(name, &Value::Int64(i64::try_from(i).unwrap()));
        }
        let doc = w.finish();
        let spec = |v: i32| {
            let mut w = DocWriter::new();
            for n in &named {
                w.put(n, &Value::Int32(v));
            }
            w.finish()
        };
        let cx = ParseContext::default();
        let apply = |spec: &[u8]| {
            Projection::parse(Doc::trusted(spec), Kind::Find, &cx).unwrap().apply(Doc::trusted(&doc), None).unwrap()
        };
        let named: Vec<String> = named.iter().cloned().collect();
        let others: Vec<String> = present.iter().filter(|p| !named.contains(p)).cloned().collect();
        prop_assert_eq!(apply(&spec(1)), kept(&doc, &named));
        prop_assert_eq!(apply(&spec(0)), kept(&doc, &others));
    }
}

/// Every byte of some projections changed in several ways: parsing and applying answer, whatever they answer.
#[test]
fn mutated_projections_never_panic() {
    let doc = bson(DOC);
    let mut tried = 0;
    for seed in [
        r#"{"a":1,"b.y.z":1,"docs":{"$elemMatch":{"k":2}},"arr":{"$slice":[-3,2]},"t":{"$add":["$a",1]}}"#,
        r#"{"docs.$":1,"_id":0,"b":{"x":1}}"#,
        r#"{"a":0,"b.x":0,"docs.k":0}"#,
    ] {
        let bytes = bson(seed);
        for at in 0..bytes.len() {
            for change in [0u8, 1, 0x24, 0x2e, 0x7f, 0xff] {
                let mut mutated = bytes.clone();
                mutated[at] ^= change;
                if crate::raw::validate(&mutated).is_err() {
                    continue;
                }
                tried += 1;
                let cx = ParseContext::default();
                for kind in [Kind::Find, Kind::Aggregate] {
                    if let Ok(p) = Projection::parse(Doc::trusted(&mutated), kind, &cx) {
                        let _ = p.apply(Doc::trusted(&doc), None);
                    }
                }
            }
        }
    }
    assert!(tried > 300, "{tried}");
}
