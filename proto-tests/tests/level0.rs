//! What needs no PostgreSQL: frames, the handshake, limits, and what happens while PostgreSQL is down.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]
use std::path::Path;
use std::time::{Duration, Instant};

use bson::{RawDocumentBuf, rawdoc};
use proto_tests::proxy::Proxy;
use proto_tests::raw::{OP_COMPRESSED, OP_MSG, OP_QUERY, OP_REPLY, Raw, message, op_msg, op_query};

fn hello() -> RawDocumentBuf {
    rawdoc! { "hello": 1, "$db": "admin" }
}

fn client() -> (Proxy, Raw) {
    let proxy = Proxy::start(&[]);
    let raw = Raw::connect(proxy.address);
    (proxy, raw)
}

#[test]
fn one_byte_at_a_time() {
    let (_proxy, mut raw) = client();
    for byte in op_msg(5, 0, &hello()) {
        raw.send(&[byte]);
    }
    let reply = raw.receive();
    assert_eq!((reply.response_to, reply.opcode, reply.ok()), (5, OP_MSG, 1.0));
}

#[test]
fn ten_frames_in_one_write() {
    let (_proxy, mut raw) = client();
    let frames: Vec<u8> = (1..=10).flat_map(|id| op_msg(id, 0, &hello())).collect();
    raw.send(&frames);
    let mut ids = Vec::new();
    for id in 1..=10 {
        let reply = raw.receive();
        assert_eq!((reply.response_to, reply.ok()), (id, 1.0));
        ids.push(reply.request_id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 10, "each reply has a number of its own");
}

#[test]
fn a_reply_does_not_wait_for_a_slow_request_behind_it() {
    let (_proxy, mut raw) = client();
    let version = raw.command(&hello()).document().get_document("topologyVersion").unwrap().to_owned();
    let slow =
        rawdoc! { "hello": 1, "topologyVersion": version, "maxAwaitTimeMS": 3_600_000i64, "$db": "admin" };
    raw.send(&[op_msg(2, 0, &hello()), op_msg(3, 0, &hello()), op_msg(4, 0, &slow)].concat());
    assert_eq!(raw.receive().response_to, 2);
    assert_eq!(raw.receive().response_to, 3);
}

#[test]
fn what_came_before_a_broken_frame_is_answered() {
    let (_proxy, mut raw) = client();
    raw.send(&[op_msg(1, 0, &hello()), message(2, 42, &[]), op_msg(3, 0, &hello())].concat());
    assert_eq!(raw.receive().response_to, 1);
    assert!(raw.until_closed().is_empty());
}

#[test]
fn many_replies_at_once_are_whole() {
    let (_proxy, mut raw) = client();
    // Far more than is sent in one piece.
    let frames: Vec<u8> = (1..=500).flat_map(|id| op_msg(id, 0, &hello())).collect();
    raw.send(&frames);
    for id in 1..=500 {
        let reply = raw.receive();
        assert_eq!((reply.response_to, reply.ok()), (id, 1.0));
    }
}

#[test]
fn a_frame_and_a_half() {
    let (_proxy, mut raw) = client();
    let second = op_msg(2, 0, &hello());
    raw.send(&[op_msg(1, 0, &hello()), second[..20].to_vec()].concat());
    assert_eq!(raw.receive().response_to, 1);
    raw.send(&second[20..]);
    assert_eq!(raw.receive().response_to, 2);
}

#[test]
fn half_close() {
    let (_proxy, mut raw) = client();
    raw.send(&[op_msg(1, 0, &hello()), op_msg(2, 0, &hello())].concat());
    raw.half_close();
    assert_eq!(raw.receive().response_to, 1);
    assert_eq!(raw.receive().response_to, 2);
    assert!(raw.until_closed().is_empty());
}

#[test]
fn a_message_over_the_limit_closes() {
    for length in [48_000_001, i32::MAX, 15, 0, -1] {
        let (_proxy, mut raw) = client();
        assert_eq!(raw.command(&hello()).ok(), 1.0);
        raw.send(&[length, 1, 0, OP_MSG].map(i32::to_le_bytes).concat());
        assert!(raw.until_closed().is_empty(), "{length}");
    }
}

#[test]
fn a_message_at_the_limit_is_read_whole() {
    let proxy = Proxy::start(&[("auth", "false")]);
    let mut raw = Raw::connect(proxy.address);
    // Three documents of 16 MB less a little, in a command that takes no sequence: a refusal, not a close.
    let filler = "x".repeat(15_900_000);
    let document = rawdoc! { "x": filler.as_str() };
    let documents = document.as_bytes().repeat(3);
    let identifier = b"documents\0";
    let section = 4 + identifier.len() + documents.len();
    let rest = 48_000_000 - 16 - 4 - 1 - hello().as_bytes().len() - 1 - section;
    let last = rawdoc! { "x": "y".repeat(rest - 13).as_str() };
    assert_eq!(last.as_bytes().len(), rest);
    let size = i32::try_from(section + rest).unwrap().to_le_bytes();
    let parts =
        [&[0; 5][..], hello().as_bytes(), &[1], &size, identifier, &documents, last.as_bytes()].concat();
    let message = message(3, OP_MSG, &[&parts]);
    assert_eq!(message.len(), 48_000_000);
    assert_eq!(raw.ask(&message).response_to, 3);
    assert_eq!(raw.command(&hello()).ok(), 1.0);
}

#[test]
fn before_the_login_messages_are_small() {
    let (_proxy, mut raw) = client();
    let padded =
        |length: usize| rawdoc! { "hello": 1, "$db": "admin", "comment": "x".repeat(length).as_str() };
    assert_eq!(raw.command(&padded(60_000)).ok(), 1.0);
    raw.send(&op_msg(1, 0, &padded(65_536)));
    assert!(raw.until_closed().is_empty());
    // Nor do they become large when they are decompressed.
    let (_proxy, mut raw) = client();
    let plain = op_msg(8, 0, &padded(100_000))[16..].to_vec();
    let size = i32::try_from(plain.len()).unwrap().to_le_bytes();
    let packed = zstd::bulk::compress(&plain, 3).unwrap();
    assert!(packed.len() < 1000);
    raw.send(&message(8, OP_COMPRESSED, &[&OP_MSG.to_le_bytes(), &size, &[3], &packed]));
    assert!(raw.until_closed().is_empty());
}

#[test]
fn clients_that_say_nothing_are_disconnected() {
    let proxy = Proxy::start(&[("handshake_timeout", "50ms"), ("idle_timeout", "300ms")]);
    let mut silent = Raw::connect(proxy.address);
    assert!(silent.until_closed().is_empty());
    let mut halfway = Raw::connect(proxy.address);
    halfway.send(&op_msg(1, 0, &hello())[..20]);
    assert!(halfway.until_closed().is_empty());
    let mut idle = Raw::connect(proxy.address);
    assert_eq!(idle.command(&hello()).ok(), 1.0);
    // Longer than the first message may take.
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(idle.command(&hello()).ok(), 1.0);
    assert!(idle.until_closed().is_empty());
}

#[test]
fn unknown_opcodes_close() {
    for opcode in [0, 1, 2001, 2002, 2006, 2007, 2010, 2011, 2014, 9999] {
        let (_proxy, mut raw) = client();
        raw.send(&message(1, opcode, &[&[0; 20]]));
        assert!(raw.until_closed().is_empty(), "{opcode}");
    }
}

#[test]
fn legacy_operations_get_legacy_errors() {
    let (_proxy, mut raw) = client();
    for (message, name) in
        [(message(4, 2005, &[&[0; 20]]), "OP_GET_MORE"), (op_query(4, "t.c", &rawdoc! {}), "OP_QUERY")]
    {
        let reply = raw.ask(&message);
        assert_eq!((reply.opcode, reply.flags() & 2), (OP_REPLY, 2));
        let document = reply.document();
        assert_eq!(document.get_i32("code").unwrap(), 5_739_101);
        assert!(document.get_str("$err").unwrap().starts_with(&format!("{name} is no longer supported")));
    }
}

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
fn checksums() {
    let (_proxy, mut raw) = client();
    let mut request = message(6, OP_MSG, &[&1u32.to_le_bytes(), &[0], hello().as_bytes(), &[0; 4]]);
    let at = request.len() - 4;
    let crc = crc32c::crc32c(&request[..at]);
    request[at..].copy_from_slice(&crc.to_le_bytes());
    let reply = raw.ask(&request);
    assert_eq!((reply.flags(), reply.ok()), (1, 1.0));
    let at = reply.bytes.len() - 4;
    assert_eq!(reply.bytes[at..], crc32c::crc32c(&reply.bytes[..at]).to_le_bytes());
    // Without the request for one there is none.
    assert_eq!(raw.command(&hello()).flags(), 0);

    request[30] ^= 1;
    raw.send(&request);
    assert!(raw.until_closed().is_empty());
}

#[test]
fn flag_bits() {
    for bit in [2, 15] {
        let (_proxy, mut raw) = client();
        raw.send(&op_msg(1, 1 << bit, &hello()));
        assert!(raw.until_closed().is_empty(), "required bit {bit}");
    }
    let (_proxy, mut raw) = client();
    assert_eq!(raw.ask(&op_msg(1, 1 << 17, &hello())).ok(), 1.0);
}

#[test]
fn more_to_come_gets_no_reply() {
    let (_proxy, mut raw) = client();
    // Good ones, unknown ones, and ones that are no BSON.
    raw.send(&op_msg(1, 2, &hello()));
    raw.send(&op_msg(2, 2, &rawdoc! { "nonsense": 1, "$db": "d" }));
    raw.send(&message(3, OP_MSG, &[&2u32.to_le_bytes(), &[0], &[6, 0, 0, 0, 9, 0]]));
    raw.send(&op_msg(4, 0, &hello()));
    assert_eq!(raw.receive().response_to, 4);
}

#[test]
fn bad_documents_are_errors_and_the_connection_lives() {
    let proxy = Proxy::start(&[("auth", "false")]);
    let mut raw = Raw::connect(proxy.address);
    let bad_type: &[u8] = &[8, 0, 0, 0, 0x55, b'a', 0, 0];
    let deep = (0..300).fold(rawdoc! {}, |inner, _| rawdoc! { "a": inner });
    let cases = [
        (bad_type.to_vec(), 22, "InvalidBSON"),
        (vec![5, 0, 0, 0, 7], 22, "InvalidBSON"),
        (deep.into_bytes(), 15, "Overflow"),
        (rawdoc! { "x": "y".repeat(17_000_000) }.into_bytes(), 10334, "BSONObjectTooLarge"),
        (hello().into_bytes().repeat(1), 0, ""),
    ];
    for (body, code, name) in cases {
        let reply = raw.ask(&message(2, OP_MSG, &[&[0; 5], &body]));
        match code {
            0 => assert_eq!(reply.ok(), 1.0),
            code => assert_eq!(reply.error(), (code, name.to_owned())),
        }
    }
    // In a sequence too.
    let section = [&[1][..], &22i32.to_le_bytes(), b"documents\0", bad_type].concat();
    let reply =
        raw.ask(&message(2, OP_MSG, &[&[0; 5], rawdoc! { "insert": "c", "$db": "d" }.as_bytes(), &section]));
    assert_eq!(reply.error().0, 22);
}

#[test]
fn unknown_commands_and_missing_databases_are_errors() {
    let (_proxy, mut raw) = client();
    let reply = raw.command(&rawdoc! { "atlasVersion": 1, "$db": "admin" });
    assert_eq!(reply.error(), (59, "CommandNotFound".to_owned()));
    assert_eq!(reply.document().get_str("errmsg").unwrap(), "no such command: 'atlasVersion'");
    assert_eq!(raw.command(&rawdoc! { "ping": 1 }).error().0, 40414);
    assert_eq!(raw.command(&rawdoc! { "find": "c", "$db": "d" }).error(), (13, "Unauthorized".to_owned()));
    assert_eq!(raw.command(&hello()).ok(), 1.0);
}

#[test]
fn http_clients_get_a_hint() {
    let (_proxy, mut raw) = client();
    raw.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = String::from_utf8(raw.until_closed()).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.contains("MongoDB over HTTP"), "{answer}");
}

