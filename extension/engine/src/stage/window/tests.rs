//! Rules of windows.

use crate::error::Result;
use crate::expr::Variables;
use crate::extjson;
use crate::raw::{Doc, Val};
use crate::stage::{NoHost, ParseContext, Pipeline, ready};

/// The documents in the order of `sort`, with what `function` and its window give in the field r.
fn rows(docs: &str, sort: &str, function: &str) -> Result<Vec<Vec<u8>>> {
    let text = format!(
        r#"{{"docs":{docs},"p":[{{"$setWindowFields":{{"sortBy":{sort},"output":{{"r":{function}}}}}}}]}}"#
    );
    let both = extjson::parse(&text).expect("documents and a stage");
    let array = |name| Doc::trusted(&both).get(name).and_then(Val::as_array).expect("an array");
    let docs: Vec<Vec<u8>> =
        array("docs").values().filter_map(|v| Some(v.as_doc()?.bytes().to_vec())).collect();
    let pipeline = Pipeline::parse(array("p"), &ParseContext::new(Variables::new(), 0))?;
    pipeline.run(ready(docs), &NoHost).collect()
}

fn values(docs: &str, sort: &str, function: &str) -> String {
    match rows(docs, sort, function) {
        Ok(docs) => docs
            .iter()
            .map(|d| {
                let text = extjson::relaxed(Doc::trusted(d));
                text.rsplit_once("\"r\" : ").map_or("-", |(_, v)| v.trim_end_matches([' ', '}'])).to_owned()
            })
            .collect::<Vec<_>>()
            .join(" "),
        Err(e) => format!("{} {}", e.code.mongo, e.message),
    }
}

