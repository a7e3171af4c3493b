//! Statements run as the role of the user who sent them, on connections that all users share.
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use bson::{Document, doc};
use ermine::config::RunAsUser;
use proto_tests::client::Client;
use proto_tests::stage::{Options, Proxy, Stage};

use crate::stage;

pub(crate) const PASSWORD: &str = "Secret-123";

/// One connection for all requests of all users; the role of the URL is a superuser, as KubeDB has it. One test at a time:
/// they count what the node runs.
pub(crate) fn alone() -> (&'static Stage, MutexGuard<'static, ()>) {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let options = Options {
        standbys: 0,
        superuser: true,
        connections: 1,
        cursor_connections: 24,
        settings: vec![("ermine.official_cursors", "on")],
        ..Options::default()
    };
    (STAGE.get_or_init(|| Stage::new(&options)), turn)
}

pub(crate) fn make(stage: &Stage, name: &str, admin: bool) {
    let role = |role: &str| doc! { "role": role, "db": "admin" };
    let roles = if admin {
        vec![role("clusterAdmin"), role("readWriteAnyDatabase")]
    } else {
        vec![role("readAnyDatabase")]
    };
    stage.primary().ok(doc! { "createUser": name, "pwd": PASSWORD, "roles": roles, "$db": "admin" });
}

pub(crate) fn client(stage: &Stage, name: &str) -> Client {
    stage.stranger().logged_in(name, PASSWORD)
}

/// A user's rights change and the proxy does not know yet: what it keeps of them is fresh.
fn demote(stage: &Stage, role: &str) {
    let sql = format!(
        "REVOKE documentdb_admin_role FROM {role}; GRANT documentdb_readonly_role, pg_read_all_data TO {role}"
    );
    stage.cluster.primary().execute(&sql).unwrap();
}

fn insert(db: &str) -> Document {
    doc! { "insert": "c", "documents": [{}], "$db": db }
}

fn refused(reply: &Document, words: &str) {
    assert_eq!(reply.get_i32("code").ok(), Some(13), "{reply}");
    assert!(reply.get_str("errmsg").unwrap().starts_with(words), "{reply}");
}

/// The role that each call of the surface with a database as its first parameter ran as, from the node's own log.
fn ran_as(log: &str) -> Vec<(String, String)> {
    let mut carried: HashMap<String, String> = HashMap::new();
    let mut calls = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(process) = line.split_once('[').and_then(|(_, rest)| rest.split_once(']')) else { continue };
        let process = process.0.to_owned();
        if let Some((_, set)) = line.split_once("statement: BEGIN; SET ROLE ") {
            carried.insert(process, set.trim_end_matches("; COMMIT").to_owned());
        } else if line.contains("statement: BEGIN; RESET ROLE") {
            carried.insert(process, "URL".to_owned());
        } else if line.contains(": execute ") || line.contains("LOG:  execute ") {
            let parameters = lines.peek().and_then(|next| next.split_once("DETAIL:  parameters: $1 = '"));
            let Some((database, _)) = parameters.and_then(|(_, rest)| rest.split_once('\'')) else {
                continue;
            };
            calls.push((database.to_owned(), carried.get(&process).map_or("URL", String::as_str).to_owned()));
        }
    }
    calls
}

