//! The 16 bytes in front of every message.
use bytes::Buf;

use super::MAX_MESSAGE;
use super::error::FrameError;

/// Bytes of a message header.
pub const HEADER_LEN: usize = 16;

/// OP_REPLY, the answer to OP_QUERY.
pub(super) const OP_REPLY: i32 = 1;
/// OP_QUERY: the legacy handshake.
pub(super) const OP_QUERY: i32 = 2004;
/// OP_GET_MORE: gone since MongoDB 5.1, still answered with an error.
pub(super) const OP_GET_MORE: i32 = 2005;
/// OP_COMPRESSED: another message, compressed.
pub(super) const OP_COMPRESSED: i32 = 2012;
/// OP_MSG: every command.
pub(super) const OP_MSG: i32 = 2013;

/// A message header; the length is checked, the opcode is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Of the whole message, this header included.
    pub(super) length: usize,
    pub(super) request_id: i32,
    pub(super) response_to: i32,
    pub(super) opcode: i32,
}

impl Header {
    /// Reads the header at the front of `bytes`; None while there are too few of them.
    pub(super) fn peek(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        let mut rest = bytes;
        let Ok(claimed) = rest.try_get_i32_le() else { return Ok(None) };
        if claimed.to_le_bytes() == *b"GET " {
            return Err(FrameError::Http);
        }
        let length = usize::try_from(claimed).map_err(|_| FrameError::Length(claimed))?;
        if !(HEADER_LEN..=MAX_MESSAGE).contains(&length) {
            return Err(FrameError::Length(claimed));
        }
        let (Ok(request_id), Ok(response_to), Ok(opcode)) =
            (rest.try_get_i32_le(), rest.try_get_i32_le(), rest.try_get_i32_le())
        else {
            return Ok(None);
        };
        Ok(Some(Self { length, request_id, response_to, opcode }))
    }

    /// The header as sent. `length` never exceeds [`MAX_MESSAGE`] here, which fits an int32.
    pub(super) fn to_bytes(self) -> [u8; HEADER_LEN] {
        let length = i32::try_from(self.length).unwrap_or(i32::MAX);
        let mut bytes = [0; HEADER_LEN];
        for (to, from) in
            bytes.chunks_exact_mut(4).zip([length, self.request_id, self.response_to, self.opcode])
        {
            to.copy_from_slice(&from.to_le_bytes());
        }
        bytes
    }
}
