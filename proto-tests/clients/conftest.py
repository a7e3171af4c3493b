"""The two endpoints under test. `make test` starts them and names them in the environment."""

import contextlib
import os
import re
import socket
import subprocess
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import quote_plus

import pymongo
import pytest

HERE = Path(__file__).parent
NODE = HERE / "node_modules/.node/bin/node"


def endpoint(name):
    uri = os.environ.get(name)
    if not uri:
        pytest.exit(f"{name} is not set: run these tests with `make test`, or under `ermine-cluster with`", 2)
    return uri


@pytest.fixture(scope="session")
def primary_uri():
    return endpoint("ERMINE_PRIMARY_URI")


@pytest.fixture(scope="session")
def secondary_uri():
    return endpoint("ERMINE_SECONDARY_URI")


def connect(uri, **options):
    return pymongo.MongoClient(uri, serverSelectionTimeoutMS=15000, socketTimeoutMS=60000, **options)


@pytest.fixture(scope="session")
def primary(primary_uri):
    with connect(primary_uri) as client:
        yield client


@pytest.fixture(scope="session")
def secondary(secondary_uri):
    with connect(secondary_uri) as client:
        yield client


@pytest.fixture
def db(primary):
    """A database of the test's own, gone afterwards."""
    name = "t_" + uuid.uuid4().hex[:12]
    yield primary[name]
    primary.drop_database(name)


@pytest.fixture
def replica(db, secondary):
    """The same database on the secondary endpoint. Replication takes a moment: use `eventually`."""
    return secondary[db.name]


class Proxy:
    """An Ermine of the test's own in front of the cluster, with settings of its own; ended with the test."""

    def __init__(self, log, environment):
        self.log = log
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ERMINE_", "FERRETDB_"))}
        self.environment = {
            **inherited,
            "ERMINE_LISTEN_ADDR": "-",
            "ERMINE_DEBUG_ADDR": "-",
            "ERMINE_POSTGRESQL_URL": os.environ["CLUSTER_PRIMARY_URL"],
            **environment,
        }
        with open(log, "ab") as output:
            self.process = subprocess.Popen([os.environ["CLUSTER_PROXY"]], env=self.environment, stdout=output, stderr=output)

    def await_listening(self, *ports):
        for port in ports:
            eventually(lambda: self.process.poll() is None and listens(port), True)

    def ping(self, **environment):
        program = [os.environ["CLUSTER_PROXY"], "ping"]
        return subprocess.run(program, env={**self.environment, **environment}, capture_output=True, text=True, timeout=30)

    def words(self):
        return self.log.read_text()

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def control(request):
    """Asks for a node to be killed or started, and waits until it is done."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ["CLUSTER_CONTROL"])
        connection.sendall(request.encode() + b"\n")
        answer = connection.makefile().readline().strip()
    assert answer == "ok", answer


def sql(statements, node="primary"):
    """Runs statements as superuser, each in a transaction of its own; `;;` parts them."""
    control(f"sql {node} {statements}")


class Service:
    """A TCP forwarder that stands for a Kubernetes service: it leads to one server after another, and existing connections
    stay where they are."""

    def __init__(self, *targets):
        self.targets, self.turn = list(targets), 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs = []
        threading.Thread(target=self._accept, daemon=True).start()

    def lead_to(self, *targets):
        self.targets = list(targets)

    def close(self):
        self.listener.close()
        for pair in self.pairs:
            for end in pair:
                end.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                if not self.targets:
                    client.close()
                    continue
                self.turn += 1
                try:
                    server = socket.create_connection(("127.0.0.1", self.targets[self.turn % len(self.targets)]))
                except OSError:
                    client.close()
                    continue
                self.pairs.append((client, server))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def service():
    """Makes forwarders that are gone after the test."""
    made = []

    def make(*targets):
        made.append(Service(*targets))
        return made[-1]

    yield make
    for one in made:
        one.close()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# Until somebody listens on a port the kernel may name it again.
GIVEN = set()


def free_port():
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in GIVEN:
            GIVEN.add(port)
            return port


@pytest.fixture
def proxy(tmp_path):
    """Starts an Ermine with these settings."""
    started = []

    def start(environment, *ports):
        started.append(Proxy(tmp_path / f"ermine-{len(started)}.log", environment))
        started[-1].await_listening(*ports)
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            assert one.stop() == 0, one.words()


@pytest.fixture
def shell(tmp_path):
    """Types lines into the shell and gives what it printed after its own greeting."""

    def play(uri, *lines):
        # For an address of this machine the shell itself looks for two seconds only.
        if "serverSelectionTimeoutMS" not in uri:
            uri += ("&" if "?" in uri else "?") + "serverSelectionTimeoutMS=30000"
        program = [str(HERE / "node_modules/mongosh/bin/mongosh.js"), "--norc", uri]
        program.insert(0, str(NODE) if NODE.exists() else "node")
        home = {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin", "NO_COLOR": "1", "TERM": "dumb"}
        typed = "".join(line + "\n" for line in (*lines, "exit"))
        done = subprocess.run(program, input=typed, env=home, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return play


def eventually(read, expected, seconds=20):
    """Reads until the answer is the expected one; the last answer is the one that is judged."""
    give_up = time.monotonic() + seconds
    while True:
        answer = read()
        if answer == expected or time.monotonic() > give_up:
            assert answer == expected
            return
        time.sleep(0.02)


def size(collection):
    """The number of documents, by reading them."""
    return sum(1 for _ in collection.find({}, {"_id": 1}))


def with_credentials(uri, user, password):
    """The address with another user."""
    return re.sub(r"//[^@]*@", f"//{quote_plus(user)}:{quote_plus(password)}@", uri)


def without_credentials(uri):
    return re.sub(r"//[^@]*@", "//", uri)
