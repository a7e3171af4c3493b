//! Raw BSON: what is not well-formed is refused, and readers stay in bounds even on that; what is well-formed survives
//! every form it can be given.
#![no_main]

use engine::sort::SortSpec;
use engine::{Doc, View, compare, display, distinct, extjson, hash, key, raw};
use libfuzzer_sys::fuzz_target;

/// Reads everything there is to read.
fn walk(d: Doc<'_>, depth: usize) {
    for e in d {
        assert!(compare::values(e.val, e.val).is_eq());
        match e.val.view() {
            View::Document(d) | View::Array(d) | View::CodeWithScope { scope: d, .. } if depth < 300 => {
                walk(d, depth + 1);
            }
            _ => {}
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let d = Doc::trusted(bytes);
    if Doc::new(bytes).is_err() {
        // Comparisons of damaged values need not be sensible, but must end.
        let _ = d.iter().map(|e| (compare::values(e.val, e.val), hash::value(e.val))).count();
        return;
    }
    walk(d, 0);
    let _ = display::document(d);
    let _ = extjson::relaxed(d);
    assert_eq!(extjson::read(&extjson::to_hex(bytes)).as_deref(), Ok(bytes));
    if let Ok(again) = extjson::parse(&extjson::canonical(d)) {
        raw::validate(&again).expect("what was read is well-formed");
    }
    let mut before: Option<(engine::Val<'_>, Vec<u8>)> = None;
    for e in d {
        let mut encoded = Vec::new();
        key::encode(&mut encoded, e.val);
        if let Some((v, k)) = &before {
            let order = compare::values(*v, e.val);
            assert_eq!(order, compare::values(e.val, *v).reverse());
            assert_eq!(order, k.cmp(&encoded), "{v:?} {:?}", e.val);
            if order.is_eq() {
                assert_eq!(hash::value(*v), hash::value(e.val));
            }
        }
        before = Some((e.val, encoded));
    }
    let mut distinct = distinct::Distinct::new("a.b", &engine::collation::Collation::SIMPLE);
    distinct.add(d);
    let _ = distinct.finish();
    if let Ok(sort) = SortSpec::parse(d) {
        let _ = sort.key(d);
    }
});
