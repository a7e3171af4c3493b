"""TLS towards clients: both kinds of port, client certificates, every form of key, exchanged files, PLAIN."""

import os
import re
import ssl
import subprocess
from urllib.parse import urlsplit

import pymongo
import pytest
from pymongo.errors import OperationFailure, PyMongoError

from conftest import eventually, free_port


def openssl(directory, *words):
    subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)


class Authority:
    """A certificate authority, made as the guides make it, and what it issues."""

    def __init__(self, directory, name="ferretdb"):
        self.directory = directory
        directory.mkdir(exist_ok=True)
        openssl(directory, *"req -x509 -nodes -days 365 -newkey rsa:2048 -keyout ca.key -out ca.crt".split(), "-subj", f"/CN={name}/O=kubedb")
        self.ca = directory / "ca.crt"

    def issue(self, name, key="rsa", days="90"):
        """The certificate and the key, in files of their own, and both in one, as drivers want it."""
        at = self.directory
        making = {
            "rsa": ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            "ec": ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            "ed25519": ["genpkey", "-algorithm", "ed25519"],
            "pkcs1": ["genrsa", "-traditional"],
            "sec1": ["ecparam", "-name", "prime256v1", "-genkey"],
        }[key]
        openssl(at, *making, "-out", f"{name}.key")
        openssl(at, "req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}/O=kubedb/OU=client", "-out", f"{name}.csr")
        (at / "san").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl(
            at, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", days, "-extfile", "san", "-out", f"{name}.crt",
        )  # fmt: skip
        (at / f"{name}.pem").write_text((at / f"{name}.crt").read_text() + (at / f"{name}.key").read_text())
        return at / f"{name}.crt", at / f"{name}.key", at / f"{name}.pem"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca") / "one")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca") / "two", "stranger")


@pytest.fixture(scope="module")
def client_pem(authority):
    return authority.issue("client")[2]


@pytest.fixture
def login(primary_uri):
    uri = urlsplit(primary_uri)
    return uri.username, uri.password


def listening(port, certificate, key, **more):
    return {
        "FERRETDB_LISTEN_TLS": f"127.0.0.1:{port}",
        "FERRETDB_LISTEN_TLS_CERT_FILE": str(certificate),
        "FERRETDB_LISTEN_TLS_KEY_FILE": str(key),
        **more,
    }


# Milliseconds. Who expects to be refused waits no longer than this.
REFUSED = 3000


def works(port, login, authority, limit=30000, **options):
    """True if a driver logs in and writes; else why not."""
    if authority:
        options |= {"tls": True, "tlsCAFile": str(authority.ca)}
    user, password = login
    client = pymongo.MongoClient(
        "localhost", port, username=user, password=password, serverSelectionTimeoutMS=limit, connectTimeoutMS=limit, **options
    )
    with client:
        try:
            return client.tls_test.c.update_one({"_id": 1}, {"$set": {"x": 1}}, upsert=True).acknowledged
        except PyMongoError as error:
            return error


@pytest.mark.parametrize("form, opening", [
    ("rsa", "-----BEGIN PRIVATE KEY"),
    ("ec", "-----BEGIN PRIVATE KEY"),
    ("ed25519", "-----BEGIN PRIVATE KEY"),
    ("pkcs1", "-----BEGIN RSA PRIVATE KEY"),
    ("sec1", "-----BEGIN EC PARAMETERS"),
])  # fmt: skip
def test_every_form_of_key(proxy, authority, login, form, opening):
    port = free_port()
    certificate, key, _ = authority.issue(f"server-{form}", form)
    assert key.read_text().startswith(opening)
    one = proxy(listening(port, certificate, key), port)
    assert works(port, login, authority) is True, one.words()
    assert one.ping().returncode == 0


