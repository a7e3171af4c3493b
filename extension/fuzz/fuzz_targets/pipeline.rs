//! Pipelines and with them expressions and accumulators: the first line is `{p: [stages]}`, the others are documents.
#![no_main]

use engine::expr::Variables;
use engine::stage::{Docs, NoHost, ParseContext, Pipeline};
use engine::{Doc, Val};
use libfuzzer_sys::fuzz_target;

/// So many documents of a result are looked at.
const LOOK: usize = 50;

fuzz_target!(|input: &[u8]| {
    let documents = engine_fuzz::documents(input);
    let Some((spec, documents)) = documents.split_first() else { return };
    let Some(stages) = Doc::trusted(spec).get("p").and_then(Val::as_array) else { return };
    let cx = ParseContext::new(Variables::new(), 1_700_000_000_000);
    let Ok(pipeline) = Pipeline::parse(stages, &cx) else { return };
    let source: Docs<'_> = Box::new(documents.iter().cloned().map(Ok));
    for made in pipeline.run(source, &NoHost).take(LOOK) {
        match made {
            Ok(made) => engine_fuzz::check(&made),
            Err(_) => return,
        }
    }
});
