"""Validators with their explanations, views on views, renames, and words that are searched for in pipelines."""

import pytest
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, OperationFailure, WriteError

SCHEMA = {
    "$jsonSchema": {
        "bsonType": "object",
        "title": "Student Object Validation",
        "required": ["name", "year"],
        "properties": {
            "name": {"bsonType": "string", "description": "'name' must be a string and is required"},
            "year": {"bsonType": "int", "minimum": 2017, "maximum": 3017},
        },
    }
}


def test_documents_that_fail_a_schema_are_explained(db):
    students = db.create_collection("students", validator=SCHEMA)
    with pytest.raises(WriteError) as error:
        students.insert_one({"_id": 1, "name": 5, "year": 2019})
    assert error.value.code == 121
    assert error.value.details["errmsg"] == "Document failed validation"
    assert error.value.details["errInfo"] == {
        "failingDocumentId": 1,
        "details": {
            "operatorName": "$jsonSchema",
            "title": "Student Object Validation",
            "schemaRulesNotSatisfied": [
                {
                    "operatorName": "properties",
                    "propertiesNotSatisfied": [
                        {
                            "propertyName": "name",
                            "description": "'name' must be a string and is required",
                            "details": [
                                {
                                    "operatorName": "bsonType",
                                    "specifiedAs": {"bsonType": "string"},
                                    "reason": "type did not match",
                                    "consideredValue": 5,
                                    "consideredType": "int",
                                }
                            ],
                        }
                    ],
                }
            ],
        },
    }
    with pytest.raises(WriteError) as error:
        students.insert_one({"_id": 2, "name": "x"})
    rules = error.value.details["errInfo"]["details"]["schemaRulesNotSatisfied"]
    assert rules == [
        {
            "operatorName": "required",
            "specifiedAs": {"required": ["name", "year"]},
            "missingProperties": ["year"],
        }
    ]

    students.insert_one({"_id": 3, "name": "x", "year": 2020})
    with pytest.raises(WriteError) as error:
        students.update_one({"_id": 3}, {"$set": {"year": 1900}})
    assert error.value.details["errInfo"]["failingDocumentId"] == 3
    with pytest.raises(OperationFailure) as error:
        students.find_one_and_update({"_id": 3}, {"$set": {"year": 1900}})
    assert (error.value.code, error.value.details["errInfo"]["failingDocumentId"]) == (121, 3)
    with pytest.raises(BulkWriteError) as error:
        students.bulk_write([UpdateOne({"_id": 3}, {"$unset": {"name": 1}})])
    assert error.value.details["writeErrors"][0]["errInfo"]["failingDocumentId"] == 3
    students.update_one({"_id": 3}, {"$set": {"year": 1900}}, bypass_document_validation=True)
    assert students.find_one()["year"] == 1900


def test_documents_that_fail_a_filter_are_explained(db):
    c = db.create_collection("c", validator={"$expr": {"$lt": ["$a", "$b"]}})
    with pytest.raises(WriteError) as error:
        c.insert_one({"_id": 1, "a": 2, "b": 1})
    assert error.value.details["errInfo"] == {
        "failingDocumentId": 1,
        "details": {
            "operatorName": "$expr",
            "specifiedAs": {"$expr": {"$lt": ["$a", "$b"]}},
            "reason": "expression did not match",
            "expressionResult": False,
        },
    }
    db.command("collMod", "c", validator={"a": {"$gt": 10}}, validationAction="warn")
    c.insert_one({"_id": 2, "a": 1})
    db.command("collMod", "c", validationAction="error", validationLevel="moderate")
    c.update_one({"_id": 2}, {"$set": {"x": 1}})
    with pytest.raises(WriteError) as error:
        c.insert_one({"_id": 3, "a": 1})
    assert error.value.details["errInfo"]["details"] == {
        "operatorName": "$gt",
        "specifiedAs": {"a": {"$gt": 10}},
        "reason": "comparison failed",
        "consideredValue": 1,
    }
    assert c.options() == {
        "validator": {"a": {"$gt": 10}},
        "validationLevel": "moderate",
        "validationAction": "error",
    }


def test_views_on_views(db):
    db.c.insert_many([{"_id": i, "a": i % 3} for i in range(9)])
    db.create_collection("v", viewOn="c", pipeline=[{"$match": {"a": {"$gt": 0}}}])
    db.create_collection("w", viewOn="v", pipeline=[{"$match": {"a": 2}}, {"$project": {"a": 0}}])
    assert list(db.w.find().sort("_id", 1)) == [{"_id": i} for i in (2, 5, 8)]
    assert db.w.count_documents({}) == 3 and db.v.distinct("a") == [1, 2]
    for write in (
        lambda: db.w.insert_one({}),
        lambda: db.w.update_one({}, {"$set": {"a": 1}}),
        lambda: db.w.delete_one({}),
        lambda: db.w.create_index("a"),
        lambda: db.w.find_one_and_delete({}),
    ):
        with pytest.raises((OperationFailure, WriteError)) as error:
            write()
        assert error.value.code == 166, error.value.details
    with pytest.raises(OperationFailure) as error:
        db.command("collMod", "v", viewOn="w", pipeline=[])
    assert error.value.code == 5
    db.command("collMod", "v", viewOn="c", pipeline=[{"$match": {"a": 2}}])
    assert db.v.count_documents({}) == 3
    listed = db.command("listCollections", filter={"type": "view"}, nameOnly=True)["cursor"]["firstBatch"]
    assert listed == [{"name": "v", "type": "view"}, {"name": "w", "type": "view"}]
    for i in range(25):
        try:
            db.create_collection(f"deep{i}", viewOn=f"deep{i - 1}" if i else "c", pipeline=[])
        except OperationFailure as error:
            assert error.code == 165 and i >= 19, (i, error.details)
            break
    else:
        raise AssertionError("views are stacked without end")


