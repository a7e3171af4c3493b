//! The path of one request: identify → authorize → parse → plan → rights → run → reply → record.
//!
//! It cannot fail: an error is a reply. Only broken frames and sockets end a connection.
use std::ops::Deref;
use std::sync::Arc;

use bson::RawDocument;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::command::spec::{Auth, Command, Kind, Target};
use crate::command::{self, Call, Request, Services};
use crate::config::Config;
use crate::error::{CommandError, Owner, Result, codes, from_pg};
use crate::obs::{trace, usage};
use crate::reply::{self, Reply};
use crate::route::plan;
pub use crate::session::Session;
use crate::session::operations::Operation;
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
        Ok((spec, name)) => {
            begin(cx, session, spec, frame, arrival);
            let outcome = traced(cx, session, frame, spec, name, arrival).await;
            session.operation.end();
            (Some(spec), outcome)
        }
        Err(error) => (None, Err(error)),
    };
    record(cx, session, spec, &outcome, arrival);
    if let (Some(spec), Ok(_)) = (spec, &outcome) {
        add_usage(cx, spec, frame, arrival);
    }
    if let Some(spec) = spec {
        // Logins are slow on purpose, and a hello waits for news.
        let slow = spec.auth != Auth::Open && cx.services.slow.tells(arrival.elapsed());
        if slow {
            tell_slow(session, spec, frame, &outcome, arrival);
        }
        if cx.services.profiler.is_on() {
            command::profile::record(cx, session, spec, frame.body(), &outcome, arrival.elapsed(), slow);
        }
    }
    if frame.wants_no_reply() {
        // The only way to tell a client that wants no answer: it looks for the primary again.
        let moved = outcome.as_ref().is_err_and(reply::error::primary_changed);
        return moved.then(|| Reply { close: true, ..reply::ok::plain() });
    }
    let topology = cx.services.pools.topology().version();
    Some(outcome.unwrap_or_else(|error| {
        let error = if session.hello_ok { error } else { from_pg::in_old_words(error) };
        reply::error::reply(&error, topology)
    }))
}

/// Shows the request to currentOp.
fn begin(cx: &Context, session: &Session, spec: &'static Command, frame: &Frame, arrival: Instant) {
    let operation = Operation {
        id: cx.services.operations.next_id(),
        command: spec.name,
        body: frame.body().clone(),
        since: arrival,
    };
    session.operation.begin(operation, session.user.as_ref(), session.client.as_ref());
}

/// Serves within a span, where there is a tracer. Monitors are left out: their hello waits, and says nothing of anybody's
/// work.
async fn traced(
    cx: &Context,
    session: &mut Session,
    frame: &Frame,
    spec: &'static Command,
    name: &str,
    arrival: Instant,
) -> Result<Reply> {
    let traced = !matches!(spec.name, "hello" | "isMaster");
    let span =
        traced.then(|| trace::Command::begin(spec.name, frame.body(), session.connection_id)).flatten();
    let Some(span) = span else { return serve(cx, session, frame, spec, name, arrival).await };
    let outcome = span.around(Box::pin(serve(cx, session, frame, spec, name, arrival))).await;
    span.end(outcome.as_ref().err().map(|error| (error.code.0, error.code.name().into_owned())));
    outcome
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
    let _running = services.counters.run(if request.writes() { Kind::Write } else { spec.kind });
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

/// Adds a command that went well to the sums of its collection.
fn add_usage(cx: &Context, spec: &Command, frame: &Frame, arrival: Instant) {
    let (kind, on_collection) = match spec.name {
        "find" => (usage::Kind::Query, true),
        "getMore" => (usage::Kind::GetMore, false),
        "insert" => (usage::Kind::Insert, true),
        "update" => (usage::Kind::Update, true),
        "delete" => (usage::Kind::Remove, true),
        "dropDatabase" => (usage::Kind::Command, false),
        _ => (usage::Kind::Command, spec.target != Target::Any),
    };
    if !on_collection && !matches!(spec.name, "getMore" | "dropDatabase") {
        return;
    }
    let Ok(body) = RawDocument::from_bytes(frame.body()) else { return };
    let Ok(db) = body.get_str("$db") else { return };
    if spec.name == "dropDatabase" {
        cx.services.profiler.clear(db);
        return cx.services.usage.forget(db, None);
    }
    let first = || body.iter_elements().next().and_then(|first| first.ok()?.value().ok()?.as_str());
    let name = if on_collection { first() } else { body.get_str("collection").ok() };
    let Some(name) = name else { return };
    if spec.name == "drop" {
        return cx.services.usage.forget(db, Some(name));
    }
    let writes = matches!(spec.kind, Kind::Write | Kind::Admin);
    cx.services.usage.add(db, name, kind, writes, arrival.elapsed());
}

/// One line for a command that took long: what it was and where, never its values.
fn tell_slow(
    session: &Session,
    spec: &'static Command,
    frame: &Frame,
    outcome: &Result<Reply>,
    arrival: Instant,
) {
    let took = arrival.elapsed();
    let Ok(body) = RawDocument::from_bytes(frame.body()) else { return };
    let target = body.iter_elements().next().and_then(|first| first.ok()?.value().ok()?.as_str());
    let collection = target.or_else(|| body.get_str("collection").ok()).unwrap_or_default();
    info!(
        connection = session.connection_id,
        command = spec.name,
        db = body.get_str("$db").unwrap_or_default(),
        collection,
        user = session.user.as_ref().map(|user| &*user.name),
        application = session.client.as_ref().map(|client| &*client.application),
        milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        request_bytes = frame.body().len(),
        reply_bytes = outcome.as_ref().map_or(0, |reply| reply.body.len()),
        error = outcome.as_ref().err().map(|error| error.code.0),
        "slow command"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Endpoint, Raw};
    use crate::wire::{Op, OpMsg};

    /// Each connection carries the room of a request, also while it is idle.
    #[tokio::test]
    async fn a_request_takes_little_room() {
        let mut raw = Raw::default();
        raw.flag("postgresql_url", "postgres://u@127.0.0.1:1/d");
        let checked = config::check(raw).ok().unwrap();
        let cx = Context::new(Arc::new(checked.config), Tasks::new());
        let mut session = Session::new(Endpoint::Primary, 1, None);
        let body = bson::rawdoc! { "ping": 1, "$db": "d" }.into_bytes().into();
        let message = OpMsg {
            more_to_come: false,
            exhaust_allowed: false,
            checksum: false,
            body,
            sequences: Vec::new(),
        };
        let frame = Frame { request_id: 1, op: Op::Msg(message) };
        let size = std::mem::size_of_val(&handle(&cx, &mut session, &frame));
        assert!(size <= 3072, "{size}");
    }
}
