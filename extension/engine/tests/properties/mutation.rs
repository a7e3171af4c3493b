//! Damaged bytes: refused or read, never a panic, never without end.

use super::generate::{Random, document, filter};
use engine::query::{ParseContext, Query};
use engine::sort::SortSpec;
use engine::{Doc, Val, View, compare, display, distinct, extjson, hash, raw};

fn mutate(r: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=r.below(3) {
        if bytes.is_empty() {
            return;
        }
        let at = r.below(bytes.len());
        match r.below(5) {
            0 => bytes[at] = r.pick(&[0, 1, 2, 3, 4, 5, 0x0F, 0x10, 0x7F, 0x80, 0xFF]),
            1 => bytes[at] ^= 1 << r.below(8),
            2 => {
                bytes.remove(at);
            }
            3 => bytes.insert(at, u8::try_from(r.below(256)).unwrap()),
            _ => bytes.truncate(at),
        }
    }
}

/// Reads everything there is to read.
fn walk(d: Doc<'_>, depth: usize) -> usize {
    let mut count = 0;
    for e in d {
        count += 1 + e.name().len();
        let _ = compare::values(e.val, e.val);
        match e.val.view() {
            View::Document(d) | View::Array(d) | View::CodeWithScope { scope: d, .. } if depth < 300 => {
                count += walk(d, depth + 1);
            }
            _ => {}
        }
    }
    count
}

fn exercise(bytes: &[u8]) {
    // The readers stay in bounds even on what was never validated.
    walk(Doc::trusted(bytes), 0);
    if raw::validate(bytes).is_err() {
        return;
    }
    let d = Doc::trusted(bytes);
    let _ = display::document(d);
    let _ = extjson::relaxed(d);
    let _ = extjson::parse(&extjson::canonical(d));
    let _ = hash::value(Val { ty: raw::ty::DOCUMENT, bytes });
    let mut distinct = distinct::Distinct::new("a.b", &engine::collation::Collation::SIMPLE);
    distinct.add(d);
    let _ = distinct.finish();
    if let Ok(sort) = SortSpec::parse(d) {
        let _ = sort.key(d);
    }
    if let Ok(query) = Query::parse(d, &ParseContext::default()) {
        let _ = query.matches(d);
        let _ = query.match_position(d);
        assert!(query.conjuncts().count() <= bytes.len());
    }
}

#[test]
fn damaged_documents() {
    let mut r = Random(4);
    for _ in 0..20_000 {
        let mut bytes = document(&mut r, 3);
        mutate(&mut r, &mut bytes);
        exercise(&bytes);
    }
}

#[test]
fn damaged_filters() {
    let mut r = Random(5);
    for _ in 0..20_000 {
        let mut bytes = filter(&mut r, 2);
        mutate(&mut r, &mut bytes);
        exercise(&bytes);
    }
}

#[test]
fn damaged_text() {
    let mut r = Random(6);
    for _ in 0..10_000 {
        let mut text = extjson::canonical(Doc::trusted(&document(&mut r, 2))).into_bytes();
        mutate(&mut r, &mut text);
        if let Ok(bytes) = extjson::read(&String::from_utf8_lossy(&text)) {
            raw::validate(&bytes).unwrap();
        }
    }
}

#[test]
fn nesting_has_a_limit() {
    let nested = |name: &str, levels: usize| {
        let mut doc = vec![5, 0, 0, 0, 0];
        for _ in 0..levels {
            let mut w = engine::DocWriter::new();
            w.put_doc(name, Doc::trusted(&doc));
            doc = w.finish();
        }
        doc
    };
    assert!(raw::validate(&nested("a", 150)).is_ok());
    assert!(raw::validate(&nested("a", 10_000)).is_err());
    let parse = |bytes: &[u8]| Query::parse(Doc::trusted(bytes), &ParseContext::default()).map(|_| ());
    let mut filter = extjson::parse(r#"{"a": {"$elemMatch": {"a": 1}}}"#).unwrap();
    for _ in 0..60 {
        let mut w = engine::DocWriter::new();
        w.put_doc("$elemMatch", Doc::trusted(&filter));
        let mut outer = engine::DocWriter::new();
        outer.put_doc("a", Doc::trusted(&w.finish()));
        filter = outer.finish();
    }
    let e = parse(&filter).unwrap_err();
    assert!(e.message.starts_with("exceeded maximum query tree depth"), "{e}");
}
