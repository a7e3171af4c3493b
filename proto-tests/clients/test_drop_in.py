"""What a pod that was made for FerretDB relies on: its variables alone, whatever a password holds, whichever database a
login names, a health check every ten seconds, several pods behind one service."""

import os
import re
import time
from urllib.parse import urlsplit

import pymongo
import pytest
from pymongo.errors import OperationFailure, PyMongoError

from conftest import connect, eventually, free_port, sql, with_credentials

# What KubeDB's operator and FerretDB 1 and 2 set.
LEGACY = {
    "FERRETDB_HANDLER": "postgresql",
    "FERRETDB_TELEMETRY": "disable",
    "FERRETDB_METRICS_UUID": "true",
    "FERRETDB_STATE_DIR": "/nowhere/that/can/be/written",
    "FERRETDB_SQLITE_URL": "file:/state/",
    "FERRETDB_LOG_LEVEL": "debug",
    "FERRETDB_LOG_FORMAT": "console",
    "FERRETDB_TEST_RECORDS_DIR": "",
    "DO_NOT_TRACK": "true",
    # Kubernetes sets these for a service of this name.
    "FERRETDB_SERVICE_HOST": "10.0.0.1",
    "FERRETDB_PORT": "tcp://10.0.0.1:27017",
}

# Every symbol that generated passwords were seen to hold, and those that their generator may add.
PASSWORDS = ["Ux@V5:a3(;5&=$!*", "!$&()*,-.;=_~", "'+:@", "a%40b", "UxV5a35kURSFE(;5", "l*jGp8u*El8WRSDJ", "@@::"]


@pytest.fixture
def login(primary_uri):
    uri = urlsplit(primary_uri)
    return uri.username, uri.password


@pytest.fixture
def database():
    url = urlsplit(os.environ["CLUSTER_PRIMARY_URL"])
    return f"127.0.0.1:{url.port}{url.path}"


def pod(proxy, url, **environment):
    """A process with FerretDB's variables alone; its port."""
    port = free_port()
    settings = {"FERRETDB_LISTEN_ADDR": f":{port}", "FERRETDB_POSTGRESQL_URL": url, "FERRETDB_DEBUG_ADDR": "-"}
    # The fixture's own settings are native ones, and an empty one counts as not given.
    native = {"ERMINE_LISTEN_ADDR": "", "ERMINE_POSTGRESQL_URL": "", "ERMINE_DEBUG_ADDR": ""}
    one = proxy({**native, **LEGACY, **settings, **environment}, port)
    return one, port


def client(port, login, **options):
    return pymongo.MongoClient("127.0.0.1", port, username=login[0], password=login[1], serverSelectionTimeoutMS=5000, **options)


@pytest.fixture
def role(request):
    """A PostgreSQL role with this password."""
    name = f"role_{free_port()}"
    made = []

    def make(password):
        service = urlsplit(os.environ["CLUSTER_PRIMARY_URL"]).username
        quoted = password.replace("'", "''")
        sql(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD '{quoted}' IN ROLE documentdb_admin_role, {service}")
        made.append(name)
        return name

    yield make
    for name in made:
        sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}';; DROP ROLE {name}")


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("place", ["url", "variables"])
def test_passwords_stand_unencoded(proxy, login, database, role, password, place):
    user = role(password if place == "variables" else password.replace("%40", "@"))
    if place == "url":
        _, port = pod(proxy, f"postgres://{user}:{password}@{database}")
    else:
        _, port = pod(proxy, f"postgres://{database}", FERRETDB_PG_USER=user, FERRETDB_PG_PASSWORD=password)
    with client(port, login) as mongo:
        assert mongo.drop_in.c.update_one({"_id": 1}, {"$inc": {"n": 1}}, upsert=True).acknowledged


@pytest.mark.parametrize("source", ["admin", "ferretdb", "mydb", "test"])
@pytest.mark.parametrize("endpoint", ["primary_uri", "secondary_uri"])
def test_any_auth_source(request, login, endpoint, source):
    uri = request.getfixturevalue(endpoint)
    with connect(uri, authSource=source) as mongo:
        status = mongo.admin.command("connectionStatus")
        assert status["authInfo"]["authenticatedUsers"] == [{"user": login[0], "db": source}]


@pytest.mark.parametrize("direct", [True, False])
def test_the_health_check(proxy, login, database, direct):
    _, port = pod(proxy, os.environ["CLUSTER_PRIMARY_URL"])
    for name, collection in [("kubedb_system", "kubedb_write_check"), ("kubedb_system", "health_check"), ("kubedb-system", "health-check")]:
        for round_ in range(3):
            with client(port, login, directConnection=direct, maxPoolSize=20, maxIdleTimeMS=30000) as mongo:
                assert mongo.admin.command("ping")["ok"] == 1
                checks = mongo[name][collection]
                checks.update_one({"_id": "check"}, {"$set": {"at": time.time(), "round": round_}}, upsert=True)
                assert checks.find_one({"_id": "check"})["round"] == round_
                mongo.drop_database(name)


