//! One client's loop: a message in, a reply out, until the client, the stop signal or a broken frame ends it.
use std::future::{pending, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::codec::{End, Reader, Writer};
use super::handle::{Context, Session, handle};
use crate::command::request::{self, Request};
use crate::command::spec::Kind;
use crate::reply::Reply;
use crate::wire::{Content, Frame, FrameError, HTTP_HINT, Inbound, MAX_MESSAGE, Op, Refusal, ReplyShape};

/// The longest message of a client that has not logged in: handshakes and logins are far shorter.
const MAX_EARLY_MESSAGE: usize = 64 * 1024;
/// Drivers' monitors never log in, and ask again after ten seconds, or at most after what an application set.
const UNKNOWN_IDLE: Duration = Duration::from_secs(600);

/// Why a connection ended; a word of the log.
#[derive(Debug)]
enum Ended {
    /// The client closed it.
    Client,
    /// The client closed it while a request ran.
    HungUp,
    /// Reading or writing failed.
    Io(io::Error),
    /// The client said nothing for too long.
    Idle,
    /// The client broke the protocol.
    Frame(FrameError),
    /// A reply asked for it.
    Reply,
    /// The process stops.
    Stop,
}

/// Serves one client. `place` is its part of the connection limit.
pub(super) async fn run<R, W>(
    cx: Arc<Context>,
    mut session: Session,
    reader: R,
    writer: W,
    place: OwnedSemaphorePermit,
) where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send,
{
    let begin = Instant::now();
    let id = session.connection_id;
    let peer = session.peer.map_or_else(|| "unix".to_owned(), |peer| peer.to_string());
    tracing::info!(connection = id, %peer, endpoint = %session.endpoint, "client connected");
    let counted = Counted::new(Arc::clone(&cx));
    let mut connection = Connection { cx, reader: Reader::new(reader), writer: Writer::new(writer) };
    let shared = Arc::clone(&connection.cx);
    let entered = shared.operations.enter(&session.operation);
    let signal = Arc::clone(session.operation.signal());
    let mut ended = signal.scope(connection.serve(&mut session)).await;
    if !matches!(ended, Ended::HungUp | Ended::Io(_))
        && let Err(error) = connection.writer.flush().await
    {
        ended = Ended::Io(error);
    }
    if matches!(ended, Ended::Frame(FrameError::Http)) {
        let _ = connection.writer.raw(HTTP_HINT).await;
    }
    // Before the close, so that who sees it can count on the place.
    if session.load_balanced {
        connection.cx.cursors.end_connection(id);
    }
    drop((place, counted, entered));
    let broken = matches!(ended, Ended::Frame(_) | Ended::Io(_));
    let lasted = connection.cx.metrics.connection_seconds.with_label_values(&[flag(broken)]);
    lasted.observe(begin.elapsed().as_secs_f64());
    connection.writer.close().await;
    let seconds = begin.elapsed().as_secs_f64();
    match ended {
        Ended::Client => tracing::info!(connection = id, %peer, seconds, "client disconnected"),
        Ended::HungUp => tracing::info!(connection = id, %peer, seconds, "client hung up during a request"),
        Ended::Io(error) => tracing::info!(connection = id, %peer, seconds, %error, "client connection lost"),
        // Only at debug: anyone who scans ports can cause it.
        Ended::Frame(error) => {
            tracing::debug!(connection = id, %peer, seconds, %error, "broken frame, connection closed");
        }
        Ended::Idle => tracing::info!(connection = id, %peer, seconds, "idle client connection closed"),
        Ended::Reply => tracing::info!(connection = id, %peer, seconds, "connection closed after a reply"),
        Ended::Stop => tracing::info!(connection = id, %peer, seconds, "connection closed to stop"),
    }
}

/// A boolean as FerretDB's metrics write it.
pub(super) fn flag(truth: bool) -> &'static str {
    if truth { "1" } else { "0" }
}

/// One client connection in the counters, as long as it lives, however it ends.
struct Counted(Arc<Context>);

impl Counted {
    fn new(cx: Arc<Context>) -> Self {
        cx.counters.connections.fetch_add(1, Ordering::Relaxed);
        cx.counters.connections_total.fetch_add(1, Ordering::Relaxed);
        Self(cx)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.counters.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Without a limit it never resolves, and costs no timer.
async fn elapsed(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => pending().await,
    }
}

struct Connection<R, W> {
    cx: Arc<Context>,
    reader: Reader<R>,
    writer: Writer<W>,
}

impl<R, W> Connection<R, W>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send,
{
    async fn serve(&mut self, session: &mut Session) -> Ended {
        let stopping = self.cx.tasks.stopping().clone();
        // One for the whole connection: each of them takes part in a list that all connections share.
        let mut stop = pin!(stopping.cancelled());
        let mut first = true;
        loop {
            if self.cx.tasks.is_stopping() {
                return Ended::Stop;
            }
            let trusted = session.user.is_some() || !self.cx.config.auth;
            let (limit, patience) = self.bounds(trusted, std::mem::take(&mut first));
            // Requests that came together are answered together.
            let inbound = match self.reader.buffered(limit) {
                Ok(Some(inbound)) => Ok(inbound),
                Ok(None) => {
                    if let Err(error) = self.writer.flush().await {
                        return Ended::Io(error);
                    }
                    tokio::select! {
                        biased;
                        inbound = self.reader.next(limit) => inbound,
                        () = &mut stop => return Ended::Stop,
                        () = elapsed(patience) => return Ended::Idle,
                    }
                }
                Err(end) => Err(end),
            };
            let step = match inbound {
                Ok(Inbound { content: Content::Frame(frame), shape }) => {
                    self.request(session, frame, shape).await
                }
                Ok(Inbound { content: Content::Refused(refusal), shape }) => {
                    self.refuse(&refusal, &shape).await
                }
                Err(End::Closed | End::Cut) => return Ended::Client,
                Err(End::Io(error)) => return Ended::Io(error),
                Err(End::Frame(error)) => return Ended::Frame(error),
            };
            let (read, written) = (self.reader.take_bytes(), self.writer.take_bytes());
            self.cx.counters.add_traffic(read, written);
            if let Err(ended) = step {
                return ended;
            }
        }
    }

