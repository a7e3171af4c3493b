"""The MongoDB shell, typed at as a person does, on both endpoints; what it prints, line by line."""

import re

import pytest

from conftest import connect, eventually, size

# What differs from run to run, and a mark for it.
VARYING = [
    (re.compile(r"ObjectId\('[0-9a-f]{24}'\)"), "ObjectId('…')"),
    (re.compile(r"\b\d+\.\d+ (KiB|MiB)"), "… KiB"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\b\d+\.\d+\.\d+\b"), "VERSION"),
]


def conversation(output):
    """The part from the first prompt on, without what varies."""
    start = re.search(r"^\w+> ", output, re.MULTILINE)
    text = output[start.start() :] if start else output
    for pattern, mark in VARYING:
        text = pattern.sub(mark, text)
    return text.rstrip().splitlines()


@pytest.fixture
def newdb(primary):
    primary.drop_database("newdb")
    yield "newdb"
    primary.drop_database("newdb")


def test_greeting(shell, primary_uri, primary):
    output = shell(primary_uri + "ferretdb")
    lines = output.splitlines()
    credentials = r"Connecting to:\t+mongodb://<credentials>@127\.0\.0\.1:\d+/ferretdb\?serverSelectionTimeoutMS=30000&directConnection=true&.*"
    assert any(re.fullmatch(credentials, line) for line in lines), output
    version = primary.server_info()["version"]
    assert f"Using MongoDB:\t\t{version}" in lines, output
    assert "Error" not in output and "Warning" not in output


def test_primary_endpoint(shell, primary_uri, newdb):
    output = shell(
        primary_uri + "ferretdb",
        f"use {newdb}",
        'db.movie.insertOne({"top gun": "maverick"})',
        'db.movie.insert({"name":"batman"});',
        "db.movie.find().pretty()",
        "db.movie.countDocuments()",
        "show collections",
        "db.movie.updateOne({name: 'batman'}, {$set: {year: 1989}})",
        "db.movie.insertOne({_id: 1}); db.movie.insertOne({_id: 1})",
        "db.movie.deleteMany({})",
    )
    assert conversation(output) == [
        "ferretdb> switched to db newdb",
        "newdb> {",
        "  acknowledged: true,",
        "  insertedId: ObjectId('…')",
        "}",
        # The shell's own remark.
        "newdb> DeprecationWarning: Collection.insert() is deprecated. Use insertOne, insertMany, or bulkWrite.",
        "{",
        "  acknowledged: true,",
        "  insertedIds: { '0': ObjectId('…') }",
        "}",
        "newdb> [",
        "  { _id: ObjectId('…'), 'top gun': 'maverick' },",
        "  { _id: ObjectId('…'), name: 'batman' }",
        "]",
        "newdb> 2",
        "newdb> movie",
        "newdb> {",
        "  acknowledged: true,",
        "  insertedId: null,",
        "  matchedCount: 1,",
        "  modifiedCount: 1,",
        "  upsertedCount: 0",
        "}",
        "newdb> Uncaught ",
        "MongoServerError: E11000 duplicate key error collection: newdb.movie index: _id_ dup key: { _id: 1 }",
        "newdb> { acknowledged: true, deletedCount: 3 }",
        "newdb>",
    ]


def test_show_dbs(shell, primary_uri, secondary_uri, primary, secondary, newdb):
    primary[newdb].movie.insert_one({"name": "batman"})
    eventually(lambda: newdb in secondary.list_database_names(), True)
    for uri in (primary_uri, secondary_uri):
        assert re.search(r"^(ferretdb> )?newdb +… KiB$", "\n".join(conversation(shell(uri + "ferretdb", "show dbs"))), re.M)


def test_secondary_endpoint(shell, primary_uri, secondary_uri, secondary, newdb):
    shell(primary_uri + newdb, 'db.movie.insertOne({_id: 1, "name":"batman"})')
    eventually(lambda: size(secondary[newdb].movie), 1)
    output = shell(
        secondary_uri + "ferretdb",
        f"use {newdb}",
        "db.movie.find().pretty()",
        'db.movie.insertOne({"name":"robin"})',
        'db.runCommand({insert: "movie", documents: [{name: "robin"}]})',
        "db.movie.countDocuments()",
    )
    assert conversation(output) == [
        "ferretdb> switched to db newdb",
        "newdb> [ { _id: 1, name: 'batman' } ]",
        # The shell's driver puts these words in place of whatever a server says with code 20.
        "newdb> Uncaught ",
        "MongoServerError: This MongoDB deployment does not support retryable writes. Please add retryWrites=false to "
        "your connection string.",
        "newdb> Uncaught ",
        "MongoServerError[IllegalOperation]: Cannot execute a write operation in read-only mode",
        "newdb> 1",
        "newdb>",
    ]


def test_wrong_password(shell, primary_uri):
    with pytest.raises(AssertionError) as error:
        shell(re.sub(r":[^:@/]+@", ":wrong@", primary_uri), "db.movie.find()")
    assert "MongoServerError: Authentication failed." in str(error.value)