def test_a_rotated_user_password(primary_uri, secondary_uri, primary, login):
    """`ALTER ROLE` while clients are connected: the new one works, the old one does not, on both endpoints."""
    roles = [{"role": "readAnyDatabase", "db": "admin"}]
    primary.admin.command("createUser", "rotated", pwd="before", roles=roles)
    try:
        def enters(uri, password):
            try:
                with connect(with_credentials(uri, "rotated", password)) as mongo:
                    return mongo.admin.command("ping")["ok"] == 1
            except OperationFailure as error:
                return error.code

        old = connect(with_credentials(primary_uri, "rotated", "before"))
        assert old.rotate.c.find_one() is None
        eventually(lambda: enters(secondary_uri, "before"), True)
        primary.admin.command("updateUser", "rotated", pwd="after")
        for uri in (primary_uri, secondary_uri):
            eventually(lambda: enters(uri, "after"), True)
            eventually(lambda: enters(uri, "before"), 18)
        # Whoever was in stays in, as in MongoDB.
        assert old.rotate.c.find_one() is None
        old.close()
    finally:
        primary.admin.command("dropUser", "rotated")


def test_two_pods_behind_one_service(proxy, service, login):
    """Connections are spread; a cursor lives in the pod that opened it, and anywhere else there is an honest answer."""
    ports = [pod(proxy, os.environ["CLUSTER_PRIMARY_URL"])[1] for _ in range(2)]
    front = service(*ports)
    with client(front.port, login) as mongo:
        mongo.pods.c.drop()
        mongo.pods.c.insert_many([{"_id": i} for i in range(100)])
    for _ in range(6):
        # One connection: the driver stays in one pod.
        with client(front.port, login, maxPoolSize=1) as mongo:
            assert len(list(mongo.pods.c.find(batch_size=10))) == 100
    with client(ports[0], login) as here, client(ports[1], login) as there:
        reply = here.pods.command("find", "c", batchSize=10)
        with pytest.raises(OperationFailure) as lost:
            there.pods.command("getMore", reply["cursor"]["id"], collection="c")
        assert lost.value.code == 43
        here.drop_database("pods")


def resident(pid):
    """Megabytes."""
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) / 1024


def test_memory_is_given_back_after_a_burst(proxy, login):
    one, port = pod(proxy, os.environ["CLUSTER_PRIMARY_URL"], FERRETDB_LOG_LEVEL="info")
    with client(port, login) as mongo:
        mongo.burst.c.drop()
        documents = [{"_id": i, "x": "y" * 5_000_000} for i in range(20)]
        mongo.burst.c.insert_many(documents)
        assert sum(len(d["x"]) for d in mongo.burst.c.find()) == 100_000_000
        mongo.drop_database("burst")
        mongo.admin.command("ping")
    # The container's limit is 300 MiB.
    eventually(lambda: resident(one.process.pid) < 150, True)


def test_nothing_tells_a_password(proxy, login, database, role):
    """Everything logged at the lowest level, and the metrics, after logins, users, failures and a look at the settings."""
    user = role("hunter2-storage")
    debug = free_port()
    one, port = pod(
        proxy, f"postgres://{user}:hunter2-storage@{database}", FERRETDB_LOG_LEVEL="trace", FERRETDB_DEBUG_ADDR=f":{debug}"
    )
    with client(port, login) as mongo:
        mongo.admin.command("createUser", "talker", pwd="hunter2-user", roles=[{"role": "readAnyDatabase", "db": "admin"}])
        with client(port, ("talker", "hunter2-user")) as talker:
            talker.test.c.find_one()
        with pytest.raises(PyMongoError):
            with client(port, ("talker", "hunter2-wrong")) as wrong:
                wrong.test.c.find_one()
        with pytest.raises(OperationFailure):
            mongo.admin.command("createUser", "talker", pwd="hunter2-again", roles=[{"role": "nonsense", "db": "x"}])
        options = str(mongo.admin.command("getCmdLineOpts"))
        mongo.admin.command("dropUser", "talker")
    import urllib.request

    metrics = urllib.request.urlopen(f"http://127.0.0.1:{debug}/debug/metrics", timeout=10).read().decode()
    one.stop()
    for text in (one.words(), metrics, options):
        assert "hunter2" not in text, [line for line in text.splitlines() if "hunter2" in line][:3]
        assert login[1] not in text
    assert len(one.words()) > 1000
