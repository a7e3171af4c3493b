use super::bounds::{Bounds, KeyRange, Traits, implies};
use super::*;
use crate::collation::Collation;
use crate::raw::{Doc, Val};
use crate::{ArrayWriter, DocWriter, Value, compare};
use std::cmp::Ordering;

/// Filters and indexes of the simple collation.
const PLAIN: Strings<'static> = Strings::Alike(&Collation::SIMPLE);

/// Small generator, so that failures repeat.
struct Rng(u64);

impl Rng {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// IEEE 754-2008 BID encoding of `coefficient * 10^exponent`.
fn decimal(negative: bool, coefficient: u128, exponent: i32) -> Value {
    let biased = u128::try_from(exponent + 6176).unwrap();
    Value::Decimal128(((u128::from(negative) << 127) | (biased << 113) | coefficient).to_le_bytes())
}

fn scalar(r: &mut Rng) -> Value {
    const I64: &[i64] =
        &[0, 1, -1, 2, i64::MAX, i64::MIN, (1 << 53) + 1, -(1 << 53) - 1, i64::MAX - 1, 1 << 60];
    const F64: &[f64] = &[
        0.0,
        -0.0,
        1.0,
        0.1,
        1.5,
        -1.5,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        5e-324,
        1e300,
        9_007_199_254_740_992.0,
        9_223_372_036_854_775_808.0,
        1e18,
    ];
    const TEXT: &[&str] = &["", "a", "ab", "b", "a\0", "a\0b", "\u{7f}", "é", "aa"];
    match r.next(16) {
        0..3 => Value::Int32([0, 1, -1, 2, i32::MAX, i32::MIN][r.next(6) as usize]),
        3..5 => Value::Int64(I64[r.next(10) as usize]),
        5..7 => Value::Double(F64[r.next(14) as usize]),
        7 => decimal(
            r.next(2) == 0,
            [0, 1, 10, 15, 9_007_199_254_740_993, 1_000_000_000_000_000_000_000_000_000_000_001]
                [r.next(6) as usize],
            [0, -1, 1, -33, 400, -400, 6111][r.next(7) as usize].min(if r.next(2) == 0 { 0 } else { 6111 }),
        ),
        8..10 => Value::String(TEXT[r.next(9) as usize].into()),
        10 => Value::Bool(r.next(2) == 0),
        11 => Value::Null,
        12 => Value::DateTime([0, -1, 5, i64::MIN][r.next(4) as usize]),
        13 => Value::Timestamp { t: r.next(3) as u32, i: r.next(3) as u32 },
        14 => Value::Binary { subtype: r.next(2) as u8, bytes: vec![0; r.next(3) as usize] },
        _ => [
            Value::MinKey,
            Value::MaxKey,
            Value::ObjectId([r.next(2) as u8; 12]),
            Value::Regex { pattern: "a".into(), options: String::new() },
        ][r.next(4) as usize]
            .clone(),
    }
}

fn value(r: &mut Rng, depth: u32) -> Value {
    match r.next(8) {
        0 if depth > 0 => {
            let mut w = DocWriter::new();
            for _ in 0..r.next(3) {
                w.put(["a", "b", "c"][r.next(3) as usize], &value(r, depth - 1));
            }
            Value::Document(w.finish())
        }
        1 if depth > 0 => {
            let mut w = ArrayWriter::new();
            for _ in 0..r.next(4) {
                w.push(&value(r, depth - 1));
            }
            Value::Array(w.finish())
        }
        _ => scalar(r),
    }
}

fn key_of(v: &Value) -> Vec<u8> {
    let mut k = Vec::new();
    v.with_val(|v| encode(&mut k, v));
    k
}

fn order(a: &Value, b: &Value) -> Ordering {
    a.with_val(|a| b.with_val(|b| compare::values(a, b)))
}

#[test]
fn keys_order_as_values_do() {
    let mut r = Rng(7);
    let values: Vec<_> = (0..1500).map(|_| value(&mut r, 2)).collect();
    let keys: Vec<_> = values.iter().map(key_of).collect();
    for (a, k) in values.iter().zip(&keys) {
        for (b, l) in values.iter().zip(&keys) {
            assert_eq!(k.cmp(l), order(a, b), "{a:?} {b:?}\n{k:x?}\n{l:x?}");
        }
    }
}

#[test]
fn no_key_is_the_start_of_another() {
    let mut r = Rng(11);
    let mut keys: Vec<_> = (0..3000).map(|_| key_of(&value(&mut r, 2))).collect();
    keys.sort();
    keys.dedup();
    for w in keys.windows(2) {
        assert!(!w[1].starts_with(&w[0]), "{:x?} {:x?}", w[0], w[1]);
    }
}

fn doc(pairs: &[(&str, Value)]) -> Vec<u8> {
    let mut w = DocWriter::new();
    for (k, v) in pairs {
        w.put(k, v);
    }
    w.finish()
}

fn sub(pairs: &[(&str, Value)]) -> Value {
    Value::Document(doc(pairs))
}

fn array(values: &[Value]) -> Value {
    Value::array_of(values)
}

fn spec(pattern: &[(&str, i32)]) -> KeySpec {
    let p: Vec<_> = pattern.iter().map(|(k, d)| (*k, Value::Int32(*d))).collect();
    KeySpec::parse(Doc::trusted(&doc(&[("key", sub(&p))]))).unwrap()
}

fn i(n: i32) -> Value {
    Value::Int32(n)
}

fn keys(s: &KeySpec, d: &[u8]) -> Vec<Vec<u8>> {
    s.extract(Doc::trusted(d)).unwrap().keys
}

#[test]
fn extraction_goes_through_arrays() {
    let a = spec(&[("a", 1)]);
    assert_eq!(keys(&a, &doc(&[("a", array(&[i(1), i(2), i(1)]))])), [key_of(&i(1)), key_of(&i(2))]);
    assert_eq!(keys(&a, &doc(&[("a", array(&[]))])), [vec![EMPTY_ARRAY]]);
    assert_eq!(keys(&a, &doc(&[("z", i(1))])), [vec![NULL]]);
    assert_eq!(keys(&a, &doc(&[("a", array(&[array(&[i(1)])]))])), [key_of(&array(&[i(1)]))]);
    let ab = spec(&[("a.b", 1)]);
    let elements = array(&[sub(&[("b", i(1))]), sub(&[("b", i(2))]), sub(&[("c", i(3))])]);
    assert_eq!(keys(&ab, &doc(&[("a", elements)])), [vec![NULL], key_of(&i(1)), key_of(&i(2))]);
    assert_eq!(keys(&ab, &doc(&[("a", array(&[]))])), [vec![NULL]]);
    let first = spec(&[("a.0", 1)]);
    assert_eq!(keys(&first, &doc(&[("a", array(&[i(7), i(8)]))])), [key_of(&i(7))]);
}

#[test]
fn compound_keys_pair_fields_of_one_array_element() {
    let s = spec(&[("a.b", 1), ("a.c", -1)]);
    let d = doc(&[("a", array(&[sub(&[("b", i(1)), ("c", i(5))]), sub(&[("b", i(3)), ("c", i(2))])]))]);
    let e = s.extract(Doc::trusted(&d)).unwrap();
    let pair = |b: i32, c: i32| [key_of(&i(b)), key_of(&i(c)).iter().map(|x| !x).collect()].concat();
    assert_eq!(e.keys, [pair(1, 5), pair(3, 2)]);
    assert_eq!(e.markers, [[0], [1]]);
    let parallel = spec(&[("a", 1), ("b", 1)]);
    let d = doc(&[("a", array(&[i(1)])), ("b", array(&[i(2)]))]);
    assert_eq!(parallel.extract(Doc::trusted(&d)).unwrap_err().code.mongo, 171);
}

#[test]
fn sparse_skips_documents_without_any_field() {
    let mut s = spec(&[("a", 1), ("b", 1)]);
    s.sparse = true;
    assert!(keys(&s, &doc(&[("c", i(1))])).is_empty());
    assert_eq!(keys(&s, &doc(&[("b", i(1))])).len(), 1);
    assert_eq!(keys(&s, &doc(&[("a", Value::Null)])).len(), 1);
}

#[test]
fn long_keys_are_cut_but_stay_apart() {
    let s = spec(&[("a", 1)]);
    let long = |end: &str| doc(&[("a", Value::String(format!("{}{end}", "x".repeat(5000))))]);
    let (x, y) = (s.extract(Doc::trusted(&long("1"))).unwrap(), s.extract(Doc::trusted(&long("2"))).unwrap());
    assert_eq!(x.keys[0].len(), MAX_KEY);
    assert_ne!(x.keys, y.keys);
    assert_eq!(x.markers, [[TRUNCATED]]);
    let f = long("1");
    let b =
        Bounds::of(&s, &Traits { multi: vec![false], truncated: true }, &predicates(Doc::trusted(&f), PLAIN));
    assert!(b.covers(&x.keys[0]));
}

fn bounds(s: &KeySpec, multi: &[bool], filter: &[u8]) -> Bounds {
    Bounds::of(
        s,
        &Traits { multi: multi.to_vec(), truncated: false },
        &predicates(Doc::trusted(filter), PLAIN),
    )
}

fn op(name: &str, v: Value) -> Value {
    sub(&[(name, v)])
}

#[test]
fn bounds_of_common_filters() {
    let s = spec(&[("a", 1), ("b", 1)]);
    let b = bounds(&s, &[false, false], &doc(&[("a", i(1)), ("b", op("$gt", i(5)))]));
    assert_eq!((b.fixed, b.used, b.ranges.len(), b.present), (1, 2, 1, true));
    let b = bounds(&s, &[false, false], &doc(&[("a", op("$in", array(&[i(3), i(1), i(3)])))]));
    assert_eq!((b.fixed, b.used, b.ranges.len()), (0, 1, 2));
    let b = bounds(&s, &[false, false], &doc(&[("b", i(1))]));
    assert_eq!((b.used, b.ranges), (0, vec![KeyRange::all()]));
    let b = bounds(&s, &[false, false], &doc(&[("a", sub(&[("$gt", i(5)), ("$lt", i(3))]))]));
    assert!(b.ranges.is_empty());
    let b = bounds(&s, &[true, false], &doc(&[("a", sub(&[("$gt", i(5)), ("$lt", i(3))]))]));
    assert_eq!(b.ranges.len(), 1);
    let elem = op("$elemMatch", sub(&[("$gt", i(5)), ("$lt", i(3))]));
    assert!(bounds(&s, &[true, false], &doc(&[("a", elem)])).ranges.is_empty());
    assert!(!bounds(&s, &[false, false], &doc(&[("a", Value::Null)])).present);
}

#[test]
fn order_by_index() {
    let s = spec(&[("a", 1), ("b", -1)]);
    let plain = Traits { multi: vec![false, false], truncated: false };
    let none = bounds(&s, &[false, false], &doc(&[]));
    let by = |f: &Bounds, t: &Traits, sort: &[(&str, bool)]| {
        f.order(&s, t, &sort.iter().map(|(p, d)| ((*p).to_owned(), *d)).collect::<Vec<_>>())
    };
    assert_eq!(by(&none, &plain, &[("a", false)]), Some(false));
    assert_eq!(by(&none, &plain, &[("a", true), ("b", false)]), Some(true));
    assert_eq!(by(&none, &plain, &[("a", true), ("b", true)]), None);
    assert_eq!(by(&none, &plain, &[("b", true)]), None);
    let one = bounds(&s, &[false, false], &doc(&[("a", i(1))]));
    assert_eq!(by(&one, &plain, &[("b", true)]), Some(false));
    assert_eq!(by(&one, &plain, &[("b", false), ("a", true)]), Some(true));
    let multi = Traits { multi: vec![false, true], truncated: false };
    assert_eq!(by(&one, &multi, &[("b", true)]), None);
}

#[test]
fn partial_indexes_need_to_be_implied() {
    let yes = |filter: &[u8], partial: &[u8]| {
        implies(Doc::trusted(filter), &predicates(Doc::trusted(filter), PLAIN), Doc::trusted(partial), PLAIN)
    };
    let gt = |n: i32| doc(&[("a", op("$gt", i(n)))]);
    assert!(yes(&gt(5), &gt(3)));
    assert!(!yes(&gt(3), &gt(5)));
    assert!(yes(&doc(&[("a", i(7))]), &gt(5)));
    assert!(yes(&doc(&[("a", i(7))]), &doc(&[("a", op("$exists", Value::Bool(true)))])));
    assert!(!yes(&doc(&[("a", Value::Null)]), &doc(&[("a", op("$exists", Value::Bool(true)))])));
    assert!(!yes(&doc(&[("b", i(7))]), &gt(5)));
    let lt = doc(&[("a", op("$lt", i(5)))]);
    assert!(!yes(&doc(&[("a", Value::Double(f64::NAN))]), &lt));
}

/// A value equal to one of a document's values at the path lies in the bounds of its equality filter.
#[test]
fn equality_bounds_find_every_key() {
    let mut r = Rng(3);
    for pattern in [&[("a", 1)][..], &[("a.b", -1)], &[("a", -1), ("c", 1)]] {
        let s = spec(pattern);
        for _ in 0..3000 {
            let d = doc(&[("a", value(&mut r, 3)), ("c", value(&mut r, 1))]);
            let Ok(e) = s.extract(Doc::trusted(&d)) else { continue };
            let wanted = Doc::trusted(&d).get("a").unwrap();
            let wanted =
                if pattern[0].0 == "a" { Some(wanted) } else { wanted.as_doc().and_then(|x| x.get("b")) };
            let Some(v) = wanted.filter(|v: &Val<'_>| v.ty != crate::raw::ty::UNDEFINED) else { continue };
            let mut w = DocWriter::new();
            let mut eq = DocWriter::new();
            eq.put_val("$eq", v);
            w.put_doc(pattern[0].0, Doc::trusted(&eq.finish()));
            let f = w.finish();
            let b = bounds(&s, &vec![true; pattern.len()], &f);
            assert!(e.keys.iter().any(|k| b.covers(k)), "{:?} {:?}", Doc::trusted(&d), Doc::trusted(&f));
        }
    }
}

#[test]
fn ends_of_a_walk_are_keys_of_the_pattern() {
    let doc = |fields: &[(&str, Value)]| {
        let mut w = DocWriter::new();
        for (name, v) in fields {
            w.put(name, v);
        }
        w.finish()
    };
    let spec = |key: &[(&str, Value)]| {
        let key = Value::Document(doc(key));
        KeySpec::parse(Doc::trusted(&doc(&[("key", key)]))).unwrap()
    };
    let int = Value::Int32;
    let both = spec(&[("a", int(1)), ("b", int(-1))]);
    let key = |fields: &[(&str, Value)]| both.key_of(Doc::trusted(&doc(fields)));
    let low = key(&[("a", int(1)), ("b", int(9))]).unwrap();
    let high = key(&[("a", int(1)), ("b", int(2))]).unwrap();
    assert!(low < high, "a descending field comes in reverse");
    assert_eq!(key(&[("a", int(1))]), None);
    assert_eq!(key(&[("b", int(1)), ("a", int(1))]), None);
    assert_eq!(key(&[("a", int(1)), ("b", int(1)), ("c", int(1))]), None);
    let bounds = Bounds::between(Some(low.clone()), Some(high.clone())).unwrap();
    assert!(bounds.covers(&low) && !bounds.covers(&high));
    assert!(Bounds::between(None, Some(high.clone())).unwrap().covers(&low));
    assert!(Bounds::between(Some(high), Some(low)).is_none());
}

/// The paths a wildcard index has for a document, with their number of keys and whether they are marked as having several.
fn wild(pattern: &str, document: &str) -> Vec<(String, usize, bool)> {
    let spec = KeySpec::parse(Doc::new(&crate::extjson::parse(pattern).unwrap()).unwrap()).unwrap();
    let bytes = crate::extjson::parse(document).unwrap();
    let (keys, several) = spec.wildcard.as_ref().unwrap().components(
        Doc::new(&bytes).unwrap(),
        false,
        &crate::collation::Collation::SIMPLE,
    );
    let mut out: Vec<(String, usize, bool)> = Vec::new();
    for k in keys {
        let end = k.windows(2).position(|w| w == [0, 0]).unwrap();
        let path = String::from_utf8(k[1..end].to_vec()).unwrap();
        match out.iter_mut().find(|(p, ..)| *p == path) {
            Some((_, n, _)) => *n += 1,
            None => out.push((path.clone(), 1, several.contains(&path))),
        }
    }
    out
}

#[test]
fn wildcard_components_follow_paths_without_positions() {
    let doc = r#"{"_id":1,"a":{"b":1,"c":[]},"d":[1,{"e":2},{"e":3},[4,5]],"f":{},"g":[{"h":1}]}"#;
    let all = wild(r#"{"key":{"$**":1}}"#, doc);
    let shown: Vec<_> = all.iter().map(|(p, n, m)| (p.as_str(), *n, *m)).collect();
    let expected = [
        ("a.b", 1, false),
        ("a.c", 1, false),
        ("d", 2, true),
        ("d.e", 2, true),
        ("f", 1, false),
        ("g.h", 1, false),
    ];
    assert_eq!(shown, expected);
    let paths = |pattern| wild(pattern, doc).into_iter().map(|(p, ..)| p).collect::<Vec<_>>();
    assert_eq!(paths(r#"{"key":{"a.$**":1}}"#), ["a.b", "a.c"]);
    assert_eq!(
        paths(r#"{"key":{"$**":1},"wildcardProjection":{"d":{"e":true},"_id":true}}"#),
        ["_id", "d.e"]
    );
    let without = r#"{"key":{"$**":1},"wildcardProjection":{"a":{"b":false},"d":false,"_id":false}}"#;
    assert_eq!(paths(without), ["a.c", "f", "g.h"]);
}
