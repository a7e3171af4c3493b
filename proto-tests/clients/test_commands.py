"""Commands of administrators and tools: explain, sizes, pools, plan caches, profiles, parameters."""

import re

import pytest
from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import ClientBulkWriteException, OperationFailure

from conftest import connect, eventually, free_port


def refused(work):
    with pytest.raises(OperationFailure) as error:
        work()
    return error.value


@pytest.fixture
def filled(db):
    db.c.insert_many([{"_id": i, "a": i % 10, "b": i} for i in range(100)])
    db.c.create_index("b")
    return db


def stages(plan):
    """The names of all stages, the outermost first."""
    below = ([plan["inputStage"]] if "inputStage" in plan else []) + plan.get("inputStages", [])
    return [plan["stage"]] + [name for stage in below for name in stages(stage)]


INNER = {
    "find": {"find": "c", "filter": {"a": 3}},
    "aggregate": {"aggregate": "c", "pipeline": [{"$match": {"a": 3}}], "cursor": {}},
    "count": {"count": "c", "query": {"a": 3}},
    "distinct": {"distinct": "c", "key": "b", "query": {"a": 3}},
    "update": {"update": "c", "updates": [{"q": {"a": 3}, "u": {"$set": {"x": 1}}, "multi": True}]},
    "delete": {"delete": "c", "deletes": [{"q": {"a": 3}, "limit": 0}]},
    "findAndModify": {"findAndModify": "c", "query": {"a": 3}, "remove": True},
}


@pytest.mark.parametrize("name", INNER)
@pytest.mark.parametrize("verbosity", ["queryPlanner", "executionStats", "allPlansExecution"])
def test_explain(filled, name, verbosity):
    before = list(filled.c.find())
    plan = filled.command("explain", INNER[name], verbosity=verbosity)
    planner = plan["queryPlanner"]
    assert planner["namespace"] == f"{filled.name}.c"
    assert planner["parsedQuery"] == {"a": 3}
    assert stages(planner["winningPlan"])
    assert plan["command"]["$db"] == filled.name
    assert plan["serverInfo"]["version"] == filled.client.server_info()["version"]
    assert ("executionStats" in plan) == (verbosity != "queryPlanner")
    if verbosity != "queryPlanner":
        stats = plan["executionStats"]
        assert stats["executionSuccess"] is True
        assert stages(stats["executionStages"])[-1] == stages(planner["winningPlan"])[-1]
        assert ("allPlansExecution" in stats) == (verbosity == "allPlansExecution")
        if name == "find":
            assert stats["nReturned"] == 10
        if name == "update":
            assert stats["executionStages"]["nWouldModify"] == 10
        if name == "delete":
            assert stats["executionStages"]["nWouldDelete"] == 10
        if name == "findAndModify":
            assert stats["executionStages"]["nWouldDelete"] == 1
    assert list(filled.c.find()) == before, "nothing is written"


def test_explain_tells_what_the_index_is(filled):
    def scan(cursor):
        found = cursor.explain()["queryPlanner"]["winningPlan"]
        while found["stage"] != "IXSCAN":
            found = found["inputStage"]
        return {name: found.get(name) for name in ("keyPattern", "indexName", "isUnique", "isSparse", "isPartial", "indexVersion")}

    filled.c.create_index([("a", 1), ("b", -1)], name="mine", sparse=True)
    known = {"isUnique": False, "isSparse": False, "isPartial": False, "indexVersion": 2}
    of_b = {**known, "keyPattern": {"b": 1}, "indexName": "b_1"}
    assert scan(filled.c.find({"b": {"$gt": 5}}).hint("b_1")) == of_b
    compound = {**known, "keyPattern": {"a": 1, "b": -1}, "indexName": "mine", "isSparse": True}
    assert scan(filled.c.find({"a": 3, "b": 3}).hint("mine")) == compound
    assert scan(filled.c.find({"_id": 3})) == {**known, "keyPattern": {"_id": 1}, "indexName": "_id_", "isUnique": True}
    # A view has no indexes to list.
    filled.create_collection("v", viewOn="c", pipeline=[])
    of_view = scan(filled.v.find({"_id": 3}))
    assert (of_view["indexName"], of_view["keyPattern"]) == ("_id_", None)


