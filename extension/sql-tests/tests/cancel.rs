//! A statement timeout ends every loop whose length a client decides, soon and with everything undone.

use std::time::{Duration, Instant};

use engine::{Value, extjson};
use sql_tests::{Session, cluster, doc, literal};

fn json(text: &str) -> Vec<u8> {
    extjson::parse(&text.replace('\'', "\"")).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Far less than any of the loops needs, and far more than the machine needs to notice.
const TIMEOUT: Duration = Duration::from_millis(25);
const PATIENCE: Duration = Duration::from_secs(20);

fn ends(s: &mut Session, what: &str, sql: &str) {
    s.sql(&format!("SET statement_timeout = {}", TIMEOUT.as_millis()));
    let start = Instant::now();
    let result = s.try_sql(sql);
    let took = start.elapsed();
    s.sql("SET statement_timeout = 0");
    match result {
        Err((state, _)) => assert_eq!(state, "57014", "{what}"),
        Ok(rows) => {
            // A write command reports it as the error of its operation.
            let reply = rows.first().and_then(|r| r[0].clone()).unwrap_or_default();
            let reply = sql_tests::unhex(&reply);
            let failed = engine::Doc::trusted(&reply).get("writeErrors").is_some();
            assert!(
                failed && took >= TIMEOUT,
                "{what} was done in {took:?}: {:?}",
                engine::Doc::trusted(&reply)
            );
        }
    }
    assert!(took < PATIENCE, "{what} took {took:?}");
}

fn find(filter: &str) -> String {
    let command = json(&format!("{{'find': 'c', 'filter': {filter}}}"));
    format!("SELECT cursorpage FROM documentdb_api.find_cursor_first_page('t', {})", literal(&command))
}

fn aggregate(stages: &str) -> String {
    let command = json(&format!("{{'aggregate': 'c', 'pipeline': [{stages}], 'cursor': {{}}}}"));
    format!("SELECT cursorpage FROM documentdb_api.aggregate_cursor_first_page('t', {})", literal(&command))
}

fn update(spec: &str) -> String {
    let command = json(&format!("{{'update': 'c', 'updates': [{spec}]}}"));
    format!("SELECT p_result FROM documentdb_api.update('t', {})", literal(&command))
}

#[test]
fn a_timeout_ends_long_loops() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    let list = |n: i32, of: &dyn Fn(i32) -> Value| Value::array_of(&(0..n).map(of).collect::<Vec<_>>());
    // A few documents with large arrays.
    let documents = list(4, &|i| {
        let numbers = list(4_000, &|n| Value::Int32(n * 2 + 1));
        let objects = list(1_500, &|n| Value::Document(doc(&[("x", Value::Int32(n))])));
        Value::Document(doc(&[("_id", Value::Int32(i)), ("n", numbers), ("o", objects)]))
    });
    s.write("insert", &doc(&[("insert", Value::String("c".into())), ("documents", documents)]));

    // Inside one expression over one document.
    let million = "{'$range': [0, 1000000]}";
    let inner = "{'$size': {'$filter': {'input': {'$range': [0, 1000]}, 'cond': {'$gt': ['$$this', 5]}}}}";
    ends(&mut s, "$map", &find(&format!("{{'$expr': {{'$map': {{'input': {million}, 'in': {inner}}}}}}}")));
    let reduce = format!("{{'$reduce': {{'input': {million}, 'initialValue': 0, 'in': {inner}}}}}");
    ends(&mut s, "$reduce", &find(&format!("{{'$expr': {reduce}}}")));
    ends(
        &mut s,
        "$filter",
        &aggregate(&format!(
            "{{'$project': {{'z': {{'$filter': {{'input': {million}, 'cond': {inner}}}}}}}}}"
        )),
    );
    // Inside one filter: every element against many conditions.
    let many: Vec<String> =
        (0..3_000).map(|n| format!("{{'$elemMatch': {{'$gt': {n}, '$lt': {n}}}}}")).collect();
    ends(
        &mut s,
        "$nor of $elemMatch",
        &find(&format!(
            "{{'$nor': [{}]}}",
            many.iter().map(|m| format!("{{'n': {m}}}")).collect::<Vec<_>>().join(",")
        )),
    );
    let regexes: Vec<String> = (0..2_000).map(|n| format!("{{'n': {{'$mod': [4, 2]}}, 'z': {n}}}")).collect();
    ends(&mut s, "$or over arrays", &find(&format!("{{'$or': [{}]}}", regexes.join(","))));
    // Stages that make many documents of one.
    let unwinds = "{'$unwind': '$o'}, {'$addFields': {'p': '$n'}}, {'$unwind': '$p'}, {'$unwind': '$n'}";
    ends(&mut s, "$unwind and $count", &aggregate(&format!("{unwinds}, {{'$count': 'n'}}")));
    ends(&mut s, "$unwind and $group", &aggregate(&format!("{unwinds}, {{'$group': {{'_id': '$p'}}}}")));
    ends(&mut s, "$unwind and $match", &aggregate(&format!("{unwinds}, {{'$match': {{'n': -1}}}}")));
    ends(
        &mut s,
        "$lookup",
        &aggregate(
            "{'$unwind': '$n'}, {'$lookup': {'from': 'c', 'pipeline': [{'$unwind': '$n'}, {'$match': {'n': -1}}], 'as': 'l'}}, {'$count': 'n'}",
        ),
    );
    // Updates: parts that compare everything with everything.
    let each: Vec<String> = (0..20_000).map(|n| (n * 2).to_string()).collect();
    let each = each.join(",");
    ends(
        &mut s,
        "$addToSet",
        &update(&format!("{{'q': {{}}, 'u': {{'$addToSet': {{'n': {{'$each': [{each}]}}}}}}}}")),
    );
    ends(
        &mut s,
        "update of many",
        &update(
            "{'q': {}, 'u': [{'$set': {'z': {'$size': {'$filter': {'input': {'$range': [0, 1000000]}, 'cond': {'$gt': ['$$this', 5]}}}}}}], 'multi': true}",
        ),
    );
    // Nothing is left of any of them.
    let found = s.find(&doc(&[("find", Value::String("c".into()))]));
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|d| engine::Doc::trusted(d).get("z").is_none()));
}

