//! Connections to PostgreSQL serve one client after the other. Whatever one does, the next finds a connection as new.
use std::collections::HashMap;
use std::sync::Arc;

use bson::{Document, doc};
use ermine::pool::{RunsAs, UserRole};
use ermine::sql::calls::Guard;
use ermine::sql::{Budget, SqlCall, run};
use proto_tests::client::Client;
use proto_tests::stage::{Options, Stage};
use proto_tests::wait_until;

use crate::limits::{Locked, send};
use crate::roles::{client, make};

/// What a session can keep: settings, temporary tables, portals, statements, locks, channels, a transaction. Statements
/// prepared are the proxy's own texts, and those may stay.
const STATE: &str = "SELECT jsonb_build_object( \
    'settings', (SELECT jsonb_object_agg(name, setting) FROM pg_settings WHERE source = 'session'), \
    'role', current_user, 'login', session_user, 'search_path', current_setting('search_path'), \
    'temporary', (SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relnamespace = pg_my_temp_schema()), \
    'portals', (SELECT count(*) FROM pg_cursors WHERE name <> ''), \
    'advisory', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), \
    'channels', (SELECT count(*) FROM pg_listening_channels()), \
    'transaction', (SELECT xact_start <> query_start FROM pg_stat_activity WHERE pid = pg_backend_pid()) )";
const PREPARED: &str = "SELECT COALESCE(string_agg(statement, E'\\n'), '') FROM pg_prepared_statements";
const PROCESS: &str = "SELECT pg_backend_pid()";

static AS_URL: SqlCall =
    SqlCall { name: "state", text: "", params: &[], runs_as: RunsAs::Url, guard: Guard::None };
static AS_USER: SqlCall =
    SqlCall { name: "state", text: "", params: &[], runs_as: RunsAs::User, guard: Guard::None };

/// Borrows the only connection and asks it something.
fn ask(stage: &Stage, user: Option<&Arc<UserRole>>, question: &str) -> String {
    let call = if user.is_some() { &AS_USER } else { &AS_URL };
    let node = &stage.context().pools.nodes()[0];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut lease = node.checkout(user, None).await.unwrap();
        run::text(&mut lease, Budget::default(), call, question).await.unwrap().unwrap_or_default()
    })
}

fn find(filter: Document) -> Document {
    doc! { "find": "c", "filter": filter, "sort": { "n": -1 }, "batchSize": 2, "$db": "state" }
}

fn cursor(reply: &Document) -> i64 {
    reply.get_document("cursor").unwrap().get_i64("id").unwrap()
}

