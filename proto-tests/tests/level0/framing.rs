//! Frames: how they come in pieces and in rows, and what their headers and flags say.
use bson::{RawDocumentBuf, rawdoc};
use proto_tests::raw::{OP_COMPRESSED, OP_MSG, message, op_msg};

use crate::{client, hello};

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
fn unknown_opcodes_close() {
    for opcode in [0, 1, 2001, 2002, 2006, 2007, 2010, 2011, 2014, 9999] {
        let (_proxy, mut raw) = client();
        raw.send(&message(1, opcode, &[&[0; 20]]));
        assert!(raw.until_closed().is_empty(), "{opcode}");
    }
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