#[test]
fn every_statement_runs_as_its_users_role_on_one_connection() {
    let (stage, _turn) = alone();
    let users = [("ann", "\"ann\""), ("o\"hara", "\"o\"\"hara\"")];
    for (name, _) in users {
        make(stage, name, true);
    }
    let mark = stage.cluster.primary().log_mark();
    std::thread::scope(|scope| {
        for (name, _) in [users, users, users].concat() {
            scope.spawn(move || {
                let db = format!("of_{}", name.len());
                let collection = format!("{:?}", std::thread::current().id()).replace(['(', ')'], "");
                let mut client = client(stage, name);
                for n in 0..6 {
                    let documents: Vec<_> = (0..5).map(|m| doc! { "n": n, "m": m }).collect();
                    client.ok(doc! { "insert": &collection, "documents": documents, "$db": &db });
                    // Its rest is held by a connection, which goes back afterwards.
                    let sorted = doc! { "find": &collection, "filter": { "n": n }, "sort": { "m": -1 }, "batchSize": 2, "$db": &db };
                    let page = client.ok(sorted);
                    let id = page.get_document("cursor").unwrap().get_i64("id").unwrap();
                    client.ok(doc! { "getMore": id, "collection": &collection, "$db": &db });
                    client.ok(doc! { "count": &collection, "$db": &db });
                }
            });
        }
    });
    let ran = ran_as(&mark.text());
    for (name, role) in users {
        let of_user: Vec<_> = ran.iter().filter(|(db, _)| *db == format!("of_{}", name.len())).collect();
        assert_eq!(of_user.len(), 3 * 6 * 4, "{name}");
        assert!(of_user.iter().all(|(_, ran_as)| ran_as == role), "{name}: {of_user:?}");
    }
}

#[test]
fn a_lone_user_sets_its_role_once_per_connection() {
    let (stage, _turn) = alone();
    make(stage, "lone", true);
    let mut lone = client(stage, "lone");
    let mark = stage.cluster.primary().log_mark();
    for n in 0..30 {
        lone.ok(doc! { "insert": "c", "documents": [{ "_id": n }], "$db": "lone" });
        lone.ok(doc! { "find": "c", "filter": { "_id": n }, "$db": "lone" });
    }
    let statements = mark.statements();
    let switches = statements.iter().filter(|statement| statement.contains(" ROLE")).count();
    // The background asks for the version now and then.
    let call =
        |statement: &&String| statement.contains("documentdb_api.") && !statement.contains("binary_version");
    let calls = statements.iter().filter(call).count();
    assert_eq!((switches, calls), (1, 60), "{statements:?}");
}

#[test]
fn postgresql_refuses_what_the_role_may_not() {
    let (stage, _turn) = alone();
    make(stage, "ward", true);
    make(stage, "head", true);
    let mut head = client(stage, "head");
    head.ok(insert("ward"));
    head.ok(doc! { "createIndexes": "c", "indexes": [{ "key": { "a": 1 }, "name": "a" }], "$db": "ward" });
    // All of them logged in as administrators.
    let commands = [
        insert("ward"),
        doc! { "update": "c", "updates": [{ "q": {}, "u": { "$set": { "x": 1 } }, "multi": true }], "$db": "ward" },
        doc! { "delete": "c", "deletes": [{ "q": {}, "limit": 0 }], "$db": "ward" },
        doc! { "findAndModify": "c", "query": {}, "remove": true, "$db": "ward" },
        doc! { "aggregate": "c", "pipeline": [{ "$out": "d" }], "cursor": {}, "$db": "ward" },
        doc! { "create": "d", "$db": "ward" },
        doc! { "drop": "c", "$db": "ward" },
        doc! { "dropDatabase": 1, "$db": "ward" },
        doc! { "renameCollection": "ward.c", "to": "ward.d", "$db": "admin" },
        doc! { "collMod": "c", "validator": { "x": 1 }, "$db": "ward" },
        doc! { "createIndexes": "c", "indexes": [{ "key": { "b": 1 }, "name": "b" }], "$db": "ward" },
        doc! { "dropIndexes": "c", "index": "a", "$db": "ward" },
        doc! { "compact": "c", "$db": "ward" },
        doc! { "createUser": "mallory", "pwd": PASSWORD, "roles": [{ "role": "readAnyDatabase", "db": "admin" }], "$db": "admin" },
        doc! { "updateUser": "head", "pwd": "x", "$db": "admin" },
        doc! { "dropUser": "head", "$db": "admin" },
    ];
    let mut wards: Vec<_> = commands.iter().map(|_| client(stage, "ward")).collect();
    demote(stage, "ward");
    for (ward, command) in wards.iter_mut().zip(commands) {
        refused(&ward.run(command.clone()), "not authorized on ");
        // Reading goes on, and so do others.
        assert_eq!(ward.ok(doc! { "count": "c", "$db": "ward" }).get_i32("n").ok(), Some(1), "{command}");
        head.ok(doc! { "find": "c", "$db": "ward" });
    }
    let indexes = head.ok(doc! { "listIndexes": "c", "$db": "ward" });
    assert_eq!(indexes.get_document("cursor").unwrap().get_array("firstBatch").unwrap().len(), 2);
    let made =
        stage.cluster.primary().query("SELECT count(*) FROM pg_roles WHERE rolname = 'mallory'").unwrap();
    assert_eq!(made.as_deref(), Some("0"));
    client(stage, "head");
}

