"""Documents in and out: what is written on the primary endpoint is read on both."""

import datetime
import re

import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.raw_bson import RawBSONDocument
from bson.codec_options import CodecOptions
from pymongo import ReturnDocument

from conftest import eventually, size

EVERY_TYPE = {
    "_id": ObjectId("0123456789abcdef01234567"),
    "double": -0.5,
    "string": "Grüße\u0000end",
    "document": {"b": 1, "a": {"c": []}},
    "array": [1, "x", [2], {}],
    "binary": Binary(b"\x00\xff", 0x80),
    "uuid": Binary(bytes(range(16)), 4),
    "true": True,
    "date": datetime.datetime(1969, 12, 31, 23, 59, 59, 999000),
    "null": None,
    "regex": Regex("^a.*b$", "im"),
    "code": Code("f()"),
    "scope": Code("f(x)", {"x": 1}),
    "int32": 2**31 - 1,
    "timestamp": Timestamp(7, 8),
    "int64": Int64(-(2**63)),
    "decimal": Decimal128("1.50E+3"),
    "min": MinKey(),
    "max": MaxKey(),
    "ref": DBRef("c", 1),
    "a field": "with a space",
    "": "no name",
}


def test_every_type_comes_back_as_it_was(db, replica):
    db.c.insert_one(EVERY_TYPE)
    raw = CodecOptions(document_class=RawBSONDocument)
    sent = RawBSONDocument(db.c.with_options(raw).find_one().raw)
    assert db.c.find_one() == EVERY_TYPE
    eventually(lambda: replica.c.find_one(), EVERY_TYPE)
    assert replica.c.with_options(raw).find_one().raw == sent.raw
    assert list(sent) == list(EVERY_TYPE)


def test_insert_update_replace_delete(db, replica):
    assert db.c.insert_one({"_id": 1, "a": 1}).inserted_id == 1
    many = db.c.insert_many([{"_id": i, "a": i} for i in range(2, 11)])
    assert many.inserted_ids == list(range(2, 11))
    generated = db.c.insert_one({"a": 99}).inserted_id
    assert isinstance(generated, ObjectId)

    one = db.c.update_one({"_id": 1}, {"$set": {"b": "x"}, "$inc": {"a": 10}})
    assert (one.matched_count, one.modified_count, one.upserted_id) == (1, 1, None)
    same = db.c.update_one({"_id": 1}, {"$set": {"b": "x"}})
    assert (same.matched_count, same.modified_count) == (1, 0)
    several = db.c.update_many({"a": {"$lte": 5}}, {"$push": {"tags": "low"}})
    assert (several.matched_count, several.modified_count) == (4, 4)
    upsert = db.c.update_one({"_id": "new"}, {"$set": {"a": 0}}, upsert=True)
    assert (upsert.matched_count, upsert.upserted_id) == (0, "new")
    replaced = db.c.replace_one({"_id": 2}, {"only": True})
    assert (replaced.matched_count, replaced.modified_count) == (1, 1)

    assert db.c.delete_one({"_id": 3}).deleted_count == 1
    assert db.c.delete_many({"a": {"$in": [4, 5]}}).deleted_count == 2
    assert db.c.delete_many({"a": "none"}).deleted_count == 0

    expected = [
        {"_id": 1, "a": 11, "b": "x"},
        {"_id": 2, "only": True},
        *({"_id": i, "a": i} for i in range(6, 11)),
        {"_id": "new", "a": 0},
        {"_id": generated, "a": 99},
    ]
    assert list(db.c.find().sort("_id")) == expected
    eventually(lambda: list(replica.c.find().sort("_id")), expected)
    eventually(lambda: replica.c.count_documents({"a": {"$gte": 6}}), 7)


def test_find_and_modify(db):
    db.c.insert_many([{"_id": i, "a": i} for i in range(3)])
    assert db.c.find_one_and_update({"_id": 0}, {"$inc": {"a": 5}}) == {"_id": 0, "a": 0}
    after = db.c.find_one_and_update({"_id": 0}, {"$inc": {"a": 5}}, return_document=ReturnDocument.AFTER)
    assert after == {"_id": 0, "a": 10}
    assert db.c.find_one_and_update({"_id": 9}, {"$set": {"a": 1}}) is None
    assert db.c.find_one_and_replace({"_id": 1}, {"b": 1}, projection={"_id": 0}) == {"a": 1}
    assert db.c.find_one_and_delete({}, sort=[("_id", -1)]) == {"_id": 2, "a": 2}
    assert db.c.count_documents({}) == 2


