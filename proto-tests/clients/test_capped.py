"""Capped and clustered collections as drivers use them; a log that is followed by a tailable cursor."""

import datetime
import threading
import time

import pytest
from bson import Int64
from pymongo import CursorType
from pymongo.errors import OperationFailure

from conftest import eventually


def ids(documents):
    return [d["_id"] for d in documents]


def test_capped_collection_in_everyday_work(db):
    log = db.create_collection("log", capped=True, size=100_000, max=3)
    for i in (9, 7, 5, 3, 1):
        log.insert_one({"_id": i})
    assert ids(log.find()) == [5, 3, 1]
    assert ids(log.find().sort("$natural", -1)) == [1, 3, 5]
    assert ids(log.find().limit(1).sort("$natural", -1)) == [1]
    log.update_one({"_id": 5}, {"$set": {"text": "x" * 500}})
    assert ids(log.find()) == [5, 3, 1]
    log.insert_many([{"_id": i} for i in (20, 21)])
    assert ids(log.find()) == [1, 20, 21]
    assert log.delete_one({"_id": 20}).deleted_count == 1
    assert ids(log.find()) == [1, 21]
    assert ids(log.aggregate([{"$match": {}}])) == [1, 21]
    assert log.find_one({})["_id"] == 1

    assert log.options() == {"capped": True, "size": 100_000, "max": 3}
    stats = db.command("collStats", "log")
    assert (stats["capped"], stats["max"], stats["maxSize"], stats["nindexes"]) == (True, 3, 100_000, 1)
    db.command("collMod", "log", cappedMax=1)
    log.insert_one({"_id": 30})
    assert ids(log.find()) == [30]
    db.plain.insert_one({})
    with pytest.raises(OperationFailure) as error:
        db.command("collMod", "plain", cappedSize=1000)
    assert (error.value.code, error.value.details["errmsg"]) == (72, "Collection must be capped.")


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ({"capped": True}, 72, "the 'size' field is required when 'capped' is true"),
        ({"size": 10}, 72, "the 'capped' field needs to be true when either the 'size' or 'max' fields are present"),
        ({"capped": True, "size": 0}, 51024, "BSON field 'size' value must be >= 1, actual value '0'"),
        ({"capped": True, "size": 10, "max": 2**31}, 2, "max in a capped collection has to be < 2^31 or not set"),
        ({"clusteredIndex": {"key": {"_id": 1}, "unique": False}}, 5979700, "requires unique: true"),
        ({"clusteredIndex": {"key": {"a": 1}, "unique": True}}, 197, "only supported for key: {_id: 1}"),
        ({"clusteredIndex": {"key": {"_id": 1}, "unique": True}, "size": 9}, 6049200, "'size' field"),
        ({"expireAfterSeconds": 5}, 72, "only supported on time-series collections or when the 'clusteredIndex'"),
    ],
)
def test_what_cannot_be_created(db, options, code, text):
    with pytest.raises(OperationFailure) as error:
        db.command("create", "c", **options)
    assert error.value.code == code and text in error.value.details["errmsg"], error.value.details


def test_too_large_for_the_collection(db):
    db.create_collection("small", capped=True, size=100)
    with pytest.raises(OperationFailure) as error:
        db.small.insert_one({"a": "x" * 200})
    assert "object to insert exceeds cappedMaxSize" in str(error.value)
    with pytest.raises(OperationFailure) as error:
        list(db.source.aggregate([{"$out": "small"}]))
    assert error.value.code == 17152


def test_conversions(db):
    db.c.insert_many([{"_id": i, "a": i % 3} for i in range(100)])
    db.c.create_index("a")
    db.command("cloneCollectionAsCapped", "c", toCollection="copy", size=210)
    assert ids(db["copy"].find()) == list(range(90, 100))
    db.command("convertToCapped", "c", size=100_000)
    assert ids(db.c.find()) == list(range(100))
    assert db.c.options()["capped"] is True
    assert list(db.c.index_information()) == ["_id_"]
    for command, code in [
        ({"convertToCapped": "missing", "size": 10}, 26),
        ({"convertToCapped": "c"}, 40414),
        ({"convertToCapped": "c", "size": 0}, 72),
        ({"cloneCollectionAsCapped": "c", "toCollection": "copy", "size": 10}, 48),
    ]:
        with pytest.raises(OperationFailure) as error:
            db.command(command)
        assert error.value.code == code, error.value.details