fn types(docs: &str, function: &str) -> Vec<u8> {
    let docs = rows(docs, r#"{"x":1}"#, function).expect("documents");
    docs.iter().filter_map(|d| Some(Doc::trusted(d).get("r")?.ty)).collect()
}

const DOCS: &str = r#"[{"x":1,"v":10},{"x":2,"v":20},{"x":2,"v":7},{"x":4,"v":5}]"#;

#[test]
fn ranges_are_around_the_very_row() {
    for (window, want) in [
        // "current" ends at the row, a distance of 0 takes those of the same value in.
        (r#"["unbounded","current"]"#, "10 30 37 42"),
        (r#"["unbounded",0]"#, "10 37 37 42"),
        (r#"["current","unbounded"]"#, "42 32 12 5"),
        (r#"[0,"unbounded"]"#, "42 32 32 5"),
        ("[-1,1]", "37 37 37 5"),
        (r#"[{"$subtract":[0,1]},{"$literal":0}]"#, "10 37 37 5"),
        ("[3,9]", "5 0 0 0"),
    ] {
        let function = format!(r#"{{"$sum":"$v","window":{{"range":{window}}}}}"#);
        assert_eq!(values(DOCS, r#"{"x":1}"#, &function), want, "{window}");
    }
    let of = |docs: &str, rest: &str| {
        values(docs, r#"{"x":1}"#, &format!(r#"{{"$sum":1,"window":{{"range":[-1,0]{rest}}}}}"#))
    };
    let date = r#"[{"x":{"$date":"2024-01-01T00:00:00Z"}}]"#;
    assert_eq!(of(date, r#","unit":"day""#), "1");
    let wrong =
        "5429413 Invalid range: For windows that involve date or time ranges, a unit must be provided.";
    assert_eq!(of(date, ""), wrong);
    for (docs, unit, want) in [
        (
            r#"[{"x":null}]"#,
            "",
            "5429414 Invalid range: Expected the sortBy field to be a number, but it was null",
        ),
        (
            r#"[{"x":1}]"#,
            r#","unit":"day""#,
            "5429513 Invalid range: Expected the sortBy field to be a Date, but it was int",
        ),
    ] {
        assert_eq!(of(docs, unit), want);
    }
}

#[test]
fn a_sum_that_loses_rows_is_as_narrow_as_it_can_be() {
    let docs = r#"[{"x":1,"v":{"$numberLong":"1"}},{"x":2,"v":{"$numberLong":"4"}}]"#;
    for (window, narrow) in [(r#"["unbounded","current"]"#, false), ("[-1,0]", true)] {
        let function = format!(r#"{{"$sum":"$v","window":{{"documents":{window}}}}}"#);
        let typed = values(docs, r#"{"x":1}"#, &function);
        assert_eq!(typed, "1 5");
        let types = types(docs, &function);
        assert!(types.iter().all(|t| (*t == crate::raw::ty::INT32) == narrow), "{window}: {types:?}");
    }
}

#[test]
fn slopes_and_areas() {
    let documents = r#""window":{"documents":[-1,0]}"#;
    let grow = r#""window":{"documents":["unbounded","current"]}"#;
    let days =
        r#"[{"x":{"$date":"2024-01-01T00:00:00Z"},"v":1},{"x":{"$date":"2024-01-01T12:00:00Z"},"v":2}]"#;
    let numbers = r#"[{"x":1,"v":1},{"x":3,"v":5},{"x":4,"v":5}]"#;
    for (docs, function, want) in [
        (numbers, format!(r#"{{"$derivative":{{"input":"$v"}},{documents}}}"#), "null 2.0 0.0"),
        (days, format!(r#"{{"$derivative":{{"input":"$v","unit":"day"}},{documents}}}"#), "null 2.0"),
        (
            days,
            format!(r#"{{"$derivative":{{"input":"$v"}},{documents}}}"#),
            "5624901 $derivative where the sortBy is a Date requires an 'unit'",
        ),
        (
            numbers,
            format!(r#"{{"$derivative":{{"input":"$v","unit":"day"}},{documents}}}"#),
            "5624900 $derivative with 'unit' expects the sortBy field to be a Date",
        ),
        (
            r#"[{"x":1,"v":null}]"#,
            format!(r#"{{"$derivative":{{"input":"$v"}},{documents}}}"#),
            "5624903 $derivative input must not be null or missing",
        ),
        (
            r#"[{"x":"a","v":1}]"#,
            format!(r#"{{"$derivative":{{"input":"$v"}},{documents}}}"#),
            "5624902 $derivative (with no 'unit') expects the sortBy field to be numeric",
        ),
        (numbers, format!(r#"{{"$integral":{{"input":"$v"}},{grow}}}"#), "0 6.0 11.0"),
        (numbers, format!(r#"{{"$integral":{{"input":"$v"}},{documents}}}"#), "0 6.0 5.0"),
        (numbers, r#"{"$integral":{"input":"$v"}}"#.to_owned(), "11.0 11.0 11.0"),
        (days, format!(r#"{{"$integral":{{"input":"$v","unit":"hour"}},{grow}}}"#), "0.0 18.0"),
    ] {
        assert_eq!(values(docs, r#"{"x":1}"#, &function), want, "{function}");
    }
}

#[test]
fn moving_averages_are_doubles_and_step_over_what_is_no_number() {
    let docs = r#"[{"x":0,"v":null},{"x":1,"v":10},{"x":2,"v":"a"},{"x":3,"v":20}]"#;
    let of = |docs: &str, rest: &str| {
        values(docs, r#"{"x":1}"#, &format!(r#"{{"$expMovingAvg":{{"input":"$v",{rest}}}}}"#))
    };
    assert_eq!(of(docs, r#""N":3"#), "null 10.0 10.0 15.0");
    assert_eq!(of(docs, r#""alpha":0.75"#), "null 10.0 10.0 17.5");
    let decimal = r#"[{"x":1,"v":{"$numberDecimal":"1.5"}}]"#;
    assert_eq!(of(decimal, r#""N":3"#), r#"{ "$numberDecimal" : "1.5""#);
    for (rest, want) in [
        (r#""N":0"#, "9 'N' must be greater than zero. Got 0"),
        (r#""N":"a""#, "9 'N' field must be an integer, but found type string"),
        (r#""alpha":1"#, "9 'alpha' must be between 0 and 1 (exclusive), found alpha: 1"),
    ] {
        assert_eq!(of(docs, rest), want);
    }
}

#[test]
fn lines_are_drawn_between_known_values() {
    let of = |docs: &str| values(docs, r#"{"x":1}"#, r#"{"$linearFill":"$v"}"#);
    let docs =
        r#"[{"x":0},{"x":1,"v":1},{"x":2},{"x":4,"v":null},{"x":5,"v":9},{"x":6},{"x":7,"v":9},{"x":8}]"#;
    assert_eq!(of(docs), "null 1 3.0 7.0 9 9.0 9 null");
    for (docs, want) in [
        (r#"[{"x":1,"v":1},{"x":1}]"#, "6050106 There can be no repeated values in the sort field"),
        (r#"[{"x":1,"v":"a"}]"#, "14 Value to be filled must be numeric or nullish, but found string"),
        (r#"[{"v":1}]"#, "14 Value of the sortBy field must be numeric or a date, but found missing"),
    ] {
        assert_eq!(of(docs), want);
    }
}