def test_client_certificates_are_required_with_a_ca(proxy, authority, stranger, client_pem, login):
    port = free_port()
    certificate, key, _ = authority.issue("server-mtls")
    one = proxy(listening(port, certificate, key, FERRETDB_LISTEN_TLS_CA_FILE=str(authority.ca)), port)
    assert works(port, login, authority, tlsCertificateKeyFile=str(client_pem)) is True, one.words()
    assert isinstance(works(port, login, authority, REFUSED), PyMongoError)
    foreign = stranger.issue("client")[2]
    assert isinstance(works(port, login, authority, REFUSED, tlsCertificateKeyFile=str(foreign)), PyMongoError)
    assert isinstance(works(port, login, None, REFUSED), PyMongoError), "plain text on the TLS port"
    assert one.ping().returncode == 0, one.ping().stderr


def test_client_certificates_only_requested(proxy, authority, stranger, client_pem, login):
    port = free_port()
    certificate, key, _ = authority.issue("server-requested")
    ca = {"ERMINE_LISTEN_TLS_CA_FILE": str(authority.ca), "ERMINE_TLS_CLIENT_CERTIFICATES": "requested"}
    one = proxy(listening(port, certificate, key, **ca), port)
    assert works(port, login, authority) is True, one.words()
    assert works(port, login, authority, tlsCertificateKeyFile=str(client_pem)) is True
    foreign = stranger.issue("client")[2]
    assert isinstance(works(port, login, authority, REFUSED, tlsCertificateKeyFile=str(foreign)), PyMongoError)


@pytest.mark.parametrize("mode, plain", [("allowTLS", True), ("requireTLS", False)])
def test_tls_on_the_common_port(proxy, authority, login, mode, plain):
    port = free_port()
    certificate, key, _ = authority.issue("server-common")
    files = {"ERMINE_LISTEN_TLS_CERT_FILE": str(certificate), "ERMINE_LISTEN_TLS_KEY_FILE": str(key)}
    one = proxy({"ERMINE_LISTEN_ADDR": f"127.0.0.1:{port}", "ERMINE_TLS_MODE": mode, **files}, port)
    assert works(port, login, authority) is True, one.words()
    assert (works(port, login, None, 30000 if plain else REFUSED) is True) == plain
    assert one.ping().returncode == 0


def presented(port):
    """The server's certificate as text."""
    return ssl.get_server_certificate(("127.0.0.1", port)).strip()


def test_exchanged_files_are_taken_up_and_broken_ones_are_not(proxy, authority, stranger, login, tmp_path):
    """As kubelet does it: the files are links into a directory that is a link, which is exchanged."""
    mount, port = tmp_path / "certs", free_port()
    mount.mkdir()

    def publish(name, certificate, key):
        version = mount / f"..{name}"
        version.mkdir()
        (version / "tls.crt").write_text(certificate)
        (version / "tls.key").write_text(key)
        (mount / "..new").symlink_to(version.name)
        os.replace(mount / "..new", mount / "..data")

    def both(certificate, key, _):
        return certificate.read_text(), key.read_text()

    first, second = both(*authority.issue("first")), both(*stranger.issue("second", "sec1"))
    publish("1", *first)
    for name in ("tls.crt", "tls.key"):
        (mount / name).symlink_to(f"..data/{name}")
    one = proxy(listening(port, mount / "tls.crt", mount / "tls.key"), port)
    assert presented(port) == first[0].strip()
    uri = dict(username=login[0], password=login[1], tls=True, tlsCAFile=str(authority.ca), serverSelectionTimeoutMS=30000)
    with pymongo.MongoClient("localhost", port, **uri) as before:
        assert before.admin.command("ping")["ok"] == 1
        publish("2", *second)
        eventually(lambda: presented(port), second[0].strip())
        assert works(port, login, stranger) is True
        # Open connections go on.
        assert before.admin.command("ping")["ok"] == 1
    publish("3", second[0], first[1])
    eventually(lambda: "not usable" in one.words(), True)
    publish("4", "no certificate", "no key")
    eventually(lambda: one.words().count("not usable"), 2)
    assert presented(port) == second[0].strip()
    publish("5", *first)
    eventually(lambda: presented(port), first[0].strip())


def test_a_certificate_that_ends_soon_is_a_warning(proxy, authority):
    port = free_port()
    certificate, key, _ = authority.issue("server-soon", days="3")
    one = proxy(listening(port, certificate, key), port)
    eventually(lambda: "expires soon" in one.words(), True)