def test_explain_of_drivers_and_shells(filled):
    assert filled.c.find({"a": 3}).explain()["queryPlanner"]["namespace"] == f"{filled.name}.c"
    plan = filled.command("aggregate", "c", pipeline=[{"$match": {"a": 3}}], explain=True)
    assert plan["queryPlanner"]["parsedQuery"] == {"a": 3}


def test_explain_of_what_can_not_be_explained(filled):
    error = refused(lambda: filled.command("explain", {"insert": "c", "documents": [{}]}))
    assert (error.code, error.details["errmsg"]) == (59, "Explain failed due to unknown command: insert")
    assert refused(lambda: filled.command("explain", {"find": "c"}, verbosity="much")).code == 2
    assert refused(lambda: filled.command("explain", {"find": "c", "nonsense": 1})).code == 40415
    assert refused(lambda: filled.command("explain", "c")).code == 14
    two = {"delete": "c", "deletes": [{"q": {}, "limit": 0}, {"q": {}, "limit": 0}]}
    assert refused(lambda: filled.command("explain", two)).code == 16


def test_data_size(filled):
    size = filled.command("dataSize", f"{filled.name}.c")
    assert size["numObjects"] == 100 and size["size"] > 1000
    assert refused(lambda: filled.command("dataSize", "nodot")).code == 73


def test_pools_plan_caches_and_profiles(filled):
    pools = filled.client.admin.command("connPoolStats")
    assert pools["totalCreated"] >= 1 and "primary" in pools["hosts"]
    assert filled.command("planCacheListFilters", "c")["filters"] == []
    assert filled.command("planCacheClear", "c")["ok"] == 1
    assert filled.command("profile", 2)["was"] == 0
    assert filled.c.find_one({"a": 3}, comment="profiled")
    assert filled.command("profile", 0)["was"] == 2
    assert filled["system.profile"].count_documents({"command.comment": "profiled"}) == 1
    filled.drop_collection("system.profile")


def test_profile_sets_what_is_slow(proxy, primary_uri):
    port = free_port()
    one = proxy({"ERMINE_LISTEN_ADDR": f"127.0.0.1:{port}", "ERMINE_SLOW_COMMAND_THRESHOLD": "1h"}, port)
    with connect(re.sub(r"@[^/]*/", f"@127.0.0.1:{port}/", primary_uri)) as client:
        db = client.profiled
        assert db.command("profile", -1) == {"was": 0, "slowms": 3_600_000, "sampleRate": 1.0, "ok": 1.0}
        list(db.quick.find())
        assert "slow command" not in one.words()
        # 0 changes what is slow and nothing else; the reply tells what was before.
        assert db.command("profile", 0, slowms=0, sampleRate=1)["slowms"] == 3_600_000
        list(db.quick.find())
        eventually(lambda: "slow command" in one.words() and "quick" in one.words(), True)
        assert db.command("profile", 0, sampleRate=0.5, slowms=7)["slowms"] == 0
        status = db.command("profile", -1, slowms=9)
        assert (status["slowms"], status["sampleRate"]) == (7, 0.5)
        for wrong, code in [({"slowms": "x"}, 14), ({"sampleRate": 2}, 2), ({"filter": {"ns": "a.b"}}, 115)]:
            assert refused(lambda: db.command("profile", 0, **wrong)).code == code


def test_parameters(primary):
    admin = primary.admin
    everything = admin.command("getParameter", "*")
    assert everything["featureCompatibilityVersion"] and everything["cursorTimeoutMillis"] == 600_000
    assert admin.command("getParameter", {"allParameters": True}).keys() == everything.keys()
    detailed = admin.command("getParameter", {"allParameters": True, "showDetails": True})
    assert detailed["quiet"] == {"value": False, "settableAtRuntime": False, "settableAtStartup": False}
    assert admin.command("getParameter", 1, quiet=1, comment="x") == {"quiet": False, "ok": 1.0}
    assert refused(lambda: admin.command("setParameter", 1, quiet=True)).code == 20
    assert refused(lambda: admin.command("setParameter", 1, nonsense=True)).code == 72


