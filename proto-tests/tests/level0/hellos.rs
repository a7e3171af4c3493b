//! The handshake, and the streams of hellos that drivers watch.
use std::path::Path;

use bson::rawdoc;
use proto_tests::proxy::Proxy;
use proto_tests::raw::{OP_MSG, OP_QUERY, OP_REPLY, Raw, op_msg, op_query};

use crate::{client, hello};

#[test]
fn legacy_hello() {
    let (_proxy, mut raw) = client();
    let reply = raw.ask(&op_query(9, "admin.$cmd", &rawdoc! { "ismaster": 1, "helloOk": true }));
    assert_eq!((reply.opcode, reply.flags()), (OP_REPLY, 8));
    let document = reply.document();
    assert_eq!(document.get_f64("ok").unwrap(), 1.0);
    assert!(document.get_bool("helloOk").unwrap());
    assert!(document.get_bool("ismaster").is_ok());
    let reply = raw.ask(&op_query(9, "admin.$cmd", &rawdoc! { "find": "c" }));
    assert_eq!(reply.error().0, 352);
}

#[test]
fn a_stream_of_hellos_chains_its_numbers() {
    let (mut proxy, mut raw) = client();
    let first = raw.command(&hello()).document();
    let version = first.get_document("topologyVersion").unwrap().to_owned();
    let body = rawdoc! { "hello": 1, "topologyVersion": version, "maxAwaitTimeMS": 50i64, "$db": "admin" };
    raw.send(&op_msg(77, 1 << 16, &body));
    let mut previous = 77;
    for _ in 0..4 {
        let reply = raw.receive();
        assert_eq!((reply.response_to, reply.flags(), reply.ok()), (previous, 2, 1.0));
        assert_ne!(reply.request_id, previous);
        previous = reply.request_id;
    }
    // The stop signal ends the stream.
    proxy.stop();
    raw.until_closed();
    assert!(proxy.join());
}

#[test]
fn a_client_that_leaves_its_stream_of_hellos_is_let_go() {
    let proxy = Proxy::start(&[("max_client_connections", "1")]);
    let mut raw = Raw::connect(proxy.address);
    let version = raw.command(&hello()).document().get_document("topologyVersion").unwrap().to_owned();
    let body =
        rawdoc! { "hello": 1, "topologyVersion": version, "maxAwaitTimeMS": 3_600_000i64, "$db": "admin" };
    raw.send(&op_msg(77, 1 << 16, &body));
    raw.half_close();
    // News may have come before it left.
    raw.until_closed();
    assert_eq!(Raw::connect(proxy.address).command(&hello()).ok(), 1.0);
}

#[test]
fn what_real_drivers_say_first_is_answered() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let (mut files, mut opcodes) = (0, Vec::new());
    for entry in std::fs::read_dir(directory).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let line = text.lines().find(|line| !line.starts_with('#')).unwrap();
        let byte = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
        let first: Vec<u8> = (0..line.len()).step_by(2).map(byte).collect();
        let (_proxy, mut raw) = client();
        let reply = raw.ask(&first);
        assert_eq!(reply.ok(), 1.0);
        let opcode = i32::from_le_bytes(first[12..16].try_into().unwrap());
        assert_eq!(reply.opcode, if opcode == OP_QUERY { OP_REPLY } else { OP_MSG });
        files += 1;
        opcodes.push(opcode);
    }
    assert!(files >= 8 && opcodes.contains(&OP_QUERY) && opcodes.contains(&OP_MSG), "{files} {opcodes:?}");
}
