//! The client's side: encodes requests and reads replies. For `ermine ping` and for tests of the decoder.
use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::compressor::Compressor;
use super::error::FrameError;
use super::header::{HEADER_LEN, Header, OP_MSG, OP_QUERY};
use super::op_msg::{CHECKSUM_LEN, CHECKSUM_PRESENT, EXHAUST_ALLOWED, MORE_TO_COME, checksum};
use super::{Frame, MAX_MESSAGE, Op, op_compressed, op_msg};

/// Encodes a request as a driver would. None if it exceeds [`MAX_MESSAGE`].
pub fn encode(frame: &Frame, compressor: Option<Compressor>) -> Option<Bytes> {
    let (opcode, with_checksum, mut payload) = match &frame.op {
        Op::Msg(msg) => {
            let flag = |set: bool, bit: u32| if set { bit } else { 0 };
            let mut payload = BytesMut::new();
            payload.put_u32_le(
                flag(msg.checksum, CHECKSUM_PRESENT)
                    | flag(msg.more_to_come, MORE_TO_COME)
                    | flag(msg.exhaust_allowed, EXHAUST_ALLOWED),
            );
            payload.put_u8(0);
            payload.put_slice(&msg.body);
            for sequence in &msg.sequences {
                let size =
                    5_usize.checked_add(sequence.identifier.len())?.checked_add(sequence.documents.len())?;
                payload.put_u8(1);
                payload.put_i32_le(i32::try_from(size).ok()?);
                payload.put_slice(&sequence.identifier);
                payload.put_u8(0);
                payload.put_slice(&sequence.documents);
            }
            (OP_MSG, msg.checksum, payload)
        }
        Op::Query(query) => {
            let mut payload = BytesMut::new();
            payload.put_i32_le(query.flags);
            payload.put_slice(&query.collection);
            payload.put_u8(0);
            payload.put_i32_le(0);
            payload.put_i32_le(-1);
            payload.put_slice(&query.body);
            (OP_QUERY, false, payload)
        }
    };
    let tail = if with_checksum { CHECKSUM_LEN } else { 0 };
    let length = HEADER_LEN.checked_add(payload.len())?.checked_add(tail)?;
    if length > MAX_MESSAGE {
        return None;
    }
    let header = Header { length, request_id: frame.request_id, response_to: 0, opcode };
    if with_checksum {
        payload.put_u32_le(checksum(header, &payload));
    }
    if let Some(compressor) = compressor {
        return op_compressed::wrap(compressor, header, &payload);
    }
    let mut message = BytesMut::with_capacity(length);
    message.put_slice(&header.to_bytes());
    message.put_slice(&payload);
    Some(message.freeze())
}

/// A reply as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyFrame {
    /// The server's number for this message.
    pub request_id: i32,
    /// The number it answers.
    pub response_to: i32,
    /// Another reply follows without a request.
    pub more_to_come: bool,
    /// The document.
    pub body: Bytes,
}

/// Takes one plain OP_MSG reply off the front of `buffer`; `Ok(None)` while it is not whole.
///
/// # Errors
/// The reply breaks the protocol.
pub fn decode_reply(buffer: &mut BytesMut) -> Result<Option<ReplyFrame>, FrameError> {
    let Some(header) = Header::peek(buffer)? else { return Ok(None) };
    if header.opcode != OP_MSG {
        return Err(FrameError::Opcode(header.opcode));
    }
    if buffer.len() < header.length {
        return Ok(None);
    }
    let mut payload = buffer.split_to(header.length).freeze();
    payload.advance(HEADER_LEN);
    let (_, message) = op_msg::decode(header, payload)?;
    let message = message.map_err(|_| FrameError::Truncated("the reply's body"))?;
    Ok(Some(ReplyFrame {
        request_id: header.request_id,
        response_to: header.response_to,
        more_to_come: message.more_to_come,
        body: message.body,
    }))
}
