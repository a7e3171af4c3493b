//! Roles that users get and lose after they were made.
use bson::{Bson, doc};
use ermine::config::RunAsUser;
use proto_tests::client::Client;
use proto_tests::stage::{Options, PASSWORD as OPERATORS, Proxy, Stage, USER};

use crate::roles::{PASSWORD, alone, client, make};

fn roles(stage: &Stage, name: &str) -> Vec<String> {
    let reply = stage.primary().ok(doc! { "usersInfo": name, "$db": "admin" });
    let users = reply.get_array("users").unwrap();
    let user = users.first().and_then(Bson::as_document).unwrap();
    let roles = user.get_array("roles").unwrap().iter();
    let mut roles: Vec<_> =
        roles.map(|role| role.as_document().unwrap().get_str("role").unwrap().to_owned()).collect();
    roles.sort();
    roles
}

#[test]
fn a_reader_becomes_an_administrator_and_a_reader_again() {
    let (stage, _turn) = alone();
    make(stage, "rising", false);
    let mut operator = stage.primary();
    let admin = || {
        vec![
            doc! { "role": "clusterAdmin", "db": "admin" },
            doc! { "role": "readWriteAnyDatabase", "db": "admin" },
        ]
    };
    let insert = || doc! { "insert": "c", "documents": [{}], "$db": "rising" };
    assert_eq!(client(stage, "rising").code(insert()), 13);
    operator.ok(doc! { "grantRolesToUser": "rising", "roles": admin(), "$db": "admin" });
    client(stage, "rising").ok(insert());
    assert!(roles(stage, "rising").contains(&"clusterAdmin".to_owned()));
    // What it has already changes nothing.
    operator.ok(doc! { "grantRolesToUser": "rising", "roles": ["readAnyDatabase"], "$db": "admin" });
    operator.ok(doc! { "revokeRolesFromUser": "rising", "roles": admin(), "$db": "admin" });
    assert_eq!(client(stage, "rising").code(insert()), 13);
    assert_eq!(roles(stage, "rising"), ["readAnyDatabase"]);
    client(stage, "rising").ok(doc! { "find": "c", "$db": "rising" });
    // updateUser sets them, with a password or without.
    operator.ok(doc! { "updateUser": "rising", "roles": admin(), "$db": "admin" });
    client(stage, "rising").ok(insert());
    operator.ok(
        doc! { "updateUser": "rising", "pwd": "Other-123", "roles": ["readAnyDatabase"], "$db": "admin" },
    );
    let mut reader = stage.stranger().logged_in("rising", "Other-123");
    assert_eq!(reader.code(insert()), 13);
    // Neither happens where one of them can't.
    let both = doc! { "updateUser": "rising", "pwd": PASSWORD, "roles": ["clusterAdmin"], "$db": "admin" };
    assert_eq!(operator.code(both), 115);
    assert_eq!(stage.stranger().log_in("rising", "Other-123").get_bool("done").ok(), Some(true));
}

#[test]
fn what_no_membership_stands_for_is_refused() {
    let (stage, _turn) = alone();
    make(stage, "steady", false);
    let mut operator = stage.primary();
    for (command, code) in [
        (doc! { "grantRolesToUser": "steady", "roles": ["clusterAdmin"] }, 115),
        (doc! { "grantRolesToUser": "steady", "roles": ["readWrite"] }, 31),
        (doc! { "grantRolesToUser": "steady", "roles": [{ "role": "readAnyDatabase", "db": "other" }] }, 31),
        (doc! { "grantRolesToUser": "steady", "roles": [] }, 2),
        (doc! { "grantRolesToUser": "steady" }, 40414),
        (doc! { "grantRolesToUser": "steady", "roles": [1] }, 14),
        (doc! { "revokeRolesFromUser": "steady", "roles": ["readAnyDatabase"] }, 115),
        (doc! { "grantRolesToUser": "nobody", "roles": ["readAnyDatabase"] }, 11),
        (doc! { "grantRolesToUser": "postgres", "roles": ["readAnyDatabase"] }, 13),
    ] {
        let mut command = command;
        command.insert("$db", "admin");
        assert_eq!(operator.code(command.clone()), code, "{command}");
    }
    let grant = doc! { "grantRolesToUser": "steady", "roles": ["readAnyDatabase"], "$db": "admin" };
    assert_eq!(client(stage, "steady").code(grant), 13);
    assert_eq!(roles(stage, "steady"), ["readAnyDatabase"]);
}

