//! Rules of stages and of pipelines as a whole.

use super::{Docs, Host, NoHost, Output, ParseContext, Pipeline, Wanted, ready};
use crate::error::Result;
use crate::expr::{Binding, Variables};
use crate::extjson;
use crate::query::Query;
use crate::raw::Doc;
use crate::value::Value;

fn list(json: &str) -> Vec<Vec<u8>> {
    let doc = extjson::parse(&format!(r#"{{"l":{json}}}"#)).expect("a list");
    let docs = Doc::trusted(&doc).get("l").and_then(crate::raw::Val::as_array).expect("a list");
    docs.values().filter_map(|v| Some(v.as_doc()?.bytes().to_vec())).collect()
}

fn parse_in(cx: &ParseContext, stages: &str) -> Result<Pipeline> {
    let items: Vec<Value> = list(stages).into_iter().map(Value::Document).collect();
    match Value::array_of(&items) {
        Value::Array(a) => Pipeline::parse(Doc::trusted(&a), cx),
        _ => Ok(parse("[]")),
    }
}

fn parse(stages: &str) -> Pipeline {
    parse_in(&ParseContext::new(Variables::new(), 0), stages).expect("a pipeline")
}

/// The other collection of joins.
struct Other(&'static str);

impl Host for Other {
    fn open(&self, wanted: &Wanted<'_>) -> Result<Docs<'_>> {
        let mut docs = if wanted.collection == "d" { list(self.0) } else { Vec::new() };
        let query = Query::parse(wanted.filter.unwrap_or(Doc::EMPTY), &wanted.cx.query())?;
        docs.retain(|d| query.matches(Doc::trusted(d)).unwrap_or(false));
        Ok(ready(docs))
    }
}

fn run(docs: &str, stages: &str, host: &dyn Host) -> String {
    let cx = ParseContext::new(Variables::new(), 0);
    let out: Result<Vec<Vec<u8>>> =
        parse_in(&cx, stages).and_then(|p| p.run(ready(list(docs)), host).collect());
    match out {
        Ok(docs) => {
            let docs: Vec<String> = docs.iter().map(|d| extjson::relaxed(Doc::trusted(d))).collect();
            docs.concat().replace(['"', ' '], "")
        }
        Err(e) => format!("{} {}", e.code.mongo, e.message),
    }
}

const DOCS: &str =
    r#"[{"_id":1,"g":"x","v":3,"t":["a","b"]},{"_id":2,"g":"y","v":1,"t":[]},{"_id":3,"g":"x","v":2}]"#;

#[test]
fn stages_transform_documents() {
    for (stages, want) in [
        (r#"[{"$match":{"g":"x"}},{"$project":{"v":1}}]"#, "{_id:1,v:3}{_id:3,v:2}"),
        (r#"[{"$sort":{"v":1}},{"$limit":2},{"$project":{"_id":1}}]"#, "{_id:2}{_id:3}"),
        (r#"[{"$sort":{"v":-1}},{"$skip":1},{"$project":{"_id":1}}]"#, "{_id:3}{_id:2}"),
        (r#"[{"$count":"n"}]"#, "{n:3}"),
        (r#"[{"$match":{"g":"z"}},{"$count":"n"}]"#, ""),
        (
            r#"[{"$unwind":{"path":"$t","includeArrayIndex":"i"}},{"$project":{"t":1,"i":1}}]"#,
            "{_id:1,t:a,i:0}{_id:1,t:b,i:1}",
        ),
        (
            r#"[{"$unwind":{"path":"$t","preserveNullAndEmptyArrays":true}},{"$project":{"t":1}}]"#,
            "{_id:1,t:a}{_id:1,t:b}{_id:2}{_id:3}",
        ),
        (
            r#"[{"$group":{"_id":"$g","s":{"$sum":"$v"},"a":{"$avg":"$v"},"p":{"$push":"$_id"}}}]"#,
            "{_id:x,s:5,a:2.5,p:[1,3]}{_id:y,s:1,a:1.0,p:[2]}",
        ),
        (r#"[{"$sortByCount":"$g"}]"#, "{_id:x,count:2}{_id:y,count:1}"),
        (r#"[{"$replaceWith":{"w":"$v"}}]"#, "{w:3}{w:1}{w:2}"),
        (r#"[{"$bucket":{"groupBy":"$v","boundaries":[0,2,4]}}]"#, "{_id:0,count:1}{_id:2,count:2}"),
        (
            r#"[{"$facet":{"a":[{"$limit":1},{"$project":{"_id":1}}],"b":[{"$count":"n"}]}}]"#,
            "{a:[{_id:1}],b:[{n:3}]}",
        ),
        (
            r#"[{"$setWindowFields":{"sortBy":{"v":1},"output":{"s":{"$sum":"$v","window":{"documents":["unbounded","current"]}}}}},{"$project":{"s":1}}]"#,
            "{_id:2,s:1}{_id:3,s:3}{_id:1,s:6}",
        ),
        (
            r#"[{"$densify":{"field":"v","range":{"step":2,"bounds":[1,5]}}},{"$project":{"_id":0,"v":1}}]"#,
            "{v:1}{v:2}{v:3}",
        ),
        (
            r#"[{"$fill":{"output":{"t":{"value":"none"}}}},{"$match":{"_id":3}},{"$project":{"t":1}}]"#,
            "{_id:3,t:none}",
        ),
    ] {
        assert_eq!(run(DOCS, stages, &NoHost), want, "{stages}");
    }
}

#[test]
fn joins_read_other_collections() {
    let host = Other(r#"[{"_id":10,"k":"x"},{"_id":11,"k":["x","y"]},{"_id":12}]"#);
    for (stages, want) in [
        (
            r#"[{"$lookup":{"from":"d","localField":"g","foreignField":"k","as":"r"}},{"$project":{"n":"$r._id"}}]"#,
            "{_id:1,n:[10,11]}{_id:2,n:[11]}{_id:3,n:[10,11]}",
        ),
        (
            r#"[{"$lookup":{"from":"d","localField":"no","foreignField":"k","as":"r"}},{"$limit":1},{"$project":{"n":"$r._id"}}]"#,
            "{_id:1,n:[12]}",
        ),
        (
            r#"[{"$limit":1},{"$lookup":{"from":"d","let":{"g":"$g"},"pipeline":[{"$match":{"$expr":{"$eq":["$k","$$g"]}}}],"as":"r"}},{"$project":{"n":"$r._id"}}]"#,
            "{_id:1,n:[10]}",
        ),
        (r#"[{"$unionWith":"d"},{"$count":"n"}]"#, "{n:6}"),
        (
            r#"[{"$limit":1},{"$lookup":{"from":"none","pipeline":[],"as":"r"}},{"$project":{"r":1}}]"#,
            "{_id:1,r:[]}",
        ),
    ] {
        assert_eq!(run(DOCS, stages, &host), want, "{stages}");
    }
    assert_eq!(
        parse(r#"[{"$lookup":{"from":"d","pipeline":[{"$unionWith":"e"}],"as":"r"}}]"#).reads(),
        ["d", "e"]
    );
}

#[test]
fn variables_reach_every_pipeline() {
    let host = Other(r#"[{"_id":10,"k":"x","n":1},{"_id":11,"k":"y","n":2},{"_id":12,"k":"x","n":3}]"#);
    let mut cx = ParseContext::new(Variables::new(), 0);
    cx.variables.set("two", Binding::Value(Some(Value::Int32(2))));
    for (stages, want) in [
        // Of each document its own group, order and limit.
        (
            r#"[{"$lookup":{"from":"d","let":{"g":"$g"},"pipeline":[{"$match":{"$expr":{"$eq":["$k","$$g"]}}},{"$sort":{"n":-1}},{"$limit":1},{"$project":{"_id":1}}],"as":"r"}},{"$project":{"r":"$r._id"}}]"#,
            "{_id:1,r:[12]}{_id:2,r:[11]}{_id:3,r:[12]}",
        ),
        (
            r#"[{"$lookup":{"from":"d","let":{"g":"$g"},"pipeline":[{"$match":{"$expr":{"$eq":["$k","$$g"]}}},{"$group":{"_id":"$k","s":{"$sum":"$n"}}}],"as":"r"}},{"$project":{"r":"$r.s"}}]"#,
            "{_id:1,r:[4]}{_id:2,r:[2]}{_id:3,r:[4]}",
        ),
        // The whole document as a variable, and a command's variable, in a pipeline within a pipeline.
        (
            r#"[{"$limit":2},{"$lookup":{"from":"d","let":{"all":"$$ROOT"},"pipeline":[{"$lookup":{"from":"d","let":{"n":"$n"},"pipeline":[{"$match":{"$expr":{"$and":[{"$eq":["$k","$$all.g"]},{"$lt":["$$n","$$two"]},{"$gte":["$n","$$n"]}]}}}],"as":"in"}},{"$match":{"in":{"$ne":[]}}},{"$project":{"in":"$in._id"}}],"as":"r"}},{"$project":{"r":1}}]"#,
            "{_id:1,r:[{_id:10,in:[10,12]}]}{_id:2,r:[{_id:10,in:[11]}]}",
        ),
        // Equal fields and a pipeline with variables together.
        (
            r#"[{"$lookup":{"from":"d","localField":"g","foreignField":"k","let":{"v":"$v"},"pipeline":[{"$match":{"$expr":{"$gte":["$n","$$v"]}}}],"as":"r"}},{"$project":{"r":"$r._id"}}]"#,
            "{_id:1,r:[12]}{_id:2,r:[11]}{_id:3,r:[12]}",
        ),
        (
            r#"[{"$limit":1},{"$lookup":{"localField":"g","foreignField":"k","pipeline":[{"$documents":[{"k":"x","z":"$$two"},{"k":"y"}]},{"$project":{"k":1,"z":1}}],"as":"r"}},{"$project":{"r":1}}]"#,
            "{_id:1,r:[{k:x,z:2}]}",
        ),
        (
            r#"[{"$limit":1},{"$project":{"_id":1}},{"$unionWith":{"coll":"d","pipeline":[{"$match":{"$expr":{"$gt":["$n","$$two"]}}},{"$project":{"_id":1}}]}}]"#,
            "{_id:1}{_id:12}",
        ),
        (
            r#"[{"$facet":{"a":[{"$match":{"$expr":{"$eq":["$_id","$$two"]}}},{"$project":{"_id":1}}]}}]"#,
            "{a:[{_id:2}]}",
        ),
        (
            r#"[{"$limit":1},{"$graphLookup":{"from":"d","startWith":"$g","connectFromField":"k","connectToField":"k","restrictSearchWithMatch":{"$expr":{"$gt":["$n","$$two"]}},"as":"r"}},{"$project":{"r":"$r._id"}}]"#,
            "{_id:1,r:[12]}",
        ),
        // A missing value is missing inside too.
        (
            r#"[{"$limit":1},{"$lookup":{"from":"d","let":{"no":"$no"},"pipeline":[{"$match":{"$expr":{"$eq":["$zz","$$no"]}}},{"$count":"n"}],"as":"r"}},{"$project":{"r":"$r.n"}}]"#,
            "{_id:1,r:[3]}",
        ),
    ] {
        let out: Result<Vec<Vec<u8>>> =
            parse_in(&cx, stages).and_then(|p| p.run(ready(list(DOCS)), &host).collect());
        let shown = out.map(|d| d.iter().map(|d| extjson::relaxed(Doc::trusted(d))).collect::<String>());
        assert_eq!(shown.map(|s| s.replace(['"', ' '], "")), Ok(want.to_owned()), "{stages}");
    }
}

#[test]
fn a_merge_pipeline_sees_the_document_that_came() {
    let mut cx = ParseContext::new(Variables::new(), 0);
    cx.variables.set("two", Binding::Value(Some(Value::Int32(2))));
    let p = parse_in(
        &cx,
        r#"[{"$merge":{"into":"m","let":{"y":"$v"},"whenMatched":[{"$set":{"a":{"$add":["$$y","$$two","$$new.v"]}}}]}}]"#,
    );
    let p = p.expect("a pipeline");
    let Some(Output::Merge { matched, .. }) = p.output() else { panic!("no output") };
    let doc = list(DOCS).swap_remove(0);
    let bound = matched.bind(Doc::trusted(&doc)).expect("values");
    assert_eq!(bound.get("y"), Some(&Binding::Value(Some(Value::Int32(3)))));
    assert_eq!(bound.get("two"), Some(&Binding::Value(Some(Value::Int32(2)))));
    assert!(matches!(bound.get("new"), Some(Binding::Value(Some(Value::Document(d)))) if *d == doc));
    for (stages, want) in [
        (
            r#"[{"$merge":{"into":"m","whenMatched":"keepExisting","whenNotMatched":"fail"}}]"#,
            "51181 Combination of $merge modes 'whenMatched: keepExisting' and 'whenNotMatched: fail' is not supported",
        ),
        (
            r#"[{"$merge":{"into":"m","let":{"a":1}}}]"#,
            "51199 Cannot use 'let' variables with 'whenMatched: merge' mode",
        ),
        (
            r#"[{"$merge":{"into":"m","let":{"new":"$a"},"whenMatched":[]}}]"#,
            "51273 'let' may not define a value for the reserved 'new' variable other than '$$ROOT'",
        ),
        (
            r#"[{"$merge":{"into":"m","whenMatched":[{"$set":{"a":"$$nope"}}]}}]"#,
            "17276 Use of undefined variable: nope",
        ),
    ] {
        assert_eq!(run(DOCS, stages, &NoHost), want, "{stages}");
    }
}

#[test]
fn errors_are_mongodbs() {
    for (stages, want) in [
        (r#"[{"$nope":1}]"#, "40324 Unrecognized pipeline stage name: '$nope'"),
        (
            r#"[{"$match":{},"$limit":1}]"#,
            "40323 A pipeline stage specification object must contain exactly one field.",
        ),
        (r#"[{"$out":"o"},{"$match":{}}]"#, "40601 $out can only be the final stage in the pipeline"),
        (
            r#"[{"$facet":{"a":[{"$facet":{}}]}}]"#,
            "40600 $facet is not allowed to be used within a $facet stage",
        ),
        (r#"[{"$limit":0}]"#, "15958 the limit must be positive"),
        (r#"[{"$group":{"n":{"$sum":1}}}]"#, "15955 a group specification must include an _id"),
        (r#"[{"$group":{"_id":1,"n":{"$foo":1}}}]"#, "15952 Unknown group operator $foo"),
        (r#"[{"$changeStream":{}}]"#, "115 Stage $changeStream is not supported yet in native pipeline"),
        (r#"[{"$out":"o"}]"#, "115 $out and $merge are not supported in this context"),
    ] {
        assert_eq!(run(DOCS, stages, &NoHost), want, "{stages}");
    }
}

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
