use super::*;
use crate::extjson::parse;

fn error(spec: &str) -> String {
    let spec = parse(spec).unwrap();
    SortSpec::parse(Doc::trusted(&spec)).unwrap_err().to_string()
}

fn order(spec: &str, docs: &[&str]) -> Vec<usize> {
    let spec = parse(spec).unwrap();
    let spec = SortSpec::parse(Doc::trusted(&spec)).unwrap();
    let docs: Vec<_> = docs.iter().map(|d| parse(d).unwrap()).collect();
    let mut order: Vec<usize> = (0..docs.len()).collect();
    order.sort_by_key(|i| spec.key(Doc::trusted(&docs[*i])).unwrap());
    order
}

#[test]
fn refuses_what_is_no_sort() {
    for (spec, message) in [
        (r#"{"x": 0}"#, "Location15975: $sort key ordering must be 1 (for ascending) or -1 (for descending)"),
        (r#"{"x": "asc"}"#, "Location15974: Illegal key in $sort specification: x: \"asc\""),
        (r#"{"x": {}}"#, "Location17312: $meta is the only expression supported by $sort right now"),
        (r#"{"x": []}"#, "Location15974: Illegal key in $sort specification: x: []"),
        (r#"{"": 1}"#, "Location40352: FieldPath cannot be constructed with empty string"),
        (r#"{"x.": 1}"#, "Location40353: FieldPath must not end with a '.'."),
        (r#"{"x..y": 1}"#, "Location15998: FieldPath field names may not be empty strings."),
        (r#"{"x": {"$meta": "foo"}}"#, "Location17308: Unsupported argument to $meta: foo"),
        (
            r#"{"$natural": 1, "x": 1}"#,
            "BadValue: Cannot include '$natural' in compound sort: { $natural: 1, x: 1 }",
        ),
    ] {
        assert_eq!(error(spec), message, "{spec}");
    }
    let many = (0..33).map(|i| format!(r#""k{i}": 1"#)).collect::<Vec<_>>().join(",");
    assert_eq!(error(&format!("{{{many}}}")), "Location13103: too many compound keys");
    assert!(error(r#"{"$x": 1}"#).starts_with("Location16410"));
}

#[test]
fn arrays_count_with_their_least_or_greatest_element() {
    let docs =
        [r#"{"a": [5, 1]}"#, r#"{"a": 3}"#, r#"{"a": []}"#, r#"{"a": null}"#, "{}", r#"{"a": [[9], 2]}"#];
    assert_eq!(order(r#"{"a": 1}"#, &docs), [2, 3, 4, 0, 5, 1]);
    assert_eq!(order(r#"{"a": -1}"#, &docs), [5, 0, 1, 3, 4, 2]);
}

#[test]
fn components_through_one_array_stay_together() {
    let docs = [r#"{"a": [{"x": 1, "y": 9}, {"x": 2, "y": 1}]}"#, r#"{"a": [{"x": 1, "y": 5}]}"#];
    assert_eq!(order(r#"{"a.x": 1, "a.y": 1}"#, &docs), [1, 0]);
}

#[test]
fn parallel_arrays_are_refused() {
    let spec = parse(r#"{"a": 1, "b": 1}"#).unwrap();
    let doc = parse(r#"{"a": [1], "b": [2]}"#).unwrap();
    let e = SortSpec::parse(Doc::trusted(&spec)).unwrap().key(Doc::trusted(&doc)).unwrap_err();
    assert_eq!(e.message, "cannot sort with keys that are parallel arrays");
}

#[test]
fn long_values_are_compared_to_their_end() {
    let long = "x".repeat(5000);
    let docs = [format!(r#"{{"a": "{long}b"}}"#), format!(r#"{{"a": "{long}a"}}"#)];
    assert_eq!(order(r#"{"a": 1}"#, &[&docs[0], &docs[1]]), [1, 0]);
}