#[test]
fn a_user_that_is_gone_has_to_log_in_and_its_name_is_not_its_heir() {
    let (stage, _turn) = alone();
    make(stage, "stay", true);
    make(stage, "gone", true);
    let mut stay = client(stage, "stay");
    let (mut first, mut second, mut third) =
        (client(stage, "gone"), client(stage, "gone"), client(stage, "gone"));
    let drop = || stage.cluster.primary().execute("DROP ROLE gone").unwrap();
    stay.ok(doc! { "count": "c", "$db": "gone" });
    drop();
    // The connection carries another role: it must not run as that one.
    refused(&first.run(insert("gone")), "Command insert requires authentication");
    refused(&first.run(doc! { "find": "c", "$db": "gone" }), "Command find requires authentication");
    assert_eq!(stay.ok(doc! { "count": "c", "$db": "gone" }).get_i32("n").ok(), Some(0));
    // The name means somebody else now, who may do all.
    make(stage, "gone", true);
    let mut heir = client(stage, "gone");
    heir.ok(insert("gone"));
    drop();
    // The connection carries a role that is no more.
    refused(&heir.run(insert("gone")), "Command insert requires authentication");
    make(stage, "gone", false);
    let mut reader = client(stage, "gone");
    assert_eq!(reader.ok(doc! { "count": "c", "$db": "gone" }).get_i32("n").ok(), Some(1));
    for old in [&mut second, &mut third] {
        let reply = old.run(insert("gone"));
        assert_eq!(reply.get_i32("code").ok(), Some(13), "{reply}");
    }
    assert_eq!(stay.ok(doc! { "count": "c", "$db": "gone" }).get_i32("n").ok(), Some(1));
}

#[test]
fn an_administrator_without_powers_in_postgresql_administers() {
    let (stage, _turn) = alone();
    make(stage, "one", true);
    make(stage, "two", true);
    let (mut one, mut two) = (client(stage, "one"), client(stage, "two"));
    // What one makes, two uses: all tables belong to the group.
    one.ok(doc! { "insert": "c", "documents": [{ "_id": 1, "a": 1 }], "$db": "admins" });
    two.ok(doc! { "createIndexes": "c", "indexes": [{ "key": { "a": 1 }, "name": "a" }], "$db": "admins" });
    two.ok(doc! { "update": "c", "updates": [{ "q": { "_id": 1 }, "u": { "$set": { "a": 2 } } }], "$db": "admins" });
    two.ok(doc! { "collMod": "c", "validator": { "a": { "$gt": 0 } }, "$db": "admins" });
    one.ok(doc! { "dropIndexes": "c", "index": "a", "$db": "admins" });
    two.ok(doc! { "compact": "c", "$db": "admins" });
    two.ok(doc! { "renameCollection": "admins.c", "to": "admins.d", "$db": "admin" });
    one.ok(doc! { "explain": { "find": "d" }, "$db": "admins" });
    one.ok(doc! { "currentOp": 1, "$db": "admin" });
    let foreign = "SELECT count(*) FROM pg_tables WHERE schemaname = 'documentdb_data' AND tableowner <> 'documentdb_admin_role'";
    assert_eq!(stage.cluster.primary().query(foreign).unwrap().as_deref(), Some("0"));
    two.ok(doc! { "drop": "d", "$db": "admins" });
    // Users, which no role of theirs may make in PostgreSQL.
    let reader = [doc! { "role": "readAnyDatabase", "db": "admin" }];
    one.ok(doc! { "createUser": "three", "pwd": PASSWORD, "roles": reader.to_vec(), "$db": "admin" });
    two.ok(doc! { "updateUser": "three", "pwd": "Other-123", "$db": "admin" });
    stage.stranger().logged_in("three", "Other-123").ok(doc! { "find": "c", "$db": "admins" });
    two.ok(doc! { "dropUser": "three", "$db": "admin" });
    // But no mightier role's password, and nobody who is no user.
    stage.cluster.primary().execute("CREATE ROLE bystander LOGIN").unwrap();
    for (name, code) in [("postgres", 13), ("ermine_service", 13), ("bystander", 11), ("nobody", 11)] {
        for mut command in [doc! { "updateUser": name, "pwd": "x" }, doc! { "dropUser": name }] {
            command.insert("$db", "admin");
            assert_eq!(one.code(command.clone()), code, "{command}");
        }
    }
}

