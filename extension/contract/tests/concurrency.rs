//! Writers who get in each other's way: nothing is lost, nothing is done twice, nobody gets an error for it.

use std::sync::OnceLock;
use std::thread;

use contract::client::{Answer, Client};
use contract::target::Target;

/// Writers at the same time.
const WRITERS: usize = 8;

fn connect() -> Client {
    static TARGET: OnceLock<Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| Target::open().expect("a server"));
    target.connect(false, None).expect("a connection")
}

/// The only value of the only row.
fn value(client: &mut Client, sql: &str) -> Option<String> {
    match client.statement(sql).expect("an answer") {
        Answer::Rows { mut rows, .. } => rows.pop()?.pop()?,
        Answer::Error { sqlstate, message, .. } => panic!("{sqlstate} {message}: {sql}"),
    }
}

/// Runs a write function, which must report no errors, and gives a field of its reply.
fn write(client: &mut Client, function: &str, command: &str, field: &str) -> Option<String> {
    let command = command.replace('\'', "''");
    let reply = value(
        client,
        &format!(
            "SELECT CASE WHEN p_success THEN p_result OPERATOR(documentdb_core.->>) '{field}'
                    ELSE 'failed: ' || documentdb_core.bson_to_json_string(p_result)::text END
             FROM documentdb_api.{function}('concurrency', '{command}')"
        ),
    );
    assert!(!reply.as_deref().unwrap_or("").starts_with("failed"), "{reply:?} from {command}");
    reply
}

/// Values of a field over all documents of a collection, with how often each occurs.
fn tally(client: &mut Client, collection: &str, field: &str) -> String {
    value(
        client,
        &format!(
            "SELECT coalesce(string_agg(v || ':' || n, ' ' ORDER BY v), '') FROM (
                 SELECT document OPERATOR(documentdb_core.->>) '{field}' AS v, count(*) AS n
                 FROM documentdb_api.collection('concurrency', '{collection}') GROUP BY 1) x WHERE v IS NOT NULL"
        ),
    )
    .unwrap_or_default()
}

/// Runs one writer per thread, each with its number and a connection of its own.
fn together(writer: impl Fn(usize, &mut Client) + Sync) {
    thread::scope(|scope| {
        for n in 0..WRITERS {
            let writer = &writer;
            scope.spawn(move || writer(n, &mut connect()));
        }
    });
}

#[test]
fn increments_of_one_document_are_all_kept() {
    let mut client = connect();
    write(&mut client, "insert", r#"{"insert": "counter", "documents": [{"_id": 1, "n": 0}]}"#, "n");
    together(|_, client| {
        for _ in 0..100 {
            let update = r#"{"update": "counter", "updates": [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}]}"#;
            assert_eq!(write(client, "update", update, "nModified").as_deref(), Some("1"));
        }
    });
    assert_eq!(tally(&mut client, "counter", "n"), format!("{}:1", 100 * WRITERS));
}

#[test]
fn first_inserts_make_the_collection_once() {
    together(|n, client| {
        for i in 0..20 {
            let insert =
                format!(r#"{{"insert": "fresh", "documents": [{{"_id": {}, "v": 1}}]}}"#, n * 100 + i);
            write(client, "insert", &insert, "n");
        }
    });
    assert_eq!(tally(&mut connect(), "fresh", "v"), format!("1:{}", 20 * WRITERS));
}

#[test]
fn upserts_of_the_same_id_insert_once_and_update_the_rest() {
    together(|_, client| {
        for i in 0..50 {
            let update = format!(
                r#"{{"update": "upserts", "updates": [{{"q": {{"_id": {i}}}, "u": {{"$inc": {{"n": 1}}}}, "upsert": true}}]}}"#
            );
            write(client, "update", &update, "n");
        }
    });
    assert_eq!(tally(&mut connect(), "upserts", "n"), format!("{WRITERS}:50"));
}

#[test]
fn every_job_of_a_queue_is_taken_once() {
    let mut client = connect();
    let jobs: Vec<String> =
        (0..200).map(|i| format!(r#"{{"_id": {i}, "state": "new", "taken": 0}}"#)).collect();
    write(&mut client, "insert", &format!(r#"{{"insert": "jobs", "documents": [{}]}}"#, jobs.join(",")), "n");
    together(|_, client| {
        let take = r#"{"findAndModify": "jobs", "query": {"state": "new"}, "sort": {"_id": 1},
                       "update": {"$set": {"state": "done"}, "$inc": {"taken": 1}}}"#;
        while write(client, "find_and_modify", take, "value._id").is_some() {}
    });
    assert_eq!(tally(&mut client, "jobs", "taken"), "1:200");
}

#[test]
fn updates_of_many_documents_all_reach_every_document() {
    let mut client = connect();
    let all: Vec<String> = (0..100).map(|i| format!(r#"{{"_id": {i}, "n": 0}}"#)).collect();
    write(&mut client, "insert", &format!(r#"{{"insert": "many", "documents": [{}]}}"#, all.join(",")), "n");
    together(|n, client| {
        // Others take the documents one by one, from both ends.
        if n < 2 {
            for _ in 0..5 {
                let update =
                    r#"{"update": "many", "updates": [{"q": {}, "u": {"$inc": {"n": 1}}, "multi": true}]}"#;
                write(client, "update", update, "n");
            }
        } else {
            for i in 0..100 {
                let id = if n % 2 == 0 { i } else { 99 - i };
                let update = format!(
                    r#"{{"update": "many", "updates": [{{"q": {{"_id": {id}}}, "u": {{"$inc": {{"n": 1}}}}}}]}}"#
                );
                write(client, "update", &update, "n");
            }
        }
    });
    assert_eq!(tally(&mut client, "many", "n"), format!("{}:100", 10 + WRITERS - 2));
}

#[test]
fn a_document_that_stops_matching_while_its_update_waits_is_left_alone() {
    let (mut first, mut second) = (connect(), connect());
    write(&mut first, "insert", r#"{"insert": "match", "documents": [{"_id": 1, "s": "a", "n": 0}]}"#, "n");
    let pid = value(&mut second, "SELECT pg_backend_pid()").expect("a pid");
    first.statement("BEGIN").expect("an answer");
    write(
        &mut first,
        "update",
        r#"{"update": "match", "updates": [{"q": {"_id": 1}, "u": {"$set": {"s": "b"}}}]}"#,
        "n",
    );
    let waiting = thread::spawn(move || {
        let update = r#"{"update": "match", "updates": [{"q": {"s": "a"}, "u": {"$inc": {"n": 1}}}]}"#;
        write(&mut second, "update", update, "nModified")
    });
    let blocked = format!("SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND wait_event_type = 'Lock'");
    let mut observer = connect();
    while value(&mut observer, &blocked).is_none() {
        thread::yield_now();
    }
    first.statement("COMMIT").expect("an answer");
    assert_eq!(waiting.join().expect("the second writer"), Some("0".to_owned()));
    assert_eq!(tally(&mut first, "match", "n"), "0:1");
}
