//! Tests of the decoder and encoder: frames built by hand here, byte for byte, so that a mistake that decoder and
//! encoder share is seen.
mod bson;
mod compressed;
mod msg;
mod query;
mod replies;

use bytes::{Bytes, BytesMut};

use super::{Content, Frame, FrameError, Inbound, OpMsg, Refusal, decode};

/// A message: header with the right length, then the parts.
fn message(opcode: i32, parts: &[&[u8]]) -> Vec<u8> {
    let payload = parts.concat();
    let length = i32::try_from(16 + payload.len()).unwrap();
    let mut bytes = Vec::new();
    for field in [length, 7, 0, opcode] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend(payload);
    bytes
}

/// A document from elements that are already encoded.
fn document(elements: &[&[u8]]) -> Vec<u8> {
    let inner = elements.concat();
    let mut bytes = i32::try_from(inner.len() + 5).unwrap().to_le_bytes().to_vec();
    bytes.extend(inner);
    bytes.push(0);
    bytes
}

/// An int32 element.
fn int(name: &str, value: i32) -> Vec<u8> {
    [&[0x10], name.as_bytes(), &[0], &value.to_le_bytes()[..]].concat()
}

/// `{ping: 1}`.
fn ping() -> Vec<u8> {
    document(&[&int("ping", 1)])
}

/// A kind-1 section with its kind byte.
fn sequence(identifier: &str, documents: &[Vec<u8>]) -> Vec<u8> {
    let documents = documents.concat();
    let size = i32::try_from(4 + identifier.len() + 1 + documents.len()).unwrap();
    [&[1], &size.to_le_bytes()[..], identifier.as_bytes(), &[0], &documents].concat()
}

fn decode_one(bytes: &[u8]) -> Result<Option<Inbound>, FrameError> {
    decode(&mut BytesMut::from(bytes))
}

fn inbound(bytes: &[u8]) -> Inbound {
    decode_one(bytes).unwrap().unwrap()
}

fn frame(bytes: &[u8]) -> Frame {
    match inbound(bytes).content {
        Content::Frame(frame) => frame,
        Content::Refused(refusal) => panic!("refused: {refusal}"),
    }
}

fn msg(bytes: &[u8]) -> OpMsg {
    match frame(bytes).op {
        super::Op::Msg(msg) => msg,
        super::Op::Query(query) => panic!("not an OP_MSG: {query:?}"),
    }
}

fn refusal(bytes: &[u8]) -> Refusal {
    match inbound(bytes).content {
        Content::Frame(frame) => panic!("accepted: {frame:?}"),
        Content::Refused(refusal) => refusal,
    }
}

fn bytes(from: &[u8]) -> Bytes {
    Bytes::copy_from_slice(from)
}
