//! Each line of the README's tables of commands, over the wire; and that no command of MongoDB lacks a line.
use bson::{Bson, Document, doc};
use ermine::command::refused::REFUSED;
use ermine::command::registry::{COMMANDS, find};
use proto_tests::client::Client;
use proto_tests::stage::{Options, PASSWORD, Proxy, USER};

use crate::stage;

/// The commands that MongoDB 8.0's manual lists for a server (not for a router, and not for Atlas alone).
const MONGODB: &str = "abortTransaction aggregate analyzeShardKey appendOplogNote applyOps authenticate autoCompact \
    buildInfo bulkWrite cleanupStructuredEncryptionData cloneCollectionAsCapped collMod collStats commitTransaction \
    compact compactStructuredEncryptionData configureQueryAnalyzer connPoolStats connectionStatus convertToCapped count \
    create createIndexes createRole createSearchIndexes createUser currentOp dataSize dbHash dbStats delete distinct \
    drop dropAllRolesFromDatabase dropAllUsersFromDatabase dropConnections dropDatabase dropIndexes dropRole \
    dropSearchIndex dropUser endSessions explain features filemd5 find findAndModify fsync fsyncUnlock getAuditConfig \
    getClusterParameter getCmdLineOpts getDefaultRWConcern getLog getMore getParameter grantPrivilegesToRole \
    grantRolesToRole grantRolesToUser hello hostInfo insert invalidateUserCache isMaster killAllSessions \
    killAllSessionsByPattern killCursors killOp killSessions listCollections listCommands listDatabases listIndexes \
    listSearchIndexes lockInfo logApplicationMessage logRotate logout mapReduce ping planCacheClear \
    planCacheClearFilters planCacheListFilters planCacheSetFilter profile reIndex refreshSessions removeQuerySettings \
    renameCollection replSetAbortPrimaryCatchUp replSetFreeze replSetGetConfig replSetGetStatus replSetInitiate \
    replSetMaintenance replSetReconfig replSetResizeOplog replSetStepDown replSetSyncFrom revokePrivilegesFromRole \
    revokeRolesFromRole revokeRolesFromUser rolesInfo rotateCertificates saslContinue saslStart serverStatus \
    setAuditConfig setClusterParameter setDefaultRWConcern setFeatureCompatibilityVersion setIndexCommitQuorum \
    setParameter setQuerySettings setUserWriteBlockMode shardingState shutdown startSession top update updateRole \
    updateSearchIndex updateUser usersInfo validate validateDBMetadata whatsmyuri";

#[test]
fn every_command_of_mongodb_has_a_line() {
    for name in MONGODB.split_whitespace() {
        let refused = REFUSED.iter().any(|refused| refused.name == name);
        assert!(refused || find(name).is_some(), "{name}");
    }
}

