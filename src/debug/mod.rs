//! The HTTP listener for those who watch over the process: metrics and probes. It serves no data and takes no orders.
mod probe;
mod sample;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::command::Services;
use crate::tls::ServerTls;

/// Whoever opens more connections waits.
const CONNECTIONS: usize = 64;
/// For the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);
/// Wait after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the answers are made of.
pub struct Debug<C> {
    cx: Arc<C>,
    tls: Option<Arc<ServerTls>>,
}

impl<C> Debug<C>
where
    C: std::ops::Deref<Target = Services> + Send + Sync + 'static,
{
    /// For the process with these services and this certificate.
    pub fn new(cx: Arc<C>, tls: Option<Arc<ServerTls>>) -> Arc<Self> {
        Arc::new(Self { cx, tls })
    }

    /// What `/debug/metrics` tells, for those who send it elsewhere.
    pub fn metrics(&self) -> Vec<prometheus::proto::MetricFamily> {
        sample::families(&self.cx, self.tls.as_deref())
    }

    /// Answers on `listener` until the process stops.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let tasks = self.cx.tasks.clone();
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                () = tasks.stopping().cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let debug = Arc::clone(&self);
            tasks.spawn(async move {
                debug.client(stream).await;
                drop(place);
            });
        }
    }

    async fn client(self: Arc<Self>, stream: TcpStream) {
        let stopping = self.cx.tasks.stopping().clone();
        let service = service_fn(|request| {
            let debug = Arc::clone(&self);
            async move { Ok::<_, Infallible>(debug.answer(&request).await) }
        });
        let mut http = http1::Builder::new();
        let connection = http
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service);
        // A client that breaks the protocol or leaves is no news.
        tokio::select! {
            () = stopping.cancelled() => {}
            _ = connection => {}
        }
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refused = status(StatusCode::METHOD_NOT_ALLOWED, "only GET is served\n");
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match request.uri().path().trim_end_matches('/') {
            "/debug/metrics" => self.scrape(),
            "/debug/livez" => self.probe("livez", async { probe::live(&self.cx) }).await,
            "/debug/readyz" => self.probe("readyz", Box::pin(probe::ready(&self.cx))).await,
            "/debug/version" => {
                let version =
                    format!("{{\"name\":\"ermine\",\"version\":\"{}\"}}\n", env!("CARGO_PKG_VERSION"));
                typed(StatusCode::OK, "application/json", version)
            }
            "" | "/debug" => {
                status(StatusCode::OK, "/debug/metrics\n/debug/livez\n/debug/readyz\n/debug/version\n")
            }
            _ => status(StatusCode::NOT_FOUND, "there is no such page\n"),
        }
    }

    fn scrape(&self) -> Response<Full<Bytes>> {
        let metrics = &self.cx.metrics;
        let none: [&str; 0] = [];
        let now = metrics.scrapes_now.with_label_values(&none);
        now.inc();
        let response = match sample::text(&self.cx, self.tls.as_deref()) {
            Ok(text) => typed(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text),
            Err(error) => {
                tracing::warn!(%error, "metrics can't be written");
                status(StatusCode::INTERNAL_SERVER_ERROR, "")
            }
        };
        now.dec();
        metrics.scrapes.with_label_values(&[response.status().as_str()]).inc();
        response
    }

    /// 200 with an empty body, or 500 with what is wrong.
    async fn probe(
        &self,
        name: &str,
        asked: impl Future<Output = Result<(), String>>,
    ) -> Response<Full<Bytes>> {
        let begun = Instant::now();
        let response = match asked.await {
            Ok(()) => status(StatusCode::OK, ""),
            Err(why) => {
                tracing::debug!(probe = name, %why, "probe failed");
                status(StatusCode::INTERNAL_SERVER_ERROR, why + "\n")
            }
        };
        self.cx.metrics.probe(name, response.status().as_u16(), begun.elapsed());
        response
    }
}

fn status(code: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    typed(code, "text/plain; charset=utf-8", text)
}

fn typed(code: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
