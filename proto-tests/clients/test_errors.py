"""Every kind of write error and what surrounds it: code, name, position, and a connection that lives on."""

import pytest
from bson import Int64
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, WriteError


def test_duplicate_key(db):
    db.c.insert_one({"_id": 1})
    with pytest.raises(DuplicateKeyError) as error:
        db.c.insert_one({"_id": 1})
    assert error.value.code == 11000
    assert "E11000" in error.value.details["errmsg"] and "dup key" in error.value.details["errmsg"]
    db.c.create_index("u", unique=True)
    db.c.insert_one({"_id": 2, "u": "x"})
    with pytest.raises(DuplicateKeyError) as error:
        db.c.insert_one({"_id": 3, "u": "x"})
    assert error.value.code == 11000
    with pytest.raises(DuplicateKeyError):
        db.c.update_one({"_id": 1}, {"$set": {"u": "x"}})
    assert db.c.count_documents({}) == 2


def test_ordered_stops_and_unordered_goes_on(db):
    documents = [{"_id": 1}, {"_id": 1}, {"_id": 2}, {"_id": 1}]
    with pytest.raises(BulkWriteError) as error:
        db.a.insert_many(documents)
    details = error.value.details
    assert details["nInserted"] == 1
    assert [(e["index"], e["code"]) for e in details["writeErrors"]] == [(1, 11000)]
    with pytest.raises(BulkWriteError) as error:
        db.b.insert_many(documents, ordered=False)
    details = error.value.details
    assert details["nInserted"] == 2
    assert [(e["index"], e["code"]) for e in details["writeErrors"]] == [(1, 11000), (3, 11000)]
    assert sorted(d["_id"] for d in db.b.find()) == [1, 2]


def test_mixed_bulk(db):
    result = db.c.bulk_write(
        [
            InsertOne({"_id": 1, "a": 1}),
            UpdateOne({"_id": 1}, {"$set": {"a": 2}}),
            UpdateOne({"_id": 2}, {"$set": {"a": 3}}, upsert=True),
            ReplaceOne({"_id": 2}, {"a": 4}),
            DeleteOne({"_id": 1}),
        ]
    )
    counts = (result.inserted_count, result.matched_count, result.upserted_count, result.deleted_count)
    assert counts == (1, 2, 1, 1)
    assert result.upserted_ids == {2: 2}


@pytest.mark.parametrize(
    "document, update, code",
    [
        ({"a": 1}, {"$set": {"_id": 2}}, 66),
        ({"a": "x"}, {"$inc": {"a": 1}}, 14),
        ({"a": 1}, {"$push": {"a": 1}}, 2),
        ({"a": 1}, {"$set": {"a.b": 1}}, 28),
        ({"a": 1}, {"$set": {"a": 1}, "$inc": {"a": 1}}, 40),
        ({"a": 1}, {"$nope": {"a": 1}}, 9),
        ({"a": 1}, {"$inc": {"a": "x"}}, 14),
        ({"a": 1}, {"$set": {"": 1}}, 56),
        ({"a": 1}, {"$mul": {"a": None}}, 14),
    ],
    ids=lambda value: str(value).replace(" ", ""),
)
def test_refused_updates_change_nothing(db, document, update, code):
    db.c.insert_one({"_id": 1, **document})
    with pytest.raises(WriteError) as error:
        db.c.update_one({"_id": 1}, update)
    assert error.value.code == code, error.value.details
    assert db.c.find_one({"_id": 1}) == {"_id": 1, **document}
    with pytest.raises(OperationFailure) as error:
        db.c.find_one_and_update({"_id": 1}, update)
    assert error.value.code == code, error.value.details
    assert db.c.find_one({"_id": 1}) == {"_id": 1, **document}


@pytest.mark.parametrize("value", [[1, 2], None], ids=["array", "undefined"])
def test_bad_ids(db, value):
    if value is None:
        db.c.insert_one({"_id": None})
        assert db.c.find_one() == {"_id": None}
        return
    with pytest.raises(WriteError) as error:
        db.c.insert_one({"_id": value})
    assert error.value.code in (2, 53)
    assert db.c.count_documents({}) == 0