def test_rename_from_one_database_to_another(db, primary):
    db.c.insert_many([{"_id": i, "a": i} for i in range(3)])
    db.c.create_index("a", unique=True)
    other = primary[db.name + "_other"]
    other.d.insert_one({"_id": 9})
    try:
        with pytest.raises(OperationFailure) as error:
            primary.admin.command("renameCollection", f"{db.name}.c", to=f"{other.name}.d")
        assert error.value.code == 48
        primary.admin.command("renameCollection", f"{db.name}.c", to=f"{other.name}.d", dropTarget=True)
        assert [d["_id"] for d in other.d.find().sort("_id", 1)] == [0, 1, 2]
        assert sorted(other.d.index_information()) == ["_id_", "a_1"]
        assert db.list_collection_names() == []
    finally:
        primary.drop_database(other.name)


def test_text_search_in_pipelines(db):
    db.c.insert_many(
        [
            {"_id": 1, "t": "coffee shop", "n": 1},
            {"_id": 2, "t": "coffee and more coffee, and coffee cake", "n": 2},
            {"_id": 3, "t": "tea house", "n": 3},
        ]
    )
    db.c.create_index([("t", "text")])
    found = [{"$match": {"$text": {"$search": "coffee"}}}]
    score = {"$meta": "textScore"}
    by_find = {d["_id"]: d["s"] for d in db.c.find({"$text": {"$search": "coffee"}}, {"s": score})}
    ranked = sorted(by_find, key=by_find.get, reverse=True)
    assert len(by_find) == 2

    assert {d["_id"] for d in db.c.aggregate(found)} == {1, 2}
    assert all(set(d) == {"_id", "t", "n"} for d in db.c.aggregate(found))
    result = list(db.c.aggregate([*found, {"$sort": {"s": score}}, {"$project": {"s": score}}]))
    assert [d["_id"] for d in result] == ranked
    assert {d["_id"]: d["s"] for d in result} == by_find
    # The score outlives stages that make other documents.
    result = list(
        db.c.aggregate(
            [
                *found,
                {"$project": {"n": 1}},
                {"$replaceWith": {"_id": "$_id", "inner": "$$ROOT"}},
                {"$addFields": {"s": {"$multiply": [score, 2]}}},
                {"$sort": {"s": -1}},
            ]
        )
    )
    assert [(d["_id"], d["s"], set(d["inner"])) for d in result] == [(i, by_find[i] * 2, {"_id", "n"}) for i in ranked]
    total = list(db.c.aggregate([*found, {"$group": {"_id": None, "s": {"$sum": score}, "all": {"$push": "$$ROOT"}}}]))
    assert total[0]["s"] == pytest.approx(sum(by_find.values()))
    assert all(set(d) == {"_id", "t", "n"} for d in total[0]["all"])

    for pipeline, code in [
        ([{"$sort": {"_id": 1}}, *found], 17313),
        ([{"$match": {"n": 1}}, {"$project": {"s": score}}], 40218),
        ([*found, {"$project": {"s": {"$meta": "nothing"}}}], 17308),
    ]:
        with pytest.raises(OperationFailure) as error:
            list(db.c.aggregate(pipeline))
        assert error.value.code == code, error.value.details


def test_what_geo_near_measured(db):
    db.c.insert_many([{"_id": i, "at": {"type": "Point", "coordinates": [i, 0]}} for i in range(4)])
    db.c.create_index([("at", "2dsphere")])
    near = {"near": {"type": "Point", "coordinates": [2, 0]}, "distanceField": "far", "spherical": True}
    distance, point = {"$meta": "geoNearDistance"}, {"$meta": "geoNearPoint"}
    result = list(db.c.aggregate([{"$geoNear": near}, {"$project": {"far": 1, "d": distance, "p": point}}]))
    assert [d["_id"] for d in result][0] == 2
    assert all(d["d"] == d["far"] and d["p"]["coordinates"] == [d["_id"], 0] for d in result)
    by_find = list(db.c.find({"at": {"$near": {"$geometry": near["near"]}}}, {"d": distance}))
    assert (by_find[0]["_id"], by_find[0]["d"]) == (2, 0)
    assert [d["d"] for d in by_find] == [d["d"] for d in result]