#[test]
fn the_role_of_the_url_has_to_be_allowed_to_act_as_the_user() {
    let stage = stage();
    for name in ["lent", "kept"] {
        make(stage, name, true);
    }
    let primary = stage.cluster.primary();
    primary.execute("GRANT lent TO ermine_service").unwrap();
    for (policy, kept) in [(RunAsUser::Required, false), (RunAsUser::Auto, true), (RunAsUser::Off, true)] {
        let options = Options { run_as_user: policy, ..Options::default() };
        let proxy = Proxy::start(Some(primary), &[], &options);
        let mark = primary.log_mark();
        Client::connect(proxy.primary).logged_in("lent", PASSWORD).ok(insert("lent"));
        assert_eq!(mark.ran("SET ROLE \"lent\""), policy != RunAsUser::Off, "{policy:?}");
        let reply = Client::connect(proxy.primary).logged_in("kept", PASSWORD).run(insert("lent"));
        if kept {
            assert_eq!(reply.get_f64("ok").ok(), Some(1.0), "{reply}");
        } else {
            refused(&reply, "not authorized on lent");
        }
        assert!(!mark.ran("SET ROLE \"kept\""), "{policy:?}");
    }
    for name in ["lent", "kept"] {
        stage.primary().ok(doc! { "dropUser": name, "$db": "admin" });
    }
}

#[test]
fn what_is_known_of_users_can_be_declared_void() {
    // Where statements run as the role of the URL, only what the proxy knows stands in the way. A proxy of its own: on a shared
    // one every other test that makes a user declares that void.
    let stage = stage();
    make(stage, "stale", true);
    make(stage, "humble", false);
    let options = Options { run_as_user: RunAsUser::Off, ..Options::default() };
    let proxy = Proxy::start(Some(stage.cluster.primary()), &[], &options);
    let client = |user, password| Client::connect(proxy.primary).logged_in(user, password);
    let (mut stale, mut operator) =
        (client("stale", PASSWORD), client(proto_tests::stage::USER, proto_tests::stage::PASSWORD));
    stale.ok(insert("void"));
    demote(stage, "stale");
    stale.ok(insert("void"));
    let void = doc! { "invalidateUserCache": 1, "$db": "admin" };
    assert_eq!(client("humble", PASSWORD).code(void.clone()), 13);
    assert_eq!(operator.code(doc! { "invalidateUserCache": 1, "$db": "void" }), 13);
    stale.ok(insert("void"));
    operator.ok(void);
    refused(&stale.run(insert("void")), "not authorized on void to execute command { insert: \"c\"");
    // A change that the proxy itself makes does the same.
    operator.ok(doc! { "grantRolesToUser": "stale", "roles": ["clusterAdmin", "readWriteAnyDatabase"], "$db": "admin" });
    stale.ok(insert("void"));
    operator.ok(doc! { "revokeRolesFromUser": "stale", "roles": ["clusterAdmin", "readWriteAnyDatabase"], "$db": "admin" });
    assert_eq!(stale.code(insert("void")), 13);
    operator.ok(doc! { "dropUser": "stale", "$db": "admin" });
    refused(&stale.run(doc! { "find": "c", "$db": "void" }), "Command find requires authentication");
    operator.ok(doc! { "dropUser": "humble", "$db": "admin" });
}
