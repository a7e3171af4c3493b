"""Plays the scenario with the PyMongo that is on the path: python python.py URI DATABASE. Prints the results as Extended JSON."""

import sys
from pathlib import Path

import pymongo
from bson import json_util
from pymongo import DeleteOne, InsertOne, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError, OperationFailure

WHICH = {False: ReturnDocument.BEFORE, True: ReturnDocument.AFTER}
OPTIONS = json_util.JSONOptions(json_mode=json_util.JSONMode.RELAXED, tz_aware=True)


def updated(result):
    return {"matched": result.matched_count, "modified": result.modified_count, "upserted": result.upserted_id}


class Player:
    def __init__(self, uri, database):
        self.client = pymongo.MongoClient(uri, tz_aware=True)
        self.db = self.client[database]
        self.c = self.db.things

    def hello(self, s):
        reply = self.db.command("hello")
        return {name: reply[name] for name in ("isWritablePrimary", "maxWireVersion", "readOnly")}

    def ping(self, s):
        return self.db.command("ping")["ok"]

    def createCollection(self, s):
        return self.db.create_collection(s["collection"]).name

    def insertOne(self, s):
        return self.c.insert_one(s["document"]).inserted_id

    def insertMany(self, s):
        return len(self.c.insert_many(s["documents"], ordered=s.get("ordered", True)).inserted_ids)

    def findOne(self, s):
        return self.c.find_one(s["filter"])

    def find(self, s):
        cursor = self.db[s.get("collection", "things")].find(s["filter"], s.get("projection"))
        if "sort" in s:
            cursor = cursor.sort(list(s["sort"].items()))
        if "hint" in s:
            cursor = cursor.hint(list(s["hint"].items()))
        for name, apply in (("skip", cursor.skip), ("limit", cursor.limit), ("batchSize", cursor.batch_size)):
            if name in s:
                apply(s[name])
        return list(cursor)

    def countDocuments(self, s):
        return self.c.count_documents(s["filter"])

    def estimatedDocumentCount(self, s):
        return self.c.estimated_document_count()

    def distinct(self, s):
        return self.c.distinct(s["field"], s["filter"])

    def updateOne(self, s):
        return updated(self.c.update_one(s["filter"], s["update"], upsert=s.get("upsert", False), array_filters=s.get("arrayFilters")))

    def updateMany(self, s):
        return updated(self.c.update_many(s["filter"], s["update"]))

    def replaceOne(self, s):
        return updated(self.c.replace_one(s["filter"], s["replacement"]))

    def findOneAndUpdate(self, s):
        return self.c.find_one_and_update(s["filter"], s["update"], return_document=WHICH[s["after"]])

    def findOneAndReplace(self, s):
        return self.c.find_one_and_replace(s["filter"], s["replacement"], return_document=WHICH[s["after"]])

    def findOneAndDelete(self, s):
        return self.c.find_one_and_delete(s["filter"])

    def createIndex(self, s):
        return self.c.create_index(list(s["keys"].items()), unique=s.get("unique", False), sparse=s.get("sparse", False))

    def listIndexes(self, s):
        return sorted(index["name"] for index in self.c.list_indexes())

    def dropIndex(self, s):
        self.c.drop_index(s["name"])
        return True

    def aggregate(self, s):
        return list(self.c.aggregate(s["pipeline"]))

    def bulkWrite(self, s):
        make = {
            "insertOne": InsertOne,
            "updateOne": lambda m: UpdateOne(m["filter"], m["update"]),
            "deleteOne": lambda m: DeleteOne(m["filter"]),
        }
        result = self.c.bulk_write([make[kind](model) for one in s["models"] for kind, model in one.items()])
        return {"inserted": result.inserted_count, "modified": result.modified_count, "deleted": result.deleted_count}

    def manyDocuments(self, s):
        documents = [{"_id": i, "text": "x" * 100} for i in range(s["count"])]
        return len(self.db.many.insert_many(documents).inserted_ids)

    def readMany(self, s):
        return sum(len(document["text"]) // 100 for document in self.db.many.find(batch_size=s["batchSize"]))

    def largeDocument(self, s):
        self.db.large.insert_one({"_id": 1, "text": "ü" * (s["bytes"] // 2)})
        return len(self.db.large.find_one({"_id": 1})["text"].encode())

    def deleteOne(self, s):
        return self.c.delete_one(s["filter"]).deleted_count

    def deleteMany(self, s):
        return self.c.delete_many(s["filter"]).deleted_count

    def listCollections(self, s):
        return sorted(self.db.list_collection_names())

    def renameCollection(self, s):
        self.db[s["from"]].rename(s["to"])
        return True

    def dropCollection(self, s):
        self.db.drop_collection(s["collection"])
        return True

    def listDatabases(self, s):
        return self.db.name in self.client.list_database_names()

    def runCommand(self, s):
        return self.db.command(s["command"])[s["field"]]

    def session(self, s):
        with self.client.start_session() as session:
            return len(list(self.c.find(s["filter"], session=session, batch_size=2)))

    def explain(self, s):
        return "queryPlanner" in self.c.find(s["filter"]).explain()

    def dropDatabase(self, s):
        self.client.drop_database(self.db.name)
        return True


def play(uri, database):
    steps = json_util.loads((Path(__file__).parent / "scenario.json").read_text(), json_options=OPTIONS)
    player, results = Player(uri, database), []
    for step in steps:
        try:
            results.append(getattr(player, step["op"])(step))
        except BulkWriteError as error:
            results.append({"code": error.details["writeErrors"][0]["code"]})
        except OperationFailure as error:
            results.append({"code": error.code})
    player.client.close()
    print(json_util.dumps(results, json_options=OPTIONS))


if __name__ == "__main__":
    play(*sys.argv[1:])
