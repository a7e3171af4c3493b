//! One message off the front of a buffer.
use bytes::{Buf, Bytes, BytesMut};

use super::MAX_MESSAGE;
use super::bson_check::first_key;
use super::compressor::Compressor;
use super::error::{FrameError, Refusal};
use super::header::{HEADER_LEN, Header, OP_COMPRESSED, OP_GET_MORE, OP_MSG, OP_QUERY};
use super::{Frame, Op, op_compressed, op_msg, op_query};

/// A message from a client and how to answer it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The request, or why it is refused.
    pub content: Content,
    /// The form its reply must have.
    pub shape: ReplyShape,
}

/// What an intact message held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A request to run.
    Frame(Frame),
    /// A request to answer with this error.
    Refused(Refusal),
}

/// The form of a reply, decided by the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyShape {
    /// The request's number.
    pub request_id: i32,
    /// False for `moreToCome` requests.
    pub wants_reply: bool,
    /// Reply with OP_REPLY, because the request was not an OP_MSG.
    pub legacy: bool,
    /// The reply carries a checksum.
    pub checksum: bool,
    /// Compress the reply with this. None also for commands whose replies are never compressed.
    pub compressor: Option<Compressor>,
}

/// Takes one message off the front of `buffer`. `Ok(None)`: it is not whole yet; nothing was taken.
///
/// # Errors
/// After a [`FrameError`] the buffer is of no more use and the connection must be closed.
pub fn decode(buffer: &mut BytesMut) -> Result<Option<Inbound>, FrameError> {
    decode_within(buffer, MAX_MESSAGE)
}

/// The same with a smaller limit, in bytes, for a message both as it comes and as it is after decompression.
pub fn decode_within(buffer: &mut BytesMut, limit: usize) -> Result<Option<Inbound>, FrameError> {
    let Some(header) = Header::peek(buffer)? else { return Ok(None) };
    check_opcode(header.opcode)?;
    if header.length > limit {
        return Err(FrameError::Early(header.length));
    }
    if buffer.len() < header.length {
        return Ok(None);
    }
    let mut message = buffer.split_to(header.length).freeze();
    message.advance(HEADER_LEN);
    decode_message(header, message, limit).map(Some)
}

/// Refuses unknown opcodes as soon as the header is there, before waiting for the rest of the message.
fn check_opcode(opcode: i32) -> Result<(), FrameError> {
    match opcode {
        OP_MSG | OP_QUERY | OP_GET_MORE | OP_COMPRESSED => Ok(()),
        other => Err(FrameError::Opcode(other)),
    }
}

fn decode_message(header: Header, payload: Bytes, limit: usize) -> Result<Inbound, FrameError> {
    if header.opcode != OP_COMPRESSED {
        return decode_plain(header, payload);
    }
    let (compressor, header, payload) = op_compressed::unwrap(header, payload, limit)?;
    let mut inbound = decode_plain(header, payload)?;
    inbound.shape.compressor = match &inbound.content {
        Content::Frame(frame) => may_compress(frame.body()).then_some(compressor),
        Content::Refused(_) => None,
    };
    Ok(inbound)
}

fn decode_plain(header: Header, payload: Bytes) -> Result<Inbound, FrameError> {
    let shape = ReplyShape {
        request_id: header.request_id,
        wants_reply: true,
        legacy: header.opcode != OP_MSG,
        checksum: false,
        compressor: None,
    };
    match header.opcode {
        OP_MSG => {
            let (flags, result) = op_msg::decode(header, payload)?;
            let shape =
                ReplyShape { wants_reply: !flags.more_to_come(), checksum: flags.checksum(), ..shape };
            Ok(Inbound { content: content(header, result.map(Op::Msg)), shape })
        }
        OP_QUERY => {
            Ok(Inbound { content: content(header, op_query::decode(payload)?.map(Op::Query)), shape })
        }
        OP_GET_MORE => Ok(Inbound { content: Content::Refused(Refusal::LegacyOpcode("OP_GET_MORE")), shape }),
        other => Err(FrameError::Opcode(other)),
    }
}

fn content(header: Header, result: Result<Op, Refusal>) -> Content {
    match result {
        Ok(op) => Content::Frame(Frame { request_id: header.request_id, op }),
        Err(refusal) => Content::Refused(refusal),
    }
}

/// Replies of the handshake and of commands that carry secrets are never compressed (compression
/// specification, "commands that must not be compressed").
fn may_compress(body: &[u8]) -> bool {
    const NEVER: [&[u8]; 13] = [
        b"hello",
        b"isMaster",
        b"ismaster",
        b"saslStart",
        b"saslContinue",
        b"getnonce",
        b"authenticate",
        b"createUser",
        b"updateUser",
        b"copydbSaslStart",
        b"copydbgetnonce",
        b"copydb",
        b"_isSelf",
    ];
    first_key(body).is_some_and(|name| !NEVER.contains(&name))
}
