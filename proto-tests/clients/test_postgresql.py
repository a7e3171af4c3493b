"""The side towards PostgreSQL: TLS in every mode, certificates, rotated passwords, URLs that can't be read."""

import base64
import os
from pathlib import Path
from urllib.parse import urlsplit

import pymongo
import pytest
from pymongo.errors import PyMongoError

from conftest import eventually, free_port, sql
from test_tls import REFUSED, Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pg-ca") / "one")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pg-ca") / "two", "stranger")


@pytest.fixture(scope="module")
def tls(authority):
    """PostgreSQL's primary with a certificate for localhost; a server's key must be its own."""
    certificate, key, _ = authority.issue("localhost")
    data = Path(os.environ["CLUSTER_PRIMARY_LOG"]).parent
    for name, file in {"tls.crt": certificate, "tls.key": key, "tls.ca": authority.ca}.items():
        # The server itself writes the files, so that they are its own and nobody else reads them.
        text = base64.b64encode(file.read_bytes()).decode()
        sql(f"COPY (SELECT '{text}') TO PROGRAM 'umask 077 && base64 -d > {name}'")
    sql("ALTER SYSTEM SET ssl_cert_file = 'tls.crt';; ALTER SYSTEM SET ssl_key_file = 'tls.key';; ALTER SYSTEM SET ssl_ca_file = 'tls.ca';; ALTER SYSTEM SET ssl = on;; SELECT pg_reload_conf()")
    yield data
    sql("ALTER SYSTEM RESET ssl;; SELECT pg_reload_conf()")


def url(host="localhost", **parameters):
    parts = urlsplit(os.environ["CLUSTER_PRIMARY_URL"])
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    return f"postgres://{parts.username}:{parts.password}@{host}:{parts.port}{parts.path}?{query}"


@pytest.fixture
def works(proxy, primary_uri):
    """Starts a proxy with this URL; true if a write goes through it. Who expects to be refused waits no longer than `REFUSED`."""
    login = urlsplit(primary_uri)

    def ask(postgresql_url, limit=30000, **environment):
        port = free_port()
        one = proxy({"ERMINE_LISTEN_ADDR": f"127.0.0.1:{port}", "ERMINE_POSTGRESQL_URL": postgresql_url, **environment}, port)
        client = pymongo.MongoClient("127.0.0.1", port, username=login.username, password=login.password, serverSelectionTimeoutMS=limit)

        def write():
            try:
                return client.pg_test.c.update_one({"_id": 1}, {"$inc": {"n": 1}}, upsert=True).acknowledged
            except PyMongoError as error:
                return error

        ask.write, ask.proxy = write, one
        return write()

    return ask


def test_several_hosts(works):
    """The first that answers may be away, or a standby: writes find the primary, unless the URL says which one it wants."""
    standby = urlsplit(os.environ["CLUSTER_STANDBY_URL"]).port
    for hosts in ("127.0.0.1:1,localhost", f"127.0.0.1:{standby},127.0.0.1:1,localhost"):
        assert works(url(host=hosts)) is True, works.proxy.words()
    refused = works(url(host=f"127.0.0.1:{standby},localhost", target_session_attrs="read-only"), REFUSED)
    assert isinstance(refused, PyMongoError), refused


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require"])
def test_modes_without_authorities(tls, works, mode):
    assert works(url(sslmode=mode)) is True, works.proxy.words()


def test_connections_are_encrypted(tls, works):
    """What the server says of the connections of this proxy."""
    assert works(url(sslmode="require", application_name="encrypted")) is True
    check = "(SELECT count(*) FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE a.application_name = 'encrypted' AND {})"
    sql(f"SELECT 1 / {check.format('s.ssl')}")
    with pytest.raises(AssertionError):
        sql(f"SELECT 1 / {check.format('NOT s.ssl')}")


@pytest.mark.parametrize("mode, host, known, good", [
    ("verify-ca", "localhost", True, True),
    ("verify-ca", "localhost", False, False),
    ("verify-full", "localhost", True, True),
    ("verify-full", "localhost", False, False),
    ("require", "localhost", True, True),
    ("require", "localhost", False, False),
])  # fmt: skip
def test_modes_with_authorities(tls, works, authority, stranger, mode, host, known, good):
    root = (authority if known else stranger).ca
    limit = 30000 if good else REFUSED
    assert (works(url(host, sslmode=mode, sslrootcert=root), limit) is True) == good, works.proxy.words()


def test_a_rotated_password_in_a_file(works, tmp_path):
    parts = urlsplit(os.environ["CLUSTER_PRIMARY_URL"])
    file = tmp_path / "url"
    role = f"rotating_{free_port()}"
    address = f"127.0.0.1:{parts.port}{parts.path}"
    sql(f"CREATE ROLE {role} LOGIN PASSWORD 'first' IN ROLE documentdb_admin_role, {parts.username}")
    try:
        file.write_text(f"postgres://{role}:first@{address}\n")
        assert works("", ERMINE_POSTGRESQL_URL_FILE=str(file)) is True, works.proxy.words()
        sql(f"ALTER ROLE {role} PASSWORD 'second';; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'")
        eventually(lambda: isinstance(works.write(), PyMongoError), True)
        file.write_text(f"postgres://{role}:second@{address}\n")
        eventually(works.write, True)
    finally:
        works.proxy.stop()
        sql(f"DROP ROLE {role}")


def test_a_url_that_can_not_be_read_is_told_and_not_fatal(proxy):
    port, debug = free_port(), free_port()
    settings = {"ERMINE_LISTEN_ADDR": f"127.0.0.1:{port}", "ERMINE_DEBUG_ADDR": f"127.0.0.1:{debug}"}
    one = proxy({**settings, "ERMINE_POSTGRESQL_URL": "mysql://user:hunter2@host/db"}, port, debug)
    with pymongo.MongoClient("127.0.0.1", port, serverSelectionTimeoutMS=30000) as client:
        assert client.admin.command("hello")["ok"] == 1
    words = one.words()
    assert "postgresql_url" in words and "expected a URL" in words and "hunter2" not in words
    assert one.process.poll() is None
