"""What an operator does to a running deployment: TLS is added, renewed, issued by another authority and removed; passwords
are chosen and exchanged; pods come and go. The conversations are typed into the MongoDB shell, as the guides do."""

import os
import re
import subprocess
import threading
from urllib.parse import quote, urlsplit

import pymongo
import pytest
from pymongo.errors import PyMongoError

from conftest import eventually, free_port, listens
from test_tls import Authority

PING = re.compile(r"^ferretdb> \{ ok: 1 \}$", re.MULTILINE)


@pytest.fixture
def login(primary_uri):
    uri = urlsplit(primary_uri)
    return uri.username, uri.password


def pod(proxy, port, tls=None):
    """A pod with FerretDB's variables; with a certificate it listens for TLS alone."""
    settings = {"ERMINE_LISTEN_ADDR": "", "ERMINE_POSTGRESQL_URL": "", "FERRETDB_POSTGRESQL_URL": os.environ["CLUSTER_PRIMARY_URL"]}
    if tls is None:
        settings["FERRETDB_LISTEN_ADDR"] = f":{port}"
    else:
        certificate, key, ca = tls
        settings |= {
            "FERRETDB_LISTEN_ADDR": "-",
            "FERRETDB_LISTEN_TLS": f":{port}",
            "FERRETDB_LISTEN_TLS_CERT_FILE": str(certificate),
            "FERRETDB_LISTEN_TLS_KEY_FILE": str(key),
            "FERRETDB_LISTEN_TLS_CA_FILE": str(ca),
        }
    return proxy(settings, port)


class Mounted:
    """Certificates as Kubernetes mounts them: files that are links through `..data`, which is exchanged as a whole."""

    def __init__(self, directory):
        self.directory, self.version = directory, 0
        directory.mkdir()

    def put(self, authority, name):
        certificate, key, client = authority.issue(name)
        self.version += 1
        data = self.directory / f"..{self.version}"
        data.mkdir()
        for file, source in (("server.crt", certificate), ("server.key", key), ("ca.crt", authority.ca)):
            (data / file).write_text(source.read_text())
            link = self.directory / file
            if not link.is_symlink():
                link.symlink_to(f"..data/{file}")
        fresh = self.directory / "..new"
        fresh.symlink_to(data.name)
        fresh.rename(self.directory / "..data")
        return client

    @property
    def files(self):
        return tuple(self.directory / name for name in ("server.crt", "server.key", "ca.crt"))


def test_tls_is_added_renewed_reissued_and_removed(proxy, shell, login, tmp_path):
    port, mounted = free_port(), Mounted(tmp_path / "certs")
    plain = f"mongodb://{login[0]}:{quote(login[1], safe='')}@localhost:{port}/ferretdb"

    def typed(uri, answered=True):
        if answered:
            return bool(PING.search(shell(uri, "db.runCommand({ping: 1})")))
        with pytest.raises(AssertionError, match="MongoServerSelectionError|MongoNetworkError|ECONNREFUSED|closed"):
            shell(uri + ("&" if "?" in uri else "?") + "serverSelectionTimeoutMS=2000", "db.runCommand({ping: 1})")
        return True

    def encrypted(authority, client):
        (tmp_path / "ca.crt").write_text(authority.ca.read_text())
        (tmp_path / "client.pem").write_text(client.read_text())
        return f"{plain}?tls=true&tlsCertificateKeyFile=./client.pem&tlsCaFile=./ca.crt"

    # Without TLS; then it is added by the variables of a new pod alone: the plain port is closed.
    first = pod(proxy, port)
    assert typed(plain)
    assert first.stop() == 0
    one = Authority(tmp_path / "one")
    client = mounted.put(one, "first")
    second = pod(proxy, port, mounted.files)
    assert typed(encrypted(one, client))
    assert typed(plain, answered=False)

    def serial():
        words = ["openssl", "s_client", "-connect", f"localhost:{port}", "-showcerts"]
        shown = subprocess.run(words, input="", capture_output=True, text=True, timeout=30).stdout
        pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", shown, re.DOTALL).group(0)
        text = subprocess.run(["openssl", "x509", "-noout", "-serial", "-issuer"], input=pem, capture_output=True, text=True)
        return text.stdout

    # Renewed by the same authority, then issued by another one: without a restart.
    before = serial()
    client = mounted.put(one, "second")
    eventually(lambda: serial() != before, True)
    assert typed(encrypted(one, client))
    other = Authority(tmp_path / "two", "ca-updated")
    client = mounted.put(other, "third")
    eventually(lambda: "ca-updated" in serial(), True)
    assert typed(encrypted(other, client))
    assert second.process.poll() is None and second.stop() == 0
    # Removed by the variables of a new pod.
    pod(proxy, port)
    assert typed(plain)