/// A request for each command that is served, in the order of the table, and the code that it ends with; 0: none.
/// The extension of this repository has no roles of its own, as the surface it copies.
#[rustfmt::skip]
fn lines() -> Vec<(Document, i32)> {
    let user = || doc! { "createUser": "lines", "pwd": "Secret+1234", "roles": [{ "role": "readAnyDatabase", "db": "admin" }] };
    vec![
        (doc! { "abortTransaction": 1 }, 125),
        (doc! { "aggregate": "c", "pipeline": [{ "$match": { "a": 1 } }], "cursor": {} }, 0),
        (doc! { "authenticate": 1, "mechanism": "MONGODB-X509" }, 334),
        (doc! { "buildInfo": 1 }, 0),
        (doc! { "bulkWrite": 1, "ops": [{ "insert": 0, "document": { "_id": 9 } }], "nsInfo": [{ "ns": "lines.c" }] }, 0),
        (doc! { "cloneCollectionAsCapped": "c", "toCollection": "capped", "size": 10_000 }, 0),
        (doc! { "collMod": "v", "viewOn": "c", "pipeline": [{ "$match": { "a": 2 } }] }, 0),
        (doc! { "collStats": "c" }, 0),
        (doc! { "commitTransaction": 1 }, 125),
        (doc! { "compact": "c", "force": true }, 0),
        (doc! { "connPoolStats": 1 }, 0),
        (doc! { "connectionStatus": 1 }, 0),
        (doc! { "convertToCapped": "capped", "size": 20_000 }, 0),
        (doc! { "count": "c" }, 0),
        (doc! { "create": "new" }, 0),
        (doc! { "createIndexes": "c", "indexes": [{ "key": { "a": 1 }, "name": "a_1" }] }, 0),
        (doc! { "createRole": "lines_role", "privileges": [], "roles": [{ "role": "readAnyDatabase", "db": "admin" }] }, 115),
        (user(), 0),
        (doc! { "currentOp": 1 }, 0),
        (doc! { "dataSize": "lines.c" }, 0),
        (doc! { "dbHash": 1 }, 0),
        (doc! { "dbStats": 1 }, 0),
        (doc! { "delete": "c", "deletes": [{ "q": { "_id": 9 }, "limit": 1 }] }, 0),
        (doc! { "distinct": "c", "key": "a" }, 0),
        (doc! { "drop": "new" }, 0),
        (doc! { "dropAllRolesFromDatabase": 1, "$db": "admin" }, 115),
        (doc! { "dropAllUsersFromDatabase": 1 }, 0),
        (doc! { "dropDatabase": 1, "$db": "lines_other" }, 0),
        (doc! { "dropIndexes": "c", "index": "a_1" }, 0),
        (doc! { "dropRole": "lines_role" }, 115),
        (doc! { "dropUser": "lines" }, 0),
        (doc! { "endSessions": [] }, 0),
        (doc! { "explain": { "find": "c" } }, 0),
        (doc! { "features": 1 }, 0),
        (doc! { "filemd5": 1 }, 0),
        (doc! { "find": "c" }, 0),
        (doc! { "findAndModify": "c", "query": { "_id": 1 }, "update": { "$set": { "a": 3 } } }, 0),
        (doc! { "getCmdLineOpts": 1 }, 0),
        (doc! { "getLog": "global" }, 0),
        (doc! { "getMore": 77_i64, "collection": "c" }, 43),
        (doc! { "getParameter": "*" }, 0),
        (doc! { "grantRolesToUser": "lines", "roles": ["readAnyDatabase"] }, 11),
        (doc! { "hello": 1 }, 0),
        (doc! { "hostInfo": 1 }, 0),
        (doc! { "insert": "c", "documents": [{ "_id": 10 }] }, 0),
        (doc! { "invalidateUserCache": 1 }, 0),
        (doc! { "isMaster": 1 }, 0),
        (doc! { "killAllSessions": [] }, 0),
        (doc! { "killAllSessionsByPattern": [] }, 0),
        (doc! { "killCursors": "c", "cursors": [77_i64] }, 0),
        (doc! { "killOp": 1, "op": 1 }, 0),
        (doc! { "killSessions": [] }, 0),
        (doc! { "listCollections": 1 }, 0),
        (doc! { "listCommands": 1 }, 0),
        (doc! { "listDatabases": 1 }, 0),
        (doc! { "listIndexes": "c" }, 0),
        (doc! { "logRotate": "server" }, 0),
        (doc! { "logout": 1 }, 0),
        (doc! { "ping": 1 }, 0),
        (doc! { "planCacheClear": "c" }, 0),
        (doc! { "planCacheClearFilters": "c" }, 0),
        (doc! { "planCacheListFilters": "c" }, 0),
        (doc! { "profile": -1 }, 0),
        (doc! { "reIndex": "c" }, 0),
        (doc! { "refreshSessions": [] }, 0),
        (doc! { "renameCollection": "lines.r", "to": "lines.s" }, 0),
        (doc! { "revokeRolesFromUser": "lines", "roles": ["readAnyDatabase"] }, 11),
        (doc! { "rolesInfo": 1 }, 115),
        (doc! { "saslContinue": 1, "conversationId": 1, "payload": "" }, 17),
        (doc! { "saslStart": 1, "mechanism": "GSSAPI", "payload": "" }, 334),
        (doc! { "serverStatus": 1 }, 0),
        (doc! { "setParameter": 1, "quiet": true }, 20),
        (doc! { "shardingState": 1 }, 0),
        (doc! { "startSession": 1 }, 0),
        (doc! { "top": 1 }, 0),
        (doc! { "update": "c", "updates": [{ "q": { "_id": 1 }, "u": { "$set": { "a": 1 } } }] }, 0),
        (doc! { "updateRole": "lines_role", "roles": [] }, 115),
        (doc! { "updateUser": "lines", "pwd": "Secret+5678" }, 0),
        (doc! { "usersInfo": 1 }, 0),
        (doc! { "validate": "c" }, 0),
        (doc! { "validateDBMetadata": 1, "apiParameters": { "version": "1", "strict": true } }, 0),
        (doc! { "whatsmyuri": 1 }, 0),
    ]
}

