//! Every entry of the command table: the gate, unknown fields, refused options, and where writes may not run.
use bson::{Bson, Document, doc};
use ermine::command::options::COMMON;
use ermine::command::refused::REFUSED;
use ermine::command::registry::COMMANDS;
use ermine::command::spec::{Auth, Command, Kind, Policy, Target};

use crate::stage;

/// The least that the parser takes for this command, on a database of its own.
fn least(command: &Command) -> Document {
    let target: Bson = match command.target {
        Target::Collection | Target::CollectionOrDatabase => "c".into(),
        Target::Any => 1.into(),
    };
    let db = if command.admin_only { "admin" } else { "matrix" };
    doc! { command.name: target, "$db": db }
}

#[test]
fn before_the_login_only_open_commands_run() {
    let mut client = stage().stranger();
    for command in COMMANDS.iter().filter(|command| command.auth == Auth::Required) {
        for name in command.aliases.iter().chain([&command.name]) {
            let mut body = doc! { *name: 1 };
            body.extend(doc! { "$db": "admin" });
            let reply = client.run(body);
            assert_eq!(reply.get_i32("code").ok(), Some(13), "{name}: {reply}");
            assert_eq!(
                reply.get_str("errmsg").ok(),
                Some(&*format!("Command {name} requires authentication"))
            );
        }
    }
    assert_eq!(client.run(doc! { "ping": 1, "$db": "admin" }).get_f64("ok").ok(), Some(1.0));
}

#[test]
fn refused_commands_have_their_answer() {
    let mut client = stage().primary();
    for refused in REFUSED {
        let reply = client.run(doc! { refused.name: 1, "$db": "admin" });
        assert_eq!(reply.get_i32("code").ok(), Some(refused.code.0), "{}: {reply}", refused.name);
        assert_eq!(reply.get_str("errmsg").ok(), Some(refused.message), "{}", refused.name);
    }
    // A router's commands do not exist here, nor does what nobody knows.
    for name in ["addShard", "enableSharding", "listShards", "isdbgrid", "atlasVersion", "getLastError"] {
        let reply = client.run(doc! { name: 1, "$db": "admin" });
        assert_eq!(reply.get_i32("code").ok(), Some(59), "{name}: {reply}");
    }
}

#[test]
fn unknown_fields_are_refused_by_name() {
    let mut client = stage().primary();
    for command in COMMANDS {
        let takes_any = command.options.iter().any(|list| list.iter().any(|option| option.name == "*"));
        if takes_any {
            continue;
        }
        let mut body = least(command);
        body.insert("noSuchField", 1);
        let reply = client.run(body);
        assert_eq!(reply.get_i32("code").ok(), Some(40415), "{}: {reply}", command.name);
        // The one command whose structure MongoDB 8 calls otherwise.
        let structure = if command.name == "find" { "FindCommandRequest" } else { command.name };
        let want = format!("BSON field '{structure}.noSuchField' is an unknown field.");
        assert_eq!(reply.get_str("errmsg").ok(), Some(&*want));
    }
}

#[test]
fn repeated_fields_are_refused() {
    let mut client = stage().primary();
    for command in COMMANDS {
        let Some(option) = command.options.iter().flat_map(|list| list.iter()).find(|option| {
            option.name != "*" && matches!(option.policy, Policy::Pass | Policy::Used | Policy::Ignored(_))
        }) else {
            continue;
        };
        // A Document cannot hold a key twice; raw bytes can.
        let mut raw = bson::RawDocumentBuf::try_from(least(command)).unwrap();
        let name = bson::raw::CString::try_from(option.name).unwrap();
        raw.append(name.clone(), 1);
        raw.append(name, 1);
        let reply = client.run_raw(&raw);
        assert_eq!(reply.get_i32("code").ok(), Some(40413), "{}.{}: {reply}", command.name, option.name);
    }
}

#[test]
fn refused_options_are_refused_and_harmless_values_are_not() {
    let mut client = stage().primary();
    for command in COMMANDS {
        for option in command.options.iter().flat_map(|list| list.iter()) {
            let code = match option.policy {
                Policy::Rejected | Policy::RejectedUnless(_) => 115,
                Policy::RefusedUnless(_, code, _) => code.0,
                _ => continue,
            };
            let mut body = least(command);
            // A value that no default covers.
            body.insert(
                option.name,
                if option.name == "digestPassword" { 0.into() } else { Bson::from("yes") },
            );
            let reply = client.run(body.clone());
            assert_eq!(reply.get_i32("code").ok(), Some(code), "{}.{}: {reply}", command.name, option.name);
            let by_name = reply.get_str("errmsg").is_ok_and(|message| message.contains(option.name));
            assert!(by_name, "{}.{}: {reply}", command.name, option.name);
            if !matches!(option.policy, Policy::Rejected) {
                body.insert(option.name, Bson::Null);
                let reply = client.run(body);
                let refused = reply.get_i32("code").ok() == Some(code)
                    && reply.get_str("errmsg").is_ok_and(|message| match option.policy {
                        Policy::RefusedUnless(_, _, words) => message == words,
                        _ => message.starts_with("The option"),
                    });
                assert!(!refused, "{}.{}: {reply}", command.name, option.name);
            }
        }
    }
}

#[test]
fn the_secondary_endpoint_refuses_every_write() {
    let mut client = stage().secondary();
    for command in COMMANDS.iter().filter(|command| matches!(command.kind, Kind::Write | Kind::Admin)) {
        let reply = client.run(least(command));
        assert_eq!(reply.get_i32("code").ok(), Some(20), "{}: {reply}", command.name);
        let words = "Cannot execute a write operation in read-only mode";
        assert_eq!(reply.get_str("errmsg").ok(), Some(words), "{}", command.name);
    }
}

#[test]
fn fields_of_all_commands_are_known_to_all() {
    let mut client = stage().primary();
    for option in COMMON.iter().filter(|option| matches!(option.policy, Policy::Ignored(_) | Policy::Pass)) {
        let mut body = doc! { "ping": 1, "$db": "admin" };
        body.insert(option.name, "x");
        client.ok(body);
    }
}

#[test]
fn list_commands_is_the_table() {
    let mut client = stage().primary();
    let reply = client.ok(doc! { "listCommands": 1, "$db": "admin" });
    let listed: Vec<_> = reply.get_document("commands").unwrap().keys().map(String::as_str).collect();
    let table: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
    assert_eq!(listed, table);
}

#[test]
fn every_call_prepares_against_the_extension() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = stage().cluster.primary().url();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        let driver = async { connection.await.unwrap() };
        let prepare = async move {
            let mut missing = Vec::new();
            // The extension has it from 0.109 on (sql-api.md 1.8); before, the command says that it is not offered.
            let later = |name: &str| name == "kill_op";
            for call in ermine::sql::calls::ALL.iter().filter(|call| !later(call.name)) {
                if let Err(error) = client.prepare_typed(call.text, call.params).await {
                    missing.push(format!("{}: {}", call.name, error.as_db_error().unwrap().message()));
                }
            }
            missing
        };
        let (missing, ()) = tokio::join!(prepare, driver);
        assert!(missing.is_empty(), "{missing:#?}");
    });
}
