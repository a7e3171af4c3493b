"""Which server runs a call, by the servers' own word: each logs every statement."""

import os

import pytest

from conftest import eventually


class Log:
    def __init__(self, variable):
        self.file = os.environ[variable]
        self.offset = os.path.getsize(self.file)

    def ran(self, text):
        with open(self.file, errors="replace") as log:
            log.seek(self.offset)
            return text in log.read()


@pytest.mark.parametrize(
    "read, function",
    [
        (lambda db: list(db.c.find()), "documentdb_api.find_cursor_first_page"),
        (lambda db: list(db.c.aggregate([{"$match": {}}])), "documentdb_api.aggregate_cursor_first_page"),
        (lambda db: db.command("count", "c"), "documentdb_api.count_query"),
        (lambda db: db.c.distinct("_id"), "documentdb_api.distinct_query"),
        (lambda db: list(db.c.list_indexes()), "documentdb_api.list_indexes_cursor_first_page"),
        (lambda db: list(db.list_collections()), "documentdb_api.list_collections_cursor_first_page"),
    ],
    ids=["find", "aggregate", "count", "distinct", "listIndexes", "listCollections"],
)
def test_each_endpoint_reads_from_its_own_server(db, replica, read, function):
    db.c.insert_one({"_id": 1})
    eventually(lambda: replica.c.find_one(), {"_id": 1})
    for reader, here, there in ((db, "PRIMARY", "STANDBY"), (replica, "STANDBY", "PRIMARY")):
        own, other = Log(f"CLUSTER_{here}_LOG"), Log(f"CLUSTER_{there}_LOG")
        read(reader)
        assert own.ran(function) and not other.ran(function)


def test_writes_run_on_the_primary(db):
    primary, standby = Log("CLUSTER_PRIMARY_LOG"), Log("CLUSTER_STANDBY_LOG")
    db.c.insert_one({"_id": 1})
    db.c.update_one({"_id": 1}, {"$set": {"a": 1}})
    db.c.delete_one({"_id": 1})
    for function in ("insert", "update", "delete"):
        assert primary.ran(f"documentdb_api.{function}") and not standby.ran(f"documentdb_api.{function}")
