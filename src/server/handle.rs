//! The path of one request: identify → authorize → parse → plan → rights → run → reply → record.
//!
//! It cannot fail: an error is a reply. Only broken frames and sockets end a connection.
use std::ops::Deref;
use std::sync::Arc;

use bson::RawDocument;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::command::spec::{Auth, Command};
use crate::command::{self, Call, Request, Services};
use crate::config::Config;
use crate::error::{CommandError, Owner, Result, codes};
use crate::reply::{self, Reply};
use crate::route::plan;
pub use crate::session::Session;
use crate::tasks::Tasks;
use crate::wire::Frame;

/// What all connections of the process share.
#[derive(Debug)]
pub struct Context {
    services: Services,
}

impl Context {
    /// Does not wait for a connection: PostgreSQL may be down.
    pub fn new(config: Arc<Config>, tasks: Tasks) -> Self {
        Self { services: Services::new(config, tasks) }
    }
}

impl Deref for Context {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.services
    }
}

/// Runs one request to its reply; None only for requests that want none (`moreToCome`).
pub async fn handle(cx: &Context, session: &mut Session, frame: &Frame) -> Option<Reply> {
    let arrival = Instant::now();
    let (spec, outcome) = match command::request::identify(frame) {
        Ok((spec, name)) => (Some(spec), Box::pin(serve(cx, session, frame, spec, name, arrival)).await),
        Err(error) => (None, Err(error)),
    };
    record(cx, session, spec, &outcome, arrival);
    tell_slow(cx, session, spec, frame, &outcome, arrival);
    if frame.wants_no_reply() {
        return None;
    }
    let topology = cx.services.pools.topology().version();
    Some(outcome.unwrap_or_else(|error| reply::error::reply(&error, topology)))
}

async fn serve(
    cx: &Context,
    session: &mut Session,
    frame: &Frame,
    spec: &'static Command,
    name: &str,
    arrival: Instant,
) -> Result<Reply> {
    authorize(cx, session, spec, name)?;
    let request = Request::parse(spec, name, frame, arrival)?;
    let services = &cx.services;
    let pick = plan::plan(&request, session.endpoint, services.pools.read_only())?;
    command::rights::check(services, session, &request, pick).await?;
    let unacknowledged = request.writes() && request.common.unacknowledged();
    let outcome = command::run(Call { services, session, request: &request, pick }).await;
    let reply = match outcome {
        Ok(reply) => reply,
        Err(error) => return Err(command::rights::denied(services, session, &request, pick, error).await),
    };
    Ok(if unacknowledged { reply::ok::plain() } else { reply })
}

/// Before the login only the open commands run.
fn authorize(cx: &Context, session: &Session, spec: &Command, name: &str) -> Result<()> {
    if spec.auth == Auth::Open || session.user.is_some() || !cx.services.config.auth {
        return Ok(());
    }
    Err(CommandError::client(codes::UNAUTHORIZED, format!("Command {name} requires authentication")))
}

/// Counts and logs; decides nothing.
fn record(
    cx: &Context,
    session: &Session,
    spec: Option<&'static Command>,
    outcome: &Result<Reply>,
    arrival: Instant,
) {
    let name = spec.map_or("other", |spec| spec.name);
    let took = arrival.elapsed();
    match (spec, outcome) {
        (Some(spec), outcome) => cx.services.counters.commands.add(spec, outcome, took),
        (None, Err(error)) => cx.services.counters.commands.unknown(error),
        (None, Ok(_)) => {}
    }
    let connection = session.connection_id;
    let micros = took.as_micros();
    match outcome {
        Ok(_) => debug!(connection, command = name, micros, "command done"),
        Err(error) if error.owner == Owner::Client => {
            debug!(connection, command = name, micros, %error, "command refused");
        }
        Err(error) => warn!(connection, command = name, micros, %error, "command failed"),
    }
}

/// One line for a command that took long: what it was and where, never its values. Logins are slow on purpose, and a hello
/// waits for news.
fn tell_slow(
    cx: &Context,
    session: &Session,
    spec: Option<&'static Command>,
    frame: &Frame,
    outcome: &Result<Reply>,
    arrival: Instant,
) {
    let (Some(spec), Some(threshold)) = (spec, cx.services.config.slow_command_threshold) else { return };
    let took = arrival.elapsed();
    if took < threshold || spec.auth == Auth::Open {
        return;
    }
    let Ok(body) = RawDocument::from_bytes(frame.body()) else { return };
    let target = body.iter_elements().next().and_then(|first| first.ok()?.value().ok()?.as_str());
    let collection = target.or_else(|| body.get_str("collection").ok()).unwrap_or_default();
    info!(
        connection = session.connection_id,
        command = spec.name,
        db = body.get_str("$db").unwrap_or_default(),
        collection,
        user = session.user.as_ref().map(|user| &*user.name),
        application = session.client.as_deref(),
        milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        request_bytes = frame.body().len(),
        reply_bytes = outcome.as_ref().map_or(0, |reply| reply.body.len()),
        error = outcome.as_ref().err().map(|error| error.code.0),
        "slow command"
    );
}
