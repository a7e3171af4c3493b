//! Operators on single values, replacements, order and no-ops.

use super::{Statement, apply, bson, check, show};
use crate::raw::Doc;
use crate::update::Outcome;

#[test]
fn set_and_unset() {
    check(&[
        (r#"{"_id":1}"#, r#"{"$set":{"a":1}}"#, r#"{"_id":1,"a":1}"#),
        (r#"{"_id":1,"a":1}"#, r#"{"$set":{"a":1}}"#, "="),
        (r#"{"_id":1,"a":1}"#, r#"{"$set":{"a":1.0}}"#, r#"{"_id":1,"a":1.0}"#),
        (r#"{"_id":1,"a":0.0}"#, r#"{"$set":{"a":-0.0}}"#, r#"{"_id":1,"a":-0.0}"#),
        (
            r#"{"_id":1,"a":{"b":1,"c":2},"d":3}"#,
            r#"{"$set":{"a.b":5}}"#,
            r#"{"_id":1,"a":{"b":5,"c":2},"d":3}"#,
        ),
        (r#"{"_id":1}"#, r#"{"$set":{"a.b.c":1,"a.b.d":2}}"#, r#"{"_id":1,"a":{"b":{"c":1,"d":2}}}"#),
        (r#"{"_id":1,"a":{"x":1}}"#, r#"{"$set":{"a":{"y":2}}}"#, r#"{"_id":1,"a":{"y":2}}"#),
        (r#"{"_id":1,"a":1,"b":2}"#, r#"{"$unset":{"a":""}}"#, r#"{"_id":1,"b":2}"#),
        (r#"{"_id":1,"a":{"b":1}}"#, r#"{"$unset":{"a.b":1}}"#, r#"{"_id":1,"a":{}}"#),
        (r#"{"_id":1,"a":[1,2,3]}"#, r#"{"$unset":{"a.1":1}}"#, r#"{"_id":1,"a":[1,null,3]}"#),
        (r#"{"_id":1,"a":[1]}"#, r#"{"$unset":{"a.5":1}}"#, "="),
        (r#"{"_id":1,"a":1}"#, r#"{"$unset":{"a.b":1,"z":1}}"#, "="),
        (r#"{"_id":1}"#, r#"{"$set":{}}"#, "="),
        (r#"{"_id":1}"#, r#"{"$setOnInsert":{"a":1}}"#, "="),
        (r#"{"_id":1}"#, r#"{"$set":{"_id":1}}"#, "="),
        (r#"{"_id":1}"#, r#"{"$set":{"a.$b":1}}"#, r#"{"_id":1,"a":{"$b":1}}"#),
    ]);
}

#[test]
fn new_fields_come_in_lexicographic_order_numbers_by_value() {
    check(&[
        (r#"{"_id":1,"z":1}"#, r#"{"$set":{"y":2,"b":3,"a":4}}"#, r#"{"_id":1,"z":1,"a":4,"b":3,"y":2}"#),
        (r#"{"_id":1}"#, r#"{"$set":{"10":1,"9":2,"x":0,"1":3}}"#, r#"{"_id":1,"1":3,"9":2,"10":1,"x":0}"#),
        (r#"{"_id":1}"#, r#"{"$inc":{"b":1},"$set":{"a":1}}"#, r#"{"_id":1,"a":1,"b":1}"#),
        (r#"{"_id":1}"#, r#"{"$set":{"a.10":1,"a.9":2}}"#, r#"{"_id":1,"a":{"9":2,"10":1}}"#),
    ]);
}

#[test]
fn existing_fields_keep_their_places() {
    check(&[
        (
            r#"{"_id":1,"c":1,"b":2,"a":3}"#,
            r#"{"$set":{"a":0,"b":0,"c":0}}"#,
            r#"{"_id":1,"c":0,"b":0,"a":0}"#,
        ),
        (r#"{"_id":1,"a":1,"b":2}"#, r#"{"$rename":{"a":"z"}}"#, r#"{"_id":1,"b":2,"z":1}"#),
        (r#"{"_id":1,"a":1,"z":2,"y":3}"#, r#"{"$rename":{"a":"z"}}"#, r#"{"_id":1,"z":1,"y":3}"#),
        (
            r#"{"_id":1,"a":{"b":1,"c":2}}"#,
            r#"{"$rename":{"a.b":"x.y"}}"#,
            r#"{"_id":1,"a":{"c":2},"x":{"y":1}}"#,
        ),
        (r#"{"_id":1,"b":2}"#, r#"{"$rename":{"a":"z"}}"#, "="),
        (r#"{"_id":1,"a":[1,{"b":2}]}"#, r#"{"$rename":{"a":"z"}}"#, r#"{"_id":1,"z":[1,{"b":2}]}"#),
    ]);
}

#[test]
fn arithmetic_promotes() {
    let long = |n: i64| format!("{{\"$numberLong\":\"{n}\"}}");
    let decimal = |n: &str| format!("{{\"$numberDecimal\":\"{n}\"}}");
    let max = i64::from(i32::MAX);
    let rows: Vec<(String, &str, String, String)> = vec![
        ("5".into(), "$inc", "5".into(), "10".into()),
        (max.to_string(), "$inc", "2".into(), long(max + 2)),
        ("5".into(), "$inc", long(5), long(10)),
        ("5".into(), "$inc", "2.5".into(), "7.5".into()),
        ("0.1".into(), "$inc", "0.2".into(), "0.30000000000000004".into()),
        ("2.5".into(), "$inc", decimal("2.5"), decimal("5.00000000000000")),
        (long(5), "$inc", decimal("2.5"), decimal("7.5")),
        ("5".into(), "$mul", "5".into(), "25".into()),
        (max.to_string(), "$mul", "2".into(), long(max * 2)),
        (decimal("2.5"), "$mul", decimal("2.5"), decimal("6.25")),
        ("7".into(), "$inc", "0".into(), "7".into()),
    ];
    for (old, op, arg, new) in rows {
        let doc = format!("{{\"_id\":1,\"a\":{old}}}");
        let expected = format!("{{\"_id\":1,\"a\":{new}}}");
        let expected = if old == new { "=" } else { &expected };
        check(&[(&doc, &format!("{{\"{op}\":{{\"a\":{arg}}}}}"), expected)]);
    }
    check(&[
        (r#"{"_id":1}"#, r#"{"$inc":{"a":3,"b":1.5}}"#, r#"{"_id":1,"a":3,"b":1.5}"#),
        (r#"{"_id":1}"#, r#"{"$mul":{"a":3,"b":1.5}}"#, r#"{"_id":1,"a":0,"b":0.0}"#),
        (
            r#"{"_id":1}"#,
            r#"{"$mul":{"a":{"$numberDecimal":"3.5"}}}"#,
            r#"{"_id":1,"a":{"$numberDecimal":"0.0"}}"#,
        ),
        (r#"{"_id":1}"#, r#"{"$mul":{"a":-2.0}}"#, r#"{"_id":1,"a":-0.0}"#),
        (r#"{"_id":1,"a":0}"#, r#"{"$mul":{"a":5}}"#, "="),
    ]);
}

#[test]
fn min_and_max_use_the_order_of_all_types() {
    check(&[
        (r#"{"_id":1,"a":5}"#, r#"{"$min":{"a":3}}"#, r#"{"_id":1,"a":3}"#),
        (r#"{"_id":1,"a":5}"#, r#"{"$min":{"a":5.0}}"#, "="),
        (r#"{"_id":1,"a":5}"#, r#"{"$min":{"a":"x"}}"#, "="),
        (r#"{"_id":1,"a":5}"#, r#"{"$max":{"a":"x"}}"#, r#"{"_id":1,"a":"x"}"#),
        (r#"{"_id":1,"a":5}"#, r#"{"$max":{"a":4}}"#, "="),
        (r#"{"_id":1}"#, r#"{"$min":{"b.c":1}}"#, r#"{"_id":1,"b":{"c":1}}"#),
    ]);
}

#[test]
fn bits() {
    check(&[
        (r#"{"_id":1,"a":13}"#, r#"{"$bit":{"a":{"and":10}}}"#, r#"{"_id":1,"a":8}"#),
        (r#"{"_id":1,"a":5}"#, r#"{"$bit":{"a":{"and":4,"or":3}}}"#, r#"{"_id":1,"a":7}"#),
        (
            r#"{"_id":1,"a":5}"#,
            r#"{"$bit":{"a":{"xor":{"$numberLong":"1"}}}}"#,
            r#"{"_id":1,"a":{"$numberLong":"4"}}"#,
        ),
        (r#"{"_id":1,"a":5}"#, r#"{"$bit":{"a":{"or":5}}}"#, "="),
        (r#"{"_id":1}"#, r#"{"$bit":{"a":{"or":6}}}"#, r#"{"_id":1,"a":6}"#),
    ]);
}

#[test]
fn current_date_is_the_statement_s_time() {
    check(&[
        (
            r#"{"_id":1}"#,
            r#"{"$currentDate":{"a":true}}"#,
            r#"{"_id":1,"a":{"$date":"2024-01-02T03:04:05.678Z"}}"#,
        ),
        (
            r#"{"_id":1,"a":1}"#,
            r#"{"$currentDate":{"a":{"$type":"timestamp"}}}"#,
            r#"{"_id":1,"a":{"$timestamp":{"t":1704164645,"i":1}}}"#,
        ),
    ]);
}

#[test]
fn replacements() {
    check(&[
        (r#"{"_id":1,"a":1}"#, r#"{"b":2}"#, r#"{"_id":1,"b":2}"#),
        (r#"{"_id":1,"a":1}"#, r#"{}"#, r#"{"_id":1}"#),
        (r#"{"_id":1,"a":1}"#, r#"{"_id":1,"a":1}"#, "="),
        (r#"{"_id":1,"a":1}"#, r#"{"a":1}"#, "="),
        (r#"{"_id":1,"a":1}"#, r#"{"b":2,"_id":1.0}"#, r#"{"_id":1,"b":2}"#),
        (r#"{"_id":1,"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, r#"{"_id":1,"b":2,"a":1}"#),
        (r#"{"_id":1,"a":1}"#, r#"{"a.b":1,"c":{"$d":1}}"#, r#"{"_id":1,"a.b":1,"c":{"$d":1}}"#),
        (
            r#"{"_id":1}"#,
            r#"{"t":{"$timestamp":{"t":0,"i":0}},"s":{"t":{"$timestamp":{"t":0,"i":0}}},"u":{"$timestamp":{"t":0,"i":0}}}"#,
            r#"{"_id":1,"t":{"$timestamp":{"t":1704164645,"i":1}},"s":{"t":{"$timestamp":{"t":0,"i":0}}},"u":{"$timestamp":{"t":1704164645,"i":2}}}"#,
        ),
    ]);
}

#[test]
fn numeric_components_are_positions_in_arrays_and_names_elsewhere() {
    check(&[
        (r#"{"_id":1,"a":[1,2,3]}"#, r#"{"$set":{"a.1":20}}"#, r#"{"_id":1,"a":[1,20,3]}"#),
        (r#"{"_id":1,"a":[1]}"#, r#"{"$set":{"a.4":5}}"#, r#"{"_id":1,"a":[1,null,null,null,5]}"#),
        (r#"{"_id":1,"a":[]}"#, r#"{"$set":{"a.1.b":5}}"#, r#"{"_id":1,"a":[null,{"b":5}]}"#),
        (r#"{"_id":1}"#, r#"{"$set":{"a.0":1}}"#, r#"{"_id":1,"a":{"0":1}}"#),
        (r#"{"_id":1,"a":{"0":1}}"#, r#"{"$set":{"a.0":2}}"#, r#"{"_id":1,"a":{"0":2}}"#),
        (r#"{"_id":1,"a":[[1,2],[3,4]]}"#, r#"{"$set":{"a.1.0":30}}"#, r#"{"_id":1,"a":[[1,2],[30,4]]}"#),
    ]);
}

#[test]
fn the_longest_padding() {
    let Ok(Outcome::Changed(doc)) = apply(r#"{"_id":1,"a":[]}"#, r#"{"$set":{"a.100000":1}}"#) else {
        panic!("is allowed")
    };
    let a = Doc::trusted(&doc).get("a").and_then(|v| v.as_array()).map(|a| a.values().count());
    assert_eq!(a, Some(100_001));
}

#[test]
fn which_indexes_may_change() {
    let rows = [
        (r#"{"$set":{"a.b":1}}"#, "a", true),
        (r#"{"$set":{"a.b":1}}"#, "a.b", true),
        (r#"{"$set":{"a.b":1}}"#, "a.b.c", true),
        (r#"{"$set":{"a.b":1}}"#, "a.c", false),
        (r#"{"$set":{"a.b":1}}"#, "ab", false),
        (r#"{"$set":{"a.0.b":1}}"#, "a.b", true),
        (r#"{"$set":{"a.$[].b":1}}"#, "a.b", true),
        (r#"{"$set":{"a.$[].b":1}}"#, "a.c", false),
        (r#"{"$rename":{"x":"y"}}"#, "x", true),
        (r#"{"$rename":{"x":"y"}}"#, "y", true),
        (r#"{"$rename":{"x":"y"}}"#, "z", false),
        (r#"{"x":1}"#, "z", true),
        (r#"{"x":1}"#, "_id", false),
    ];
    for (update, path, expected) in rows {
        let (_, parsed) = Statement { query: "{}", update, filters: None }.parse().unwrap();
        assert_eq!(parsed.may_change(path), expected, "{update} {path}");
    }
}

#[test]
fn untouched_parts_are_copied_byte_for_byte() {
    // A document whose parts are not as the writer would make them: an array with odd names, a repeated field.
    let mut odd = crate::DocWriter::new();
    let mut array = crate::DocWriter::new();
    array.put_str("x", "one").put_str("x", "two");
    odd.put("_id", &crate::Value::Int32(1)).put("arr", &crate::Value::Array(array.finish()));
    odd.put_str("r", "1").put_str("r", "2");
    let odd = odd.finish();
    let u = bson(r#"{"$set":{"n":1}}"#);
    let u = crate::Val { ty: crate::raw::ty::DOCUMENT, bytes: &u };
    let update = crate::update::Update::parse(u, None, &super::cx()).unwrap();
    let Ok(Outcome::Changed(new)) = update.apply(Doc::trusted(&odd), None) else { panic!("changes") };
    assert_eq!(
        Doc::trusted(&new).elements()[..odd.len() - 5],
        *Doc::trusted(&odd).elements(),
        "{}",
        show(&new)
    );
}
