//! hello and its old name isMaster: what this endpoint is, the start of a login, and the stream of changes.
//!
//! Both endpoints present themselves as standalone servers; the secondary one is `readOnly` (clients.md 2.1, 2.3).
use std::sync::Arc;
use std::time::Duration;

use bson::raw::{RawBsonRef, cstr};
use bson::{RawArrayBuf, RawDocument, RawDocumentBuf, rawdoc};
use bytes::Bytes;

use super::super::Call;
use super::super::options::{number, wrong_type};
use super::super::request::Request;
use super::super::sessions::TIMEOUT_MINUTES;
use super::super::{login, writes};
use super::now;
use crate::config::{Endpoint, X509Users};
use crate::error::{Code, CommandError, Result, codes};
use crate::reply::Reply;
use crate::reply::error::TopologyVersion;
use crate::reply::ok::is_true;
use crate::session::Client;
use crate::session::auth::{MECHANISM, X509};
use crate::wire::Compressor;

const MAX_BSON_OBJECT_SIZE: i32 = 16 * 1024 * 1024;
const MAX_MESSAGE_SIZE: i32 = 48_000_000;
/// Client metadata beyond this is refused (handshake specification).
const MAX_METADATA: usize = 512;
const MAX_APP_NAME: usize = 128;

/// hello, isMaster.
pub(in super::super) async fn run(mut call: Call<'_>) -> Result<Reply> {
    let request = call.request;
    remember_client(&mut call)?;
    let hello_ok = request.get("helloOk")?.is_some_and(is_true);
    call.session.hello_ok |= hello_ok;
    let wait = Wait::parse(request)?;
    if let Some(wait) = &wait {
        wait.for_change(&call).await?;
    }
    let mut out = rawdoc! {};
    if hello_ok {
        out.append(cstr!("helloOk"), true);
    }
    let version = call.services.pools.topology().version();
    // A standalone server is writable by what it is; whether it takes writes says `readOnly`.
    let writable = if request.spec.name == "hello" { cstr!("isWritablePrimary") } else { cstr!("ismaster") };
    out.append(writable, true);
    out.append(cstr!("topologyVersion"), version.document());
    if request.get("loadBalanced")?.is_some_and(is_true) {
        call.session.load_balanced = true;
        // Any id will do that is the same for the life of the process.
        out.append(cstr!("msg"), "isdbgrid");
        out.append(cstr!("serviceId"), version.process_id);
    }
    out.append(cstr!("maxBsonObjectSize"), MAX_BSON_OBJECT_SIZE);
    out.append(cstr!("maxMessageSizeBytes"), MAX_MESSAGE_SIZE);
    out.append(cstr!("maxWriteBatchSize"), i32::try_from(writes::MAX_BATCH).unwrap_or(i32::MAX));
    out.append(cstr!("localTime"), now());
    out.append(cstr!("logicalSessionTimeoutMinutes"), TIMEOUT_MINUTES);
    out.append(cstr!("connectionId"), call.session.connection_id);
    out.append(cstr!("minWireVersion"), 0);
    out.append(cstr!("maxWireVersion"), call.services.config.server_version.max_wire());
    let read_only = call.session.endpoint == Endpoint::Secondary || call.services.pools.read_only();
    out.append(cstr!("readOnly"), read_only);
    if let Some(common) = compressors(request)? {
        out.append(cstr!("compression"), common);
    }
    if let Some(user) = request.get("saslSupportedMechs")? {
        let external = check_user_name(user)?.starts_with("$external.");
        let certified = external && call.services.config.x509_users != X509Users::Off;
        let mechanism = if certified { X509 } else { MECHANISM };
        out.append(cstr!("saslSupportedMechs"), RawArrayBuf::from_iter([mechanism]));
    }
    if let Some(RawBsonRef::Document(begin)) = request.get("speculativeAuthenticate")?
        && let Some(started) = speculate(&mut call, begin).await
    {
        out.append(cstr!("speculativeAuthenticate"), started);
    }
    out.append(cstr!("ok"), 1.0);
    let streams = wait.is_some() && request.exhaust_allowed;
    let exhaust = streams.then(|| next_body(request, version)).transpose()?;
    Ok(Reply { exhaust, ..Reply::from(out) })
}

