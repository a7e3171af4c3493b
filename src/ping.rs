//! `ermine ping`: is the server of this configuration well? Connects to its listeners as a client would.
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::config::{Address, Config, Listener, TlsFiles, TlsMode};
use crate::tls;
use crate::wire::request;
use crate::wire::{Frame, Op, OpMsg};

/// For one listener, connecting included.
const DEADLINE: Duration = Duration::from_secs(4);

/// A listener did not answer as it should.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {reason}")]
pub struct PingError {
    address: String,
    reason: String,
}

/// Sends `hello` to every listener of the configuration.
///
/// # Errors
/// The first listener that does not answer with `ok: 1` in time.
pub async fn ping(config: &Config) -> Result<(), PingError> {
    for listener in &config.listeners {
        let answer = timeout(DEADLINE, ask(listener, config.tls.as_ref())).await;
        let reason = match answer {
            Ok(Ok(())) => continue,
            Ok(Err(reason)) => reason,
            Err(_) => format!("no answer within {} s", DEADLINE.as_secs()),
        };
        return Err(PingError { address: listener.address.to_string(), reason });
    }
    Ok(())
}

async fn ask(listener: &Listener, files: Option<&TlsFiles>) -> Result<(), String> {
    let tls = files.filter(|_| listener.tls != TlsMode::Off);
    match &listener.address {
        Address::Tcp { host, port } => {
            let host = if host.is_empty() { "127.0.0.1" } else { host };
            let stream = TcpStream::connect((host, *port)).await.map_err(|error| error.to_string())?;
            match tls {
                None => hello(stream).await.map_err(|error| error.to_string()),
                Some(files) => over_tls(stream, files).await,
            }
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(|error| error.to_string())?;
            hello(stream).await.map_err(|error| error.to_string())
        }
    }
}

/// The server has to present the certificate of this configuration. A server that then wants ours is well: we have none.
async fn over_tls(stream: TcpStream, files: &TlsFiles) -> Result<(), String> {
    let (connector, name) = tls::own_client(files).map_err(|error| error.to_string())?;
    let asked = async { hello(connector.connect(name, stream).await?).await };
    match asked.await {
        Err(error) if files.ca.is_some() && tls::wants_certificate(&error) => Ok(()),
        answer => answer.map_err(|error| error.to_string()),
    }
}

async fn hello(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let body = bson::rawdoc! { "hello": 1, "$db": "admin" };
    let op = Op::Msg(OpMsg {
        more_to_come: false,
        exhaust_allowed: false,
        checksum: false,
        body: body.into_bytes().into(),
        sequences: Vec::new(),
    });
    let bytes = request::encode(&Frame { request_id: 1, op }, None).unwrap_or_default();
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    let mut buffer = BytesMut::new();
    loop {
        if let Some(reply) = request::decode_reply(&mut buffer).map_err(io::Error::other)? {
            let ok = bson::RawDocument::from_bytes(&reply.body).and_then(|body| body.get_f64("ok"));
            return match ok {
                Ok(1.0) => Ok(()),
                _ => Err(io::Error::other("the reply to hello is an error")),
            };
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(io::Error::other("the connection was closed instead of a reply"));
        }
    }
}
