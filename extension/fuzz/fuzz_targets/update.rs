//! Updates: the first line is `{u: the update, f: arrayFilters, q: the filter}`, the others are documents.
#![no_main]

use engine::query::{ParseContext, Query};
use engine::update::{Outcome, Update, upsert_document};
use engine::{Doc, Val};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let documents = engine_fuzz::documents(input);
    let Some((spec, documents)) = documents.split_first() else { return };
    let spec = Doc::trusted(spec);
    let cx = ParseContext { now: 1_700_000_000_000, ..ParseContext::default() };
    let query = spec.get("q").and_then(Val::as_doc).unwrap_or(Doc::EMPTY);
    let (Some(u), Ok(query)) = (spec.get("u"), Query::parse(query, &cx)) else { return };
    let Ok(update) = Update::parse(u, spec.get("f").and_then(Val::as_array), &cx) else { return };
    for d in documents {
        let Ok(outcome) = update.apply(Doc::trusted(d), Some(&query)) else { continue };
        let Outcome::Changed(new) = outcome else { continue };
        engine_fuzz::check(&new);
        if let Some(id) = engine_fuzz::at(d, "_id") {
            assert_eq!(engine_fuzz::at(&new, "_id"), Some(id), "the _id has changed");
        }
        for path in ["a", "b"] {
            if !update.may_change(path) {
                assert_eq!(engine_fuzz::at(d, path), engine_fuzz::at(&new, path), "{path} has changed");
            }
        }
    }
    if let Ok(new) = upsert_document(&query, &update) {
        engine_fuzz::check(&new);
    }
});