    /// How long the next message may be, in bytes, and how long it may keep us waiting.
    fn bounds(&self, trusted: bool, first: bool) -> (usize, Option<Duration>) {
        let limits = &self.cx.config.limits;
        let length = if trusted { MAX_MESSAGE } else { MAX_EARLY_MESSAGE };
        let patience = match (first, trusted) {
            (true, _) => Some(limits.handshake_timeout),
            (false, true) => limits.idle_timeout,
            (false, false) => Some(limits.idle_timeout.unwrap_or(UNKNOWN_IDLE)),
        };
        (length, patience)
    }

    async fn refuse(&mut self, refusal: &Refusal, shape: &ReplyShape) -> Result<(), Ended> {
        tracing::debug!(%refusal, "request refused");
        if !shape.wants_reply {
            return Ok(());
        }
        let failed = matches!(refusal, Refusal::LegacyOpcode(_));
        let body = refusal.reply_body();
        self.writer.reply(shape, shape.request_id, body, false, failed).await.map_err(Ended::Io)?;
        Ok(())
    }

    /// Runs one request, and those that follow from it if it is a stream.
    async fn request(
        &mut self,
        session: &mut Session,
        mut frame: Frame,
        shape: ReplyShape,
    ) -> Result<(), Ended> {
        let mut response_to = shape.request_id;
        loop {
            let Some(reply) = self.run(session, &frame).await? else { return Ok(()) };
            let next = reply.exhaust.filter(|_| !shape.legacy);
            let streaming = next.is_some();
            if !shape.wants_reply {
                return if reply.close { Err(Ended::Reply) } else { Ok(()) };
            }
            // Every reply of a stream answers the one before it (message-header rules of OP_MSG).
            response_to = self
                .writer
                .reply(&shape, response_to, reply.body, streaming, false)
                .await
                .map_err(Ended::Io)?;
            if reply.close {
                return Err(Ended::Reply);
            }
            let (Some(body), Op::Msg(msg)) = (next, &mut frame.op) else { return Ok(()) };
            if self.cx.tasks.stopping().is_cancelled() {
                return Err(Ended::Stop);
            }
            if self.reader.ended() {
                // Nobody is left to read a stream that goes on by itself.
                return Err(Ended::HungUp);
            }
            msg.body = body;
            msg.sequences.clear();
        }
    }

    /// Runs one request while watching for the client to hang up. Dropping the request cancels what it runs in
    /// PostgreSQL; that is done for reads alone, because a write that arrived is carried out whether its client
    /// waits for the answer or not.
    async fn run(&mut self, session: &mut Session, frame: &Frame) -> Result<Option<Reply>, Ended> {
        let mut running = pin!(handle(&self.cx, session, frame));
        if self.writer.holds() {
            // The replies before wait for this one, but not for PostgreSQL. It goes on meanwhile, so that a client that
            // takes no replies does not keep a connection of the pool.
            let (mut reply, mut sending) = (None, false);
            let sent = {
                let mut flush = pin!(self.writer.flush());
                poll_fn(|cx| {
                    if reply.is_none()
                        && let Poll::Ready(ready) = running.as_mut().poll(cx)
                    {
                        reply = Some(ready);
                        if !sending {
                            return Poll::Ready(Ok(()));
                        }
                    }
                    sending = true;
                    flush.as_mut().poll(cx)
                })
                .await
            };
            if let Err(error) = sent {
                if reply.is_none() && !is_read(frame) {
                    let _ = running.await;
                }
                return Err(Ended::Io(error));
            }
            if let Some(reply) = reply {
                return Ok(reply);
            }
        }
        if self.reader.ended() {
            return Ok(running.await);
        }
        tokio::select! {
            biased;
            reply = &mut running => return Ok(reply),
            () = self.reader.hang_up() => {}
        }
        if is_read(frame) { Err(Ended::HungUp) } else { Ok(running.await) }
    }
}

/// Requests whose only effect is the reply. `arrival` counts for nothing here.
fn is_read(frame: &Frame) -> bool {
    let Ok((spec, name)) = request::identify(frame) else { return false };
    match spec.kind {
        Kind::Read => {
            Request::parse(spec, name, frame, Instant::now()).is_ok_and(|request| !request.writes())
        }
        // A getMore reads and a hello waits for news; the others change a session.
        Kind::Any => matches!(spec.name, "getMore" | "hello" | "isMaster"),
        Kind::Local => true,
        Kind::Write | Kind::Admin => false,
    }
}
