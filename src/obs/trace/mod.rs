//! Traces for OpenTelemetry: a span for each command, and one below it for each SQL statement. Without a tracer, as by
//! default, all that is left is one look at a global that was never set.
//!
//! Names follow OpenTelemetry's semantic conventions for databases, and FerretDB's where it has more (peers.md A2.3).
mod parent;

use std::sync::OnceLock;

use bson::RawDocument;
use opentelemetry::trace::{Span as _, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, Span};

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

tokio::task_local! {
    /// The span of the command that this task runs.
    static CURRENT: Context;
}

/// Begins to make spans, for the rest of the process's life. A second call changes nothing.
pub fn start(tracer: SdkTracer) {
    let _ = TRACER.set(tracer);
}

/// The span of one command.
#[derive(Debug)]
pub struct Command(Context);

impl Command {
    /// A span for the command of this name and body, as a child of the span that its `comment` names; None without a
    /// tracer.
    pub fn begin(name: &'static str, body: &[u8], connection: i32) -> Option<Self> {
        let tracer = TRACER.get()?;
        let body = RawDocument::from_bytes(body).ok()?;
        let text = |key: &str| body.get_str(key).unwrap_or_default().to_owned();
        let target = body.iter_elements().next().and_then(|first| first.ok()?.value().ok()?.as_str());
        let collection = target.map_or_else(|| text("collection"), str::to_owned);
        let mut attributes = vec![
            KeyValue::new("db.system.name", "ermine"),
            KeyValue::new("db.operation.name", name),
            KeyValue::new("db.namespace", text("$db")),
            KeyValue::new("ermine.connection.id", i64::from(connection)),
        ];
        if !collection.is_empty() {
            attributes.push(KeyValue::new("db.collection.name", collection));
        }
        let comment = body.get("comment").ok().flatten();
        let parent = comment.and_then(parent::of).map(|of| Context::new().with_remote_span_context(of));
        let parent = parent.unwrap_or_default();
        let builder = SpanBuilder::from_name(name).with_kind(SpanKind::Server).with_attributes(attributes);
        let span = tracer.build_with_context(builder, &parent);
        Some(Self(parent.with_span(span)))
    }

    /// Runs the command: spans of its statements become children of this one.
    pub async fn around<F: Future>(&self, work: F) -> F::Output {
        CURRENT.scope(self.0.clone(), work).await
    }

    /// Ends the span; `error`: the code and its name that the client was told.
    pub fn end(self, error: Option<(i32, String)>) {
        let span = self.0.span();
        if let Some((code, name)) = error {
            span.set_attribute(KeyValue::new("db.response.status_code", i64::from(code)));
            span.set_attribute(KeyValue::new("error.type", name.clone()));
            span.set_status(Status::error(name));
        }
        span.end();
    }
}

/// The span of one statement. Dropping it ends it.
#[derive(Debug)]
pub struct Statement(Option<Span>);

impl Statement {
    /// For a call of this function on this node; nothing outside a traced command.
    pub fn begin(function: &'static str, node: &str) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let parent = CURRENT.try_with(Clone::clone).ok();
        Self(parent.map(|parent| {
            let builder = SpanBuilder::from_name(function).with_kind(SpanKind::Client).with_attributes([
                KeyValue::new("db.system.name", "postgresql"),
                KeyValue::new("db.stored_procedure.name", function),
                KeyValue::new("ermine.node", node.to_owned()),
            ]);
            tracer.build_with_context(builder, &parent)
        }))
    }

    /// PostgreSQL refused it with this state, or the connection broke.
    pub fn failed(&mut self, state: &str) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new("db.response.status_code", state.to_owned()));
            span.set_status(Status::error(state.to_owned()));
        }
    }
}
