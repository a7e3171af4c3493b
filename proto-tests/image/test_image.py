"""The image keeps the contract that manifests for FerretDB rely on: metadata, users, read-only root, start and stop."""

import contextlib
import os
import signal
import socket
import stat
import subprocess
import threading
import time
import urllib.request
from urllib.parse import urlsplit

import pymongo
import pytest

from conftest import free_port, seconds_until_listening

# What FerretDB 1 and 2 and KubeDB's operator set, whether or not it means anything here.
LEGACY = {
    "FERRETDB_HANDLER": "postgresql",
    "FERRETDB_PG_USER": "ignored-because-the-url-names-one",
    "FERRETDB_PG_PASSWORD": "x",
    "FERRETDB_TELEMETRY": "disable",
    "FERRETDB_LOG_LEVEL": "info",
    "FERRETDB_METRICS_UUID": "true",
    "FERRETDB_STATE_DIR": "/state",
    "FERRETDB_SQLITE_URL": "file:/state/",
    "FERRETDB_TEST_SOMETHING": "1",
    "FERRETDB_DEBUG_ADDR": "-",
    "DO_NOT_TRACK": "true",
}

METADATA = [
    (("Entrypoint",), ["/ermine"]),
    (("Cmd",), []),
    (("User",), "1000:1000"),
    (("WorkingDir",), "/"),
    (("Volumes",), {"/state": {}}),
    (("ExposedPorts",), {"27017/tcp": {}, "27018/tcp": {}, "8088/tcp": {}}),
    (("Healthcheck", "Test"), ["CMD", "/ermine", "ping"]),
    (("Healthcheck", "Interval"), 60_000_000_000),
    (("Healthcheck", "Timeout"), 5_000_000_000),
    (("Healthcheck", "StartPeriod"), 30_000_000_000),
    (("Healthcheck", "Retries"), 1),
]


@pytest.mark.parametrize("path, expected", METADATA, ids=lambda value: ".".join(value) if isinstance(value, tuple) else "")
def test_metadata(config, path, expected):
    for name in path:
        config = config[name]
    assert config == expected


def test_environment_and_labels(config):
    assert {"FERRETDB_LISTEN_ADDR=:27017", "FERRETDB_DEBUG_ADDR=:8088", "FERRETDB_STATE_DIR=/state"} <= set(config["Env"])
    for name in ("title", "description", "url", "source", "vendor", "version", "revision"):
        assert f"org.opencontainers.image.{name}" in config["Labels"]


def test_files(image):
    binary, state = (image.root / "ermine").stat(), (image.root / "state").stat()
    assert (binary.st_uid, binary.st_gid) == (1000, 0) and binary.st_mode & 0o555 == 0o555
    assert (state.st_uid, state.st_gid) == (1000, 0)
    assert (state.st_mode >> 3) & 7 == (state.st_mode >> 6) & 7, "group 0 may do with /state what the owner may"
    assert os.readlink(image.root / "ferretdb") == "/ermine"
    assert any(line.split(":")[2:4] == ["1000", "1000"] for line in (image.root / "etc/passwd").read_text().splitlines())
    assert not stat.S_ISLNK((image.root / "ermine").lstat().st_mode)


@pytest.mark.parametrize("user, group", [(1000, 1000), (123456, 0)])
@pytest.mark.parametrize("program", ["/ermine", "/ferretdb"])
def test_version_and_shell(image, program, user, group):
    assert image.run([program, "--version"], user=user, group=group).stdout.startswith("ermine ")
    # Guides and lifecycle hooks run a shell in the container.
    assert image.run(["/bin/sh", "-c", "id -u && sleep 0"], user=user, group=group).stdout.strip() == str(user)


@contextlib.contextmanager
def served(image, environment, **options):
    process = image.start(["/ferretdb"], environment=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Service:
    """A TCP forwarder that stands for a Kubernetes service: its port refuses until there is something behind it."""

    def __init__(self, target):
        self.target, self.port, self.listener = target, free_port(), None

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(self.target)
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self.pump, args=pair, daemon=True).start()

    @staticmethod
    def pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()