/// Keeps what the client says of itself. It may say so once.
fn remember_client(call: &mut Call<'_>) -> Result<()> {
    let client = match call.request.get("client")? {
        None => return Ok(()),
        Some(RawBsonRef::Document(client)) => client,
        Some(other) => return Err(wrong_type("client", other, "object")),
    };
    if call.session.client.is_some() {
        return Err(CommandError::client(
            codes::CLIENT_METADATA_CANNOT_BE_MUTATED,
            "The client metadata document may only be sent in the first hello",
        ));
    }
    if client.as_bytes().len() > MAX_METADATA {
        let message =
            format!("The client metadata document must be less then or equal to {MAX_METADATA} bytes");
        return Err(CommandError::client(codes::CLIENT_METADATA_DOCUMENT_TOO_LARGE, message));
    }
    let absent = |message: &'static str| CommandError::client(codes::CLIENT_METADATA_MISSING_FIELD, message);
    let driver = client.get("driver")?.and_then(|driver| driver.as_document());
    let driver = driver
        .ok_or_else(|| absent("Missing required sub-document 'driver' in the client metadata document"))?;
    if driver.get_str("name").is_err() || driver.get_str("version").is_err() {
        return Err(absent(
            "Missing required field 'name' or 'version' in the client metadata's 'driver' document",
        ));
    }
    let os = client.get("os")?.and_then(|os| os.as_document());
    let os =
        os.ok_or_else(|| absent("Missing required sub-document 'os' in the client metadata document"))?;
    if os.get_str("type").is_err() {
        return Err(absent("Missing required field 'type' in the client metadata's 'os' document"));
    }
    let application = client.get("application")?.and_then(|application| application.as_document());
    let name = application.and_then(|application| application.get_str("name").ok()).unwrap_or_default();
    if name.len() > MAX_APP_NAME {
        let message =
            format!("The 'client.application.name' field must be less then or equal to {MAX_APP_NAME} bytes");
        return Err(CommandError::client(codes::CLIENT_METADATA_APP_NAME_TOO_LARGE, message));
    }
    let metadata = client.to_owned();
    call.session.client = Some(Arc::new(Client { application: name.into(), metadata }));
    Ok(())
}

/// The compressors that both sides know, in our order; None if there is none.
fn compressors(request: &Request<'_>) -> Result<Option<RawArrayBuf>> {
    let theirs = match request.get("compression")? {
        Some(RawBsonRef::Array(theirs)) => theirs,
        _ => return Ok(None),
    };
    let knows = |name: &str| theirs.into_iter().flatten().any(|theirs| theirs.as_str() == Some(name));
    let common: Vec<&str> =
        Compressor::NEGOTIABLE.iter().map(|(name, _)| *name).filter(|name| knows(name)).collect();
    Ok((!common.is_empty()).then(|| RawArrayBuf::from_iter(common)))
}

/// `db.user`.
fn check_user_name(user: RawBsonRef<'_>) -> Result<&str> {
    match user {
        RawBsonRef::String(user) if user.contains('.') => Ok(user),
        RawBsonRef::String(_) => Err(CommandError::client(
            codes::BAD_VALUE,
            "saslSupportedMechs must be of the form 'database.user'",
        )),
        other => Err(wrong_type("saslSupportedMechs", other, "string")),
    }
}

/// Begins a login. A login that cannot begin is left out of the reply; the client then tries it the long way.
async fn speculate(call: &mut Call<'_>, begin: &RawDocument) -> Option<RawDocumentBuf> {
    let first = begin.iter_elements().next()?.ok()?;
    let db = begin.get_str("db").unwrap_or(call.request.db);
    let started = match first.key().as_str() {
        "saslStart" => Box::pin(login::start(call, begin, db)).await,
        "authenticate" => Box::pin(login::authenticate_with(call, begin, db)).await,
        _ => return None,
    };
    if let Err(error) = &started {
        tracing::debug!(connection = call.session.connection_id, %error, "speculative login not started");
    }
    crate::reply::ok::without(&started.ok()?, &["ok"]).ok()
}

