//! Logging in.
use bson::doc;
use proto_tests::client::{Client, Scram, binary};
use proto_tests::stage::{PASSWORD, USER};

use crate::stage;

#[test]
fn the_right_password_on_both_endpoints() {
    stage().replayed();
    for mut client in [stage().primary(), stage().secondary()] {
        client.ok(doc! { "count": "c", "$db": "login" });
        client.ok(doc! { "logout": 1, "$db": "admin" });
        assert_eq!(client.code(doc! { "count": "c", "$db": "login" }), 13);
    }
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_the_same() {
    let mut replies = Vec::new();
    for (user, password) in [(USER, "wrong"), ("nobody", PASSWORD)] {
        let mut client = stage().stranger();
        let mut scram = Scram::new(user, "abcdefghijklmnopqrstuvwx");
        let mut steps = Vec::new();
        for _ in 0..2 {
            let reply = client.ok(start(&scram));
            let text = String::from_utf8(reply.get_binary_generic("payload").unwrap().clone()).unwrap();
            steps.push(text);
        }
        // The salt is the same at each attempt; the nonce is not.
        let salt = |text: &str| text.split(',').find(|field| field.starts_with("s=")).unwrap().to_owned();
        assert_eq!(salt(&steps[0]), salt(&steps[1]));
        assert_ne!(steps[0], steps[1]);
        let last = scram.last(&steps[1], password);
        let mut reply = client.run(next(last.as_bytes()));
        assert_eq!(reply.get_i32("code").ok(), Some(18), "{reply}");
        reply.remove("topologyVersion");
        replies.push((reply, salt(&steps[1]).len()));
        assert_eq!(client.code(doc! { "find": "c", "$db": "login" }), 13);
        // The exchange is over: its proof cannot be tried again.
        assert_eq!(client.code(next(last.as_bytes())), 17);
    }
    assert_eq!(replies[0].0, replies[1].0);
    assert_eq!(replies[0].1, replies[1].1, "made-up salts are as long as stored ones");
}

#[test]
fn the_empty_exchange_ends_a_login_unless_it_is_skipped() {
    let mut client = stage().stranger();
    let mut scram = Scram::new(USER, "abcdefghijklmnopqrstuvwx");
    let mut begin = start(&scram);
    begin.remove("options");
    let reply = client.ok(begin);
    assert!(!reply.get_bool("done").unwrap());
    let server_first = String::from_utf8(reply.get_binary_generic("payload").unwrap().clone()).unwrap();
    let reply = client.ok(next(scram.last(&server_first, PASSWORD).as_bytes()));
    assert!(!reply.get_bool("done").unwrap());
    assert_eq!(reply.get_binary_generic("payload").unwrap(), scram.server_final().as_bytes());
    assert_eq!(client.code(doc! { "find": "c", "$db": "login" }), 13, "not logged in before the end");
    let reply = client.ok(next(b""));
    assert!(reply.get_bool("done").unwrap());
    client.ok(doc! { "find": "c", "$db": "login" });
}

#[test]
fn a_nonce_that_was_changed_is_refused() {
    let mut client = stage().stranger();
    let mut scram = Scram::new(USER, "abcdefghijklmnopqrstuvwx");
    let reply = client.ok(start(&scram));
    let server_first = String::from_utf8(reply.get_binary_generic("payload").unwrap().clone()).unwrap();
    let last = scram.last(&server_first.replacen("r=a", "r=b", 1), PASSWORD);
    assert_eq!(client.code(next(last.as_bytes())), 18);
}

#[test]
fn long_nonces_and_speculative_logins() {
    let mut client = stage().stranger();
    let mut scram = Scram::new(USER, &"n".repeat(2000));
    let mut begin = start(&scram);
    begin.remove("$db");
    begin.insert("db", "admin");
    let reply = client.ok(doc! { "hello": 1, "speculativeAuthenticate": begin, "$db": "admin" });
    let started = reply.get_document("speculativeAuthenticate").unwrap();
    assert_eq!(started.keys().collect::<Vec<_>>(), ["conversationId", "done", "payload"]);
    let server_first = String::from_utf8(started.get_binary_generic("payload").unwrap().clone()).unwrap();
    let reply = client.ok(next(scram.last(&server_first, PASSWORD).as_bytes()));
    assert!(reply.get_bool("done").unwrap());
    client.ok(doc! { "find": "c", "$db": "login" });
}

#[test]
fn any_authentication_database_will_do() {
    let mut client = Client::connect(stage().addresses()[0]);
    let scram = Scram::new(USER, "abcdefghijklmnopqrstuvwx");
    let mut begin = start(&scram);
    begin.insert("$db", "ferretdb");
    client.ok(begin);
}

fn start(scram: &Scram) -> bson::Document {
    doc! {
        "saslStart": 1, "mechanism": "SCRAM-SHA-256", "payload": binary(scram.first().as_bytes()),
        "options": { "skipEmptyExchange": true }, "$db": "admin",
    }
}

fn next(payload: &[u8]) -> bson::Document {
    doc! { "saslContinue": 1, "conversationId": 1, "payload": binary(payload), "$db": "admin" }
}

#[test]
fn a_password_that_scram_cannot_check_is_just_wrong() {
    // With a superuser's URL the log is told why; without one nobody can know.
    let (mighty, _turn) = crate::roles::alone();
    for (stage, knows) in [(stage(), false), (mighty, true)] {
        let primary = stage.cluster.primary();
        primary
            .execute("SET password_encryption = 'md5'; CREATE ROLE old_fashioned LOGIN PASSWORD 'x' IN ROLE documentdb_readonly_role")
            .unwrap();
        let mut client = stage.stranger();
        let mark = primary.log_mark();
        let reply = client.log_in("old_fashioned", "x");
        assert_eq!(reply.get_i32("code").ok(), Some(18), "{reply}");
        assert_eq!(reply.get_str("errmsg").ok(), Some("Authentication failed."));
        assert_eq!(mark.ran("rolpassword LIKE 'md5%'"), knows);
        assert_eq!(client.log_in("nobody", "x").get_i32("code").ok(), Some(18));
        client.logged_in(USER, PASSWORD).ok(doc! { "find": "c", "$db": "logins" });
        primary.execute("DROP ROLE old_fashioned").unwrap();
    }
}
