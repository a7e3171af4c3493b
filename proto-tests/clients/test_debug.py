"""Metrics and probes: what dashboards and orchestrators ask over HTTP."""

import os
import re
import socket
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pymongo
import pytest
from prometheus_client.parser import text_string_to_metric_families

from conftest import connect, control, eventually, free_port

# A ServiceMonitor with honorLabels would let these replace the target's own.
RESERVED = {"namespace", "pod", "service", "instance", "job", "endpoint"}

# FerretDB's, with their labels; dashboards chart them.
FERRETDB = {
    "ferretdb_up": {"version", "commit", "branch", "dirty", "package", "dev", "postgresql", "documentdb", "telemetry", "update_available"},
    "ferretdb_client_accepts_total": {"error"},
    "ferretdb_client_duration_seconds": {"error"},
    "ferretdb_client_requests_total": {"opcode", "command"},
    "ferretdb_client_responses_total": {"opcode", "command", "argument", "result"},
    "ferretdb_pool_acquires_total": set(),
    "ferretdb_pool_acquires_duration_seconds_total": set(),
    "ferretdb_pool_acquires_empty_total": set(),
    "ferretdb_pool_acquires_canceled_total": set(),
    "ferretdb_pool_opened_total": set(),
    "ferretdb_pool_destroyed_maxlifetime_total": set(),
    "ferretdb_pool_destroyed_maxidle_total": set(),
    "promhttp_metric_handler_requests_in_flight": set(),
    "ferretdb_pool_acquired": set(),
    "ferretdb_pool_idle": set(),
    "ferretdb_pool_max_size": set(),
    "ferretdb_pool_size": set(),
    "ferretdb_pool_responses_duration_seconds": set(),
    "ferretdb_cursors_created_total": {"type"},
    "ferretdb_cursors_duration_seconds": {"type"},
    "ferretdb_pool_requests_total": set(),
}  # fmt: skip

OURS = {
    "ermine_command_duration_seconds": {"command"},
    "ermine_client_connections": set(),
    "ermine_tasks": set(),
    "ermine_cursors_open": {"type"},
    "ermine_node_role": {"node", "role"},
    "ermine_node_connections": {"node", "state"},
    "ermine_node_lag_seconds": {"node"},
    "ermine_node_lag_bytes": {"node"},
    "process_resident_memory_bytes": set(),
    "process_open_fds": set(),
}


