//! Bytes that are not BSON, and values that end a command early: refused, and the connection goes on.

use std::sync::OnceLock;

use contract::client::{Answer, Client};
use contract::target::Target;

fn connect() -> Client {
    static TARGET: OnceLock<Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| Target::open().expect("a server"));
    target.connect(false, None).expect("a connection")
}

/// The first value, or the SQLSTATE of the error.
fn ask(client: &mut Client, sql: &str) -> Result<Option<String>, String> {
    match client.statement(sql).expect("the connection goes on") {
        Answer::Rows { mut rows, .. } => Ok(rows.pop().and_then(|mut row| row.pop()).flatten()),
        Answer::Error { sqlstate, .. } => Err(sqlstate),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// `{a: {b: "x"}, c: [1], d: true}`
const DOCUMENT: &[u8] =
    b"\x29\0\0\0\x03a\0\x0e\0\0\0\x02b\0\x02\0\0\0x\0\0\x04c\0\x0c\0\0\0\x100\0\x01\0\0\0\0\x08d\0\x01\0";

#[test]
fn the_sample_is_a_document() {
    let sql = format!("SELECT '\\x{}'::bytea::documentdb_core.bson IS NOT NULL", hex(DOCUMENT));
    assert_eq!(ask(&mut connect(), &sql), Ok(Some("t".into())));
}

#[test]
fn truncated_and_overlong_documents_are_refused_by_every_way_in() {
    let mut client = connect();
    let pid = ask(&mut client, "SELECT pg_backend_pid()");
    for n in (0..DOCUMENT.len()).chain([DOCUMENT.len() + 1]) {
        let mut bytes = DOCUMENT.to_vec();
        bytes.resize(n, 0);
        let bytes = hex(&bytes);
        for sql in [
            format!("SELECT '\\x{bytes}'::bytea::documentdb_core.bson IS NULL"),
            format!("SELECT 'BSONHEX{bytes}'::documentdb_core.bson IS NULL"),
            format!("SELECT documentdb_api.insert_one('malformed', 'c', '\\x{bytes}'::bytea)"),
        ] {
            assert_eq!(ask(&mut client, &sql), Err("M0001".into()), "{sql}");
        }
    }
    assert_eq!(ask(&mut client, "SELECT pg_backend_pid()"), pid);
}

#[test]
fn every_byte_may_be_anything_without_harm() {
    let mut client = connect();
    let pid = ask(&mut client, "SELECT pg_backend_pid()");
    for at in 0..DOCUMENT.len() {
        for value in [0, 1, 3, 4, 5, 0x0f, 0x13, 0x7f, 0x80, 0xff] {
            let mut bytes = DOCUMENT.to_vec();
            bytes[at] = value;
            let sql = format!(
                "SELECT p_success FROM documentdb_api.insert('malformed', '{{\"insert\": \"bytes\"}}', '\\x{}'::bytea)",
                hex(&bytes)
            );
            match ask(&mut client, &sql) {
                Ok(_) => {}
                Err(state) => assert_eq!(state, "M0001", "{sql}"),
            }
        }
    }
    assert_eq!(ask(&mut client, "SELECT pg_backend_pid()"), pid);
}

#[test]
fn nesting_beyond_the_limit_is_refused() {
    let mut bytes = vec![5, 0, 0, 0, 0];
    for _ in 0..100_000 {
        let mut outer = i32::try_from(bytes.len() + 8).expect("a length").to_le_bytes().to_vec();
        outer.extend_from_slice(b"\x03a\0");
        outer.append(&mut bytes);
        outer.push(0);
        bytes = outer;
        if bytes.len() > 60_000 {
            break;
        }
    }
    let sql = format!("SELECT '\\x{}'::bytea::documentdb_core.bson IS NULL", hex(&bytes));
    assert_eq!(ask(&mut connect(), &sql), Err("M0001".into()));
}

#[test]
fn a_time_limit_ends_a_command_and_leaves_nothing_of_it() {
    let mut client = connect();
    let fill = "SELECT documentdb_api.insert('malformed', ('{\"insert\": \"slow\", \"documents\": [' ||
        string_agg('{\"_id\": ' || i || '}', ',') || ']}')::documentdb_core.bson) FROM generate_series(1, 3000) i";
    ask(&mut client, fill).expect("an insert");
    // Long enough to get as far as the first update, which takes seconds.
    let slow = r#"{"update": "slow", "maxTimeMS": 100, "ordered": false, "updates": [
        {"q": {"$expr": {"$gt": [{"$size": {"$range": [0, 20000]}}, "$_id"]}}, "u": {"$set": {"z": 1}}, "multi": true},
        {"q": {"$expr": {"$gt": [{"$size": {"$range": [0, 20000]}}, "$_id"]}}, "u": {"$set": {"z": 2}}, "multi": true}]}"#;
    let sql = format!("SELECT p_success FROM documentdb_api.update('malformed', '{slow}')");
    // On a slow machine the time may be over before the first update, and then the whole command fails.
    let answer = (0..5).map(|_| ask(&mut client, &sql)).find(|answer| *answer != Err("57014".into()));
    assert_eq!(answer, Some(Ok(Some("f".into()))));
    let count = r#"SELECT document OPERATOR(documentdb_core.->>) 'n'
        FROM documentdb_api.count_query('malformed', '{"count": "slow", "query": {"z": {"$exists": true}}}')"#;
    assert_eq!(ask(&mut client, count), Ok(Some("0".into())));
}