def test_sessions_by_pattern(filled):
    cursor = filled.c.find(batch_size=2)
    next(cursor)
    lsid = cursor.session.session_id if cursor.session else None
    filled.client.admin.command("killAllSessionsByPattern", [{"lsid": lsid}] if lsid else [])
    assert refused(lambda: list(cursor)).code == 43


def test_there_are_no_transactions(primary):
    assert refused(lambda: primary.admin.command("commitTransaction")).code == 125
    with primary.start_session() as session, pytest.raises(OperationFailure) as error:
        with session.start_transaction():
            primary.test.c.insert_one({}, session=session)
    assert error.value.code == 20


def test_kill_op_takes_any_number(primary):
    assert primary.admin.command("killOp", op=1) == {"info": "attempting to kill op", "ok": 1.0}
    # What is no number of ours is the extension's, which has none.
    assert refused(lambda: primary.admin.command("killOp", op="1:2")).code == 115


def test_explain_tells_the_way(filled):
    """Which index, in which direction, how many documents were looked at: as it is, not as it might be."""

    def way(command):
        plan = filled.command("explain", command, verbosity="executionStats")
        stats = plan["executionStats"]
        return stages(plan["queryPlanner"]["winningPlan"]), stats["totalKeysExamined"], stats["totalDocsExamined"], stats["nReturned"]

    assert way({"find": "c", "filter": {"a": 3}}) == (["COLLSCAN"], 0, 100, 10)
    assert way({"find": "c", "filter": {"b": {"$lt": 7}}}) == (["FETCH", "IXSCAN"], 7, 7, 7)
    assert way({"find": "c", "filter": {"_id": 7}}) == (["FETCH", "IXSCAN"], 1, 1, 1)
    assert way({"find": "c", "sort": {"a": 1}}) == (["SORT", "COLLSCAN"], 0, 100, 100)
    assert way({"find": "c", "sort": {"b": -1}, "limit": 3}) == (["LIMIT", "FETCH", "IXSCAN"], 3, 3, 3)
    assert way({"find": "c", "filter": {"b": 5}, "projection": {"a": 1}, "skip": 1})[0] == ["SKIP", "PROJECTION_SIMPLE", "FETCH", "IXSCAN"]
    assert way({"find": "c", "projection": {"a": "$b"}})[0] == ["PROJECTION_DEFAULT", "COLLSCAN"]
    # Entries of an index are enough to count what it decides alone.
    counted, keys, documents, _ = way({"count": "c", "query": {"b": {"$lt": 5}}})
    assert (counted, keys, documents) == (["COUNT", "COUNT_SCAN"], 5, 0)
    assert way({"count": "c", "query": {"b": 5, "a": 5}})[0] == ["COUNT", "FETCH", "IXSCAN"]
    one = {"_id": 1, "n": {"$sum": 1}}
    grouped = {"aggregate": "c", "pipeline": [{"$match": {"b": {"$gt": 93}}}, {"$skip": 1}, {"$group": one}], "cursor": {}}
    assert way(grouped) == (["GROUP", "LIMIT", "COUNT_SCAN"], 6, 0, 1)
    assert way({"delete": "c", "deletes": [{"q": {"b": 5}, "limit": 1}]})[0] == ["DELETE", "FETCH", "IXSCAN"]
    assert way({"find": "c", "filter": {"b": 5}, "hint": {"$natural": 1}}) == (["COLLSCAN"], 0, 100, 1)
    assert way({"find": "absent"}) == (["EOF"], 0, 0, 0)
    group = {"aggregate": "c", "pipeline": [{"$match": {"b": {"$gte": 90}}}, {"$group": {"_id": "$a"}}], "cursor": {}}
    assert way(group) == (["GROUP", "FETCH", "IXSCAN"], 10, 10, 10)
    scan = filled.c.find({"b": 5}).explain()["queryPlanner"]["winningPlan"]["inputStage"]
    assert (scan["indexName"], scan["direction"]) == ("b_1", "forward")


