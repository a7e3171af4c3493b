"""The image as built by scripts/image.sh, and a PostgreSQL behind it. `make test` provides both."""

import json
import os
import pathlib
import socket
import time
from urllib.parse import urlsplit

import pytest

from container import Container, directory, limits

BUILT = pathlib.Path(__file__).parents[2] / "target" / "image"


@pytest.fixture(scope="session")
def config():
    """What the image says of itself."""
    return json.loads((BUILT / "image.json").read_text())["Docker"]["config"]


@pytest.fixture(scope="session")
def image(config):
    return Container((BUILT / "root").resolve(), dict(variable.split("=", 1) for variable in config["Env"]))


@pytest.fixture(scope="session")
def login():
    """User and password of the cluster's MongoDB user, which is a PostgreSQL role."""
    uri = urlsplit(os.environ["ERMINE_PRIMARY_URI"])
    return uri.username, uri.password


@pytest.fixture(scope="session")
def postgresql_url():
    return os.environ["CLUSTER_PRIMARY_URL"]


@pytest.fixture
def scratch():
    with directory() as path:
        yield path


@pytest.fixture
def small():
    """The process lists of groups with 200m CPU and 300 MiB, as deployment guides give the container."""
    with limits(0.2, 300 * 1024 * 1024) as lists:
        yield lists


@pytest.fixture
def port():
    """Free a moment ago."""
    return free_port()


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


def seconds_until_listening(port, limit=10):
    begun = time.monotonic()
    while time.monotonic() - begun < limit:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return time.monotonic() - begun
        time.sleep(0.01)
    raise AssertionError(f"nothing listens on port {port} after {limit} s")
