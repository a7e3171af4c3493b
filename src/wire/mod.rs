//! The MongoDB wire protocol as a pure function of bytes: requests in, replies out, no IO, nothing of the crate.
//!
//! [`decode`] takes one message off the front of a buffer. What comes out is one of three:
//! a [`Frame`] whose every length and every document was checked; a [`Refusal`], where the message was intact
//! but its content is not acceptable, so that the client gets an error reply and the connection lives; or a
//! [`FrameError`], after which the stream can't be trusted and must be closed.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod bson_check;
mod compressor;
mod cursor;
mod decode;
mod encode;
mod error;
mod header;
mod op_compressed;
mod op_msg;
mod op_query;
pub mod request;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use bson_check::{check_document, check_sequence, first_key};
pub use compressor::Compressor;
pub use decode::{Content, Inbound, ReplyShape, decode, decode_within};
pub use encode::{Encoded, encode_reply};
pub use error::{BsonFault, FrameError, Refusal};
pub use header::HEADER_LEN;

/// A whole message, header included; a longer one closes the connection. MongoDB's `maxMessageSizeBytes`.
pub const MAX_MESSAGE: usize = 48_000_000;
/// A user's document. MongoDB's `maxBsonObjectSize`.
pub const MAX_USER_DOCUMENT: usize = 16 * 1024 * 1024;
/// Any document in a message: a user's document with 16 KiB for the command around it.
pub const MAX_DOCUMENT: usize = MAX_USER_DOCUMENT + 16 * 1024;
/// Levels of documents and arrays below the top one.
pub const MAX_NESTING: usize = 200;
/// Document sequences in one message. No command knows more than two; the bound keeps the search for
/// duplicates short.
pub const MAX_SEQUENCES: usize = 16;
/// What an HTTP client gets that found the port by mistake.
pub const HTTP_HINT: &[u8] = b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n\
Content-Length: 85\r\n\r\nIt looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n";

/// One request, decompressed, with every length in it checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The client's number for this request; the reply repeats it as `responseTo`.
    pub request_id: i32,
    /// The request itself.
    pub op: Op,
}

/// The two kinds of request that are still served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// OP_MSG: every command.
    Msg(OpMsg),
    /// OP_QUERY: only the legacy handshake.
    Query(OpQuery),
}

/// An OP_MSG request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpMsg {
    /// The client wants no reply, whatever happens.
    pub more_to_come: bool,
    /// The client accepts a stream of replies to this request.
    pub exhaust_allowed: bool,
    /// The client sent a checksum (already verified); the reply carries one too.
    pub checksum: bool,
    /// The command document, structurally checked.
    pub body: Bytes,
    /// The document sequences in the order they were sent, identifiers unique and absent from the body.
    pub sequences: Vec<Sequence>,
}

/// A kind-1 section of OP_MSG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// The field it stands for, without the terminating NUL: `documents`, `updates`, …
    pub identifier: Bytes,
    /// Documents one after the other, each structurally checked. May be empty.
    pub documents: Bytes,
}

/// An OP_QUERY request on a `$cmd` collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpQuery {
    /// The flag bits as sent.
    pub flags: i32,
    /// Full collection name without the terminating NUL: `admin.$cmd`.
    pub collection: Bytes,
    /// The command document, structurally checked.
    pub body: Bytes,
}

impl Frame {
    /// The command document.
    pub fn body(&self) -> &Bytes {
        match &self.op {
            Op::Msg(msg) => &msg.body,
            Op::Query(query) => &query.body,
        }
    }

    /// True for requests that must never be answered.
    pub fn wants_no_reply(&self) -> bool {
        matches!(&self.op, Op::Msg(OpMsg { more_to_come: true, .. }))
    }
}
