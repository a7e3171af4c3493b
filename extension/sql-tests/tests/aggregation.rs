//! Pipelines that reach beyond their collection: joins through indexes, writes, sorts larger than memory.

use std::time::{Duration, Instant};

use engine::{Doc, Val, extjson};
use sql_tests::{Session, cluster, literal, unhex};

fn json(text: &str) -> Vec<u8> {
    extjson::parse(text).expect("a document")
}

fn insert(s: &mut Session, collection: &str, documents: &str) {
    s.write("insert", &json(&format!(r#"{{"insert":"{collection}","documents":{documents}}}"#)));
}

/// The first page of a pipeline, as text.
fn aggregate(s: &mut Session, collection: &str, stages: &str) -> Result<String, String> {
    let command = json(&format!(
        r#"{{"aggregate":"{collection}","pipeline":{stages},"cursor":{{"batchSize":1000}},"let":{{"two":2}}}}"#
    ));
    let sql = "SELECT cursorpage FROM documentdb_api.aggregate_cursor_first_page";
    let rows = s.try_sql(&format!("{sql}('t', {})", literal(&command))).map_err(|(state, _)| state)?;
    let page = unhex(rows[0][0].as_deref().expect("a page"));
    let batch = Doc::trusted(&page).get("cursor").and_then(Val::as_doc).and_then(|c| c.get("firstBatch"));
    let docs: Vec<String> = batch
        .and_then(Val::as_array)
        .expect("a batch")
        .values()
        .filter_map(Val::as_doc)
        .map(extjson::relaxed)
        .collect();
    Ok(docs.concat().replace(['"', ' '], ""))
}

fn index(s: &mut Session, collection: &str, field: &str) {
    let command = json(&format!(
        r#"{{"createIndexes":"{collection}","indexes":[{{"key":{{"{field}":1}},"name":"{field}_1"}}]}}"#
    ));
    let now = "SELECT documentdb_api_internal.create_indexes_non_concurrently";
    s.sql(&format!("{now}('t', {}, true)", literal(&command)));
}

#[test]
fn joins_answer_the_same_with_and_without_an_index() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    insert(
        &mut s,
        "c",
        r#"[{"_id":1,"k":"a","to":2},{"_id":2,"k":"b","to":3},{"_id":3,"k":["a","b"],"to":1},{"_id":4},{"_id":5,"k":null}]"#,
    );
    insert(
        &mut s,
        "d",
        r#"[{"_id":10,"f":"a","q":1},{"_id":11,"f":"b","q":2},{"_id":12,"f":"a","q":3},{"_id":13,"q":4},{"_id":14,"f":["b","z"],"q":5}]"#,
    );
    let pipelines = [
        r#"[{"$lookup":{"from":"d","localField":"k","foreignField":"f","as":"r"}},{"$project":{"r":{"$sortArray":{"input":"$r._id","sortBy":1}}}},{"$sort":{"_id":1}}]"#,
        r#"[{"$lookup":{"from":"d","let":{"k":"$k"},"pipeline":[{"$match":{"$expr":{"$eq":["$f","$$k"]}}},{"$sort":{"q":-1}},{"$limit":1}],"as":"r"}},{"$project":{"r":"$r._id"}},{"$sort":{"_id":1}}]"#,
        r#"[{"$lookup":{"from":"d","localField":"k","foreignField":"f","let":{"id":"$_id"},"pipeline":[{"$match":{"$expr":{"$gt":["$q","$$id"]}}}],"as":"r"}},{"$project":{"r":"$r._id"}},{"$sort":{"_id":1}}]"#,
        r#"[{"$graphLookup":{"from":"c","startWith":"$to","connectFromField":"to","connectToField":"_id","restrictSearchWithMatch":{"$expr":{"$ne":["$_id","$$two"]}},"depthField":"n","as":"r"}},{"$project":{"r":{"$sortArray":{"input":"$r._id","sortBy":1}}}},{"$sort":{"_id":1}}]"#,
    ];
    let before: Vec<_> = pipelines.iter().map(|p| aggregate(&mut s, "c", p)).collect();
    let want = [
        "{_id:1,r:[10,12]}{_id:2,r:[11,14]}{_id:3,r:[10,11,12,14]}{_id:4,r:[13]}{_id:5,r:[13]}",
        "{_id:1,r:[12]}{_id:2,r:[11]}{_id:3,r:[]}{_id:4,r:[13]}{_id:5,r:[]}",
        "{_id:1,r:[12]}{_id:2,r:[14]}{_id:3,r:[14]}{_id:4,r:[]}{_id:5,r:[]}",
        "{_id:1,r:[]}{_id:2,r:[1,3]}{_id:3,r:[1]}{_id:4,r:[]}{_id:5,r:[]}",
    ];
    for ((got, want), p) in before.iter().zip(want).zip(pipelines) {
        assert_eq!(got.as_deref(), Ok(want), "{p}");
    }
    index(&mut s, "d", "f");
    let after: Vec<_> = pipelines.iter().map(|p| aggregate(&mut s, "c", p)).collect();
    assert_eq!(after, before);
    // An equality of an expression is an equality for the index.
    let plan = s.plan(&json(r#"{"find":"d","filter":{"$expr":{"$eq":["$f","a"]}}}"#));
    assert!(plan.contains("IXSCAN f_1"), "{plan}");
    let plan = s.plan(&json(r#"{"find":"d","filter":{"$expr":{"$eq":["$_id",10]}}}"#));
    assert!(plan.contains("IXSCAN _id_"), "{plan}");
    let plan = s.plan(&json(r#"{"find":"d","filter":{"$expr":{"$eq":["$f",null]}}}"#));
    assert!(plan.contains("COLLSCAN"), "{plan}");
}

#[test]
fn pipelines_write_what_they_read() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    insert(&mut s, "c", r#"[{"_id":1,"v":1},{"_id":2,"v":2},{"_id":3,"v":3}]"#);
    let all = |s: &mut Session, c: &str| aggregate(s, c, r#"[{"$sort":{"_id":1}}]"#);
    // The collection itself is the target.
    let own = r#"[{"$match":{"v":{"$gt":1}}},{"$set":{"v":{"$multiply":["$v","$$two"]}}},{"$out":"c"}]"#;
    assert_eq!(aggregate(&mut s, "c", own).as_deref(), Ok(""));
    assert_eq!(all(&mut s, "c").as_deref(), Ok("{_id:2,v:4}{_id:3,v:6}"));
    // What fails leaves the target as it was.
    let failing = r#"[{"$project":{"v":{"$divide":["$v",{"$subtract":["$v",6]}]}}},{"$out":"c"}]"#;
    assert_eq!(aggregate(&mut s, "c", failing), Err("M0001".to_owned()));
    assert_eq!(all(&mut s, "c").as_deref(), Ok("{_id:2,v:4}{_id:3,v:6}"));
    insert(&mut s, "m", r#"[{"_id":2,"n":1}]"#);
    let merge = |rest: &str| format!(r#"[{{"$merge":{{"into":"m",{rest}}}}}]"#);
    for (rest, want) in [
        (
            r#""let":{"y":"$v"},"whenMatched":[{"$set":{"n":{"$add":["$n","$$y","$$two","$$new.v"]}}}],"whenNotMatched":"insert""#,
            Ok("{_id:2,n:11}{_id:3,v:6}"),
        ),
        (r#""whenMatched":"merge""#, Ok("{_id:2,n:11,v:4}{_id:3,v:6}")),
        (r#""whenMatched":"keepExisting""#, Ok("{_id:2,n:11,v:4}{_id:3,v:6}")),
        (r#""whenMatched":"replace""#, Ok("{_id:2,v:4}{_id:3,v:6}")),
        (r#""whenMatched":"fail""#, Err("M001C")),
        (r#""on":"v""#, Err("M009W")),
    ] {
        let done = aggregate(&mut s, "c", &merge(rest));
        match want {
            Ok(want) => {
                assert_eq!(done.as_deref(), Ok(""), "{rest}");
                assert_eq!(all(&mut s, "m").as_deref(), Ok(want), "{rest}");
            }
            Err(state) => assert_eq!(done, Err(state.to_owned()), "{rest}"),
        }
    }
}

#[test]
fn two_outputs_into_one_collection_come_one_after_the_other() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    insert(&mut s, "c", r#"[{"_id":1,"v":1},{"_id":2,"v":2},{"_id":3,"v":3}]"#);
    insert(&mut s, "t", r#"[{"_id":1,"old":true}]"#);
    let sql = "SELECT collection_id FROM documentdb_api_catalog.collections WHERE collection_name = 't'";
    let table = s.sql(sql)[0][0].clone().unwrap();
    let mut holder = Session::open(cluster.primary());
    holder.sql("BEGIN");
    holder.sql(&format!("SELECT 1 FROM documentdb_data.documents_{table} FOR UPDATE"));
    let outputs: Vec<_> = (1..=2)
        .map(|n| {
            let mut session = Session::open(cluster.primary());
            // Without `_id` nothing tells that both were written.
            let pipeline = r#"[{"$project":{"_id":0,"v":1}},{"$out":"t"}]"#;
            let output = std::thread::spawn(move || aggregate(&mut session, "c", pipeline));
            let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted";
            let end = Instant::now() + Duration::from_secs(60);
            while s.sql(waiting)[0][0] != Some(n.to_string()) {
                assert!(Instant::now() < end, "it does not wait");
                std::thread::sleep(Duration::from_millis(10));
            }
            output
        })
        .collect();
    holder.sql("ROLLBACK");
    for output in outputs {
        assert_eq!(output.join().unwrap().as_deref(), Ok(""));
    }
    let sorted = r#"[{"$sort":{"v":1}},{"$project":{"_id":0}}]"#;
    assert_eq!(aggregate(&mut s, "t", sorted).as_deref(), Ok("{v:1}{v:2}{v:3}"));
}

#[test]
fn a_sort_may_be_larger_than_memory() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    s.sql("SET work_mem = '1MB'");
    let text = "x".repeat(1 << 20);
    for first in [0, 12, 24, 36] {
        let docs: Vec<String> = (first..first + 12)
            .map(|i| format!(r#"{{"_id":{i},"a":{},"p":"{text}"}}"#, i * 7 % 48))
            .collect();
        insert(&mut s, "c", &format!("[{}]", docs.join(",")));
    }
    let got = aggregate(&mut s, "c", r#"[{"$sort":{"p":1,"a":1}},{"$project":{"_id":0,"a":1}}]"#);
    let want: String = (0..48).map(|a| format!("{{a:{a}}}")).collect();
    assert_eq!(got.as_deref(), Ok(want.as_str()));
}
