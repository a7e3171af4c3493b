//! Sends traces and metrics to an OpenTelemetry collector, as OTLP over HTTP in protobuf. Off unless an address is
//! configured; a collector that is away costs a bounded queue and nothing else.
mod client;
mod metrics;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, Value};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use prometheus::proto::MetricFamily;

use crate::config::Otel;
use crate::obs::trace;
use crate::tasks::Tasks;
use client::Client;

/// FerretDB's (peers.md A2.3).
const BATCH: Duration = Duration::from_secs(1);
const EXPORT: Duration = Duration::from_secs(10);
/// What a stopping process gives the last batch.
const LAST: Duration = Duration::from_millis(150);

/// What runs until the process ends.
#[derive(Debug)]
pub struct Exports {
    traces: Option<SdkTracerProvider>,
}

/// Starts what the settings ask for. `gather` reads the metrics off. Trouble is logged and keeps nobody from being
/// served.
pub fn start(
    otel: &Otel,
    tasks: &Tasks,
    gather: impl Fn() -> Vec<MetricFamily> + Send + Sync + 'static,
) -> Exports {
    let mut exports = Exports { traces: None };
    if otel.traces_url.is_none() && otel.metrics_url.is_none() {
        return exports;
    }
    let client = match Client::new(tasks.clone()) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "traces and metrics are not sent");
            return exports;
        }
    };
    if let Some(url) = &otel.traces_url {
        match provider(otel, url, client.clone()) {
            Ok(provider) => {
                trace::start(provider.tracer("ermine"));
                tracing::info!("sending traces");
                exports.traces = Some(provider);
            }
            Err(error) => tracing::error!(%error, "traces are not sent"),
        }
    }
    if let Some(url) = &otel.metrics_url {
        tracing::info!("sending metrics");
        let push = metrics::Push::new(url, otel, client);
        tasks.spawn(push.run(Arc::new(gather), tasks.stopping().clone()));
    }
    exports
}

fn provider(otel: &Otel, url: &str, client: Client) -> Result<SdkTracerProvider, Box<dyn std::error::Error>> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url)
        .with_timeout(EXPORT)
        .build()?;
    let batches = BatchConfigBuilder::default().with_scheduled_delay(BATCH).build();
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_resource(resource(otel))
        .build())
}

fn resource(otel: &Otel) -> Resource {
    let attributes = attributes(otel).map(|(key, value)| KeyValue::new(key, Value::from(value)));
    Resource::builder_empty().with_attributes(attributes).build()
}

/// What the process calls itself.
fn attributes(otel: &Otel) -> [(&'static str, String); 3] {
    [
        ("service.name", otel.service_name.clone()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", format!("{}-{}", host_name(), std::process::id())),
    ]
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

impl Exports {
    /// Sends what is left, for a short time.
    pub async fn finish(self) {
        let Some(traces) = self.traces else { return };
        // It blocks until its own thread is done.
        let last = tokio::task::spawn_blocking(move || {
            let _ = traces.shutdown_with_timeout(LAST);
        });
        let _ = tokio::time::timeout(LAST, last).await;
    }
}
