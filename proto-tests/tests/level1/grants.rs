//! Roles that users get and lose after they were made.
use bson::{Bson, doc};
use proto_tests::stage::Stage;

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