/// A hello that waits for news.
struct Wait {
    /// The version that the client has seen.
    seen: i64,
    /// The process that it is a version of.
    process: bson::oid::ObjectId,
    limit: Duration,
}

impl Wait {
    fn parse(request: &Request<'_>) -> Result<Option<Self>> {
        let error = |code, message: &'static str| Err(CommandError::client(Code(code), message));
        let version = match request.get("topologyVersion")? {
            None => None,
            Some(RawBsonRef::Document(version)) => Some(version),
            Some(other) => return Err(wrong_type("topologyVersion", other, "object")),
        };
        let limit = request.get("maxAwaitTimeMS")?;
        let (version, limit) = match (version, limit) {
            (Some(version), Some(limit)) => (version, limit),
            (Some(_), None) => {
                return error(31368, "A request with a 'topologyVersion' must include 'maxAwaitTimeMS'");
            }
            (None, Some(_)) => {
                return error(31368, "A request with 'maxAwaitTimeMS' must include a 'topologyVersion'");
            }
            (None, None) if request.exhaust_allowed => {
                return error(51756, "An exhaust hello request must specify 'maxAwaitTimeMS'");
            }
            (None, None) => return Ok(None),
        };
        let Some(RawBsonRef::ObjectId(process)) = version.get("processId")? else {
            return error(40414, "BSON field 'TopologyVersion.processId' is missing but a required field");
        };
        let Some(RawBsonRef::Int64(seen)) = version.get("counter")? else {
            return error(40414, "BSON field 'TopologyVersion.counter' is missing but a required field");
        };
        if seen < 0 {
            return error(31372, "topologyVersion must have a non-negative counter");
        }
        let limit = match number(limit) {
            Some(limit) if limit >= 0.0 => Duration::from_secs_f64((limit / 1000.0).min(f64::from(u32::MAX))),
            Some(_) => return error(31373, "maxAwaitTimeMS must be a non-negative integer"),
            None => return Err(wrong_type("maxAwaitTimeMS", limit, "long")),
        };
        Ok(Some(Self { seen, process, limit }))
    }

    /// Waits until there is news for the client, its time is over, or the process stops.
    async fn for_change(&self, call: &Call<'_>) -> Result<()> {
        let topology = call.services.pools.topology();
        let mut changes = topology.subscribe();
        if self.process != topology.process_id {
            return Ok(());
        }
        let now = topology.counter();
        if self.seen > now {
            let message = format!(
                "Received a topology version with counter: {} which is greater than the server topology version counter: {now}",
                self.seen
            );
            return Err(CommandError::client(Code(51764), message));
        }
        let stopping = call.services.tasks.stopping();
        let news = changes.wait_for(|counter| *counter > self.seen);
        tokio::select! {
            _ = tokio::time::timeout(self.limit, news) => Ok(()),
            () = stopping.cancelled() => Err(CommandError::proxy(
                codes::SHUTDOWN_IN_PROGRESS,
                "The server is in quiesce mode and will shut down",
            )),
        }
    }
}

/// The same request, knowing what was just told, without what may be said only once.
fn next_body(request: &Request<'_>, told: TopologyVersion) -> Result<Bytes> {
    let mut next = RawDocumentBuf::new();
    for element in request.body.iter_elements() {
        let element = element?;
        match element.key().as_str() {
            "client" | "speculativeAuthenticate" | "saslSupportedMechs" | "topologyVersion" => {}
            _ => next.append(element.key(), element.value()?),
        }
    }
    next.append(cstr!("topologyVersion"), told.document());
    Ok(next.into_bytes().into())
}
