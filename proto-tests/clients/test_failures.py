"""Servers that die and come back while clients work: no wrong answer, no endless wait, and Ermine is not restarted."""

import threading
import time

import pytest
from pymongo.errors import PyMongoError

from conftest import connect, control, eventually, size

# Seconds. Longer than Ermine waits for a connection to PostgreSQL (15) and than the driver waits for a server (15).
PATIENCE = 60

DOCUMENTS = [{"_id": i, "square": i * i} for i in range(200)]


@pytest.fixture
def filled(db, replica):
    db.c.insert_many(DOCUMENTS)
    eventually(lambda: size(replica.c), len(DOCUMENTS))
    yield db, replica
    # Whatever a test did, the next one finds both servers and both endpoints at work.
    for node in ("primary", "standby1"):
        try:
            control(f"start {node}")
        except AssertionError as error:
            assert "runs already" in str(error)
    eventually(lambda: answer(lambda: db.c.estimated_document_count() >= 0), True, 60)
    eventually(lambda: answer(lambda: replica.c.estimated_document_count() >= 0), True, 60)


def answer(work):
    """The result, or the error as a value."""
    try:
        return work()
    except PyMongoError as error:
        return error


@pytest.fixture
def workers():
    """Starts workers and ends them with the test, whichever way it ends."""
    started = []

    def start(work):
        started.append(Worker(work))
        return started[-1]

    yield start
    for worker in started:
        worker.ended.set()
    for worker in started:
        worker.join(2 * PATIENCE)


class Worker(threading.Thread):
    """Does something over and over and keeps what came of it."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.ended = work, threading.Event()
        self.good, self.errors, self.wrong, self.longest = 0, [], [], 0.0
        self.start()

    def run(self):
        while not self.ended.is_set():
            begun = time.monotonic()
            try:
                wrong = self.work()
                if wrong:
                    self.wrong.append(wrong)
                self.good += 1
            except PyMongoError as error:
                self.errors.append(error)
                time.sleep(0.01)
            self.longest = max(self.longest, time.monotonic() - begun)

    def more(self, count=20, seconds=60):
        """Waits until it has succeeded so many times more."""
        target, give_up = self.good + count, time.monotonic() + seconds
        while self.good < target:
            assert time.monotonic() < give_up, self.errors[-1:]
            time.sleep(0.01)

    def failed(self, count, seconds=PATIENCE):
        """Waits until it has failed so many times."""
        give_up = time.monotonic() + seconds
        while len(self.errors) < count and time.monotonic() < give_up:
            time.sleep(0.01)
        return len(self.errors) >= count

    def end(self):
        self.ended.set()
        self.join(PATIENCE * 2)
        assert not self.is_alive()
        assert not self.wrong, self.wrong[:3]
        assert self.longest < PATIENCE


def reads(collection):
    """Reads in every way; what it gets is right and whole, or it raises."""

    def read():
        if collection.find_one({"_id": 7}) != DOCUMENTS[7]:
            return "find by _id"
        if list(collection.find({}, batch_size=70).sort("_id", 1)) != DOCUMENTS:
            return "sorted find"
        if sorted(d["_id"] for d in collection.find({}, batch_size=70)) != [d["_id"] for d in DOCUMENTS]:
            return "find"
        if collection.count_documents({"square": {"$gte": 100}}) != len(DOCUMENTS) - 10:
            return "count"
        return None

    return read


def test_standby_dies_and_comes_back(filled, workers):
    db, replica = filled
    on_primary, on_standby = workers(reads(db.c)), [workers(reads(replica.c)) for _ in range(3)]
    for worker in (on_primary, *on_standby):
        worker.more()
    control("kill standby1")
    # The primary endpoint does not care.
    on_primary.more(50)
    assert on_primary.errors == []
    control("start standby1")
    for worker in on_standby:
        worker.more()
    for worker in (on_primary, *on_standby):
        worker.end()
    db.d.insert_one({"_id": "after"})
    eventually(lambda: answer(lambda: replica.d.find_one()), {"_id": "after"})


def test_primary_dies_and_comes_back(filled, workers):
    db, replica = filled
    acknowledged, lock = set(), threading.Lock()
    numbers = iter(range(10**9))

    def write():
        with lock:
            number = next(numbers)
        db.w.insert_one({"_id": number, "twice": 2 * number})
        with lock:
            acknowledged.add(number)

    writers, on_standby = [workers(write) for _ in range(3)], workers(reads(replica.c))
    for worker in (*writers, on_standby):
        worker.more()
    control("kill primary")
    for worker in writers:
        assert worker.failed(1), "a write without a primary did not fail"
    # The standby has all that was there, and serves it.
    on_standby.more(30)
    assert on_standby.errors == []
    control("start primary")
    for worker in writers:
        worker.more()
    for worker in (*writers, on_standby):
        worker.end()
    # What was acknowledged is there, once. What failed may be there; nothing else is.
    found = list(db.w.find())
    ids = [d["_id"] for d in found]
    assert len(ids) == len(set(ids)) and acknowledged <= set(ids) <= set(range(next(numbers)))
    assert all(d["twice"] == 2 * d["_id"] for d in found)
    eventually(lambda: answer(lambda: sorted(d["_id"] for d in replica.w.find())), sorted(ids), 60)


@pytest.mark.parametrize("sort", [None, ("square", -1)], ids=["unsorted", "sorted"])
def test_a_cursor_does_not_end_early_when_its_node_dies(filled, secondary_uri, sort):
    db, _ = filled
    with connect(secondary_uri) as client:
        cursor = client[db.name].c.find({}, batch_size=20)
        if sort:
            cursor = cursor.sort(*sort)
        first = [next(cursor) for _ in range(20)]
        control("kill standby1")
        rest = answer(lambda: list(cursor))
        control("start standby1")
        if not isinstance(rest, PyMongoError):
            assert sorted(d["_id"] for d in first + rest) == [d["_id"] for d in DOCUMENTS]
        # The same client goes on.
        eventually(lambda: answer(lambda: size(client[db.name].c)), len(DOCUMENTS), 60)


def test_both_die_and_come_back_while_nobody_asks(filled):
    db, replica = filled
    for node in ("standby1", "primary"):
        control(f"kill {node}")
    begun = time.monotonic()
    assert isinstance(answer(lambda: db.c.insert_one({})), PyMongoError)
    assert isinstance(answer(lambda: replica.c.find_one()), PyMongoError)
    assert time.monotonic() - begun < 2 * PATIENCE
    for node in ("primary", "standby1"):
        control(f"start {node}")
    eventually(lambda: answer(lambda: size(db.c)), len(DOCUMENTS), 60)
    eventually(lambda: answer(lambda: size(replica.c)), len(DOCUMENTS), 60)
