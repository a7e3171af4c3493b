//! `ermine ping`: is the server of this configuration well? Connects to its listeners as a client would.
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::config::{Address, Config};
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
        let answer = timeout(DEADLINE, ask(&listener.address)).await;
        let reason = match answer {
            Ok(Ok(())) => continue,
            Ok(Err(reason)) => reason,
            Err(_) => format!("no answer within {} s", DEADLINE.as_secs()),
        };
        return Err(PingError { address: listener.address.to_string(), reason });
    }
    Ok(())
}

async fn ask(address: &Address) -> Result<(), String> {
    match address {
        Address::Tcp { host, port } => {
            let host = if host.is_empty() { "127.0.0.1" } else { host };
            hello(TcpStream::connect((host, *port)).await.map_err(|error| error.to_string())?).await
        }
        Address::Unix(path) => {
            hello(UnixStream::connect(path).await.map_err(|error| error.to_string())?).await
        }
    }
}

async fn hello(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), String> {
    let body = bson::rawdoc! { "hello": 1, "$db": "admin" };
    let op = Op::Msg(OpMsg {
        more_to_come: false,
        exhaust_allowed: false,
        checksum: false,
        body: body.into_bytes().into(),
        sequences: Vec::new(),
    });
    let bytes = request::encode(&Frame { request_id: 1, op }, None).unwrap_or_default();
    stream.write_all(&bytes).await.map_err(|error| error.to_string())?;
    let mut buffer = BytesMut::new();
    loop {
        if let Some(reply) = request::decode_reply(&mut buffer).map_err(|error| error.to_string())? {
            let ok = bson::RawDocument::from_bytes(&reply.body).and_then(|body| body.get_f64("ok"));
            return match ok {
                Ok(1.0) => Ok(()),
                _ => Err("the reply to hello is an error".to_owned()),
            };
        }
        if stream.read_buf(&mut buffer).await.map_err(|error| error.to_string())? == 0 {
            return Err("the connection was closed instead of a reply".to_owned());
        }
    }
}