def get(port, path):
    """Status and text of a page."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def scrape(port):
    code, text = get(port, "/debug/metrics")
    assert code == 200
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def value(samples, name, **labels):
    found = [s.value for s in samples if s.name == name and labels.items() <= s.labels.items()]
    return sum(found)


@pytest.fixture
def served(proxy, primary_uri):
    """A proxy with both endpoints and metrics: the port of the metrics and a URI of the primary endpoint."""
    port, secondary, debug = free_port(), free_port(), free_port()
    settings = {
        "ERMINE_LISTEN_ADDR": f"127.0.0.1:{port}",
        "ERMINE_SECONDARY_LISTEN_ADDR": f"127.0.0.1:{secondary}",
        "ERMINE_POSTGRESQL_STANDBY_URL": os.environ["CLUSTER_STANDBY_URL"],
        "ERMINE_DEBUG_ADDR": f":{debug}",
    }
    one = proxy(settings, port, debug)
    uri = urlsplit(primary_uri)
    yield one, debug, f"mongodb://{uri.username}:{uri.password}@127.0.0.1:{port}/"


def test_metrics(served):
    _, debug, uri = served
    with pymongo.MongoClient(uri) as client:
        collection = client.metrics_test.c
        collection.drop()
        collection.insert_many([{"_id": i} for i in range(300)])
        assert len(list(collection.find(batch_size=100))) == 300
        with pytest.raises(pymongo.errors.DuplicateKeyError):
            collection.insert_one({"_id": 1})
        for invented in ("nonsense", "more-nonsense"):
            with pytest.raises(pymongo.errors.OperationFailure):
                client.admin.command(invented)

        def known(samples):
            """Whether the background has learned of the nodes what it tells of them."""
            lag = {"ermine_node_lag_seconds", "ermine_node_lag_bytes"}
            role = value(samples, "ermine_node_role", node="standby-0", role="standby")
            versions = [s.labels["documentdb"] for s in samples if s.name == "ferretdb_up"]
            return role == 1 and lag <= {s.name for s in samples} and all(versions)

        eventually(lambda: known(scrape(debug)), True, 60)
        samples = scrape(debug)
        connections = value(samples, "ermine_client_connections")
        assert 1 <= connections <= 4
        client.metrics_test.drop_collection("c")
    names = {**FERRETDB, **OURS}
    for name, labels in names.items():
        family = [s for s in samples if s.name in (name, f"{name}_bucket")]
        if name == "ferretdb_client_duration_seconds":
            # Counts connections that ended.
            continue
        assert family, name
        assert set(family[0].labels) - {"le"} == labels, name
    assert not any(RESERVED & set(sample.labels) for sample in samples)
    assert value(samples, "ferretdb_client_requests_total", command="insert") == 2
    assert value(samples, "ferretdb_client_responses_total", command="insert", result="ok") == 2
    assert value(samples, "ferretdb_client_responses_total", command="unknown", result="CommandNotFound") == 2
    assert not any("nonsense" in text for s in samples for text in s.labels.values()), "labels are bounded"
    assert value(samples, "ermine_command_duration_seconds_count", command="getMore") >= 2
    assert value(samples, "ferretdb_cursors_created_total", type="normal") >= 1
    assert value(samples, "ermine_node_role", node="primary", role="primary") == 1
    assert value(samples, "ermine_node_role", node="standby-0", role="standby") == 1
    assert value(samples, "ermine_node_lag_seconds", node="standby-0") >= 0
    assert value(samples, "ferretdb_pool_responses_duration_seconds_count") >= 4
    eventually(lambda: value(scrape(debug), "ferretdb_client_duration_seconds_count", error="0") > 0, True)
    assert value(samples, "ferretdb_pool_requests_total") >= 4
    assert value(scrape(debug), "promhttp_metric_handler_requests_total", code="200") >= 1
    assert value(samples, "ferretdb_cursors_duration_seconds_count", type="normal") >= 1
    up = [sample.labels for sample in samples if sample.name == "ferretdb_up"]
    assert len(up) == 1 and re.match(r"\d+\.\d+", up[0]["postgresql"]) and re.match(r"0\.\d+\.\d+", up[0]["documentdb"])


def test_pages(served):
    _, debug, _ = served
    assert get(debug, "/debug/livez") == (200, "")
    eventually(lambda: get(debug, "/debug/readyz"), (200, ""))
    assert '"name":"ermine"' in get(debug, "/debug/version")[1]
    assert get(debug, "/debug/pprof")[0] == 404
    request = urllib.request.Request(f"http://127.0.0.1:{debug}/debug/metrics", method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 405
    probes = "ferretdb_debug_probe_response_seconds_count"
    assert value(scrape(debug), probes, probe="readyz", code="200") >= 1


def test_readyz_follows_postgresql(served):
    _, debug, _ = served
    eventually(lambda: get(debug, "/debug/readyz")[0], 200)
    for node in ("standby1", "primary"):
        control(f"kill {node}")
        try:
            eventually(lambda: get(debug, "/debug/readyz")[0], 500)
            assert get(debug, "/debug/livez")[0] == 200
        finally:
            control(f"start {node}")
        eventually(lambda: get(debug, "/debug/readyz")[0], 200, 60)


def test_readyz_wants_the_extension(proxy):
    """A database without the extension is no storage; the process stays up and says so."""
    port, debug = free_port(), free_port()
    url = urlsplit(os.environ["CLUSTER_PRIMARY_URL"])
    one = proxy(
        {
            "ERMINE_LISTEN_ADDR": f"127.0.0.1:{port}",
            "ERMINE_DEBUG_ADDR": f"127.0.0.1:{debug}",
            "ERMINE_POSTGRESQL_URL": url._replace(path="/template1").geturl(),
        },
        port,
        debug,
    )
    code, why = get(debug, "/debug/readyz")
    assert code == 500 and "DocumentDB" in why, why
    with pymongo.MongoClient("127.0.0.1", port, username="ermine", password="x", serverSelectionTimeoutMS=30000) as client:
        with pytest.raises(pymongo.errors.OperationFailure, match="DocumentDB extension"):
            client.test.c.find_one()
    assert one.process.poll() is None
    eventually(lambda: "the DocumentDB extension is not installed" in one.words(), True)


def test_closed_connections_leave_nothing(proxy, primary_uri):
    port, debug = free_port(), free_port()
    proxy({"ERMINE_LISTEN_ADDR": f"127.0.0.1:{port}", "ERMINE_DEBUG_ADDR": f"127.0.0.1:{debug}"}, port, debug)
    uri = primary_uri.replace(urlsplit(primary_uri).netloc.rsplit("@", 1)[1], f"127.0.0.1:{port}")

    def held():
        samples = scrape(debug)
        return tuple(value(samples, name) for name in ("ermine_client_connections", "ermine_tasks", "process_open_fds"))

    def use_and_close():
        with connect(uri) as client:
            client.admin.command("ping")
            list(client.t.c.find())

    for _ in range(5):
        use_and_close()
    eventually(lambda: held()[0], 0)
    # The connection of the last scrape is one of the open files for a moment.
    time.sleep(1)
    before = held()
    for _ in range(100):
        use_and_close()
    for _ in range(200):
        socket.create_connection(("127.0.0.1", port)).close()
    eventually(held, before, 60)


@pytest.mark.parametrize("threshold, told", [("1ms", True), ("1h", False), ("-", False)])
def test_slow_commands_are_logged_without_their_values(proxy, primary_uri, threshold, told):
    port = free_port()
    one = proxy({"ERMINE_LISTEN_ADDR": f"127.0.0.1:{port}", "ERMINE_SLOW_COMMAND_THRESHOLD": threshold}, port)
    uri = primary_uri.replace(urlsplit(primary_uri).netloc.rsplit("@", 1)[1], f"127.0.0.1:{port}")
    with connect(uri, appname="patient") as client:
        client.slow.c.insert_many([{"value": "a secret"} for _ in range(10_000)])
        list(client.slow.c.find({"value": {"$regex": "secret$"}}))
        client.drop_database("slow")
    lines = [line for line in one.words().splitlines() if "slow command" in line]
    for command in ("insert", "find"):
        found = any(f"command=\"{command}\"" in line and 'db="slow" collection="c"' in line for line in lines)
        assert found == told, one.words()
    assert bool(lines) == told and "secret" not in one.words()
    assert not any("hello" in line or "sasl" in line for line in lines)
    assert not told or any('application="patient"' in line and 'user="' in line for line in lines), lines