@pytest.mark.parametrize("setting, text, named", [
    ("ERMINE_LISTEN_TLS_CERT_FILE", "/nowhere/tls.crt", "/nowhere/tls.crt"),
    ("ERMINE_LISTEN_TLS_KEY_FILE", "/etc/hostname", "/etc/hostname"),
    ("ERMINE_LISTEN_TLS_CERT_FILE", None, "listen_tls_cert_file"),
])  # fmt: skip
def test_unusable_files_end_the_start_with_a_sentence(proxy, authority, setting, text, named):
    certificate, key, _ = authority.issue("server-unusable")
    settings = listening(free_port(), certificate, key)
    settings[setting] = text or ""
    if text is None:
        del settings["FERRETDB_LISTEN_TLS_CERT_FILE"]
    one = proxy(settings)
    assert one.process.wait(10) != 0
    assert named in one.words()


def test_ping_wants_the_configured_certificate(proxy, authority, stranger):
    port = free_port()
    certificate, key, _ = authority.issue("server-ping")
    one = proxy(listening(port, certificate, key), port)
    other, other_key, _ = stranger.issue("server-other")
    names = {"FERRETDB_LISTEN_TLS_CERT_FILE": str(other), "FERRETDB_LISTEN_TLS_KEY_FILE": str(other_key)}
    assert one.ping(**names).returncode == 1


def test_plain_over_tls_only(proxy, authority, login):
    port, open_port = free_port(), free_port()
    certificate, key, _ = authority.issue("server-plain")
    more = {"ERMINE_LISTEN_ADDR": f"127.0.0.1:{open_port}"}
    proxy(listening(port, certificate, key, **more), port, open_port)
    assert works(port, login, authority, authMechanism="PLAIN") is True
    refused = works(open_port, login, None, authMechanism="PLAIN")
    assert isinstance(refused, OperationFailure) and refused.code == 334, refused
    assert "PLAIN which is not enabled" in refused.details["errmsg"]
    for wrong in [(login[0], "wrong"), ("nobody", login[1])]:
        refused = works(port, wrong, authority, authMechanism="PLAIN")
        assert refused.code == 18 and refused.details["errmsg"] == "Authentication failed."


def test_the_guide_with_mongosh(proxy, shell, authority, client_pem, login, tmp_path):
    """The commands of the TLS guide as they are typed, PLAIN included, and again without it."""
    port = free_port()
    certificate, key, _ = authority.issue("server-guide")
    proxy(listening(port, certificate, key, FERRETDB_LISTEN_TLS_CA_FILE=str(authority.ca)), port)
    (tmp_path / "client.pem").write_text(client_pem.read_text())
    (tmp_path / "ca.crt").write_text(authority.ca.read_text())
    for mechanism in ("authMechanism=PLAIN&", ""):
        uri = f"mongodb://{login[0]}:{login[1]}@localhost:{port}/ferretdb?{mechanism}tls=true"
        output = shell(f"{uri}&tlsCertificateKeyFile=./client.pem&tlsCaFile=./ca.crt", "db.runCommand({ping: 1})")
        assert re.search(r"^ferretdb> \{ ok: 1 \}$", output, re.MULTILINE), output


NAME = "OU=client,O=kubedb,CN=writer"


def certified(port, authority, pem, **options):
    return pymongo.MongoClient(
        f"mongodb://127.0.0.1:{port}/?authMechanism=MONGODB-X509",
        tls=True,
        tlsCAFile=str(authority.ca),
        tlsCertificateKeyFile=str(pem),
        serverSelectionTimeoutMS=30000,
        **options,
    )


@pytest.fixture
def writer(primary):
    """A user without a password, as MongoDB's manual makes one."""
    roles = [{"role": "clusterAdmin", "db": "admin"}, {"role": "readWriteAnyDatabase", "db": "admin"}]
    primary["$external"].command("createUser", NAME, roles=roles)
    yield NAME
    primary["$external"].command("dropUser", NAME)


