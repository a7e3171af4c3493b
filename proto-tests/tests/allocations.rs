//! How often the proxy asks for memory to serve a request. A count does not depend on the machine, as a time does: what an
//! innocent change adds to every request shows here. In a binary of its own, because the allocator counts for a process.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]
use std::alloc::System;
use std::io::{Read, Write};
use std::net::TcpStream;

use bson::{RawDocumentBuf, doc, rawdoc};
use proto_tests::raw::op_msg;
use proto_tests::stage::{Options, PASSWORD, Stage, USER};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Requests of one measurement, so few that what runs beside them now and then, the probes, does not meet most of them.
const COUNT: usize = 20;
/// Measurements, of which the lowest counts: what every request takes is in each of them.
const BATCHES: usize = 100;
/// bench/README.md tells these.
const POINT_FIND: f64 = 22.0;
const PING: f64 = 9.0;

/// Sends the same frame again and again, and reads the answers into the same buffer: the client itself takes no memory.
fn run(stream: &mut TcpStream, frame: &[u8], count: usize) {
    let mut reply = [0; 4096];
    for _ in 0..count {
        stream.write_all(frame).unwrap();
        let mut read = 0;
        while read < 4 || read < usize::try_from(i32::from_le_bytes(*reply.first_chunk().unwrap())).unwrap() {
            let more = stream.read(&mut reply[read..]).unwrap();
            assert!(more > 0, "the proxy closed the connection");
            read += more;
        }
        // `ok: 1.0` stands last in a reply.
        assert_eq!(reply[read - 9..read], [0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0], "the command failed");
    }
}

/// Allocations, and reallocations, per request.
fn count(stream: &mut TcpStream, body: &RawDocumentBuf) -> f64 {
    let frame = op_msg(1, 0, body);
    run(stream, &frame, 200);
    let batch = |_| {
        let region = Region::new(ALLOCATOR);
        run(stream, &frame, COUNT);
        let change = region.change();
        change.allocations + change.reallocations
    };
    let least = (0..BATCHES).map(batch).min().unwrap();
    f64::from(u32::try_from(least).unwrap()) / f64::from(u32::try_from(COUNT).unwrap())
}

#[test]
fn a_request_takes_memory_a_few_times() {
    let stage = Stage::new(&Options { standbys: 0, ..Options::default() });
    let [address, _] = stage.addresses();
    let mut client = proto_tests::client::Client::connect(address).logged_in(USER, PASSWORD);
    let document = doc! { "_id": 1, "x": "y".repeat(1000) };
    client.ok(doc! { "insert": "c", "documents": [document], "$db": "d" });
    let mut stream = client.into_stream();
    let find = rawdoc! { "find": "c", "filter": { "_id": 1 }, "limit": 1, "singleBatch": true, "$db": "d" };
    let found = count(&mut stream, &find);
    let pinged = count(&mut stream, &rawdoc! { "ping": 1, "$db": "admin" });
    println!("allocations: {found:.2} per point find, {pinged:.2} per ping");
    assert!(found <= POINT_FIND, "{found} allocations per point find");
    assert!(pinged <= PING, "{pinged} allocations per ping");
    assert!(found >= 1.0, "the counting works");
}
