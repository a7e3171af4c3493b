//! OP_COMPRESSED, in both directions.
use super::super::{Compressor, Op, encode_reply, request};
use super::*;
use ::bytes::Buf;

const ALL: [Compressor; 4] = [Compressor::Noop, Compressor::Snappy, Compressor::Zlib, Compressor::Zstd];

fn wrapped(opcode: i32, size: i32, id: u8, bytes: &[u8]) -> Vec<u8> {
    message(2012, &[&opcode.to_le_bytes(), &size.to_le_bytes(), &[id], bytes])
}

/// Flags, kind 0, `{ping: 1}`: what stands behind the header of a plain message.
fn plain() -> Vec<u8> {
    [&[0; 5][..], &ping()].concat()
}

fn plain_len() -> i32 {
    i32::try_from(plain().len()).unwrap()
}

#[test]
fn every_compressor_there_and_back() {
    for compressor in ALL {
        let bytes = wrapped(2013, plain_len(), compressor.id(), &compressor.compress(&plain()).unwrap());
        let decoded = inbound(&bytes);
        assert_eq!(msg(&bytes).body, ping());
        assert_eq!(decoded.shape.compressor, Some(compressor));

        let reply = encode_reply(&decoded.shape, 1, 7, ping().into(), false, false).unwrap();
        let reply = reply.into_buf().copy_to_bytes(reply_len(&decoded.shape));
        assert_eq!(reply[12..16], 2012i32.to_le_bytes());
        assert_eq!(reply[16..20], 2013i32.to_le_bytes());
        assert_eq!(reply[20..24], plain_len().to_le_bytes());
        assert_eq!(reply[24], compressor.id());
        let inner = compressor.decompress(&reply.slice(25..), plain().len()).unwrap();
        assert_eq!(inner, plain());
        assert_eq!(i32::from_le_bytes(reply[..4].try_into().unwrap()), i32::try_from(reply.len()).unwrap());
    }
}

fn reply_len(shape: &super::super::ReplyShape) -> usize {
    encode_reply(shape, 1, 7, ping().into(), false, false).unwrap().len()
}

#[test]
fn ids_and_names() {
    assert_eq!(ALL.map(Compressor::id), [0, 1, 2, 3]);
    assert_eq!((0..=255).filter_map(Compressor::from_id).collect::<Vec<_>>(), ALL);
    assert_eq!(Compressor::NEGOTIABLE.map(|(name, _)| name), ["zstd", "snappy", "zlib"]);
}

#[test]
fn a_compressed_legacy_query() {
    let payload = [&4i32.to_le_bytes()[..], b"admin.$cmd\0", &[0; 8], &ping()].concat();
    let size = i32::try_from(payload.len()).unwrap();
    assert!(matches!(frame(&wrapped(2004, size, 0, &payload)).op, Op::Query(_)));
}

#[test]
fn a_checksum_inside_counts_the_plain_header() {
    let plain = {
        let mut plain = message(2013, &[&1u32.to_le_bytes(), &[0], &ping(), &[0; 4]]);
        let at = plain.len() - 4;
        let crc = crc32c::crc32c(&plain[..at]);
        plain[at..].copy_from_slice(&crc.to_le_bytes());
        plain
    };
    let size = i32::try_from(plain.len() - 16).unwrap();
    assert!(msg(&wrapped(2013, size, 0, &plain[16..])).checksum);
    let mut bad = plain;
    bad[25] ^= 1;
    assert_eq!(decode_one(&wrapped(2013, size, 0, &bad[16..])), Err(FrameError::Checksum));
}

#[test]
fn sizes_are_not_believed() {
    let size_error = FrameError::Compressed("the uncompressed size is wrong");
    let limit = FrameError::Compressed("the uncompressed size is outside the message limit");
    for compressor in ALL {
        let bytes = compressor.compress(&plain()).unwrap();
        for wrong in [plain_len() - 1, plain_len() + 1, 0] {
            let result = decode_one(&wrapped(2013, wrong, compressor.id(), &bytes));
            assert_eq!(result, Err(size_error.clone()), "{compressor:?} {wrong}");
        }
        for outside in [-1, i32::MIN, 48_000_000 - 15, i32::MAX] {
            let result = decode_one(&wrapped(2013, outside, compressor.id(), &bytes));
            assert_eq!(result, Err(limit.clone()), "{compressor:?} {outside}");
        }
    }
}

#[test]
fn a_bomb_stops_at_its_claim() {
    let zeros = vec![0; 40_000_000];
    for compressor in [Compressor::Zlib, Compressor::Zstd] {
        let bomb = compressor.compress(&zeros).unwrap();
        let result = decode_one(&wrapped(2013, 1000, compressor.id(), &bomb));
        assert_eq!(result, Err(FrameError::Compressed("the uncompressed size is wrong")));
    }
    // Snappy says its size in front; ten bytes that promise 40 MB are refused without a buffer for them.
    let mut lie = Compressor::Snappy.compress(&zeros).unwrap();
    lie.truncate(10);
    let result = decode_one(&wrapped(2013, 40_000_000, 1, &lie));
    assert_eq!(result, Err(FrameError::Compressed("the uncompressed size is wrong")));
}

#[test]
fn broken_bytes_close() {
    for compressor in [Compressor::Snappy, Compressor::Zlib, Compressor::Zstd] {
        let result = decode_one(&wrapped(2013, 26, compressor.id(), &[0xff; 20]));
        assert_eq!(result, Err(FrameError::Compressed("the compressed bytes are broken")), "{compressor:?}");
    }
    assert_eq!(decode_one(&wrapped(2013, 26, 4, &[])), Err(FrameError::Compressor(4)));
    for opcode in [1, 2005, 2012, 0] {
        assert_eq!(decode_one(&wrapped(opcode, plain_len(), 0, &plain())), Err(FrameError::Opcode(opcode)));
    }
    for (length, what) in [(3, "the original opcode"), (7, "the uncompressed size"), (8, "the compressor id")]
    {
        let prefix: Vec<u8> = [2013i32.to_le_bytes(), 26i32.to_le_bytes()].concat();
        assert_eq!(decode_one(&message(2012, &[&prefix[..length]])), Err(FrameError::Truncated(what)));
    }
}

#[test]
fn secrets_and_handshakes_are_answered_plain() {
    for name in ["hello", "isMaster", "ismaster", "saslStart", "saslContinue", "createUser", "updateUser"] {
        let op = Op::Msg(OpMsg {
            more_to_come: false,
            exhaust_allowed: false,
            checksum: false,
            body: document(&[&int(name, 1)]).into(),
            sequences: vec![],
        });
        let bytes = request::encode(&Frame { request_id: 1, op }, Some(Compressor::Zlib)).unwrap();
        assert_eq!(inbound(&bytes).shape.compressor, None, "{name}");
    }
}