def x509_proxy(proxy, port, authority, **more):
    certificate, key, _ = authority.issue("server")
    return proxy(listening(port, certificate, key, FERRETDB_LISTEN_TLS_CA_FILE=str(authority.ca), **more), port)


def test_a_certificate_logs_its_user_in(proxy, authority, writer, login, db):
    port = free_port()
    x509_proxy(proxy, port, authority, ERMINE_CERTIFICATE_USERS="subject", ERMINE_TLS_CLIENT_CERTIFICATES="requested")
    pem = authority.issue("writer")[2]
    # With the name and without, in the first hello and after it.
    for options in ({}, {"username": NAME}):
        with certified(port, authority, pem, **options) as client:
            client[db.name].c.insert_one({})
            status = client.admin.command("connectionStatus")["authInfo"]
            assert status["authenticatedUsers"] == [{"user": NAME, "db": "$external"}]
    with pymongo.MongoClient(
        f"mongodb://127.0.0.1:{port}/", tls=True, tlsCAFile=str(authority.ca), tlsCertificateKeyFile=str(pem)
    ) as client:
        hello = client.admin.command("hello", saslSupportedMechs=f"$external.{NAME}")
        assert hello["saslSupportedMechs"] == ["MONGODB-X509"]
        with pytest.raises(OperationFailure) as wrong:
            client.admin.command("authenticate", 1, mechanism="MONGODB-X509")
        assert wrong.value.code == 17
        done = client["$external"].command("authenticate", 1, mechanism="MONGODB-X509")
        assert (done["dbname"], done["user"], done["ok"]) == ("$external", NAME, 1.0)
    # Another's name, a certificate without a user, and none at all.
    other = authority.issue("other")[2]
    for key, options in ((pem, {"username": "OU=client,O=kubedb,CN=other"}), (other, {})):
        with certified(port, authority, key, **options) as client, pytest.raises(OperationFailure) as wrong:
            client[db.name].c.find_one()
        assert wrong.value.code == 18, wrong.value
    with pymongo.MongoClient(f"mongodb://127.0.0.1:{port}/", tls=True, tlsCAFile=str(authority.ca)) as client:
        with pytest.raises(OperationFailure) as wrong:
            client["$external"].command("authenticate", 1, mechanism="MONGODB-X509")
        assert wrong.value.code == 18
    # Passwords still do.
    user, password = login
    with pymongo.MongoClient(
        f"mongodb://127.0.0.1:{port}/", username=user, password=password, tls=True, tlsCAFile=str(authority.ca)
    ) as client:
        assert client[db.name].c.count_documents({}) == 2


def test_the_common_name_alone_and_names_that_are_too_long(proxy, authority, login, primary, db):
    user, _ = login
    port, second = free_port(), free_port()
    x509_proxy(proxy, port, authority, ERMINE_CERTIFICATE_USERS="cn")
    with certified(port, authority, authority.issue(user)[2]) as client:
        client[db.name].c.insert_one({})
    # A group of the extension is no user.
    with certified(port, authority, authority.issue("documentdb_admin_role")[2]) as client, pytest.raises(OperationFailure) as wrong:
        client[db.name].c.find_one()
    assert wrong.value.code == 18
    x509_proxy(proxy, second, authority, ERMINE_CERTIFICATE_USERS="subject")
    with certified(second, authority, authority.issue("x" * 50)[2]) as client, pytest.raises(OperationFailure) as wrong:
        client[db.name].c.find_one()
    assert wrong.value.code == 18 and "63" in str(wrong.value)
    with pytest.raises(OperationFailure) as wrong:
        primary.admin.command("createUser", "x" * 64, pwd="x", roles=[{"role": "readAnyDatabase", "db": "admin"}])
    assert wrong.value.code == 2


def test_certificates_log_nobody_in_unless_a_setting_says_so(proxy, authority, writer, db):
    port = free_port()
    x509_proxy(proxy, port, authority)
    with certified(port, authority, authority.issue("writer")[2]) as client, pytest.raises(OperationFailure) as wrong:
        client[db.name].c.find_one()
    assert wrong.value.code == 334
