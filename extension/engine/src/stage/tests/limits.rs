//! What a pipeline promises before it runs, and where it ends.

use super::{parse, parse_in};
use crate::error::Result;
use crate::expr::Variables;
use crate::extjson;
use crate::raw::Doc;
use crate::stage::{Docs, Host, NoHost, ParseContext, Sorting, Wanted, ready};

#[test]
fn a_pipeline_tells_what_can_be_done_before_it() {
    let p = parse(r#"[{"$match":{"a":1}},{"$match":{"b":2}},{"$project":{"a":1}}]"#);
    let (filter, rest) = p.split_match();
    let filter = filter.expect("a filter");
    assert_eq!(extjson::relaxed(Doc::trusted(&filter)).replace(' ', ""), r#"{"$and":[{"a":1},{"b":2}]}"#);
    assert!(p.is_streamable() && !rest.is_empty() && rest.split_match().0.is_none());
    for (stages, streams) in [
        (r#"[{"$limit":1}]"#, true),
        (r#"[{"$limit":2}]"#, false),
        (r#"[{"$skip":0},{"$addFields":{"a":1}},{"$unset":"b"},{"$replaceWith":"$$ROOT"}]"#, true),
        (r#"[{"$skip":1}]"#, false),
        (r#"[{"$sort":{"a":1}}]"#, false),
        (r#"[{"$unwind":"$a"}]"#, false),
    ] {
        assert_eq!(parse(stages).is_streamable(), streams, "{stages}");
    }
    assert!(parse(r#"[{"$merge":"m"}]"#).output().is_some());
    assert!(parse(r#"[{"$sort":{"a":1}}]"#).leading_sort().is_some());
    let mut cx = ParseContext::new(Variables::new(), 0);
    cx.collectionless = true;
    assert!(parse_in(&cx, r#"[{"$documents":[{"a":1}]}]"#).is_ok_and(|p| p.is_source()));
    assert!(parse_in(&cx, r#"[{"$match":{}}]"#).is_err());
}

#[test]
fn blocking_stages_stay_within_their_memory() {
    let mut cx = ParseContext::new(Variables::new(), 0);
    cx.allow_disk_use = Some(false);
    let p = parse_in(&cx, r#"[{"$sort":{"a":1}}]"#).expect("a pipeline");
    let big = extjson::parse(&format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 20))).expect("a document");
    let source = Box::new(std::iter::repeat_n(big, 200).map(Ok));
    let end = p.run(source, &NoHost).find_map(Result::err).expect("an error");
    assert_eq!(end.code, crate::codes::EXCEEDED_MEMORY_LIMIT);
}

/// Sorts like the server, and counts what it was given.
struct Elsewhere(std::cell::Cell<usize>);

struct Sorted<'h>(crate::sort::SortSpec, Vec<Vec<u8>>, &'h Elsewhere);

impl<'h> Sorting<'h> for Sorted<'h> {
    fn put(&mut self, document: &[u8]) -> Result<()> {
        self.2.0.set(self.2.0.get() + 1);
        self.1.push(document.to_vec());
        Ok(())
    }

    fn sorted(mut self: Box<Self>) -> Docs<'h> {
        let spec = self.0.clone();
        self.1.sort_by_key(|d| spec.key(Doc::trusted(d)).expect("a key"));
        ready(std::mem::take(&mut self.1))
    }
}

impl Host for Elsewhere {
    fn open(&self, _: &Wanted<'_>) -> Result<Docs<'_>> {
        Ok(ready(Vec::new()))
    }

    fn sorter(&self, spec: &crate::sort::SortSpec) -> Option<Box<dyn Sorting<'_> + '_>> {
        Some(Box::new(Sorted(spec.clone(), Vec::new(), self)))
    }
}

#[test]
fn a_large_sort_goes_where_there_is_room() {
    let big = |i: i32| {
        extjson::parse(&format!(r#"{{"a":{},"p":"{}"}}"#, i % 7, "x".repeat(1 << 20))).expect("a document")
    };
    let p = parse(r#"[{"$sort":{"a":-1}},{"$unset":"p"}]"#);
    let host = Elsewhere(std::cell::Cell::new(0));
    let out: Vec<Vec<u8>> =
        p.run(Box::new((0..50).map(big).map(Ok)), &host).collect::<Result<_>>().expect("documents");
    assert_eq!(host.0.get(), 50);
    let keys: Vec<_> = out.iter().map(|d| extjson::relaxed(Doc::trusted(d))).collect();
    assert!(keys.len() == 50 && keys.is_sorted_by(|a, b| a >= b), "{keys:?}");
    // Small ones stay.
    let out = p.run(Box::new((0..5).map(big).map(Ok)), &host).count();
    assert_eq!((out, host.0.get()), (5, 50));
}

#[test]
fn an_interrupt_ends_a_pipeline() {
    struct Cancelled;
    impl Host for Cancelled {
        fn open(&self, _: &Wanted<'_>) -> Result<Docs<'_>> {
            Ok(ready(Vec::new()))
        }
        fn check_interrupts(&self) -> Result<()> {
            crate::bail!(crate::codes::EXCEEDED_TIME_LIMIT, "cancelled")
        }
    }
    let doc = extjson::parse("{}").expect("a document");
    let endless = Box::new(std::iter::repeat(doc).map(Ok));
    let end = parse(r#"[{"$count":"n"}]"#).run(endless, &Cancelled).next();
    assert!(matches!(end, Some(Err(e)) if e.message == "cancelled"));
}
