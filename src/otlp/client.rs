//! One POST to the collector, on a connection of its own.
use std::io;
use std::pin::pin;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio_rustls::TlsConnector;

use crate::tasks::Tasks;
use crate::tls;

/// Of an answer that nobody reads in full.
const LONGEST: usize = 64 * 1024;

/// Sends from any thread, with the process's runtime.
#[derive(Clone)]
pub(super) struct Client {
    runtime: Handle,
    tasks: Tasks,
    tls: TlsConnector,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// Of the runtime that this is called in; trusts the authorities that the system trusts.
    pub(super) fn new(tasks: Tasks) -> io::Result<Self> {
        Ok(Self { runtime: Handle::current(), tasks, tls: tls::web_client()? })
    }

    /// The answer, whatever its status is.
    ///
    /// # Errors
    /// No connection, no certificate that is trusted, a broken answer.
    pub(super) async fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let uri = request.uri();
        let host = uri.host().ok_or("the address has no host")?.trim_matches(['[', ']']).to_owned();
        let secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        if secure {
            let stream = self.tls.connect(ServerName::try_from(host)?, stream).await?;
            return exchange(stream, request).await;
        }
        exchange(stream, request).await
    }
}

async fn exchange<S>(stream: S, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let authority = request.uri().authority().map_or("", |authority| authority.as_str()).to_owned();
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    *request.uri_mut() = path.parse::<Uri>()?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(&authority)?);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut work = pin!(async move {
        let (head, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, LONGEST).collect().await?.to_bytes();
        Ok::<_, HttpError>(Response::from_parts(head, body))
    });
    let mut connection = pin!(connection);
    // The connection ends first if the server closes it; what it had read is still there.
    tokio::select! {
        answer = &mut work => answer,
        ended = &mut connection => {
            ended?;
            work.await
        }
    }
}

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            // The batches have a thread of their own, which is no part of the runtime.
            let client = self.clone();
            let sent = {
                let _inside = self.runtime.enter();
                self.tasks.spawn(async move {
                    let limit = super::EXPORT;
                    tokio::time::timeout(limit, client.post(request)).await
                })
            };
            sent.await??
        })
    }
}
