//! Bounded reads over a message: every read says what it was reading when the bytes ran out.
use bytes::{Buf, Bytes};

use super::error::FrameError;

/// A position in a message. Slices it gives out share the message's memory.
#[derive(Debug)]
pub(super) struct Cursor {
    rest: Bytes,
}

impl Cursor {
    pub(super) fn new(bytes: Bytes) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn rest(self) -> Bytes {
        self.rest
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, FrameError> {
        self.rest.try_get_u8().map_err(|_| FrameError::Truncated(what))
    }

    pub(super) fn i32(&mut self, what: &'static str) -> Result<i32, FrameError> {
        self.rest.try_get_i32_le().map_err(|_| FrameError::Truncated(what))
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, FrameError> {
        self.rest.try_get_u32_le().map_err(|_| FrameError::Truncated(what))
    }

    pub(super) fn take(&mut self, length: usize, what: &'static str) -> Result<Bytes, FrameError> {
        if length > self.rest.len() {
            return Err(FrameError::Truncated(what));
        }
        Ok(self.rest.split_to(length))
    }

    /// Bytes up to a NUL, which is skipped.
    pub(super) fn cstring(&mut self, what: &'static str) -> Result<Bytes, FrameError> {
        let length = self.rest.iter().position(|byte| *byte == 0).ok_or(FrameError::Truncated(what))?;
        let text = self.rest.split_to(length);
        self.rest.advance(1);
        Ok(text)
    }

    /// A block that begins with its own length as int32: a document or a sequence. Returns the whole block.
    pub(super) fn block(&mut self, smallest: usize, what: &'static str) -> Result<Bytes, FrameError> {
        let length = self.rest.clone().try_get_i32_le().map_err(|_| FrameError::Truncated(what))?;
        let length = usize::try_from(length).map_err(|_| FrameError::Truncated(what))?;
        if length < smallest {
            return Err(FrameError::Truncated(what));
        }
        self.take(length, what)
    }
}
