//! MongoDB's order is a total order, and everything derived from it agrees with it.

use super::generate::{Random, document, shown, value, wrap};
use engine::sort::SortSpec;
use engine::{Doc, DocWriter, Value, compare, extjson, hash, key, raw};
use std::cmp::Ordering;

fn order(a: &Value, b: &Value) -> Ordering {
    a.with_val(|a| b.with_val(|b| compare::values(a, b)))
}

#[test]
fn is_a_total_order() {
    let mut r = Random(1);
    let values: Vec<Value> = (0..260).map(|_| value(&mut r, 3)).collect();
    for a in &values {
        assert_eq!(order(a, a), Ordering::Equal, "{a:?}");
        for b in &values {
            assert_eq!(order(a, b), order(b, a).reverse(), "{a:?} {b:?}");
        }
    }
    let mut sorted: Vec<&Value> = values.iter().collect();
    sorted.sort_by(|a, b| order(a, b));
    for (i, a) in sorted.iter().enumerate() {
        for b in &sorted[i..] {
            assert_ne!(order(a, b), Ordering::Greater, "not transitive: {a:?} {b:?}");
        }
    }
}

#[test]
fn hashes_keys_and_sort_keys_agree_with_it() {
    let mut r = Random(2);
    let spec = extjson::parse(r#"{"v": 1}"#).unwrap();
    let spec = SortSpec::parse(Doc::trusted(&spec)).unwrap();
    let values: Vec<Value> = (0..300).map(|_| value(&mut r, 3)).collect();
    let encoded = |v: &Value| {
        let mut out = Vec::new();
        v.with_val(|v| key::encode(&mut out, v));
        out
    };
    let hashed = |v: &Value| v.with_val(hash::value);
    let placed = |v: &Value| spec.key(Doc::trusted(&wrap(v))).unwrap();
    for a in &values {
        for b in &values {
            let expected = order(a, b);
            assert_eq!(encoded(a).cmp(&encoded(b)), expected, "{a:?} {b:?}");
            if expected == Ordering::Equal {
                assert_eq!(hashed(a), hashed(b), "{a:?} {b:?}");
            }
            // An array is sorted by one of its elements.
            if !matches!(a, Value::Array(_)) && !matches!(b, Value::Array(_)) {
                assert_eq!(placed(a).cmp(&placed(b)), expected, "{a:?} {b:?}");
            }
        }
    }
}

#[test]
fn documents_of_one_value_compare_as_their_values() {
    let mut r = Random(5);
    let named_empty = |v: &Value| {
        let mut w = DocWriter::new();
        w.put("", v);
        w.finish()
    };
    let mut values: Vec<Value> = (0..300).map(|_| value(&mut r, 2)).collect();
    values.extend(["", "a", "ab", "b\0", "\u{e9}"].map(|s| Value::String(s.into())));
    values.extend([i32::MIN, -1, 0, i32::MAX].map(Value::Int32));
    values.extend([i64::MIN, -1, 0, i64::from(i32::MAX), i64::MAX].map(Value::Int64));
    for a in &values {
        for b in &values {
            let (x, y) = (named_empty(a), named_empty(b));
            let order_of_ids = compare::docs(Doc::trusted(&x), Doc::trusted(&y));
            assert_eq!(order_of_ids, order(a, b), "{a:?} {b:?}");
        }
    }
}

#[test]
fn text_forms_keep_every_document() {
    let mut r = Random(3);
    for _ in 0..3000 {
        let bytes = document(&mut r, 3);
        raw::validate(&bytes).unwrap();
        assert_eq!(extjson::read(&extjson::to_hex(&bytes)).unwrap(), bytes);
        let again = extjson::parse(&shown(&bytes)).unwrap();
        // A NaN's sign and payload, and a decimal beyond 34 digits, have no text: compare as text again.
        assert_eq!(shown(&again), shown(&bytes));
        assert_eq!(compare::docs(Doc::trusted(&again), Doc::trusted(&bytes)), Ordering::Equal);
    }
}