def test_tailable_cursor(db):
    log = db.create_collection("log", capped=True, size=100_000)
    log.insert_many([{"_id": i} for i in range(3)])
    cursor = log.find(cursor_type=CursorType.TAILABLE)
    assert [cursor.next()["_id"] for _ in range(3)] == [0, 1, 2]
    assert next(cursor, None) is None and cursor.alive
    log.insert_one({"_id": 3})
    assert eventually_next(cursor)["_id"] == 3
    cursor.close()
    db.plain.insert_one({})
    with pytest.raises(OperationFailure) as error:
        list(db.plain.find(cursor_type=CursorType.TAILABLE))
    assert error.value.code == 2 and "tailable cursor requested on non capped collection" in str(error.value)
    with pytest.raises(OperationFailure) as error:
        list(log.find(cursor_type=CursorType.TAILABLE).sort("_id", 1))
    assert error.value.code == 2


def eventually_next(cursor, limit=10):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        document = next(cursor, None)
        if document is not None:
            return document
    raise AssertionError("no document came")


def test_tailable_cursor_waits_for_data(db):
    log = db.create_collection("log", capped=True, size=100_000)
    log.insert_one({"_id": 0})
    reply = db.command("find", "log", tailable=True, awaitData=True)
    cursor = Int64(reply["cursor"]["id"])
    assert ids(reply["cursor"]["firstBatch"]) == [0] and cursor != 0

    begun = time.monotonic()
    reply = db.command("getMore", cursor, collection="log", maxTimeMS=300)
    assert reply["cursor"]["nextBatch"] == [] and reply["cursor"]["id"] == cursor
    assert time.monotonic() - begun >= 0.3

    def later():
        time.sleep(0.2)
        log.insert_one({"_id": 1})

    writer = threading.Thread(target=later)
    writer.start()
    begun = time.monotonic()
    reply = db.command("getMore", cursor, collection="log", maxTimeMS=20_000)
    assert ids(reply["cursor"]["nextBatch"]) == [1]
    assert time.monotonic() - begun < 10
    writer.join()
    # Overwritten before it was read again.
    db.command("collMod", "log", cappedMax=2)
    log.insert_many([{"_id": i} for i in range(10, 20)])
    with pytest.raises(OperationFailure) as error:
        db.command("getMore", cursor, collection="log", maxTimeMS=100)
    assert error.value.code == 136


def test_followed_on_the_secondary(db, replica):
    log = db.create_collection("log", capped=True, size=100_000)
    log.insert_one({"_id": 0})
    eventually(lambda: ids(replica.log.find()), [0])
    cursor = replica.log.find(cursor_type=CursorType.TAILABLE_AWAIT)
    assert cursor.next()["_id"] == 0
    log.insert_one({"_id": 1})
    assert eventually_next(cursor, 20)["_id"] == 1
    cursor.close()


def test_clustered_collection(db):
    key = {"key": {"_id": 1}, "unique": True, "name": "own key"}
    c = db.create_collection("c", clusteredIndex=key, expireAfterSeconds=3600)
    assert c.options() == {
        "clusteredIndex": {"v": 2, "key": {"_id": 1}, "name": "own key", "unique": True},
        "expireAfterSeconds": 3600,
    }
    assert list(c.list_indexes()) == [
        {"v": 2, "key": {"_id": 1}, "name": "own key", "unique": True, "clustered": True}
    ]
    now = datetime.datetime.now(datetime.timezone.utc)
    c.insert_many([{"_id": now + datetime.timedelta(seconds=i)} for i in (3, 1, 2)])
    c.insert_one({"_id": "text"})
    found = [d["_id"] for d in c.find().hint("own key")]
    assert found[0] == "text" and found[1:] == sorted(found[1:])
    with pytest.raises(OperationFailure) as error:
        c.drop_index("own key")
    assert error.value.code == 5979800
    db.command("collMod", "c", expireAfterSeconds="off")
    assert "expireAfterSeconds" not in c.options()
    with pytest.raises(OperationFailure) as error:
        db.create_collection("c", clusteredIndex=dict(key, name="other"), check_exists=False)
    assert error.value.code == 48

