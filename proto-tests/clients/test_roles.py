"""What users may do: roles of createUser mean something, on both endpoints."""

import os
from pathlib import Path

import pytest
from pymongo.errors import OperationFailure

from conftest import connect, eventually, free_port, sql, with_credentials

READER = [{"role": "readAnyDatabase", "db": "admin"}]
ADMIN = [{"role": "clusterAdmin", "db": "admin"}, {"role": "readWriteAnyDatabase", "db": "admin"}]


@pytest.fixture
def user(primary):
    """Makes users that are gone after the test; gives their password."""
    made = []

    def make(name, roles):
        primary.admin.command("createUser", name, pwd="correct horse", roles=roles)
        made.append(name)
        return "correct horse"

    yield make
    for name in made:
        primary.admin.command("dropUser", name)


# Everything that changes something, each as a function of the database.
WRITES = {
    "insert": lambda db: db.c.insert_one({}),
    "update": lambda db: db.c.update_one({}, {"$set": {"x": 1}}),
    "delete": lambda db: db.c.delete_one({}),
    "findAndModify": lambda db: db.c.find_one_and_delete({}),
    "create": lambda db: db.create_collection("d"),
    "drop": lambda db: db.command("drop", "c"),
    "dropDatabase": lambda db: db.command("dropDatabase"),
    "createIndexes": lambda db: db.c.create_index("x"),
    "dropIndexes": lambda db: db.c.drop_indexes(),
    "renameCollection": lambda db: db.c.rename("e"),
    "collMod": lambda db: db.command("collMod", "c", validator={}),
    "$out": lambda db: list(db.c.aggregate([{"$out": "d"}])),
    "$merge": lambda db: list(db.c.aggregate([{"$merge": "d"}])),
    "killAllSessions": lambda db: db.client.admin.command("killAllSessions", []),
    "killAllSessionsByPattern": lambda db: db.client.admin.command("killAllSessionsByPattern", []),
    "killOp": lambda db: db.client.admin.command("killOp", op=1),
    "createUser": lambda db: db.client.admin.command("createUser", "mallory", pwd="x", roles=ADMIN),
    "updateUser": lambda db: db.client.admin.command("updateUser", "ermine", pwd="x"),
    "dropUser": lambda db: db.client.admin.command("dropUser", "ermine"),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_reader_changes_nothing(primary_uri, db, user, name):
    password = user("reader", READER)
    db.c.insert_one({"_id": 1})
    with connect(with_credentials(primary_uri, "reader", password)) as reader:
        with pytest.raises(OperationFailure) as refused:
            WRITES[name](reader[db.name])
        assert refused.value.code == 13, refused.value
        assert refused.value.details["codeName"] == "Unauthorized"
        assert refused.value.details["errmsg"].startswith("not authorized on ")
        # The connection lives, and reading is allowed.
        assert list(reader[db.name].c.find()) == [{"_id": 1}]
        assert reader[db.name].c.count_documents({}) == 1
        assert list(reader[db.name].c.aggregate([{"$match": {}}])) == [{"_id": 1}]
        assert "c" in reader[db.name].list_collection_names()
    assert db.list_collection_names() == ["c"]


def test_an_administrator_may_do_all(primary_uri, primary, user):
    password = user("chief", ADMIN)
    with connect(with_credentials(primary_uri, "chief", password)) as chief:
        db = chief.roles_test
        db.c.insert_one({"_id": 1})
        assert db.c.update_one({}, {"$set": {"x": 1}}).modified_count == 1
        db.c.create_index("x")
        assert db.c.delete_one({}).deleted_count == 1
        chief.drop_database("roles_test")


def test_a_reader_reads_from_the_secondary_endpoint(primary_uri, secondary_uri, db, user):
    password = user("reader", READER)
    db.c.insert_one({"_id": 1})
    with connect(with_credentials(secondary_uri, "reader", password)) as reader:

        def read():
            try:
                return list(reader[db.name].c.find())
            except OperationFailure as error:
                return error

        eventually(read, [{"_id": 1}])


def test_postgresql_knows_the_user_and_refuses_it(primary_uri, db, user):
    password = user("chief", ADMIN)
    sql("GRANT chief TO ermine_service")
    log = Path(os.environ["CLUSTER_PRIMARY_LOG"])
    before = log.stat().st_size
    with connect(with_credentials(primary_uri, "chief", password)) as chief:
        chief[db.name].c.insert_one({"_id": 1})
        with log.open("rb") as written:
            written.seek(before)
            assert b'SET ROLE "chief"' in written.read()
        # What Ermine knows of the user's roles is a moment old; PostgreSQL knows better.
        sql("REVOKE documentdb_admin_role FROM chief;;GRANT documentdb_readonly_role, pg_read_all_data TO chief")
        with pytest.raises(OperationFailure) as refused:
            chief[db.name].c.insert_one({"_id": 2})
        assert refused.value.code == 13 and "not authorized on" in str(refused.value)
        assert list(chief[db.name].c.find()) == [{"_id": 1}]


def test_roles_can_be_switched_off(proxy, user):
    password = user("reader", READER)
    port = free_port()
    proxy({"ERMINE_LISTEN_ADDR": f"127.0.0.1:{port}", "ERMINE_ROLES": "false"}, port)
    with connect(f"mongodb://127.0.0.1:{port}/", username="reader", password=password) as reader:
        reader.roles_test.c.insert_one({})
        reader.drop_database("roles_test")
