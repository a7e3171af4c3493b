//! What goes back to a client.
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