type Borrower = (&'static str, fn(&Stage, &mut Client));

/// Each leaves something behind, if anything can.
const BORROWERS: &[Borrower] = &[
    ("a time limit", |_, client| {
        let mut command = find(doc! {});
        command.insert("maxTimeMS", 5000);
        let id = cursor(&client.ok(command));
        client.ok(doc! { "killCursors": "c", "cursors": [id], "$db": "state" });
    }),
    ("an error", |_, client| {
        client.code(find(doc! { "$no": 1 }));
        client.code(doc! { "aggregate": "c", "pipeline": [{ "$project": { "x": { "$divide": ["$n", 0] } } }], "cursor": {}, "$db": "state" });
    }),
    ("a cursor that is fetched to its end", |_, client| {
        let id = cursor(&client.ok(find(doc! {})));
        client.ok(doc! { "getMore": id, "collection": "c", "$db": "state" });
    }),
    ("a cursor that is killed", |_, client| {
        let id = cursor(&client.ok(find(doc! {})));
        client.ok(doc! { "killCursors": "c", "cursors": [id], "$db": "state" });
    }),
    ("a cursor whose next page fails", |_, client| {
        let id = cursor(&client.ok(find(doc! {})));
        client.run(doc! { "getMore": id, "collection": "c", "batchSize": -7, "$db": "state" });
        client.ok(doc! { "killCursors": "c", "cursors": [id], "$db": "state" });
    }),
    ("writes with errors", |_, client| {
        client.ok(doc! { "insert": "c", "documents": [{ "_id": 1 }, { "_id": 1 }], "ordered": false, "$db": "state" });
        client.ok(
            doc! { "update": "c", "updates": [{ "q": {}, "u": { "$set": { "_id": 9 } } }], "$db": "state" },
        );
        client.ok(doc! { "update": "c", "updates": [{ "q": { "n": 1 }, "u": [{ "$set": { "x": "$$y" } }] }], "let": { "y": 1 }, "$db": "state" });
    }),
    ("a collation", |_, client| {
        let mut command = find(doc! {});
        command.insert("collation", doc! { "locale": "fr", "strength": 1 });
        let reply = client.run(command);
        if let Ok(found) = reply.get_document("cursor") {
            client
                .run(doc! { "killCursors": "c", "cursors": [found.get_i64("id").unwrap()], "$db": "state" });
        }
    }),
    ("a plan", |_, client| {
        client.ok(doc! { "explain": { "find": "c", "filter": { "n": 1 } }, "verbosity": "executionStats", "$db": "state" });
        client.ok(doc! { "explain": { "update": "c", "updates": [{ "q": { "n": 1 }, "u": { "$set": { "x": 2 } } }] }, "verbosity": "queryPlanner", "$db": "state" });
    }),
    ("collections and indexes", |_, client| {
        client.ok(doc! { "create": "d", "$db": "state" });
        client.ok(
            doc! { "createIndexes": "c", "indexes": [{ "key": { "n": 1 }, "name": "n" }], "$db": "state" },
        );
        client.ok(doc! { "reIndex": "c", "$db": "state" });
        client.ok(doc! { "dropIndexes": "c", "index": "n", "$db": "state" });
        client.ok(doc! { "compact": "c", "$db": "state" });
        client.ok(doc! { "drop": "d", "$db": "state" });
    }),
    ("$out", |_, client| {
        client.ok(doc! { "aggregate": "c", "pipeline": [{ "$out": "e" }], "cursor": {}, "$db": "state" });
    }),
    ("a snapshot", |_, client| {
        client.ok(doc! { "dbHash": 1, "$db": "state" });
    }),
    ("users", |_, client| {
        let roles = [doc! { "role": "readAnyDatabase", "db": "admin" }];
        client.ok(
            doc! { "createUser": "fleeting", "pwd": "Secret-123", "roles": roles.to_vec(), "$db": "admin" },
        );
        client.ok(doc! { "dropUser": "fleeting", "$db": "admin" });
    }),
    ("a time limit that passes", |stage, client| {
        let lock = Locked::new(stage, "state", "c");
        let mut command = find(doc! {});
        command.insert("maxTimeMS", 50);
        assert_eq!(client.code(command), 50);
        lock.release();
    }),
    ("a read whose client leaves", |stage, _| {
        let mut leaving = client(stage, "mess");
        let lock = Locked::new(stage, "state", "c");
        send(&mut leaving, find(doc! {}));
        wait_until("the read runs", || lock.waiting() == 1);
        drop(leaving);
        wait_until("the read is cancelled", || lock.waiting() == 0);
        lock.release();
    }),
    ("an operation that is killed", |stage, client| {
        let lock = Locked::new(stage, "state", "c");
        send(
            client,
            doc! { "update": "c", "updates": [{ "q": {}, "u": { "$set": { "x": 1 } } }], "$db": "state" },
        );
        wait_until("the write runs", || lock.waiting() == 1);
        let operations = stage.context().operations.all();
        let running = operations
            .iter()
            .find_map(|seen| seen.running.as_ref().filter(|running| running.command == "update"));
        assert!(stage.context().operations.kill(running.unwrap().id));
        assert_eq!(client.receive().unwrap().0.get_i32("code").ok(), Some(11601));
        lock.release();
    }),
];

#[test]
fn nothing_of_one_borrower_is_left_to_the_next() {
    let options = Options {
        standbys: 0,
        superuser: true,
        connections: 1,
        cursor_connections: 1,
        settings: vec![("ermine.official_cursors", "on")],
        ..Options::default()
    };
    let stage = Stage::new(&options);
    make(&stage, "mess", true);
    make(&stage, "next", true);
    let oid =
        stage.cluster.primary().query("SELECT oid FROM pg_roles WHERE rolname = 'next'").unwrap().unwrap();
    let next = Arc::new(UserRole { name: "next".into(), oid: oid.parse().unwrap() });
    let mut mess = client(&stage, "mess");
    let documents: Vec<_> = (0..9).map(|n| doc! { "_id": n, "n": n }).collect();
    mess.ok(doc! { "insert": "c", "documents": documents, "$db": "state" });
    let texts: HashMap<&str, &str> =
        ermine::sql::calls::ALL.iter().map(|call| (call.text, call.name)).collect();
    let new = ask(&stage, None, STATE);
    assert!(new.contains("\"role\": \"ermine_service\"") && new.contains("\"portals\": 0"), "{new}");
    let (mut process, mut kept) = (ask(&stage, None, PROCESS), 0);
    for (what, borrow) in BORROWERS {
        borrow(&stage, &mut mess);
        wait_until("the connection is back", || stage.context().pools.nodes()[0].connections().0 == 0);
        // As whoever comes next: another user, and nobody in particular.
        assert_eq!(ask(&stage, Some(&next), "SELECT current_user"), "next", "after {what}");
        assert_eq!(ask(&stage, None, STATE), new, "after {what}");
        let prepared = ask(&stage, None, PREPARED);
        let foreign = prepared.lines().find(|statement| !texts.contains_key(statement.trim()));
        assert_eq!(foreign, None, "after {what}");
        let now = ask(&stage, None, PROCESS);
        kept += usize::from(now == process);
        process = now;
    }
    // Otherwise nothing was shown: most of them give their connection back.
    assert!(kept >= BORROWERS.len() / 2, "{kept} of {}", BORROWERS.len());
}
