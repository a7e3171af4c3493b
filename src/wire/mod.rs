//! The MongoDB wire protocol as a pure function of bytes. Uses nothing of the crate.
use bytes::Bytes;

/// One request, decompressed, with every length in it checked.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The client's number for this request; the reply repeats it as `responseTo`.
    pub request_id: i32,
    /// The request itself.
    pub op: Op,
}

/// The two kinds of request that are still served.
#[derive(Debug, Clone)]
pub enum Op {
    /// OP_MSG: every command.
    Msg(OpMsg),
    /// OP_QUERY: only the legacy handshake.
    Query(OpQuery),
}

/// An OP_MSG request.
#[derive(Debug, Clone)]
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
#[derive(Debug, Clone)]
pub struct Sequence {
    /// The field it stands for, without the terminating NUL: `documents`, `updates`, …
    pub identifier: Bytes,
    /// Documents one after the other, each structurally checked.
    pub documents: Bytes,
}

/// An OP_QUERY request on a `$cmd` collection.
#[derive(Debug, Clone)]
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
