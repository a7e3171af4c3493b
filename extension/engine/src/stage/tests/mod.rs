//! Rules of stages and of pipelines as a whole.

mod codes;
mod limits;

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
        (
            r#"[{"$fill":{"sortBy":{"v":1},"partitionBy":"$g","output":{"t":{"value":0}}}},{"$project":{"t":1}}]"#,
            "{_id:1,t:[a,b]}{_id:2,t:[]}{_id:3,t:0}",
        ),
        (r#"[{"$replaceWith":{"w":"$v"}}]"#, "{w:3}{w:1}{w:2}"),
        (r#"[{"$bucket":{"groupBy":"$v","boundaries":[0,2,4]}}]"#, "{_id:0,count:1}{_id:2,count:2}"),
        (
            r#"[{"$bucket":{"groupBy":"$v","boundaries":[2,3],"default":null}}]"#,
            "{_id:null,count:2}{_id:2,count:1}",
        ),
        (
            r#"[{"$bucket":{"groupBy":"$v","boundaries":[2,3],"default":"other"}}]"#,
            "{_id:2,count:1}{_id:other,count:2}",
        ),
        (
            r#"[{"$bucket":{"groupBy":"$v","boundaries":[2,3]}}]"#,
            "40066 $switch could not find a matching branch for an input, and no default was specified.",
        ),
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
fn the_last_automatic_bucket_takes_what_is_left() {
    let docs = |values: &[i32]| {
        let docs: Vec<String> = values.iter().map(|v| format!(r#"{{"v":{v}}}"#)).collect();
        format!("[{}]", docs.join(","))
    };
    let of = |values: &[i32], rest: &str| {
        let stages = format!(r#"[{{"$bucketAuto":{{"groupBy":"$v",{rest}}}}}]"#);
        run(&docs(values), &stages, &NoHost)
    };
    let ten: Vec<i32> = (1..=10).collect();
    assert_eq!(
        of(&ten, r#""buckets":3"#),
        "{_id:{min:1,max:4},count:3}{_id:{min:4,max:7},count:3}{_id:{min:7,max:10},count:4}"
    );
    assert_eq!(of(&[1, 1, 1, 2], r#""buckets":4"#), "{_id:{min:1,max:2},count:3}{_id:{min:2,max:2},count:1}");
    assert_eq!(
        of(&[0, 0, 0, 3], r#""buckets":2,"granularity":"POWERSOF2""#),
        "{_id:{min:0.0,max:2.0},count:3}{_id:{min:2.0,max:4.0},count:1}"
    );
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
        (
            r#"[{"$limit":"a"}]"#,
            r#"5107201 invalid argument to $limit stage: Expected a number in: $limit: "a""#,
        ),
        (
            r#"[{"$skip":-1}]"#,
            "5107200 invalid argument to $skip stage: Expected a non-negative number in: $skip: -1",
        ),
        (r#"[{"$count":""}]"#, "40157 the count field must be a non-empty string"),
        (r#"[{"$count":1}]"#, "40156 the count field must be a non-empty string"),
        (r#"[{"$facet":{"a":5}}]"#, "40170 arguments to $facet must be arrays, a is type int"),
        (
            r#"[{"$sort":{"a":2}}]"#,
            "15975 $sort key ordering must be 1 (for ascending) or -1 (for descending)",
        ),
        (r#"[{"$sort":{"a":"x"}}]"#, r#"15974 Illegal key in $sort specification: a: "x""#),
        (r#"[{"$sort":5}]"#, "15973 the $sort key specification must be an object"),
        (r#"[{"$project":5}]"#, "15969 $project specification must be an object"),
        (
            r#"[{"$replaceRoot":5}]"#,
            "40229 expected an object as specification for $replaceRoot stage, got int",
        ),
        (
            r#"[{"$lookup":{"pipeline":[],"as":"r"}}]"#,
            "9 $lookup stage without explicit collection must have a pipeline with $documents as first stage",
        ),
        (
            r#"[{"$lookup":{"from":"x","localField":"a","foreignField":"b","let":{},"as":"r"}}]"#,
            "9 $lookup with a 'let' argument must also specify 'pipeline'",
        ),
        (r#"[{"$group":{"n":{"$sum":1}}}]"#, "15955 a group specification must include an _id"),
        (r#"[{"$group":{"_id":1,"n":{"$foo":1}}}]"#, "15952 unknown group operator '$foo'"),
        (r#"[{"$group":{"_id":1,"n":{"$push":["$a"]}}}]"#, "40237 The $push accumulator is a unary operator"),
        (r#"[{"$group":{"_id":1,"_id":2}}]"#, "15948 a group's _id may only be specified once"),
        (
            r#"[{"$addFields":{}}]"#,
            "40177 Invalid $addFields :: caused by :: specification must have at least one field",
        ),
        (
            r#"[{"$facet":{"a":[5]}}]"#,
            "40171 elements of arrays in $facet spec must be non-empty objects, a argument contained an element of type int: 0: 5",
        ),
        (
            r#"[{"$bucketAuto":{"groupBy":"$v","buckets":1,"output":5}}]"#,
            "40244 The $bucketAuto 'output' field must be an object, but found type: int",
        ),
        (
            r#"[{"$fill":{"output":{"v":{"value":1,"method":"locf"}}}}]"#,
            "6050201 Each fill output specification must have exactly one of 'method' or 'value' fields, not both",
        ),
        (
            r#"[{"$fill":{"output":{}}}]"#,
            "6050203 The output field in '$fill' must contain an object with at least one element",
        ),
        (
            r#"[{"$sortByCount":5}]"#,
            "40149 the sortByCount field must be specified as a string or as an object",
        ),
        (
            r#"[{"$sortByCount":"g"}]"#,
            "40148 the sortByCount field must be defined as a $-prefixed path or an expression inside an object",
        ),
        (
            r#"[{"$facet":{}}]"#,
            "40169 the $facet specification must be a non-empty object, but found: $facet: { }",
        ),
        (r#"[{"$changeStream":{}}]"#, "40573 The $changeStream stage is only supported on replica sets"),
        (r#"[{"$out":"o"}]"#, "115 $out and $merge are not supported in this context"),
    ] {
        assert_eq!(run(DOCS, stages, &NoHost), want, "{stages}");
    }
}
