//! Laws that hold for every filter and every document.

use super::generate::{Random, document, filter, operators, path, shown, value};
use engine::query::{Bound, ParseContext, Query};
use engine::{ArrayWriter, Doc, DocWriter, Value, compare, path};

fn query(filter: &[u8]) -> Option<Query> {
    Query::parse(Doc::trusted(filter), &ParseContext::default()).ok()
}

fn matches(filter: &[u8], doc: &[u8]) -> Option<bool> {
    query(filter)?.matches(Doc::trusted(doc)).ok()
}

fn logical(name: &str, filters: &[&[u8]]) -> Vec<u8> {
    let mut list = ArrayWriter::new();
    for f in filters {
        list.push(&Value::Document(f.to_vec()));
    }
    let mut w = DocWriter::new();
    w.put(name, &Value::Array(list.finish()));
    w.finish()
}

fn field(name: &str, v: &Value) -> Vec<u8> {
    let mut w = DocWriter::new();
    w.put(name, v);
    w.finish()
}

#[test]
fn logic_is_logic() {
    let mut r = Random(7);
    let mut decided = [0, 0];
    for _ in 0..30_000 {
        let (f, g, doc) = (filter(&mut r, 2), filter(&mut r, 1), document(&mut r, 3));
        let (Some(x), Some(y)) = (matches(&f, &doc), matches(&g, &doc)) else { continue };
        decided[usize::from(x)] += 1;
        let context = || format!("{} {} on {}", shown(&f), shown(&g), shown(&doc));
        for (name, expected) in [("$and", x && y), ("$or", x || y), ("$nor", !(x || y))] {
            assert_eq!(matches(&logical(name, &[&f, &g]), &doc), Some(expected), "{name} {}", context());
        }
        let details = query(&f).unwrap().match_position(Doc::trusted(&doc)).unwrap();
        assert_eq!(details.is_some(), x, "{}", context());
    }
    assert!(decided.iter().all(|n| *n > 500), "the generator decides too little: {decided:?}");
}

#[test]
fn negations_are_negations() {
    let mut r = Random(8);
    for _ in 0..20_000 {
        let (name, ops, doc) = (path(&mut r), operators(&mut r, 1), document(&mut r, 3));
        let plain = field(&name, &Value::Document(ops.clone()));
        let negated = field(&name, &Value::Document(field("$not", &Value::Document(ops))));
        if let (Some(x), Some(y)) = (matches(&plain, &doc), matches(&negated, &doc)) {
            assert_eq!(x, !y, "{} on {}", shown(&plain), shown(&doc));
        }
        let v = value(&mut r, 2);
        let op = |op: &str, v: &Value| field(&name, &Value::Document(field(op, v)));
        let list = Value::array_of([&v]);
        let Some(eq) = matches(&op("$eq", &v), &doc) else { continue };
        if let Some(ne) = matches(&op("$ne", &v), &doc) {
            assert_eq!(ne, !eq, "$ne {v:?} on {}", shown(&doc));
        }
        if !matches!(v, Value::Regex { .. })
            && let (Some(one_of), Some(none_of)) =
                (matches(&op("$in", &list), &doc), matches(&op("$nin", &list), &doc))
        {
            assert_eq!((one_of, none_of), (eq, !eq), "$in {v:?} on {}", shown(&doc));
        }
        if let (Some(lte), Some(gte)) = (matches(&op("$lte", &v), &doc), matches(&op("$gte", &v), &doc)) {
            assert!(!eq || lte && gte, "$lte, $gte {v:?} on {}", shown(&doc));
        }
    }
}

/// What access paths rely on: a document that matches satisfies every conjunct with one of its values.
#[test]
fn conjuncts_hold_for_matching_documents() {
    let mut r = Random(9);
    let mut checked = 0;
    for _ in 0..30_000 {
        let (f, doc) = (filter(&mut r, 1), document(&mut r, 3));
        let Some(q) = query(&f) else { continue };
        let doc = Doc::trusted(&doc);
        if q.matches(doc) != Ok(true) {
            continue;
        }
        for c in q.conjuncts() {
            let values: Vec<_> = match c.bound {
                Bound::Eq(v) => vec![v],
                Bound::In(list) => list.iter().map(|o| o.val()).collect(),
                _ => continue,
            };
            checked += 1;
            let found = c.path.visit(doc, path::Leaf::Expand, &mut |v, _| {
                Ok(values.iter().any(|wanted| match v {
                    Some(v) => compare::values(v, *wanted).is_eq(),
                    None => wanted.is_nullish(),
                }))
            });
            assert_eq!(found, Ok(true), "{} on {doc:?}", shown(&f));
        }
    }
    assert!(checked > 100, "{checked}");
}
