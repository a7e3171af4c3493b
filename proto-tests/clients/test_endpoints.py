"""Who may do what where: login on both endpoints, and the read-only one."""

import os
from urllib.parse import urlsplit

import pytest
from pymongo.errors import OperationFailure, PyMongoError

from conftest import connect, eventually, free_port, size, with_credentials, without_credentials


@pytest.fixture(params=["primary", "secondary"])
def uri(request, primary_uri, secondary_uri):
    return primary_uri if request.param == "primary" else secondary_uri


def test_login_by_scram(uri):
    with connect(uri, authMechanism="SCRAM-SHA-256") as client:
        status = client.admin.command("connectionStatus")
        assert [user["user"] for user in status["authInfo"]["authenticatedUsers"]] == ["ermine"]


@pytest.mark.parametrize("user, password", [("ermine", "wrong"), ("nobody", "Ermine-test-1"), ("ermine", "")])
def test_wrong_credentials(uri, user, password):
    if not password:
        with pytest.raises(PyMongoError):
            connect(with_credentials(uri, user, password)).admin.command("listDatabases")
        return
    with connect(with_credentials(uri, user, password)) as client:
        with pytest.raises(OperationFailure) as error:
            client.admin.command("listDatabases")
    # Whether the user exists is not told.
    assert (error.value.code, error.value.details["codeName"]) == (18, "AuthenticationFailed")
    assert error.value.details["errmsg"] == "Authentication failed."


def test_without_login(uri):
    with connect(without_credentials(uri)) as client:
        assert client.admin.command("ping")["ok"] == 1.0
        assert client.admin.command("hello")["maxBsonObjectSize"] == 16 * 1024 * 1024
        for command in ({"listDatabases": 1}, {"find": "c"}, {"insert": "c", "documents": [{}]}):
            with pytest.raises(OperationFailure) as error:
                client.admin.command(command)
            assert (error.value.code, error.value.details["codeName"]) == (13, "Unauthorized")


def test_hello_tells_the_endpoint(primary, secondary):
    assert primary.admin.command("hello")["isWritablePrimary"] is True
    assert "setName" not in secondary.admin.command("hello")
    assert secondary.admin.command("hello").get("readOnly") is True


@pytest.mark.parametrize(
    "command",
    [
        {"insert": "c", "documents": [{"_id": 2}]},
        {"update": "c", "updates": [{"q": {}, "u": {"$set": {"a": 1}}}]},
        {"delete": "c", "deletes": [{"q": {}, "limit": 0}]},
        {"findAndModify": "c", "query": {}, "remove": True},
        {"create": "d"},
        {"drop": "c"},
        {"dropDatabase": 1},
        {"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a_1"}]},
        {"dropIndexes": "c", "index": "*"},
        {"collMod": "c"},
    ],
    ids=lambda command: next(iter(command)),
)
def test_writes_are_refused_on_the_secondary(db, replica, command):
    db.c.insert_one({"_id": 1})
    eventually(lambda: replica.c.find_one(), {"_id": 1})
    with pytest.raises(OperationFailure) as error:
        replica.command(command)
    assert (error.value.code, error.value.details["codeName"]) == (20, "IllegalOperation")
    assert list(db.c.find()) == [{"_id": 1}]
    assert replica.c.find_one() == {"_id": 1}



@pytest.mark.parametrize("stage", [{"$out": "d"}, {"$merge": "d"}])
def test_a_pipeline_writes_through_the_secondary_where_there_is_a_primary(db, replica, proxy, primary_uri, stage):
    db.c.insert_many([{"_id": 1}, {"_id": 2}])
    assert list(replica.c.aggregate([{"$match": {"_id": 2}}, stage])) == []
    assert list(db.d.find()) == [{"_id": 2}]
    # A process that knows standbys alone has nobody who would write.
    port = free_port()
    settings = {
        "ERMINE_SECONDARY_LISTEN_ADDR": f"127.0.0.1:{port}",
        "ERMINE_POSTGRESQL_URL": "",
        "ERMINE_POSTGRESQL_STANDBY_URL": os.environ["CLUSTER_STANDBY_URL"],
    }
    proxy(settings, port)
    netloc = urlsplit(primary_uri).netloc.rsplit("@", 1)[0]
    with connect(f"mongodb://{netloc}@127.0.0.1:{port}/?directConnection=true") as alone:
        eventually(lambda: size(alone[db.name].c), 2)
        with pytest.raises(OperationFailure) as refused:
            list(alone[db.name].c.aggregate([stage]))
        assert refused.value.code == 20
