"""Cursors over several batches, on both endpoints, in every way they end."""

import pytest
from bson import Int64
from pymongo.errors import CursorNotFound, OperationFailure
from pymongo.monitoring import CommandListener

from conftest import connect, eventually, size

COUNT = 250


class Batches(CommandListener):
    """Keeps the sizes of the batches the server sends."""

    def __init__(self):
        self.sizes = []

    def started(self, event):
        pass

    def failed(self, event):
        pass

    def succeeded(self, event):
        cursor = event.reply.get("cursor")
        if cursor:
            self.sizes.append(len(cursor.get("firstBatch", cursor.get("nextBatch"))))


@pytest.fixture(params=["primary", "secondary"])
def seen(request, db, replica, primary_uri, secondary_uri):
    """The collection with COUNT documents as one endpoint shows it, and the batches it came in."""
    db.c.insert_many([{"_id": i, "k": (i * 37) % COUNT} for i in range(COUNT)])
    eventually(lambda: size(replica.c), COUNT)
    listener = Batches()
    uri = primary_uri if request.param == "primary" else secondary_uri
    with connect(uri, event_listeners=[listener]) as client:
        yield client[db.name], listener.sizes


def test_find_in_batches(seen):
    db, sizes = seen
    ids = [d["_id"] for d in db.c.find(batch_size=60)]
    assert sorted(ids) == list(range(COUNT))
    assert sizes == [60, 60, 60, 60, 10]


def test_sorted_find_in_batches(seen):
    db, sizes = seen
    keys = [d["k"] for d in db.c.find(batch_size=100).sort("k", -1)]
    assert keys == list(range(COUNT - 1, -1, -1))
    assert sizes == [100, 100, 50]


def test_first_batch_has_101_documents(seen):
    db, sizes = seen
    assert len(list(db.c.find())) == COUNT
    assert sizes == [101, COUNT - 101]


def test_aggregate_in_batches(seen):
    db, sizes = seen
    pipeline = [{"$match": {"k": {"$lt": 200}}}, {"$group": {"_id": "$k"}}, {"$sort": {"_id": 1}}]
    assert [d["_id"] for d in db.c.aggregate(pipeline, batchSize=70)] == list(range(200))
    assert sizes == [70, 70, 60]


def test_limit_and_single_batch_need_no_second_batch(seen):
    db, sizes = seen
    assert len(list(db.c.find().limit(-5))) == 5
    assert len(list(db.c.find().sort("k", 1).limit(7))) == 7
    assert sizes == [5, 7]


def test_several_cursors_at_once(seen):
    db, _ = seen
    first, second = db.c.find(batch_size=50).sort("k", 1), db.c.find(batch_size=50).sort("k", -1)
    pairs = [(a["k"], b["k"]) for a, b in zip(first, second)]
    assert pairs == [(i, COUNT - 1 - i) for i in range(COUNT)]


def test_empty_first_batch(seen):
    db, _ = seen
    reply = db.command("find", "c", batchSize=0)
    assert reply["cursor"]["firstBatch"] == [] and reply["cursor"]["id"] != 0
    reply = db.command("getMore", Int64(reply["cursor"]["id"]), collection="c", batchSize=1000)
    assert len(reply["cursor"]["nextBatch"]) == COUNT and reply["cursor"]["id"] == 0


@pytest.mark.parametrize("sort", [None, {"k": 1}])
def test_killed_cursor_is_gone(seen, sort):
    db, _ = seen
    command = {"find": "c", "batchSize": 10}
    if sort:
        command["sort"] = sort
    cursor = db.command(command)["cursor"]["id"]
    killed = db.command("killCursors", "c", cursors=[Int64(cursor), Int64(12345)])
    assert (killed["cursorsKilled"], killed["cursorsNotFound"]) == ([cursor], [12345])
    with pytest.raises(CursorNotFound) as error:
        db.command("getMore", Int64(cursor), collection="c")
    assert error.value.code == 43
    assert db.c.find_one({"_id": 1})["_id"] == 1


def test_cursor_of_another_collection_is_refused(seen):
    db, _ = seen
    cursor = db.command("find", "c", batchSize=10)["cursor"]["id"]
    with pytest.raises(OperationFailure) as error:
        db.command("getMore", Int64(cursor), collection="other")
    assert error.value.code == 13
    assert len(db.command("getMore", Int64(cursor), collection="c", batchSize=20)["cursor"]["nextBatch"]) == 20


def test_closing_early(seen):
    db, _ = seen
    with db.c.find(batch_size=10).sort("k", 1) as cursor:
        assert next(cursor)["k"] == 0
    assert size(db.c) == COUNT


def test_a_cursor_ends_with_an_error_where_its_collection_went(primary, db):
    def opened(name, *stages):
        db[name].drop()
        db[name].insert_many([{"_id": i} for i in range(10)])
        cursor = db[name].aggregate([*stages], batchSize=2) if stages else db[name].find(batch_size=2)
        next(cursor), next(cursor)
        return cursor, db.command("listCollections", filter={"name": name})["cursor"]["firstBatch"][0]["info"]["uuid"].as_uuid()

    def killed(cursor, text):
        with pytest.raises(OperationFailure) as error:
            list(cursor)
        assert (error.value.code, error.value.details["errmsg"]) == (175, text)

    for stages in ((), ({"$match": {"_id": {"$gte": 0}}},)):
        cursor, uuid = opened("c", *stages)
        db.c.drop()
        killed(cursor, f"collection dropped. UUID {uuid}")
        cursor, uuid = opened("c", *stages)
        db.c.rename("d", dropTarget=True)
        killed(cursor, f"collection renamed from '{db.name}.c' to '{db.name}.d'. UUID {uuid}")
    cursor, uuid = opened("c")
    db.c.drop()
    db.c.insert_one({"_id": 1})
    killed(cursor, f"collection dropped. UUID {uuid}")
    cursor, uuid = opened("c")
    primary.drop_database(db.name)
    killed(cursor, f"collection dropped. UUID {uuid}")