def test_filters_sort_and_projection(db, replica):
    db.c.insert_many([{"_id": i, "n": i % 4, "s": f"name {i}", "tags": [i, i + 1]} for i in range(12)])
    eventually(lambda: size(replica.c), 12)
    for reader in (db, replica):
        ids = lambda *filters: [d["_id"] for d in reader.c.find(*filters).sort("_id", 1)]
        assert ids({"n": {"$gt": 1}, "_id": {"$lt": 8}}) == [2, 3, 6, 7]
        assert ids({"$or": [{"_id": 1}, {"tags": 11}]}) == [1, 10, 11]
        assert ids({"s": re.compile("1$")}) == [1, 11]
        assert ids({"tags": {"$elemMatch": {"$gt": 3, "$lt": 5}}}) == [3, 4]
        assert ids({"missing": {"$exists": False}, "_id": {"$nin": list(range(1, 12))}}) == [0]
        page = list(reader.c.find({}, {"n": 1, "_id": 0}).sort([("n", -1), ("_id", 1)]).skip(1).limit(3))
        assert page == [{"n": 3}, {"n": 3}, {"n": 2}]


def test_aggregate_count_distinct(db, replica):
    db.c.insert_many([{"_id": i, "g": "ab"[i % 2], "v": i} for i in range(10)])
    eventually(lambda: size(replica.c), 10)
    pipeline = [
        {"$match": {"v": {"$gte": 2}}},
        {"$group": {"_id": "$g", "sum": {"$sum": "$v"}, "n": {"$sum": 1}, "max": {"$max": "$v"}}},
        {"$sort": {"_id": 1}},
    ]
    groups = [{"_id": "a", "sum": 20, "n": 4, "max": 8}, {"_id": "b", "sum": 24, "n": 4, "max": 9}]
    for reader in (db, replica):
        assert list(reader.c.aggregate(pipeline)) == groups
        assert reader.c.count_documents({"g": "a"}) == 5
        assert reader.c.estimated_document_count() == 10
        assert sorted(reader.c.distinct("g", {"v": {"$lt": 4}})) == ["a", "b"]
        assert list(reader.c.aggregate([{"$match": {"_id": 3}}, {"$addFields": {"w": "$v"}}])) == [
            {"_id": 3, "g": "b", "v": 3, "w": 3}
        ]


def test_collections_indexes_and_databases(db, primary, replica):
    db.create_collection("a")
    db.b.insert_one({"_id": 1, "x": 1, "y": [1, 2]})
    assert sorted(db.list_collection_names()) == ["a", "b"]
    assert db.b.create_index([("x", 1)]) == "x_1"
    assert db.b.create_index([("y", -1)], unique=True, name="mine") == "mine"
    indexes = db.b.index_information()
    assert set(indexes) == {"_id_", "x_1", "mine"}
    assert indexes["mine"]["unique"] is True and indexes["mine"]["key"] == [("y", -1)]
    db.b.drop_index("x_1")
    assert set(db.b.index_information()) == {"_id_", "mine"}
    db.a.drop()
    db.b.rename("c")
    assert db.list_collection_names() == ["c"]
    assert db.name in primary.list_database_names()
    eventually(lambda: replica.list_collection_names(), ["c"])
    eventually(lambda: sorted(replica.c.index_information()), ["_id_", "mine"])
    assert db.command("collStats", "c")["count"] == 1
    assert db.command("dbStats")["collections"] == 1
    primary.drop_database(db.name)
    assert db.name not in primary.list_database_names()


@pytest.mark.parametrize("size", [0, 1, 100_000, 15 * 1024 * 1024])
def test_large_documents(db, replica, size):
    db.c.insert_one({"_id": 1, "s": "x" * size})
    assert len(db.c.find_one({"_id": 1})["s"]) == size
    eventually(lambda: len((replica.c.find_one({"_id": 1}) or {"s": None})["s"] or "") == size, True)
