"""Traces and metrics by OTLP, as a collector gets them."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pymongo.errors import OperationFailure

from conftest import connect, eventually, free_port, with_credentials

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector(HTTPServer):
    """Keeps what it is sent."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.traces, self.metrics = [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"

    def spans(self):
        scopes = [scope for each in list(self.traces) for one in each.resource_spans for scope in one.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    def find(self, name):
        return next((span for span in self.spans() if span.name == name), None)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.headers["Content-Type"] == "application/x-protobuf"
        kind, kept = {
            "/v1/traces": (ExportTraceServiceRequest, self.server.traces),
            "/v1/metrics": (ExportMetricsServiceRequest, self.server.metrics),
        }[self.path]
        kept.append(kind.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def collector():
    server = Collector()
    yield server
    server.shutdown()
    server.server_close()


def told(pairs):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@pytest.fixture
def observed(proxy, primary_uri):
    """A client of a proxy with these settings, and the proxy."""
    clients = []

    def start(**environment):
        port = free_port()
        one = proxy({"ERMINE_LISTEN_ADDR": f"127.0.0.1:{port}", **environment}, port)
        uri = urlsplit(primary_uri)
        clients.append(connect(with_credentials(f"mongodb://@127.0.0.1:{port}/", uri.username, uri.password)))
        return clients[-1], one

    yield start
    for client in clients:
        client.close()


COMMENTS = {
    "traceparent": f"00-{TRACE}-{SPAN}-01",
    "document": {"traceparent": f"00-{TRACE}-{SPAN}-01"},
    "json": json.dumps({"traceparent": f"00-{TRACE}-{SPAN}-01"}),
    "ferretdb": json.dumps({"ferretDB": {"traceID": TRACE, "spanID": SPAN}}),
}


@pytest.mark.parametrize("form", COMMENTS)
def test_spans_belong_to_the_clients_own(observed, collector, form):
    client, _ = observed(FERRETDB_OTEL_TRACES_URL=collector.url("/v1/traces"), FERRETDB_OTEL_SERVICE_NAME="shop")
    client.traced.command("find", "films", comment=COMMENTS[form], filter={"secret": "value"})
    eventually(lambda: collector.find("find") is not None and collector.find("find_cursor_first_page") is not None, True)
    command, call = collector.find("find"), collector.find("find_cursor_first_page")
    assert (command.trace_id.hex(), command.parent_span_id.hex()) == (TRACE, SPAN)
    assert (call.trace_id.hex(), call.parent_span_id) == (TRACE, command.span_id)
    assert (command.kind, call.kind) == (command.SPAN_KIND_SERVER, command.SPAN_KIND_CLIENT)
    names = told(command.attributes)
    assert (names["db.namespace"], names["db.collection.name"], names["db.operation.name"]) == ("traced", "films", "find")
    assert told(call.attributes)["ermine.node"] == "primary"
    assert command.start_time_unix_nano <= call.start_time_unix_nano <= call.end_time_unix_nano <= command.end_time_unix_nano
    resource = told(collector.traces[0].resource_spans[0].resource.attributes)
    assert resource["service.name"] == "shop" and resource["service.version"]
    # What a query looks for is nobody's business.
    assert b"secret" not in b"".join(each.SerializeToString() for each in collector.traces)


def test_errors_and_commands_without_a_parent(observed, collector):
    client, _ = observed(ERMINE_OTEL_TRACES_URL=collector.url("/v1/traces"))
    with pytest.raises(OperationFailure):
        client.traced.command("find", "films", filter={"$nonsense": 1})
    client.traced.command("ping", comment="of no trace")
    eventually(lambda: collector.find("find") is not None and collector.find("ping") is not None, True)
    command = collector.find("find")
    assert command.parent_span_id == b"" and command.status.code == command.status.STATUS_CODE_ERROR
    assert (told(command.attributes)["db.response.status_code"], command.status.message) == (2, "BadValue")
    assert collector.find("ping").trace_id not in (b"", command.trace_id)
    # Monitors ask for ever and say nothing.
    assert collector.find("hello") is None and collector.find("isMaster") is None


def test_what_the_client_does_not_sample_is_not_sent(observed, collector):
    client, _ = observed(ERMINE_OTEL_TRACES_URL=collector.url("/v1/traces"))
    client.traced.command("find", "films", comment=f"00-{TRACE}-{SPAN}-00")
    client.traced.command("count", "films")
    eventually(lambda: collector.find("count") is not None, True)
    assert collector.find("find") is None


def test_the_last_spans_are_sent_at_the_end(observed, collector):
    # They have a fraction of a second, which a machine with other things to do may not give them every time.
    for _ in range(5):
        client, one = observed(ERMINE_OTEL_TRACES_URL=collector.url("/v1/traces"))
        client.traced.command("distinct", "films", key="a")
        client.close()
        assert one.stop() == 0
        if collector.find("distinct") is not None:
            return
    raise AssertionError("the last spans were never sent")


def test_metrics(observed, collector):
    client, _ = observed(ERMINE_OTEL_METRICS_URL=collector.url("/v1/metrics"), ERMINE_OTEL_METRICS_INTERVAL="200ms")
    for _ in range(3):
        client.traced.command("count", "films")

    def counted():
        if not collector.metrics:
            return None
        scopes = collector.metrics[-1].resource_metrics[0].scope_metrics
        metrics = {metric.name: metric for scope in scopes for metric in scope.metrics}
        if "ermine_command_duration_seconds" not in metrics:
            # Exported before the first command.
            return None
        points = metrics["ermine_command_duration_seconds"].histogram.data_points
        found = [point for point in points if told(point.attributes) == {"command": "count"}]
        return found and (found[0].count, sum(found[0].bucket_counts), len(found[0].bucket_counts) - len(found[0].explicit_bounds))

    eventually(counted, (3, 3, 1))
    scopes = collector.metrics[-1].resource_metrics[0].scope_metrics
    metrics = {metric.name: metric for scope in scopes for metric in scope.metrics}
    requests = metrics["ferretdb_client_requests_total"].sum
    assert requests.is_monotonic and requests.aggregation_temporality == requests.aggregation_temporality
    assert metrics["ermine_client_connections"].gauge.data_points[0].as_double >= 1


def test_a_collector_that_is_away_is_no_trouble(observed):
    nowhere = f"http://127.0.0.1:{free_port()}"
    settings = {"ERMINE_OTEL_TRACES_URL": nowhere, "ERMINE_OTEL_METRICS_URL": nowhere, "ERMINE_OTEL_METRICS_INTERVAL": "50ms"}
    client, one = observed(**settings)
    for _ in range(50):
        client.traced.command("ping")
    eventually(lambda: "metrics were not sent" in one.words(), True)
    assert one.words().count("metrics were not sent") == 1
    client.close()
    assert one.stop() == 0


def test_addresses_are_checked(observed, proxy):
    port = free_port()
    one = proxy({"ERMINE_LISTEN_ADDR": f"127.0.0.1:{port}"}, port)
    refused = one.ping(ERMINE_OTEL_TRACES_URL="collector:4318")
    assert refused.returncode == 64 and "otel_traces_url" in refused.stderr
