//! What the keys of an index tell about documents.

use super::generate::{Random, document, path, shown, value};
use engine::key::bounds::{Bounds, Traits};
use engine::key::{KeySpec, Strings, decided, predicates};
use engine::query::{ParseContext, Query};
use engine::{ArrayWriter, Doc, DocWriter, Value};

const PLAIN: Strings<'_> = Strings::Alike(&engine::collation::Collation::SIMPLE);

fn one(name: &str, v: &Value) -> Vec<u8> {
    let mut w = DocWriter::new();
    w.put(name, v);
    w.finish()
}

/// `{path: value}`, or with operators that keys may decide.
fn filter(r: &mut Random, paths: &[String]) -> Vec<u8> {
    let mut w = DocWriter::new();
    for path in &paths[..=r.below(paths.len())] {
        let mut ops = DocWriter::new();
        let plain = r.below(3) == 0;
        for _ in 0..=r.below(2) {
            let name = r.pick(&["$eq", "$in", "$gt", "$gte", "$lt", "$lte"]);
            let mut list = ArrayWriter::new();
            for _ in 0..r.below(4) {
                list.push(&value(r, 0));
            }
            let v = if name == "$in" { Value::Array(list.finish()) } else { value(r, 0) };
            ops.put(name, &v);
        }
        w.put(path, &if plain { value(r, 0) } else { Value::Document(ops.finish()) });
    }
    w.finish()
}

/// What a count by entries relies on: where documents have one key each, those in the bounds are those of the matches.
#[test]
fn decided_filters_match_by_their_keys() {
    let mut r = Random(23);
    let mut checked = [0, 0];
    while checked.iter().sum::<usize>() < 120_000 {
        let mut paths = vec![path(&mut r), path(&mut r)];
        paths.dedup();
        let mut pattern = DocWriter::new();
        for p in &paths {
            pattern.put(p, &Value::Int32(r.pick(&[1, -1])));
        }
        let spec = one("key", &Value::Document(pattern.finish()));
        let spec = KeySpec::parse(Doc::trusted(&spec)).unwrap();
        let filter = filter(&mut r, &paths);
        let Ok(query) = Query::parse(Doc::trusted(&filter), &ParseContext::default()) else { continue };
        let Some(conditions) = decided(query.source(), PLAIN) else { continue };
        let traits = Traits { multi: vec![false; paths.len()], truncated: false };
        let bounds = Bounds::of(&spec, &traits, &predicates(query.conditions(), PLAIN));
        if !bounds.decide(&spec, &conditions) {
            continue;
        }
        for _ in 0..20 {
            // Every second one has a value where the filter looks for it.
            let doc = if r.below(2) == 0 { document(&mut r, 3) } else { one(&paths[0], &value(&mut r, 2)) };
            let doc = Doc::trusted(&doc);
            let Ok(extracted) = spec.extract(doc) else { continue };
            let [key] = extracted.keys.as_slice() else { continue };
            if !extracted.markers.is_empty() {
                continue;
            }
            let matches = query.matches(doc).unwrap();
            assert_eq!(bounds.covers(key), matches, "{} on {doc:?}, {paths:?}", shown(&filter));
            checked[usize::from(matches)] += 1;
        }
    }
    assert!(checked[1] > 500, "too few match: {checked:?}");
}