@pytest.fixture
def service(postgresql_url):
    url = urlsplit(postgresql_url)
    service = Service((url.hostname, url.port))
    yield service
    if service.listener:
        service.close()


def through(service, postgresql_url):
    """The URL with the service in the place of the server."""
    url = urlsplit(postgresql_url)
    return url._replace(netloc=f"{url.username}:{url.password}@127.0.0.1:{service.port}").geturl()


@pytest.mark.parametrize("user, group, state", [(1000, 1000, "tmpfs"), (123456, 0, "tmpfs"), (1000, 1000, "read-only")])
def test_starts_before_postgresql_and_serves_when_it_comes(
    image, login, port, service, postgresql_url, small, user, group, state
):
    debug = free_port()
    environment = {
        **LEGACY,
        "FERRETDB_DEBUG_ADDR": f":{debug}",
        "FERRETDB_POSTGRESQL_URL": through(service, postgresql_url),
        "FERRETDB_LISTEN_ADDR": f":{port}",
    }
    with served(image, environment, user=user, group=group, state=state, limits=small) as process:
        # The contract says one second; the rest is for a machine that has other things to do.
        assert seconds_until_listening(port, limit=60) < 20
        uri = f"mongodb://{login[0]}:{login[1]}@127.0.0.1:{port}/ferretdb"
        with pymongo.MongoClient("127.0.0.1", port, serverSelectionTimeoutMS=60000) as anonymous:
            assert anonymous.admin.command("hello")["ok"] == 1, "the handshake needs no PostgreSQL"
        with pymongo.MongoClient(uri, serverSelectionTimeoutMS=60000) as client:
            service.open()
            deadline = time.monotonic() + 60
            while True:
                try:
                    client.kubedb_system["kubedb-write-check"].update_one({"_id": 1}, {"$inc": {"n": 1}}, upsert=True)
                    break
                except pymongo.errors.PyMongoError:
                    assert time.monotonic() < deadline and process.poll() is None
                    time.sleep(0.1)
            assert client.kubedb_system["kubedb-write-check"].find_one({"_id": 1})["n"] >= 1
            ping = image.run(["/ferretdb", "ping"], environment=environment, user=user, group=group)
            assert ping.returncode == 0, ping.stdout
            with urllib.request.urlopen(f"http://127.0.0.1:{debug}/debug/metrics", timeout=10) as metrics:
                assert "ferretdb_up{" in metrics.read().decode()
            client.drop_database("kubedb_system")


@pytest.mark.parametrize("busy", [False, True])
def test_stops_within_four_seconds(image, login, port, postgresql_url, small, busy):
    environment = {"FERRETDB_POSTGRESQL_URL": postgresql_url, "FERRETDB_LISTEN_ADDR": f":{port}", "FERRETDB_DEBUG_ADDR": "-"}
    with served(image, environment, limits=small) as process:
        seconds_until_listening(port, limit=60)
        stop = threading.Event()
        uri = f"mongodb://{login[0]}:{login[1]}@127.0.0.1:{port}/"
        with pymongo.MongoClient(uri, serverSelectionTimeoutMS=30000) as client:
            collection = client.image_stop.c
            collection.insert_one({"n": 0})

            def work():
                with contextlib.suppress(pymongo.errors.PyMongoError):
                    while not stop.is_set():
                        collection.insert_one({"n": 1})
                        collection.find_one()

            workers = [threading.Thread(target=work, daemon=True) for _ in range(4 if busy else 0)]
            for worker in workers:
                worker.start()
            process.send_signal(signal.SIGTERM)
            begun = time.monotonic()
            status = process.wait(30)
            # The contract says four seconds; the rest is for a machine that has other things to do.
            assert time.monotonic() - begun < 10
            assert status == 0
            stop.set()
            for worker in workers:
                worker.join(10)


def test_ping_fails_when_nothing_listens(image, port):
    ping = image.run(["/ermine", "ping"], environment={"FERRETDB_LISTEN_ADDR": f":{port}", "FERRETDB_POSTGRESQL_URL": "postgres://user@host/database"})
    assert ping.returncode == 1 and str(port) in ping.stdout
