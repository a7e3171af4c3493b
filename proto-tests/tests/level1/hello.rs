//! hello that waits and streams.
use std::time::{Duration, Instant};

use bson::{Document, doc};

use crate::stage;

fn version(reply: &Document) -> Document {
    reply.get_document("topologyVersion").unwrap().clone()
}

#[test]
fn a_hello_that_knows_the_state_waits_its_time() {
    let mut client = stage().stranger();
    let known = version(&client.ok(doc! { "hello": 1, "$db": "admin" }));
    let begin = Instant::now();
    let reply = client
        .ok(doc! { "hello": 1, "topologyVersion": known.clone(), "maxAwaitTimeMS": 300, "$db": "admin" });
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_eq!(version(&reply), known);
    // Another process' version is answered at once, an impossible one refused.
    let mut foreign = known.clone();
    foreign.insert("processId", bson::oid::ObjectId::new());
    let begin = Instant::now();
    client.ok(doc! { "hello": 1, "topologyVersion": foreign, "maxAwaitTimeMS": 60_000, "$db": "admin" });
    assert!(begin.elapsed() < Duration::from_secs(20));
    let mut later = known;
    later.insert("counter", 1_000_000_i64);
    let code =
        client.code(doc! { "hello": 1, "topologyVersion": later, "maxAwaitTimeMS": 10, "$db": "admin" });
    assert_eq!(code, 51764);
}

#[test]
fn a_stream_goes_on_by_itself() {
    let mut client = stage().stranger();
    let known = version(&client.ok(doc! { "hello": 1, "$db": "admin" }));
    client.stream(doc! { "hello": 1, "topologyVersion": known, "maxAwaitTimeMS": 20, "$db": "admin" });
    for _ in 0..5 {
        let (reply, more) = client.receive().unwrap();
        assert_eq!(reply.get_f64("ok").ok(), Some(1.0));
        assert!(more);
    }
}

#[test]
fn a_stream_needs_a_time_and_errors_do_not_stream() {
    let mut client = stage().stranger();
    client.stream(doc! { "hello": 1, "$db": "admin" });
    let (reply, more) = client.receive().unwrap();
    assert_eq!(reply.get_i32("code").ok(), Some(51756));
    assert!(!more);
}

#[test]
fn metadata_comes_once() {
    let mut client = stage().stranger();
    let client_document = doc! { "driver": { "name": "d", "version": "1" }, "os": { "type": "t" } };
    client.ok(doc! { "hello": 1, "client": client_document.clone(), "$db": "admin" });
    assert_eq!(client.code(doc! { "hello": 1, "client": client_document.clone(), "$db": "admin" }), 186);
    let mut client = stage().stranger();
    let mut long = client_document.clone();
    long.insert("platform", "x".repeat(600));
    assert_eq!(client.code(doc! { "hello": 1, "client": long, "$db": "admin" }), 185);
    let mut named = client_document;
    named.insert("application", doc! { "name": "x".repeat(129) });
    assert_eq!(client.code(doc! { "hello": 1, "client": named, "$db": "admin" }), 184);
}