/// Whether the user's role is a superuser, or has another attribute that is a right.
fn mighty(stage: &Stage, name: &str) -> bool {
    let sql = format!(
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = '{name}'"
    );
    stage.cluster.primary().query(&sql).unwrap().as_deref() == Some("t")
}

fn admin() -> Vec<&'static str> {
    vec!["clusterAdmin", "readWriteAnyDatabase"]
}

#[test]
fn who_loses_an_administrators_roles_is_no_superuser_any_more() {
    let (stage, _turn) = alone();
    let primary = stage.cluster.primary();
    make(stage, "boss", true);
    primary.execute("ALTER ROLE boss SUPERUSER").unwrap();
    let mut boss = client(stage, "boss");
    let reader = doc! { "grantRolesToUser": "tall", "roles": ["readAnyDatabase"], "$db": "admin" };
    let insert = || doc! { "insert": "c", "documents": [{}], "$db": "tall" };
    let ways = [
        doc! { "revokeRolesFromUser": "tall", "roles": admin(), "$db": "admin" },
        doc! { "updateUser": "tall", "roles": ["readAnyDatabase"], "$db": "admin" },
    ];
    for (way, attributes) in
        ways.into_iter().zip(["SUPERUSER", "SUPERUSER CREATEROLE CREATEDB REPLICATION BYPASSRLS"])
    {
        make(stage, "tall", true);
        primary.execute(&format!("ALTER ROLE tall {attributes}")).unwrap();
        boss.ok(reader.clone());
        let mut tall = client(stage, "tall");
        tall.ok(insert());
        assert!(mighty(stage, "tall"), "a grant takes nothing");
        boss.ok(way);
        assert!(!mighty(stage, "tall"));
        assert_eq!(tall.code(insert()), 13);
        assert_eq!(client(stage, "tall").code(insert()), 13);
        assert_eq!(roles(stage, "tall"), ["readAnyDatabase"]);
        client(stage, "tall").ok(doc! { "find": "c", "$db": "tall" });
        boss.ok(doc! { "dropUser": "tall", "$db": "admin" });
    }
    // An administrator that is none in PostgreSQL takes nothing from one that is.
    make(stage, "plain", true);
    let down = doc! { "revokeRolesFromUser": "boss", "roles": admin(), "$db": "admin" };
    assert_eq!(client(stage, "plain").code(down), 13);
    // Nobody takes them from the role that the proxy itself uses, or from the extension's own.
    primary.execute("GRANT documentdb_admin_role, documentdb_readonly_role TO ermine_service").unwrap();
    for (name, code) in [("ermine_service", 115), ("documentdb_bg_worker_role", 11)] {
        let down = doc! { "revokeRolesFromUser": name, "roles": admin(), "$db": "admin" };
        assert_eq!(boss.code(down), code, "{name}");
    }
    primary.execute("DROP ROLE plain, boss").unwrap();
}

