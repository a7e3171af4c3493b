//! What goes back to a client: documents that are ready, errors, and the outcome of writes.
pub mod error;
pub mod ok;
pub mod text;
pub mod write_errors;

use bson::RawDocumentBuf;
use bytes::Bytes;

/// The answer to one request.
#[derive(Debug, Clone)]
pub struct Reply {
    /// One BSON document.
    pub body: Bytes,
    /// `Some(next)`: set `moreToCome` on this reply and run `next` (a command body) as the following request,
    /// without reading from the client.
    pub exhaust: Option<Bytes>,
    /// Close the connection after this reply was written.
    pub close: bool,
}

impl Reply {
    /// A reply whose document is ready, as it came from PostgreSQL.
    pub fn ready(body: Bytes) -> Self {
        Self { body, exhaust: None, close: false }
    }
}

impl From<RawDocumentBuf> for Reply {
    fn from(document: RawDocumentBuf) -> Self {
        Self::ready(document.into_bytes().into())
    }
}
