//! Projections: the first line is the projection, the others are documents.
#![no_main]

use engine::Doc;
use engine::project::{Kind, Projection};
use engine::query::{ParseContext, Query};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let documents = engine_fuzz::documents(input);
    let Some((spec, documents)) = documents.split_first() else { return };
    let spec = Doc::trusted(spec);
    let cx = ParseContext { now: 1_700_000_000_000, ..ParseContext::default() };
    let filter = engine::extjson::parse(r#"{"a": {"$gt": 1}}"#).expect("a filter");
    let query = Query::parse(Doc::trusted(&filter), &cx).expect("a filter");
    let all = [
        Projection::parse(spec, Kind::Find, &cx),
        Projection::parse(spec, Kind::Aggregate, &cx),
        Projection::add_fields(spec, &cx),
    ];
    for projection in all.iter().flatten() {
        for d in documents {
            if let Ok(shown) = projection.apply(Doc::trusted(d), Some(&query)) {
                engine_fuzz::check(&shown);
                if projection.is_identity() {
                    assert_eq!(&shown, d);
                }
            }
        }
    }
});
