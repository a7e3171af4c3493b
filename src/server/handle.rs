//! The path of one request. Placeholder.
use std::sync::Arc;

use crate::config::Config;
use crate::reply::Reply;
pub use crate::session::Session;
use crate::tasks::Tasks;
use crate::wire::Frame;

/// What all connections of the process share.
#[derive(Debug)]
pub struct Context {
    /// The checked configuration.
    pub config: Arc<Config>,
    /// Background tasks and the stop signal.
    pub tasks: Tasks,
}

impl Context {
    /// Does not connect anywhere: PostgreSQL may be down.
    pub fn new(config: Arc<Config>, tasks: Tasks) -> Self {
        Self { config, tasks }
    }
}

/// Runs one request to its reply; None only for requests that want none (`moreToCome`).
pub async fn handle(_cx: &Context, _session: &mut Session, frame: &Frame) -> Option<Reply> {
    if frame.wants_no_reply() {
        return None;
    }
    let body =
        bson::rawdoc! { "ok": 0.0, "errmsg": "no such command", "code": 59, "codeName": "CommandNotFound" };
    Some(Reply { body: body.into_bytes().into(), exhaust: None, close: false })
}
