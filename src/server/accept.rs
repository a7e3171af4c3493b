//! Accepting clients, up to the limit, until the stop.
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection;
use super::handle::{Context, Session};
use super::listen::{Bound, Socket};
use super::secure::{Secure, Stream};
use crate::tls::subject;

/// Running requests get this long to finish after the stop signal; with what surrounds it the process ends within
/// four seconds (deployment.md 1.8).
const GRACE: Duration = Duration::from_millis(3300);
/// Wait after a failed accept: the usual cause, too many open files, does not go away at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A client machine that vanished is noticed after idle + interval * retries.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(120);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_RETRIES: u32 = 4;

/// Serves clients on all `listeners` until `stop` resolves, then lets running requests finish. False if some had to
/// be left unfinished.
pub async fn serve(cx: Arc<Context>, listeners: Vec<Bound>, stop: impl Future<Output = ()>) -> bool {
    let limit = cx.config.limits.max_client_connections.get().min(Semaphore::MAX_PERMITS);
    let acceptor = Arc::new(Acceptor {
        cx: Arc::clone(&cx),
        permits: Arc::new(Semaphore::new(limit)),
        next_id: AtomicI32::new(1),
    });
    for listener in listeners {
        tracing::info!(address = %listener.describe(), endpoint = %listener.endpoint, "listening");
        cx.tasks.spawn(Arc::clone(&acceptor).run(listener));
    }
    stop.await;
    tracing::info!("stopping: no new clients and requests, running ones finish");
    let finished = cx.tasks.finish(GRACE).await;
    if finished {
        tracing::info!("stopped");
    } else {
        tracing::warn!(grace_ms = GRACE.as_millis(), "stopped with requests unfinished");
    }
    finished
}

/// What all listeners share.
#[derive(Debug)]
struct Acceptor {
    cx: Arc<Context>,
    /// One for each client connection that may be open.
    permits: Arc<Semaphore>,
    next_id: AtomicI32,
}

enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Acceptor {
    async fn run(self: Arc<Self>, bound: Bound) {
        let stopping = self.cx.tasks.stopping().clone();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                accepted = accept(&bound.socket) => accepted,
            };
            match accepted {
                Ok(accepted) => self.begin(accepted, &bound),
                Err(error) => {
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::select! {
                        () = stopping.cancelled() => return,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                    }
                }
            }
        }
    }

    /// Starts a client's task, or closes the connection if there are too many.
    fn begin(&self, accepted: Accepted, bound: &Bound) {
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        self.cx.metrics.accepts.with_label_values(&[connection::flag(permit.is_err())]).inc();
        let Ok(permit) = permit else {
            tracing::warn!("connection refused: the limit of client connections is reached");
            return;
        };
        let id = self.next_id.fetch_add(1, Ordering::Relaxed) & i32::MAX;
        match accepted {
            Accepted::Tcp(stream, peer) => {
                if let Err(error) = prepare(&stream) {
                    tracing::debug!(%peer, %error, "the connection ended before it began");
                    return;
                }
                let session = Session::new(bound.endpoint, id, Some(peer));
                if matches!(bound.secure, Secure::Off) {
                    let (reader, writer) = stream.into_split();
                    self.cx.tasks.spawn(connection::run(
                        Arc::clone(&self.cx),
                        session,
                        reader,
                        writer,
                        permit,
                    ));
                } else {
                    let secure = bound.secure.clone();
                    self.cx.tasks.spawn(secured(Arc::clone(&self.cx), session, stream, secure, permit));
                }
            }
            Accepted::Unix(stream) => {
                let session = Session::new(bound.endpoint, id, None);
                let (reader, writer) = stream.into_split();
                self.cx.tasks.spawn(connection::run(Arc::clone(&self.cx), session, reader, writer, permit));
            }
        }
    }
}

/// Serves a client once its handshake is done.
async fn secured(
    cx: Arc<Context>,
    mut session: Session,
    stream: TcpStream,
    secure: Secure,
    place: OwnedSemaphorePermit,
) {
    let stopping = cx.tasks.stopping().clone();
    let stream = tokio::select! {
        () = stopping.cancelled() => return,
        stream = secure.handshake(stream, cx.config.limits.handshake_timeout) => stream,
    };
    match stream {
        Ok(Stream::Plain(stream)) => {
            let (reader, writer) = stream.into_split();
            connection::run(cx, session, reader, writer, place).await;
        }
        Ok(Stream::Tls(stream)) => {
            session.tls = true;
            // Verified in the handshake; a client may also have shown none.
            let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            session.certificate = shown
                .and_then(|shown| subject::user(shown, cx.config.x509_users))
                .map(String::into_boxed_str);
            let (reader, writer) = tokio::io::split(*stream);
            connection::run(cx, session, reader, writer, place).await;
        }
        Err(error) => {
            let peer = session.peer.map_or_else(String::new, |peer| peer.to_string());
            tracing::info!(connection = session.connection_id, %peer, %error, "TLS handshake failed");
        }
    }
}

async fn accept(socket: &Socket) -> io::Result<Accepted> {
    match socket {
        Socket::Tcp(listener) => listener.accept().await.map(|(stream, peer)| Accepted::Tcp(stream, peer)),
        Socket::Unix(listener, _) => listener.accept().await.map(|(stream, _)| Accepted::Unix(stream)),
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
