//! The TLS handshake of a client, where its listener asks for one.
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::TlsMode;
use crate::tls::ServerTls;

/// The first byte of a TLS handshake record (RFC 8446 5.1). In MongoDB's protocol it would be a length.
const RECORD: u8 = 22;

/// What clients of a listener speak, and what they are shown.
#[derive(Debug, Clone)]
pub(super) enum Secure {
    Off,
    Accepted(Arc<ServerTls>),
    Required(Arc<ServerTls>),
}

/// A connection after its handshake.
pub(super) enum Stream {
    Plain(TcpStream),
    // A TLS state is over a kilobyte.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Secure {
    /// `tls` is there if any listener needs it.
    pub(super) fn new(mode: TlsMode, tls: Option<&Arc<ServerTls>>) -> Self {
        match (mode, tls) {
            (TlsMode::Accepted, Some(tls)) => Self::Accepted(Arc::clone(tls)),
            (TlsMode::Required, Some(tls)) => Self::Required(Arc::clone(tls)),
            _ => Self::Off,
        }
    }

    /// Makes the connection what its listener promises, within `limit`.
    pub(super) async fn handshake(&self, stream: TcpStream, limit: Duration) -> io::Result<Stream> {
        let shaken = async {
            let tls = match self {
                Self::Off => return Ok(Stream::Plain(stream)),
                Self::Accepted(_) if !starts_tls(&stream).await? => return Ok(Stream::Plain(stream)),
                Self::Accepted(tls) | Self::Required(tls) => tls,
            };
            let stream = TlsAcceptor::from(tls.config()).accept(stream).await?;
            Ok(Stream::Tls(Box::new(stream)))
        };
        tokio::time::timeout(limit, shaken).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

async fn starts_tls(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    Ok(stream.peek(&mut first).await? == 1 && first == [RECORD])
}