#[test]
fn what_can_not_be_taken_whole_is_not_taken_at_all() {
    let stage = crate::stage();
    let primary = stage.cluster.primary();
    for name in ["peak", "peer", "ring"] {
        make(stage, name, true);
        let grant = doc! { "grantRolesToUser": name, "roles": ["readAnyDatabase"], "$db": "admin" };
        stage.primary().ok(grant);
    }
    primary.execute("ALTER ROLE peak SUPERUSER; ALTER ROLE peer SUPERUSER").unwrap();
    // An administrator by way of another role.
    primary
        .execute(
            "CREATE ROLE inner_ring; GRANT documentdb_admin_role TO inner_ring; GRANT inner_ring TO ring",
        )
        .unwrap();
    let mut peer = client(stage, "peer");
    for (name, words) in [
        ("peak", "is a superuser of the storage"),
        ("ring", "rights in the storage that the server may not take"),
    ] {
        for down in [
            doc! { "revokeRolesFromUser": name, "roles": admin(), "$db": "admin" },
            doc! { "updateUser": name, "pwd": "Other-123", "roles": ["readAnyDatabase"], "$db": "admin" },
        ] {
            let reply = peer.run(down);
            assert_eq!(reply.get_i32("code").ok(), Some(115), "{reply}");
            assert!(reply.get_str("errmsg").unwrap().contains(words), "{reply}");
            assert_eq!(roles(stage, name), admin(), "{name}");
            client(stage, name).ok(doc! { "insert": "c", "documents": [{}], "$db": "whole" });
        }
    }
    assert!(mighty(stage, "peak"));
    primary.execute("DROP ROLE peak, peer, ring, inner_ring").unwrap();
}

#[test]
fn who_may_only_write_administers_nobody() {
    // As later versions of the official extension have them: a role for readWriteAnyDatabase alone.
    let (stage, _turn) = alone();
    let primary = stage.cluster.primary();
    primary.execute("CREATE ROLE documentdb_readwrite_role NOLOGIN").unwrap();
    make(stage, "mid", false);
    // That role has no rights of its own here, so the statements run as the URL's.
    let options = Options { run_as_user: RunAsUser::Off, ..Options::default() };
    let proxy = Proxy::start(Some(primary), &[], &options);
    let mut operator = Client::connect(proxy.primary).logged_in(USER, OPERATORS);
    let mut mid = Client::connect(proxy.primary).logged_in("mid", PASSWORD);
    let insert = || doc! { "insert": "c", "documents": [{ "a": 1 }], "$db": "mid" };
    assert_eq!(mid.code(insert()), 13);
    operator.ok(doc! { "grantRolesToUser": "mid", "roles": ["readWriteAnyDatabase"], "$db": "admin" });
    mid.ok(insert());
    mid.ok(doc! { "createIndexes": "c", "indexes": [{ "key": { "a": 1 }, "name": "a" }], "$db": "mid" });
    mid.ok(doc! { "dropIndexes": "c", "index": "a", "$db": "mid" });
    let reader = [doc! { "role": "readAnyDatabase", "db": "admin" }];
    for command in [
        doc! { "createUser": "mallory", "pwd": PASSWORD, "roles": reader.to_vec(), "$db": "admin" },
        doc! { "updateUser": "mid", "roles": admin(), "$db": "admin" },
        doc! { "grantRolesToUser": "mid", "roles": admin(), "$db": "admin" },
        doc! { "dropUser": USER, "$db": "admin" },
        doc! { "profile": 2, "$db": "mid" },
        doc! { "currentOp": 1, "$db": "admin" },
        doc! { "killAllSessions": [], "$db": "admin" },
    ] {
        assert_eq!(mid.code(command.clone()), 13, "{command}");
    }
    operator.ok(doc! { "revokeRolesFromUser": "mid", "roles": ["readWriteAnyDatabase"], "$db": "admin" });
    assert_eq!(mid.code(insert()), 13);
    // With nothing else it still is a user, whom others change and drop.
    operator.ok(doc! { "updateUser": "mid", "roles": ["readWriteAnyDatabase"], "$db": "admin" });
    operator.ok(doc! { "updateUser": "mid", "pwd": "Other-123", "$db": "admin" });
    operator.ok(doc! { "dropUser": "mid", "$db": "admin" });
    operator.ok(doc! { "dropDatabase": 1, "$db": "mid" });
    primary.execute("DROP ROLE documentdb_readwrite_role").unwrap();
}