@pytest.mark.parametrize(
    "command, code, name",
    [
        ({"find": "c", "filter": {"a": {"$nope": 1}}}, 2, "BadValue"),
        ({"find": "c", "filter": {"$nope": 1}}, 2, "BadValue"),
        ({"find": "c", "filter": 1}, 14, "TypeMismatch"),
        ({"find": 1}, 73, "InvalidNamespace"),
        ({"find": ""}, 73, "InvalidNamespace"),
        ({"find": "c", "batchSize": -1}, 51024, "Location51024"),
        ({"find": "c", "nope": 1}, 40415, "IDLUnknownField"),
        ({"aggregate": "c", "pipeline": [{"$nope": 1}], "cursor": {}}, 40324, "Location40324"),
        ({"aggregate": "c", "pipeline": []}, 9, "FailedToParse"),
        ({"getMore": Int64(123456), "collection": "c"}, 43, "CursorNotFound"),
        ({"insert": "c", "documents": []}, 16, "InvalidLength"),
        ({"insert": "c"}, 40414, "IDLFailedToParse"),
        ({"nope": 1}, 59, "CommandNotFound"),
        ({"atlasVersion": 1}, 59, "CommandNotFound"),
        ({"renameCollection": "x.y", "to": "x.z"}, 13, "Unauthorized"),
        ({"dropIndexes": "none", "index": "x"}, 26, "NamespaceNotFound"),
        ({"collMod": "none"}, 26, "NamespaceNotFound"),
    ],
    ids=lambda value: str(value).replace(" ", "") if isinstance(value, dict) else "",
)
def test_refused_commands(db, command, code, name):
    db.c.insert_one({"_id": 1})
    with pytest.raises(OperationFailure) as error:
        db.command(command)
    assert (error.value.code, error.value.details["codeName"]) == (code, name), error.value.details
    assert error.value.details["ok"] == 0.0
    assert db.c.find_one() == {"_id": 1}


def test_nothing_of_postgresql_is_shown(db):
    texts = []
    for command in ({"find": "c", "filter": {"a": {"$regex": "("}}}, {"aggregate": "c", "pipeline": [1], "cursor": {}}):
        with pytest.raises(OperationFailure) as error:
            db.command(command)
        texts.append(str(error.value.details).lower())
    for word in ("postgres", "sqlstate", "documentdb_", "relation", "pg_"):
        assert not any(word in text for text in texts), texts


@pytest.mark.parametrize(
    ("documents", "keys", "options", "value"),
    [
        ([{"a": 1, "b": {"c": "x"}}, {"a": 2}, {"a": 1.0, "b": {"c": "x"}}], [("a", 1), ("b.c", -1)], {}, {"a": 1, "b.c": "x"}),
        ([{"a": 1}, {"b": 1}, {"a": None}], [("a", 1)], {}, {"a": None}),
        ([{}, {}, {"a": 2}, {"a": 2}], [("a", 1)], {"sparse": True}, {"a": 2}),
        ([{"a": 1}, {"a": 1}] + [{"a": 5, "on": True}] * 2, [("a", 1)], {"partialFilterExpression": {"on": True}}, {"a": 5}),
        # Each element is a key; the whole arrays differ.
        ([{"a": [1, 2]}, {"a": [2, 3]}], [("a", 1)], {}, None),
        ([{"a": [1, 2]}, {"a": [1, 2]}], [("a", 1)], {}, None),
    ],
)
def test_a_unique_index_over_equal_keys_tells_one(db, documents, keys, options, value):
    db.c.insert_many([dict(document) for document in documents])
    with pytest.raises(OperationFailure) as error:
        db.c.create_index(keys, unique=True, name="mine", **options)
    details = error.value.details
    assert (details["code"], details["keyPattern"], details.get("keyValue")) == (11000, dict(keys), value)
    assert f"E11000 duplicate key error collection: {db.name}.c index: mine" in details["errmsg"]
    assert ("dup key" in details["errmsg"]) == (value is not None)
