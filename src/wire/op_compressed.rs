//! OP_COMPRESSED: the original opcode, the original size, the compressor, the bytes.
use bytes::{BufMut, Bytes, BytesMut};

use super::MAX_MESSAGE;
use super::compressor::Compressor;
use super::cursor::Cursor;
use super::error::FrameError;
use super::header::{HEADER_LEN, Header, OP_COMPRESSED, OP_MSG, OP_QUERY};

/// Bytes in front of the compressed ones.
const PREFIX_LEN: usize = 9;

/// Gives the message inside, with a header as if it had been sent plain.
pub(super) fn unwrap(
    header: Header,
    payload: Bytes,
    limit: usize,
) -> Result<(Compressor, Header, Bytes), FrameError> {
    let mut cursor = Cursor::new(payload);
    let opcode = cursor.i32("the original opcode")?;
    let size = cursor.i32("the uncompressed size")?;
    let id = cursor.u8("the compressor id")?;
    if !matches!(opcode, OP_MSG | OP_QUERY) {
        return Err(FrameError::Opcode(opcode));
    }
    let compressor = Compressor::from_id(id).ok_or(FrameError::Compressor(id))?;
    // Before anything is allocated for it.
    let length = usize::try_from(size)
        .ok()
        .and_then(|size| size.checked_add(HEADER_LEN))
        .filter(|length| *length <= MAX_MESSAGE)
        .ok_or(FrameError::Compressed("the uncompressed size is outside the message limit"))?;
    if length > limit {
        return Err(FrameError::Early(length));
    }
    let payload = compressor.decompress(&cursor.rest(), length.saturating_sub(HEADER_LEN))?;
    Ok((compressor, Header { length, opcode, ..header }, payload))
}

/// Wraps the payload of a message. None if the compressor fails; the message can then be sent plain.
pub(super) fn wrap(compressor: Compressor, header: Header, payload: &[u8]) -> Option<Bytes> {
    let compressed = compressor.compress(payload)?;
    let size = i32::try_from(payload.len()).ok()?;
    let length = HEADER_LEN.checked_add(PREFIX_LEN)?.checked_add(compressed.len())?;
    if length > MAX_MESSAGE {
        return None;
    }
    let mut message = BytesMut::with_capacity(length);
    message.put_slice(&Header { length, opcode: OP_COMPRESSED, ..header }.to_bytes());
    message.put_i32_le(header.opcode);
    message.put_i32_le(size);
    message.put_u8(compressor.id());
    message.put_slice(&compressed);
    Some(message.freeze())
}
