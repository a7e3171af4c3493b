//! Replies as bytes.
use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::MAX_MESSAGE;
use super::decode::ReplyShape;
use super::header::{HEADER_LEN, Header, OP_MSG, OP_REPLY};
use super::op_compressed;
use super::op_msg::{CHECKSUM_LEN, CHECKSUM_PRESENT, MORE_TO_COME, checksum};

/// OP_REPLY flag: the query could not be run, the document says why.
const QUERY_FAILURE: i32 = 2;
/// OP_REPLY flag: awaitData is understood. Set by every server on every reply.
const AWAIT_CAPABLE: i32 = 8;

/// A message ready to be written: three parts, so that the body is never copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    head: Bytes,
    body: Bytes,
    tail: Bytes,
}

impl Encoded {
    /// All parts as one buffer for a vectored write.
    pub fn into_buf(self) -> impl Buf {
        self.head.chain(self.body).chain(self.tail)
    }

    /// Bytes of the whole message.
    pub fn len(&self) -> usize {
        self.head.len().saturating_add(self.body.len()).saturating_add(self.tail.len())
    }

    /// Never true: a message has a header.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Encodes `body`, one document, as the reply to a request of that shape. `request_id` is the server's own
/// number for this message, `response_to` the request's number (for the later replies of a stream, the number
/// of the previous reply). `failed` marks OP_REPLY errors of the legacy kind.
///
/// None if the message would exceed [`MAX_MESSAGE`].
pub fn encode_reply(
    shape: &ReplyShape,
    request_id: i32,
    response_to: i32,
    body: Bytes,
    more_to_come: bool,
    failed: bool,
) -> Option<Encoded> {
    if shape.legacy {
        let mut payload = BytesMut::with_capacity(HEADER_LEN.saturating_add(20));
        let flags = if failed { AWAIT_CAPABLE | QUERY_FAILURE } else { AWAIT_CAPABLE };
        payload.put_i32_le(flags);
        // No cursor, from document 0, one document.
        payload.put_i64_le(0);
        payload.put_i32_le(0);
        payload.put_i32_le(1);
        return assemble(
            shape,
            Header { length: 0, request_id, response_to, opcode: OP_REPLY },
            payload,
            body,
        );
    }
    let mut flags = 0;
    if more_to_come {
        flags |= MORE_TO_COME;
    }
    if shape.checksum && shape.compressor.is_none() {
        flags |= CHECKSUM_PRESENT;
    }
    let mut payload = BytesMut::with_capacity(5);
    payload.put_u32_le(flags);
    payload.put_u8(0);
    assemble(shape, Header { length: 0, request_id, response_to, opcode: OP_MSG }, payload, body)
}

fn assemble(shape: &ReplyShape, header: Header, prefix: BytesMut, body: Bytes) -> Option<Encoded> {
    let with_checksum = shape.checksum && shape.compressor.is_none() && !shape.legacy;
    let tail_len = if with_checksum { CHECKSUM_LEN } else { 0 };
    let length = HEADER_LEN.checked_add(prefix.len())?.checked_add(body.len())?.checked_add(tail_len)?;
    if length > MAX_MESSAGE {
        return None;
    }
    let header = Header { length, ..header };
    if let Some(compressor) = shape.compressor {
        let mut payload = prefix.clone();
        payload.extend_from_slice(&body);
        if let Some(message) = op_compressed::wrap(compressor, header, &payload) {
            return Some(Encoded { head: message, body: Bytes::new(), tail: Bytes::new() });
        }
    }
    let mut head = BytesMut::with_capacity(HEADER_LEN.saturating_add(prefix.len()));
    head.extend_from_slice(&header.to_bytes());
    head.extend_from_slice(&prefix);
    let tail = if with_checksum {
        let crc = crc32c::crc32c_append(checksum(header, &prefix), &body);
        Bytes::copy_from_slice(&crc.to_le_bytes())
    } else {
        Bytes::new()
    };
    Some(Encoded { head: head.freeze(), body, tail })
}