@pytest.mark.parametrize("name, password", [("jhon", "O9xE1mZZDAdBTbrV"), ("o'brian-@:/", "!&=$;%40 ~^`\"\\")])
def test_a_custom_user(shell, primary, primary_uri, name, password):
    """Any characters, as a person types them into the shell: percent-encoded in the address."""
    primary.admin.command("createUser", name, pwd=password, roles=[{"role": "readAnyDatabase", "db": "admin"}])
    try:
        netloc = urlsplit(primary_uri).netloc.rsplit("@", 1)[1]
        output = shell(f"mongodb://{quote(name, safe='')}:{quote(password, safe='')}@{netloc}/ferretdb", "db.runCommand({ping: 1})")
        assert PING.search(output), output
    finally:
        primary.admin.command("dropUser", name)


def test_a_password_is_exchanged(shell, primary, primary_uri, secondary_uri):
    """The new one is accepted and the old one refused, on both endpoints, also by whoever is connected already."""

    def accepted(uri, password):
        netloc = urlsplit(uri).netloc.rsplit("@", 1)[1]
        try:
            return bool(PING.search(shell(f"mongodb://exchanged:{password}@{netloc}/ferretdb?directConnection=true", "db.runCommand({ping: 1})")))
        except AssertionError as refused:
            if "Authentication failed" not in str(refused):
                raise
            return False

    primary.admin.command("createUser", "exchanged", pwd="before", roles=[{"role": "readAnyDatabase", "db": "admin"}])
    try:
        assert accepted(primary_uri, "before")
        output = shell(
            primary_uri + "admin",
            'db.updateUser("exchanged", {pwd: "after"})',
            'db.auth("exchanged", "before")',
            'db.auth("exchanged", "after")',
        )
        assert "MongoServerError[AuthenticationFailed]: Authentication failed." in output, output
        assert len(re.findall(r"\{ ok: 1 \}", output)) == 2, output
        for uri in (primary_uri, secondary_uri):
            eventually(lambda: accepted(uri, "after"), True)
            assert not accepted(uri, "before")
    finally:
        primary.admin.command("dropUser", "exchanged")


def test_pods_come_and_go_behind_a_service(proxy, service, login):
    """While a client works a second pod is added and the first one ends: every write that was acknowledged is there, no
    write failed in another way than by its connection, and the new pod serves as soon as it listens."""
    first, second = free_port(), free_port()
    old = pod(proxy, first)
    front = service(first)
    mongo = pymongo.MongoClient("127.0.0.1", front.port, username=login[0], password=login[1], serverSelectionTimeoutMS=5000)
    mongo.pods.come_and_go.drop()
    written, failures, end = [], [], threading.Event()

    def work():
        number = 0
        while not end.is_set():
            number += 1
            try:
                mongo.pods.come_and_go.insert_one({"_id": number})
                written.append(number)
            except PyMongoError as error:
                failures.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        eventually(lambda: len(written) > 50, True)
        pod(proxy, second)
        assert listens(second)
        front.lead_to(second)
        assert old.stop() == 0
        count = len(written)
        eventually(lambda: len(written) > count + 50, True)
    finally:
        end.set()
        worker.join()
    assert all(isinstance(error, pymongo.errors.ConnectionFailure) for error in failures), failures
    # One for the end of the old pod, and some more where the new one is slow to be found.
    assert len(failures) <= 5, failures
    there = {document["_id"] for document in mongo.pods.come_and_go.find()}
    assert there >= set(written) and len(there) <= len(written) + len(failures)
    mongo.drop_database("pods")
    mongo.close()
