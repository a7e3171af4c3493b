//! Frames from and to a socket: the one buffer that is read into, the one write per reply.
use std::future::pending;
use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::wire::{self, Encoded, FrameError, Inbound, ReplyShape};

/// Room for a read; most messages fit.
const READ_ROOM: usize = 16 * 1024;
/// Less room than this is too little for a read.
const MIN_ROOM: usize = 2 * 1024;
/// Replies to requests that came together leave together, up to so many bytes.
const BATCH: usize = 16 * 1024;
/// A buffer that grew beyond this for one message is given back.
const KEEP: usize = 256 * 1024;
/// Bytes taken from a client ahead of the request that runs. Beyond it the client has to wait.
const READ_AHEAD: usize = 1024 * 1024;

/// The read side of a connection.
#[derive(Debug)]
pub(super) struct Reader<R> {
    socket: R,
    buffer: BytesMut,
    /// The client will send no more.
    ended: bool,
    /// Bytes read since somebody asked.
    bytes: u64,
}

/// Why no further message comes from a connection.
#[derive(Debug)]
pub(super) enum End {
    /// The client closed its side, between two messages.
    Closed,
    /// The client closed its side within a message.
    Cut,
    /// Reading failed.
    Io(io::Error),
    /// What was read can't be trusted.
    Frame(FrameError),
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(socket: R) -> Self {
        Self { socket, buffer: BytesMut::new(), ended: false, bytes: 0 }
    }

    /// The next message, if it was read already and is not longer than `limit`.
    pub(super) fn buffered(&mut self, limit: usize) -> Result<Option<Inbound>, End> {
        wire::decode_within(&mut self.buffer, limit).map_err(End::Frame)
    }

    /// The next message, if it is not longer than `limit`. Can be dropped and called again without losing anything.
    pub(super) async fn next(&mut self, limit: usize) -> Result<Inbound, End> {
        loop {
            if let Some(inbound) = self.buffered(limit)? {
                return Ok(inbound);
            }
            if self.buffer.is_empty() && self.buffer.capacity() > KEEP {
                self.buffer = BytesMut::new();
            }
            if self.ended || self.read().await.map_err(End::Io)? == 0 {
                self.ended = true;
                return Err(if self.buffer.is_empty() { End::Closed } else { End::Cut });
            }
        }
    }

    /// Resolves when the client has closed its side. Meanwhile reads ahead.
    pub(super) async fn hang_up(&mut self) {
        while !self.ended {
            if self.buffer.len() >= READ_AHEAD {
                // The next request decides; until it is taken, a hang-up is not seen.
                return pending().await;
            }
            self.ended = matches!(self.read().await, Ok(0) | Err(_));
        }
    }

    /// True once [`Reader::hang_up`] has seen the end.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// How many bytes were read since this was asked before.
    pub(super) fn take_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }

    async fn read(&mut self) -> io::Result<usize> {
        // A message that is still in use shares the buffer, so that every reserve would make a new one.
        if self.buffer.capacity() - self.buffer.len() < MIN_ROOM {
            self.buffer.reserve(READ_ROOM);
        }
        let read = self.socket.read_buf(&mut self.buffer).await?;
        self.bytes += read as u64;
        Ok(read)
    }
}

/// The write side of a connection.
#[derive(Debug)]
pub(super) struct Writer<W> {
    socket: W,
    /// The server's own numbers for its messages.
    last_id: i32,
    /// The last reply, not sent yet.
    waiting: Option<Encoded>,
    /// Those before it, if there are any, in one piece.
    batched: Vec<u8>,
    /// Bytes written since somebody asked.
    bytes: u64,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(super) fn new(socket: W) -> Self {
        Self { socket, last_id: 0, waiting: None, batched: Vec::new(), bytes: 0 }
    }

    /// Takes `body` as a reply, which [`Writer::flush`] sends, and returns the number it was given.
    pub(super) async fn reply(
        &mut self,
        shape: &ReplyShape,
        response_to: i32,
        body: Bytes,
        more_to_come: bool,
        failed: bool,
    ) -> io::Result<i32> {
        self.last_id = self.last_id.wrapping_add(1);
        let encoded = wire::encode_reply(shape, self.last_id, response_to, body, more_to_come, failed)
            .ok_or_else(|| io::Error::other("a reply is longer than a message may be"))?;
        self.bytes += encoded.len() as u64;
        if let Some(before) = self.waiting.take() {
            self.batch(&before);
        }
        if self.batched.len() + encoded.len() > BATCH {
            self.flush().await?;
        }
        self.waiting = Some(encoded);
        Ok(self.last_id)
    }

    /// True if a reply was not sent yet.
    pub(super) fn holds(&self) -> bool {
        self.waiting.is_some()
    }

    /// Sends all replies.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        let waiting = self.waiting.take();
        if self.batched.is_empty() {
            // The usual case: one reply, whose parts are not copied.
            let Some(encoded) = waiting else { return Ok(()) };
            self.socket.write_all_buf(&mut encoded.into_buf()).await?;
        } else {
            if let Some(encoded) = waiting {
                self.batch(&encoded);
            }
            let batched = std::mem::take(&mut self.batched);
            self.socket.write_all(&batched).await?;
        }
        // TLS keeps what the socket did not take at once.
        self.socket.flush().await
    }

    fn batch(&mut self, encoded: &Encoded) {
        self.batched.reserve(encoded.len());
        self.batched.put(encoded.clone().into_buf());
    }

    /// How many bytes of replies were written since this was asked before.
    pub(super) fn take_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }

    /// Writes bytes that are no reply.
    pub(super) async fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// Tells the client that nothing more comes.
    pub(super) async fn close(&mut self) {
        // The client may be gone already.
        let _ = self.socket.shutdown().await;
    }
}
