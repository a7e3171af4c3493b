"""The two endpoints under test. `make test` starts them and names them in the environment."""

import os
import re
import time
import uuid
from urllib.parse import quote_plus

import pymongo
import pytest


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
    return pymongo.MongoClient(uri, serverSelectionTimeoutMS=5000, socketTimeoutMS=60000, **options)


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