#[test]
fn every_line_that_is_served_answers() {
    // A proxy of its own: some lines end the sessions, the cursors and the operations of everybody.
    let cluster = &stage().cluster;
    let proxy = Proxy::start(Some(cluster.primary()), &[cluster.standby()], &Options::default());
    let fresh = || Client::connect(proxy.primary).logged_in(USER, PASSWORD);
    let mut client = fresh();
    for name in ["c", "r"] {
        client.ok(doc! { "insert": name, "documents": [{ "_id": 1, "a": 1 }, { "_id": 2, "a": 2 }], "$db": "lines" });
    }
    client.ok(doc! { "create": "v", "viewOn": "c", "$db": "lines" });
    let lines = lines();
    let tested: Vec<&str> =
        lines.iter().filter_map(|(body, _)| body.keys().next().map(String::as_str)).collect();
    let table: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
    assert_eq!(tested, table, "each line has its test");
    let mut wrong = Vec::new();
    for ((mut body, code), command) in lines.into_iter().zip(COMMANDS) {
        if !body.contains_key("$db") {
            let users = command.name.ends_with("User") || command.name.ends_with("Role");
            let admin = command.admin_only || users;
            body.insert("$db", if admin { "admin" } else { "lines" });
        }
        // What an earlier line ended, a later one needs again.
        let again = match command.name {
            "updateUser" => Some(
                doc! { "createUser": "lines", "pwd": "Secret+1234", "roles": [{ "role": "readAnyDatabase", "db": "admin" }], "$db": "admin" },
            ),
            _ => None,
        };
        again.map(|again| client.ok(again));
        // Some end the login or begin another.
        let mut alone = fresh();
        let reply = if command.name == "logout" { alone.run(body) } else { client.run(body) };
        let got = reply.get_i32("code").unwrap_or(0);
        let fine = matches!(reply.get("ok"), Some(Bson::Double(ok)) if (*ok == 1.0) == (code == 0));
        if got != code || !fine {
            wrong.push(format!("{}: {reply}", command.name));
        }
    }
    client.ok(doc! { "dropUser": "lines", "$db": "admin" });
    client.ok(doc! { "dropDatabase": 1, "$db": "lines" });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn counts_below_zero_are_refused() {
    let mut client = stage().primary();
    for (mut body, field) in [
        (doc! { "find": "c", "limit": -1 }, "limit"),
        (doc! { "find": "c", "skip": -2_i64 }, "skip"),
        (doc! { "find": "c", "batchSize": -1.0 }, "batchSize"),
        (doc! { "count": "c", "skip": -1 }, "skip"),
        (doc! { "getMore": 77_i64, "collection": "c", "batchSize": -1 }, "batchSize"),
    ] {
        body.insert("$db", "lines");
        let given = body.get(field).and_then(|value| value.as_i64().or(value.as_i32().map(i64::from)));
        let given = given.unwrap_or(-1);
        let reply = client.run(body);
        assert_eq!(reply.get_i32("code").ok(), Some(51024), "{reply}");
        let want = format!("BSON field '{field}' value must be >= 0, actual value '{given}'");
        assert_eq!(reply.get_str("errmsg").ok(), Some(&*want));
    }
    // count takes a limit below zero for its opposite.
    client.ok(doc! { "count": "c", "limit": -1, "$db": "lines" });
}

#[test]
fn indexes_of_one_collection_are_made_side_by_side() {
    let stage = stage();
    let mut client = stage.primary();
    let documents: Vec<Document> = (0..500).map(|n| doc! { "_id": n, "a": n, "b": -n }).collect();
    client.ok(doc! { "insert": "c", "documents": documents, "$db": "side" });
    std::thread::scope(|scope| {
        for n in 0..6 {
            scope.spawn(move || {
                let mut client = stage.primary();
                for field in ["a", "b"] {
                    let name = format!("{field}_{n}");
                    let key = doc! { field: 1, format!("x{n}"): 1 };
                    let indexes = [doc! { "key": key, "name": &name }];
                    let reply =
                        client.ok(doc! { "createIndexes": "c", "indexes": indexes.to_vec(), "$db": "side" });
                    assert!(reply.get_i32("numIndexesAfter").is_ok(), "{reply}");
                }
            });
        }
    });
    let reply = client.ok(doc! { "listIndexes": "c", "$db": "side" });
    let listed = reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
    assert_eq!(listed.len(), 13, "{reply}");
    client.ok(doc! { "dropDatabase": 1, "$db": "side" });
}

#[test]
fn top_tells_what_was_done() {
    let mut client = stage().primary();
    client.ok(doc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "topped" });
    client.ok(doc! { "find": "c", "$db": "topped" });
    client.ok(doc! { "find": "c", "$db": "topped" });
    // What fails is nobody's use.
    client.code(doc! { "find": "c", "filter": { "$no": 1 }, "$db": "topped" });
    let count = |reply: &Document, word: &str| {
        let totals = reply.get_document("totals").unwrap().get_document("topped.c").unwrap().clone();
        let sum = totals.get_document(word).unwrap().clone();
        assert!(sum.get_i64("time").unwrap() > 0 || sum.get_i64("count").unwrap() == 0, "{totals}");
        sum.get_i64("count").unwrap()
    };
    let reply = client.ok(doc! { "top": 1, "$db": "admin" });
    let words = ["total", "readLock", "writeLock", "queries", "insert", "update", "commands"];
    assert_eq!(words.map(|word| count(&reply, word)), [3, 2, 1, 2, 1, 0, 0]);
    client.ok(doc! { "dropDatabase": 1, "$db": "topped" });
    let reply = client.ok(doc! { "top": 1, "$db": "admin" });
    assert!(!reply.get_document("totals").unwrap().contains_key("topped.c"));
}
