//! Replies, byte for byte.
use ::bytes::Buf;

use super::super::{ReplyShape, encode_reply, request};
use super::*;

const SHAPE: ReplyShape =
    ReplyShape { request_id: 7, wants_reply: true, legacy: false, checksum: false, compressor: None };

fn encoded(shape: &ReplyShape, more_to_come: bool, failed: bool) -> Vec<u8> {
    let reply = encode_reply(shape, 3, 7, ping().into(), more_to_come, failed).unwrap();
    let length = reply.len();
    reply.into_buf().copy_to_bytes(length).to_vec()
}

fn header(length: usize, opcode: i32) -> Vec<u8> {
    [i32::try_from(length).unwrap(), 3, 7, opcode].into_iter().flat_map(i32::to_le_bytes).collect()
}

#[test]
fn op_msg() {
    let expected = [header(21 + ping().len(), 2013), vec![0; 5], ping()].concat();
    assert_eq!(encoded(&SHAPE, false, false), expected);
    let expected = [header(21 + ping().len(), 2013), vec![2, 0, 0, 0, 0], ping()].concat();
    assert_eq!(encoded(&SHAPE, true, false), expected);
}

#[test]
fn op_msg_with_checksum() {
    let shape = ReplyShape { checksum: true, ..SHAPE };
    let mut expected = [header(25 + ping().len(), 2013), vec![1, 0, 0, 0, 0], ping()].concat();
    expected.extend(crc32c::crc32c(&expected).to_le_bytes());
    assert_eq!(encoded(&shape, false, false), expected);
}

#[test]
fn op_reply() {
    let shape = ReplyShape { legacy: true, ..SHAPE };
    for (failed, flags) in [(false, 8), (true, 10)] {
        let fields = [&[flags, 0, 0, 0][..], &[0; 8], &[0; 4], &[1, 0, 0, 0]].concat();
        let expected = [header(36 + ping().len(), 1), fields, ping()].concat();
        assert_eq!(encoded(&shape, false, failed), expected);
    }
}

#[test]
fn a_reply_has_the_limit_of_a_message() {
    let body = Bytes::from(vec![0; 48_000_000 - 21]);
    assert!(encode_reply(&SHAPE, 1, 1, body, false, false).is_some());
    let body = Bytes::from(vec![0; 48_000_000 - 20]);
    assert!(encode_reply(&SHAPE, 1, 1, body, false, false).is_none());
}

#[test]
fn the_client_side_reads_what_the_server_wrote() {
    for (checksum, more_to_come) in [(false, false), (true, false), (false, true), (true, true)] {
        let shape = ReplyShape { checksum, ..SHAPE };
        let whole = encoded(&shape, more_to_come, false);
        let mut buffer = BytesMut::from(&whole[..]);
        let reply = request::decode_reply(&mut buffer).unwrap().unwrap();
        assert_eq!((reply.request_id, reply.response_to), (3, 7));
        assert_eq!((reply.more_to_come, reply.body), (more_to_come, ping().into()));
        assert_eq!(request::decode_reply(&mut BytesMut::from(&whole[..20])), Ok(None));
    }
    let legacy = encoded(&ReplyShape { legacy: true, ..SHAPE }, false, false);
    assert_eq!(request::decode_reply(&mut BytesMut::from(&legacy[..])), Err(FrameError::Opcode(1)));
}

#[test]
fn refusals_are_error_documents() {
    let body = Refusal::NoBody.reply_body();
    let body = ::bson::RawDocument::from_bytes(&body).unwrap();
    assert_eq!(body.get_f64("ok").unwrap(), 0.0);
    assert_eq!(body.get_i32("code").unwrap(), 40587);
    assert_eq!(body.get_str("codeName").unwrap(), "Location40587");
    assert_eq!(body.get_str("errmsg").unwrap(), "OP_MSG messages must have a body");
    let body = Refusal::LegacyOpcode("OP_QUERY").reply_body();
    let body = ::bson::RawDocument::from_bytes(&body).unwrap();
    assert!(body.get_str("$err").unwrap().starts_with("OP_QUERY is no longer supported. The client driver"));
    assert_eq!((body.get_i32("code").unwrap(), body.get_f64("ok").unwrap()), (5_739_101, 0.0));
}