def test_server_status_counts(db, primary):
    """What mongostat and Compass chart moves with what clients do."""

    def status():
        return primary.admin.command("serverStatus")

    before = status()
    db.c.insert_many([{"text": "x" * 1000} for _ in range(100)])
    list(db.c.find(batch_size=50))
    with pytest.raises(OperationFailure):
        db.command("find", "c", filter=1)
    after = status()
    moved = lambda section, field: after[section][field] - before[section][field]  # noqa: E731
    assert (moved("opcounters", "insert"), moved("opcounters", "query"), moved("opcounters", "getmore")) == (1, 2, 1)
    assert 100_000 < moved("network", "bytesIn") < 200_000 and 100_000 < moved("network", "bytesOut") < 200_000
    assert 5 <= moved("network", "numRequests") < 20
    assert moved("asserts", "user") >= 1
    assert after["globalLock"]["activeClients"]["total"] >= 0 and after["extra_info"]["page_faults"] >= 0
    assert after["mem"]["resident"] > 0
    latency = lambda class_: after["opLatencies"][class_]["ops"] - before["opLatencies"][class_]["ops"]  # noqa: E731
    assert latency("writes") == 1 and latency("reads") == 3
    assert after["opLatencies"]["writes"]["latency"] > before["opLatencies"]["writes"]["latency"]
    assert after["globalLock"]["activeClients"]["readers"] >= 0 and after["connections"]["active"] >= 0
    # Sections can be left out by name; what says who answers can not.
    short = primary.admin.command("serverStatus", metrics=0, network=False, host=0)
    assert "metrics" not in short and "network" not in short and "host" in short and "opcounters" in short


def test_log_rotate(primary):
    assert primary.admin.command("logRotate", 1)["ok"] == 1
    assert primary.admin.command("logRotate", "server")["ok"] == 1
    assert refused(lambda: primary.admin.command("logRotate", "nonsense")).code == 4


@pytest.mark.parametrize("stage", [{"$out": "c"}, {"$merge": "c"}])
def test_explain_never_writes(filled, stage):
    before = list(filled.c.find())
    inner = {"aggregate": "c", "pipeline": [{"$match": {"a": 3}}, {"$project": {"a": "gone"}}, stage], "cursor": {}}
    for options in ({}, {"verbosity": "executionStats"}, {"verbosity": "allPlansExecution"}):
        assert refused(lambda: filled.command("explain", inner, **options)).code == 51029
    assert filled.command("explain", inner, verbosity="queryPlanner")["queryPlanner"]["winningPlan"]
    assert list(filled.c.find()) == before


def test_client_bulk_write(db, primary):
    namespace = f"{db.name}.c"
    models = [
        InsertOne({"_id": 1, "n": 1}, namespace=namespace),
        UpdateOne({"_id": 1}, {"$inc": {"n": 1}}, namespace=namespace),
        ReplaceOne({"_id": 2}, {"n": 7}, upsert=True, namespace=f"{db.name}.other"),
        DeleteOne({"_id": 1}, namespace=namespace),
    ]
    result = primary.bulk_write(models, verbose_results=True)
    assert (result.inserted_count, result.modified_count, result.upserted_count, result.deleted_count) == (1, 1, 1, 1)
    assert result.update_results[2].upserted_id == 2
    assert list(db.other.find()) == [{"_id": 2, "n": 7}]
    with pytest.raises(ClientBulkWriteException) as error:
        primary.bulk_write([InsertOne({"_id": 3}, namespace=namespace)] * 2 + models[:1])
    assert [failed["code"] for failed in error.value.write_errors] == [11000]
    assert error.value.partial_result.inserted_count == 1


def test_the_version_that_clients_are_told(proxy, primary):
    assert primary.server_info()["versionArray"][:2] == [8, 0]
    assert primary.admin.command("hello")["maxWireVersion"] == 25
    port = free_port()
    proxy({"ERMINE_LISTEN_ADDR": f"127.0.0.1:{port}", "ERMINE_AUTH": "false", "ERMINE_SERVER_VERSION": "7.0"}, port)
    with connect(f"mongodb://127.0.0.1:{port}/") as client:
        assert client.server_info()["versionArray"][:2] == [7, 0]
        assert client.admin.command("hello")["maxWireVersion"] == 21
        fcv = client.admin.command("getParameter", featureCompatibilityVersion=1)
        assert fcv["featureCompatibilityVersion"]["version"] == "7.0"
