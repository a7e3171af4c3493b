//! Filters: parsed in every place they may stand, tried on documents; and what an index would leave out must not match.
#![no_main]

use engine::collation::Collation;
use engine::key::bounds::{Bounds, Traits};
use engine::key::{KeySpec, Strings, predicates};
use engine::query::{ParseContext, Place, Query};
use engine::{Doc, extjson};
use libfuzzer_sys::fuzz_target;

const INDEXES: [&str; 5] = [
    r#"{"key": {"a": 1}}"#,
    r#"{"key": {"a": -1, "b": 1}}"#,
    r#"{"key": {"a.b": 1}}"#,
    r#"{"key": {"_id": 1, "a": 1}}"#,
    r#"{"key": {"a": 1, "a.b": -1}, "sparse": true}"#,
];

fuzz_target!(|input: &[u8]| {
    let documents = engine_fuzz::documents(input);
    let Some((filter, documents)) = documents.split_first() else { return };
    let filter = Doc::trusted(filter);
    for place in [Place::Match, Place::Validator, Place::PartialIndex, Place::Element, Place::Find] {
        let cx = ParseContext { place, now: 1_700_000_000_000, ..ParseContext::default() };
        let Ok(query) = Query::parse(filter, &cx) else { continue };
        for d in documents {
            let d = Doc::trusted(d);
            let matches = query.matches(d);
            if let (Ok(matches), Ok(details)) = (&matches, query.match_position(d)) {
                assert_eq!(*matches, details.is_some());
            }
            match place {
                Place::Validator if matches == Ok(false) => {
                    if let Ok(why) = query.failure(d, &cx) {
                        engine_fuzz::check(&why);
                    }
                }
                Place::Find if matches == Ok(true) => covered(filter, d),
                _ => {}
            }
        }
    }
});

/// A document that matches is found through every index that has it.
fn covered(filter: Doc<'_>, d: Doc<'_>) {
    let conditions = predicates(filter, Strings::Alike(&Collation::SIMPLE));
    for index in INDEXES {
        let spec = extjson::parse(index).expect("an index");
        let spec = KeySpec::parse(Doc::trusted(&spec)).expect("a key");
        let Ok(entries) = spec.extract(d) else { continue };
        let multi =
            spec.fields.iter().enumerate().map(|(i, _)| entries.markers.contains(&vec![i as u8])).collect();
        let truncated = entries.markers.contains(&vec![engine::key::TRUNCATED]);
        for traits in
            [Traits { multi, truncated }, Traits { multi: vec![true; spec.fields.len()], truncated: true }]
        {
            let bounds = Bounds::of(&spec, &traits, &conditions);
            if spec.sparse && !bounds.present {
                continue;
            }
            assert!(
                entries.keys.iter().any(|k| bounds.covers(k)),
                "{index} {traits:?} {filter:?} {d:?} {bounds:?}"
            );
        }
    }
}