#[test]
fn compressed_requests_get_compressed_replies() {
    let (_proxy, mut raw) = client();
    let reply =
        raw.command(&rawdoc! { "hello": 1, "compression": ["zlib", "nonsense", "zstd"], "$db": "admin" });
    assert!(reply.document().get_array("compression").is_ok());
    let body = rawdoc! { "buildInfo": 1, "$db": "admin" };
    for (id, compress) in [(0, false), (3, true)] {
        let plain = op_msg(8, 0, &body)[16..].to_vec();
        let packed = if compress { zstd::bulk::compress(&plain, 3).unwrap() } else { plain.clone() };
        let size = i32::try_from(plain.len()).unwrap().to_le_bytes();
        let request = message(8, OP_COMPRESSED, &[&OP_MSG.to_le_bytes(), &size, &[id], &packed]);
        let reply = raw.ask(&request);
        assert_eq!((reply.opcode, reply.bytes[24]), (OP_COMPRESSED, id));
        let size = i32::from_le_bytes(reply.bytes[20..24].try_into().unwrap());
        let inner = match compress {
            true => zstd::bulk::decompress(&reply.bytes[25..], usize::try_from(size).unwrap()).unwrap(),
            false => reply.bytes[25..].to_vec(),
        };
        let document = RawDocumentBuf::from_bytes(inner[5..].to_vec()).unwrap();
        assert_eq!(document.get_f64("ok").unwrap(), 1.0);
        assert!(document.get_str("version").is_ok());
    }
    // The handshake is never compressed.
    let plain = op_msg(8, 0, &hello())[16..].to_vec();
    let size = i32::try_from(plain.len()).unwrap().to_le_bytes();
    let reply = raw.ask(&message(8, OP_COMPRESSED, &[&OP_MSG.to_le_bytes(), &size, &[0], &plain]));
    assert_eq!((reply.opcode, reply.ok()), (OP_MSG, 1.0));
    // A bomb closes.
    let bomb = zstd::bulk::compress(&vec![0; 40_000_000], 3).unwrap();
    raw.send(&message(8, OP_COMPRESSED, &[&OP_MSG.to_le_bytes(), &100i32.to_le_bytes(), &[3], &bomb]));
    assert!(raw.until_closed().is_empty());
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
    let begin = Instant::now();
    proxy.stop();
    raw.until_closed();
    assert!(proxy.join());
    assert!(begin.elapsed() < Duration::from_secs(4));
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
fn the_connection_limit() {
    let proxy = Proxy::start(&[("max_client_connections", "2")]);
    let (mut first, mut second) = (Raw::connect(proxy.address), Raw::connect(proxy.address));
    assert_eq!((first.command(&hello()).ok(), second.command(&hello()).ok()), (1.0, 1.0));
    let mut third = Raw::connect(proxy.address);
    assert!(third.until_closed().is_empty());
    assert_eq!(second.command(&hello()).ok(), 1.0);
    first.half_close();
    assert!(first.until_closed().is_empty());
    assert_eq!(Raw::connect(proxy.address).command(&hello()).ok(), 1.0);
}

#[test]
fn with_postgresql_down_it_listens_and_says_so() {
    let proxy = Proxy::start(&[("auth", "false"), ("pool_wait_timeout", "500ms")]);
    let mut raw = Raw::connect(proxy.address);
    assert_eq!(raw.command(&hello()).ok(), 1.0);
    for body in [
        rawdoc! { "find": "c", "$db": "d" },
        rawdoc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "d" },
    ] {
        let reply = raw.command(&body);
        let (code, name) = reply.error();
        assert!(code > 0 && !name.is_empty());
        let message = reply.document().get_str("errmsg").unwrap().to_lowercase();
        assert!(!message.contains("postgres") && !message.contains("127.0.0.1"), "{message}");
    }
    assert_eq!(raw.command(&hello()).ok(), 1.0);
}

#[test]
fn a_client_that_hangs_up_frees_its_place() {
    // PostgreSQL accepts and never answers, so that a request runs until somebody ends it.
    let hole = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u@127.0.0.1:{}/d", hole.local_addr().unwrap().port());
    let proxy = Proxy::start(&[
        ("auth", "false"),
        ("postgresql_url", &url),
        ("pool_wait_timeout", "1h"),
        ("pool_connect_timeout", "1h"),
        ("max_client_connections", "1"),
    ]);
    let mut raw = Raw::connect(proxy.address);
    raw.send(&op_msg(1, 0, &rawdoc! { "find": "c", "$db": "d" }));
    raw.half_close();
    assert!(raw.until_closed().is_empty());
    assert_eq!(Raw::connect(proxy.address).command(&hello()).ok(), 1.0);
}

#[test]
fn an_idle_client_does_not_delay_the_stop() {
    let (mut proxy, mut raw) = client();
    assert_eq!(raw.command(&hello()).ok(), 1.0);
    raw.send(&op_msg(1, 0, &hello())[..20]);
    let begin = Instant::now();
    assert!(proxy.join());
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
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
