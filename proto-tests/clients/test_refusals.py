"""Commands that MongoDB refuses, with the code and the words it has for that."""

import pytest
from pymongo.errors import OperationFailure


def test_fields_that_do_not_go_together_are_refused_by_create(primary, db):
    def refused(code, text, **fields):
        with pytest.raises(OperationFailure) as error:
            db.command("create", "c", **fields)
        assert (error.value.code, text in error.value.details["errmsg"]) == (code, True), error.value.details

    of_id = {"key": {"_id": 1}, "name": "_id_"}
    refused(72, "the 'temp' field is an invalid option", temp=True)
    refused(72, "'idIndex' is not allowed with 'viewOn': { key: { _id: 1 }", idIndex=of_id, viewOn="d")
    refused(72, "'idIndex' is not allowed with 'autoIndexId'", idIndex=of_id, autoIndexId=True)
    refused(2, "but got { a: 1 }", idIndex={"key": {"a": 1}, "name": "_id_"})
    refused(197, "The field 'sparse' is not valid for an _id index", idIndex={**of_id, "sparse": True})
    refused(9, "The 'name' field is a required property", idIndex={"key": {"_id": 1}})
    refused(14, "create.idIndex", idIndex=1)
    refused(2, "must have the same collation", idIndex={**of_id, "collation": {"locale": "de"}})
    for name in ("a$", ".a"):
        refused(73, f"invalid name for 'viewOn': {name}", viewOn=name)
    refused(2, "'storageEngine.x' has to be an embedded document.", storageEngine={"x": 1})
    refused(72, "foo is not a registered storage engine for this server", storageEngine={"foo": {}})
    refused(14, "create.storageEngine", storageEngine=1)
    refused(40414, "create.encryptedFields.fields", encryptedFields={})
    refused(6346402, "not supported on standalone", encryptedFields={"fields": []})
    assert db.list_collection_names() == []
    db.command("create", "c", idIndex=of_id, storageEngine={"wiredTiger": {}}, temp=False)

    for value, code in ((2, 5255100), (0, 5255100), ("x", 14)):
        with pytest.raises(OperationFailure) as error:
            db.command("dropDatabase", value)
        assert error.value.code == code
    assert db.list_collection_names() == ["c"]
    db.create_collection("v", viewOn="c")
    for to, drop, code in (("v", False, 48), ("v", True, 48), ("d", "x", 14)):
        with pytest.raises(OperationFailure) as error:
            primary.admin.command("renameCollection", f"{db.name}.c", to=f"{db.name}.{to}", dropTarget=drop)
        assert error.value.code == code
    assert sorted(db.list_collection_names()) == ["c", "v"]


def test_an_index_that_cannot_expire_documents_is_not_made_to(db):
    with pytest.raises(OperationFailure) as error:
        db.c.create_index([(f"f{i}", 1) for i in range(33)])
    assert (error.value.code, error.value.details["errmsg"]) == (13103, "too many compound keys")
    db.c.create_index([("a", 1), ("b", 1)], name="ab")
    for name, text in (("_id_", "the _id field does not"), ("ab", "TTL indexes are single-field indexes")):
        with pytest.raises(OperationFailure, match=text) as error:
            db.command("collMod", "c", index={"name": name, "expireAfterSeconds": 60})
        assert error.value.code == 72


def test_a_document_that_is_too_large_fails_alone(db):
    large = {"_id": 2, "s": "x" * (16 * 1024 * 1024)}
    reply = db.command("insert", "c", documents=[{"_id": 1}, large, {"_id": 3}], ordered=False, check=False)
    (error,) = reply["writeErrors"]
    assert (reply["n"], error["index"], error["code"]) == (2, 1, 2)
    assert error["errmsg"].startswith("object to insert too large. size in bytes: 167772")
    assert [d["_id"] for d in db.c.find().sort("_id", 1)] == [1, 3]


def test_min_and_max_say_what_is_wrong_with_them(db):
    db.c.create_index("a")

    def code(**fields):
        with pytest.raises(OperationFailure) as error:
            db.command("find", "c", **fields)
        return error.value.code

    assert code(min={"a": 1}) == 51173
    assert code(min={"b": 1}, hint="a_1") == 51174
    assert code(min={"a": 2}, max={"a": 1}, hint="a_1") == 51175
    assert code(min={"a": 2}, max={"b": 1}, hint="a_1") == 51176


def test_what_cannot_stand_beside_words_places_and_the_natural_order(db):
    db.c.create_index([("t", "text")])
    db.c.create_index([("g", "2dsphere")])
    words = {"$text": {"$search": "x"}}
    near = {"g": {"$near": {"$geometry": {"type": "Point", "coordinates": [0, 0]}}}}
    forward, backward = {"$natural": 1}, {"$natural": -1}
    for fields, text in (
        ({"filter": words, "hint": "_id_"}, "text and hint not allowed in same query"),
        ({"filter": words, "sort": forward}, "text expression not allowed with $natural sort order"),
        ({"filter": {**words, **near}}, "text and geoNear not allowed in same query"),
        ({"filter": near, "sort": forward}, "geoNear expression not allowed with $natural sort order"),
        ({"filter": near, "hint": forward}, "geoNear expression not allowed with $natural hint"),
        ({"sort": forward, "hint": {"_id": 1}}, "index hint not allowed with $natural sort order"),
        ({"sort": forward, "hint": backward}, "$natural hint must be in the same direction as $natural sort order"),
    ):
        with pytest.raises(OperationFailure) as error:
            db.command("find", "c", **fields)
        assert (error.value.code, error.value.details["errmsg"]) == (2, text)
    assert db.command("find", "c", sort=backward, hint=backward)["ok"] == 1
