//! What is wrong is told, and the connection lives.
use bson::rawdoc;
use proto_tests::proxy::Proxy;
use proto_tests::raw::{OP_MSG, OP_REPLY, Raw, message, op_query};

use crate::{client, hello};

#[test]
fn legacy_operations_get_legacy_errors() {
    let (_proxy, mut raw) = client();
    for (message, name) in
        [(message(4, 2005, &[&[0; 20]]), "OP_GET_MORE"), (op_query(4, "t.c", &rawdoc! {}), "OP_QUERY")]
    {
        let reply = raw.ask(&message);
        assert_eq!((reply.opcode, reply.flags() & 2), (OP_REPLY, 2));
        let document = reply.document();
        assert_eq!(document.get_i32("code").unwrap(), 5_739_101);
        assert!(document.get_str("$err").unwrap().starts_with(&format!("{name} is no longer supported")));
    }
}

#[test]
fn bad_documents_are_errors_and_the_connection_lives() {
    let proxy = Proxy::start(&[("auth", "false")]);
    let mut raw = Raw::connect(proxy.address);
    let bad_type: &[u8] = &[8, 0, 0, 0, 0x55, b'a', 0, 0];
    let deep = (0..300).fold(rawdoc! {}, |inner, _| rawdoc! { "a": inner });
    let cases = [
        (bad_type.to_vec(), 22, "InvalidBSON"),
        (vec![5, 0, 0, 0, 7], 22, "InvalidBSON"),
        (deep.into_bytes(), 15, "Overflow"),
        (rawdoc! { "x": "y".repeat(17_000_000) }.into_bytes(), 10334, "BSONObjectTooLarge"),
        (hello().into_bytes().repeat(1), 0, ""),
    ];
    for (body, code, name) in cases {
        let reply = raw.ask(&message(2, OP_MSG, &[&[0; 5], &body]));
        match code {
            0 => assert_eq!(reply.ok(), 1.0),
            code => assert_eq!(reply.error(), (code, name.to_owned())),
        }
    }
    // In a sequence too.
    let section = [&[1][..], &22i32.to_le_bytes(), b"documents\0", bad_type].concat();
    let reply =
        raw.ask(&message(2, OP_MSG, &[&[0; 5], rawdoc! { "insert": "c", "$db": "d" }.as_bytes(), &section]));
    assert_eq!(reply.error().0, 22);
}

#[test]
fn unknown_commands_and_missing_databases_are_errors() {
    let (_proxy, mut raw) = client();
    let reply = raw.command(&rawdoc! { "atlasVersion": 1, "$db": "admin" });
    assert_eq!(reply.error(), (59, "CommandNotFound".to_owned()));
    assert_eq!(reply.document().get_str("errmsg").unwrap(), "no such command: 'atlasVersion'");
    assert_eq!(raw.command(&rawdoc! { "ping": 1 }).error().0, 40414);
    assert_eq!(raw.command(&rawdoc! { "find": "c", "$db": "d" }).error(), (13, "Unauthorized".to_owned()));
    assert_eq!(raw.command(&hello()).ok(), 1.0);
}

#[test]
fn http_clients_get_a_hint() {
    let (_proxy, mut raw) = client();
    raw.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = String::from_utf8(raw.until_closed()).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.contains("MongoDB over HTTP"), "{answer}");
}

#[test]
fn with_postgresql_down_it_listens_and_says_so() {
    let proxy = Proxy::start(&[("auth", "false"), ("pool_wait_timeout", "500ms")]);
    let mut raw = Raw::connect(proxy.address);
    assert_eq!(raw.command(&hello()).ok(), 1.0);
    for body in [
        rawdoc! { "find": "c", "$db": "d" },
        rawdoc! { "insert": "c", "documents": [{ "_id": 1 }], "$db": "d" },
    ] {
        let reply = raw.command(&body);
        let (code, name) = reply.error();
        assert!(code > 0 && !name.is_empty());
        let message = reply.document().get_str("errmsg").unwrap().to_lowercase();
        assert!(!message.contains("postgres") && !message.contains("127.0.0.1"), "{message}");
    }
    assert_eq!(raw.command(&hello()).ok(), 1.0);
}
