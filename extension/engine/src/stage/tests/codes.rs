//! Specifications that are refused, by MongoDB's code: from the parsers of its stages (`document_source_*.cpp`,
//! `window_function_expression.h`, `add_fields_projection_executor.cpp`).

use super::{ParseContext, Variables, parse, parse_in};

#[test]
fn specifications_are_refused_as_mongodb_refuses_them() {
    for (stage, code) in [
        (r#"{"$count":"a\u0000"}"#, 40159),
        (r#"{"$project":{"r":{"$setField":{"field":"a\u0000b","input":"$$ROOT","value":1}}}}"#, 16411),
        (r#"{"$project":{"r":{"$unsetField":{"field":{"$toString":"$n"},"input":"$$ROOT"}}}}"#, 4_161_106),
        (r#"{"$addFields":{"x":{"$foo":1}}}"#, 168),
        (r#"{"$addFields":{"x":{"y":{"$foo":1}}}}"#, 168),
        (r#"{"$addFields":{"x":{"a.b":1}}}"#, 40183),
        (r#"{"$addFields":{"x":{"$add":[1],"y":1}}}"#, 40181),
        (r#"{"$addFields":{"x":{"y":1,"$add":[1]}}}"#, 40181),
        (r#"{"$out":{"db":"admin","coll":"x"}}"#, 31321),
        (r#"{"$merge":{"into":{"db":"config","coll":"x"}}}"#, 31320),
        (r#"{"$merge":{"into":""}}"#, 5_786_800),
        (r#"{"$merge":{"into":{"db":"d"}}}"#, 5_786_801),
        (r#"{"$merge":{"into":"c","whenMatched":[5]}}"#, 14),
        (r#"{"$densify":5}"#, 9),
        (r#"{"$densify":{"field":"a","range":{"step":1,"bounds":[1,3],"x":1}}}"#, 40415),
        (r#"{"$densify":{"field":"a","range":{"step":1,"bounds":[1,3],"unit":5}}}"#, 14),
        (
            r#"{"$densify":{"field":"a","partitionByFields":["a.b"],"range":{"step":1,"bounds":"full"}}}"#,
            8_993_000,
        ),
        (r#"{"$densify":{"field":"a","range":{"step":1,"bounds":[3,1]}}}"#, 5_733_402),
        (r#"{"$densify":{"field":"a","range":{"step":1,"bounds":5}}}"#, 5_733_404),
        (r#"{"$densify":{"field":"a","range":{"step":1,"bounds":[1,"a"]}}}"#, 5_733_406),
        (r#"{"$densify":{"field":"a","range":{"step":1,"unit":"day","bounds":[1,3]}}}"#, 5_733_409),
        (r#"{"$densify":{"field":"a","range":{"step":1,"bounds":["a","b"]}}}"#, 5_946_800),
        (
            r#"{"$densify":{"field":"a","range":{"step":1,"bounds":[{"$date":"2020-01-01T00:00:00Z"},{"$date":"2020-01-02T00:00:00Z"}]}}}"#,
            5_733_410,
        ),
        (r#"{"$lookup":{"from":"","localField":"a","foreignField":"b","as":"r"}}"#, 73),
        (
            r#"{"$graphLookup":{"from":"","startWith":"$a","connectFromField":"a","connectToField":"b","as":"r"}}"#,
            73,
        ),
        (
            r#"{"$setWindowFields":{"sortBy":{"a":1},"output":{"r":{"$locf":"$a","window":{"documents":[0,1]}}}}}"#,
            9,
        ),
        (
            r#"{"$setWindowFields":{"sortBy":{"a":1},"output":{"r":{"$sum":"$a"},"r.x":{"$sum":"$a"}}}}"#,
            6_307_900,
        ),
        (
            r#"{"$setWindowFields":{"sortBy":{"a":1},"output":{"r":{"$sum":"$a","window":{"unit":"day"}}}}}"#,
            9,
        ),
        (
            r#"{"$setWindowFields":{"sortBy":{"a":1},"output":{"r":{"$sum":"$a","window":{"documents":[-1099511627776,1]}}}}}"#,
            9,
        ),
        (
            r#"{"$setWindowFields":{"sortBy":{"a":1},"output":{"r":{"$shift":{"output":"$a","by":1099511627776}}}}}"#,
            9,
        ),
        (r#"{"$fill":{"partitionBy":5,"output":{"a":{"value":1}}}}"#, 14),
        (r#"{"$project":{"r":{"$sortArray":{"input":"$a","sortBy":{"":1}}}}}"#, 2),
        (r#"{"$project":{"r":{"$sortArray":{"input":"$a","sortBy":{"a..b":1}}}}}"#, 2),
    ] {
        let refused = parse_in(&ParseContext::new(Variables::new(), 0), &format!("[{stage}]"));
        assert_eq!(refused.err().map(|e| e.code.mongo), Some(code), "{stage}");
    }
    parse(r#"[{"$fill":{"output":{"a":{"method":"locf"}}}}]"#);
    parse(r#"[{"$addFields":{"x":{"y":{"$add":[1,2]},"z":{"w":1}}}}]"#);
}