#[test]
fn a_timeout_ends_work_on_many_documents() {
    let cluster = cluster();
    let mut s = Session::open(cluster.primary());
    for first in (0..20_000).step_by(5_000) {
        let documents: Vec<Value> = (first..first + 5_000)
            .map(|i| {
                Value::Document(doc(&[("_id", Value::Int32(i)), ("v", Value::Int32(i * 7919 % 20_000))]))
            })
            .collect();
        let documents = Value::array_of(&documents);
        s.write("insert", &doc(&[("insert", Value::String("c".into())), ("documents", documents)]));
    }
    // Of each document anew: what depends on none is computed once.
    let slow = "{'$expr': {'$lt': [{'$size': {'$range': [0, {'$add': [3000, '$v']}]}}, 5]}}";
    ends(&mut s, "scan", &find(slow));
    let sort =
        json("{'find': 'c', 'sort': {'w': 1, 'v': 1, 'u': 1, 'a.b': 1, 'a.c': 1}, 'batchSize': 20000}");
    ends(
        &mut s,
        "sort",
        &format!("SELECT cursorpage FROM documentdb_api.find_cursor_first_page('t', {})", literal(&sort)),
    );
    let ids: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
    ends(&mut s, "$in", &find(&format!("{{'_id': {{'$in': [{}]}}, 'z': 1}}", ids.join(","))));
    ends(&mut s, "update multi", &update("{'q': {}, 'u': {'$inc': {'v': 1}}, 'multi': true}"));
    let delete = json("{'delete': 'c', 'deletes': [{'q': {}, 'limit': 0}]}");
    ends(&mut s, "delete", &format!("SELECT p_result FROM documentdb_api.delete('t', {})", literal(&delete)));
    ends(
        &mut s,
        "$group",
        &aggregate(
            "{'$group': {'_id': {'v': '$v', 'i': '$_id'}, 'n': {'$sum': 1}, 'm': {'$push': '$$ROOT'}}}",
        ),
    );
    let keys: Vec<String> = (0..12).map(|n| format!("'v{n}.a': 1")).collect();
    let index = json(&format!(
        "{{'createIndexes': 'c', 'indexes': [{{'key': {{'v': 1, {}}}, 'name': 'i'}}]}}",
        keys.join(",")
    ));
    ends(
        &mut s,
        "index build",
        &format!(
            "SELECT documentdb_api_internal.create_indexes_non_concurrently('t', {}, true)",
            literal(&index)
        ),
    );
    let count = s.find(&doc(&[("find", Value::String("c".into())), ("batchSize", Value::Int32(30_000))]));
    assert_eq!(count.len(), 20_000);
    // A pattern that would run for ages has a limit of its own.
    let text = format!("{}b", "a".repeat(60));
    let documents =
        Value::array_of(&[Value::Document(doc(&[("_id", Value::Int32(0)), ("s", Value::String(text))]))]);
    s.write("insert", &doc(&[("insert", Value::String("r".into())), ("documents", documents)]));
    let bomb = json("{'find': 'r', 'filter': {'s': {'$regex': '^(a+)+$'}}}");
    let start = Instant::now();
    let refused = s.try_sql(&format!(
        "SELECT cursorpage FROM documentdb_api.find_cursor_first_page('t', {})",
        literal(&bomb)
    ));
    // PCRE2 may see without trying that there is no match; if it tries, it gives up.
    if let Err((_, message)) = refused {
        assert!(message.contains("regular expression"), "{message}");
    }
    assert!(start.elapsed() < PATIENCE);
}
