//! The metrics that Prometheus may fetch, sent to a collector instead: the same names, labels and numbers.
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prometheus::proto::{self, MetricFamily, MetricType};
use prost::Message as _;
use tokio_util::sync::CancellationToken;

use super::client::Client;
use crate::config::Otel;

/// Sends the metrics again and again.
pub(super) struct Push {
    url: String,
    pause: Duration,
    resource: Resource,
    client: Client,
}

impl Push {
    pub(super) fn new(url: &str, otel: &Otel, client: Client) -> Self {
        let attributes = super::attributes(otel);
        let attributes = attributes.iter().map(|(key, value)| pair(key, value)).collect();
        let resource = Resource { attributes, ..Resource::default() };
        Self { url: url.to_owned(), pause: otel.metrics_interval, resource, client }
    }

    /// Until the process stops. What the last interval counted is sent then, too.
    pub(super) async fn run(
        self,
        gather: Arc<dyn Fn() -> Vec<MetricFamily> + Send + Sync>,
        stop: CancellationToken,
    ) {
        let start = nanos(SystemTime::now());
        let mut away = false;
        loop {
            let stopping = tokio::select! {
                () = tokio::time::sleep(self.pause) => false,
                () = stop.cancelled() => true,
            };
            let limit = if stopping { super::LAST } else { super::EXPORT };
            let families = gather();
            let sent = tokio::time::timeout(limit, self.send(&families, start)).await;
            let error = match sent {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error),
                Err(late) => Some(late.to_string()),
            };
            if let Some(error) = error.as_ref().filter(|_| !away) {
                tracing::warn!(%error, "metrics were not sent");
            }
            away = error.is_some();
            if stopping {
                return;
            }
        }
    }

    async fn send(&self, families: &[MetricFamily], start: u64) -> Result<(), String> {
        let body = self.request(families, start, nanos(SystemTime::now())).encode_to_vec();
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(Bytes::from(body))
            .map_err(|error| error.to_string())?;
        let answer = self.client.post(request).await.map_err(|error| error.to_string())?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(format!("the collector said {}", answer.status()))
        }
    }

    fn request(&self, families: &[MetricFamily], start: u64, now: u64) -> ExportMetricsServiceRequest {
        let scope = InstrumentationScope {
            name: "ermine".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let metrics = families.iter().filter_map(|family| metric(family, start, now)).collect();
        let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, schema_url: String::new() }];
        let resource = Some(self.resource.clone());
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics { resource, scope_metrics, schema_url: String::new() }],
        }
    }
}

fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn pair(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn metric(family: &MetricFamily, start: u64, now: u64) -> Option<Metric> {
    let cumulative = AggregationTemporality::Cumulative as i32;
    let number = |metric: &proto::Metric, value: f64, start: u64| NumberDataPoint {
        attributes: labels(metric),
        start_time_unix_nano: start,
        time_unix_nano: now,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    };
    let all = family.get_metric().iter();
    let data = match family.get_field_type() {
        MetricType::COUNTER => Data::Sum(Sum {
            data_points: all.map(|one| number(one, one.get_counter().get_value(), start)).collect(),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        MetricType::GAUGE => Data::Gauge(Gauge {
            data_points: all.map(|one| number(one, one.get_gauge().get_value(), 0)).collect(),
        }),
        MetricType::HISTOGRAM => Data::Histogram(Histogram {
            data_points: all.map(|one| histogram(one, start, now)).collect(),
            aggregation_temporality: cumulative,
        }),
        // There are none.
        MetricType::SUMMARY | MetricType::UNTYPED => return None,
    };
    Some(Metric {
        name: family.name().to_owned(),
        description: family.help().to_owned(),
        data: Some(data),
        ..Metric::default()
    })
}

fn labels(metric: &proto::Metric) -> Vec<KeyValue> {
    metric.get_label().iter().map(|label| pair(label.name(), label.value())).collect()
}

/// Prometheus' buckets count all that is not larger; OTLP's are apart, with one more for what is beyond the last bound.
fn histogram(metric: &proto::Metric, start: u64, now: u64) -> HistogramDataPoint {
    let histogram = metric.get_histogram();
    let (mut explicit_bounds, mut bucket_counts, mut below) = (Vec::new(), Vec::new(), 0);
    for bucket in histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite()) {
        explicit_bounds.push(bucket.upper_bound());
        bucket_counts.push(bucket.cumulative_count().saturating_sub(below));
        below = bucket.cumulative_count();
    }
    let count = histogram.get_sample_count();
    bucket_counts.push(count.saturating_sub(below));
    HistogramDataPoint {
        attributes: labels(metric),
        start_time_unix_nano: start,
        time_unix_nano: now,
        count,
        sum: Some(histogram.get_sample_sum()),
        bucket_counts,
        explicit_bounds,
        ..HistogramDataPoint::default()
    }
}

#[cfg(test)]
mod tests {
    use prometheus::core::Collector as _;
    use prometheus::{HistogramOpts, HistogramVec};

    use super::*;

    #[test]
    fn buckets_are_taken_apart() {
        let options = HistogramOpts::new("seconds", "of a command").buckets(vec![1.0, 2.0, 4.0]);
        let made = HistogramVec::new(options, &["command"]).unwrap();
        for value in [0.5, 1.5, 1.6, 3.0, 9.0] {
            made.with_label_values(&["find"]).observe(value);
        }
        let told = metric(&made.collect()[0], 7, 8).unwrap();
        let Some(Data::Histogram(Histogram { data_points, .. })) = told.data else { panic!("a histogram") };
        let point = &data_points[0];
        assert_eq!(
            (point.explicit_bounds.as_slice(), point.bucket_counts.as_slice()),
            (&[1.0, 2.0, 4.0][..], &[1, 2, 1, 1][..])
        );
        assert_eq!((point.count, point.sum), (5, Some(15.6)));
        assert_eq!(point.attributes, [pair("command", "find")]);
    }
}
