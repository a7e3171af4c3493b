//! What a client may not do: send too much, hold too much, or say nothing.
use std::time::Duration;

use bson::rawdoc;
use proto_tests::proxy::Proxy;
use proto_tests::raw::{OP_COMPRESSED, OP_MSG, Raw, message, op_msg};

use crate::{client, hello};

#[test]
fn a_message_over_the_limit_closes() {
    for length in [48_000_001, i32::MAX, 15, 0, -1] {
        let (_proxy, mut raw) = client();
        assert_eq!(raw.command(&hello()).ok(), 1.0);
        raw.send(&[length, 1, 0, OP_MSG].map(i32::to_le_bytes).concat());
        assert!(raw.until_closed().is_empty(), "{length}");
    }
}

#[test]
fn a_message_at_the_limit_is_read_whole() {
    let proxy = Proxy::start(&[("auth", "false")]);
    let mut raw = Raw::connect(proxy.address);
    // Three documents of 16 MB less a little, in a command that takes no sequence: a refusal, not a close.
    let filler = "x".repeat(15_900_000);
    let document = rawdoc! { "x": filler.as_str() };
    let documents = document.as_bytes().repeat(3);
    let identifier = b"documents\0";
    let section = 4 + identifier.len() + documents.len();
    let rest = 48_000_000 - 16 - 4 - 1 - hello().as_bytes().len() - 1 - section;
    let last = rawdoc! { "x": "y".repeat(rest - 13).as_str() };
    assert_eq!(last.as_bytes().len(), rest);
    let size = i32::try_from(section + rest).unwrap().to_le_bytes();
    let parts =
        [&[0; 5][..], hello().as_bytes(), &[1], &size, identifier, &documents, last.as_bytes()].concat();
    let message = message(3, OP_MSG, &[&parts]);
    assert_eq!(message.len(), 48_000_000);
    assert_eq!(raw.ask(&message).response_to, 3);
    assert_eq!(raw.command(&hello()).ok(), 1.0);
}

#[test]
fn before_the_login_messages_are_small() {
    let (_proxy, mut raw) = client();
    let padded =
        |length: usize| rawdoc! { "hello": 1, "$db": "admin", "comment": "x".repeat(length).as_str() };
    assert_eq!(raw.command(&padded(60_000)).ok(), 1.0);
    raw.send(&op_msg(1, 0, &padded(65_536)));
    assert!(raw.until_closed().is_empty());
    // Nor do they become large when they are decompressed.
    let (_proxy, mut raw) = client();
    let plain = op_msg(8, 0, &padded(100_000))[16..].to_vec();
    let size = i32::try_from(plain.len()).unwrap().to_le_bytes();
    let packed = zstd::bulk::compress(&plain, 3).unwrap();
    assert!(packed.len() < 1000);
    raw.send(&message(8, OP_COMPRESSED, &[&OP_MSG.to_le_bytes(), &size, &[3], &packed]));
    assert!(raw.until_closed().is_empty());
}

#[test]
fn clients_that_say_nothing_are_disconnected() {
    let proxy = Proxy::start(&[("handshake_timeout", "50ms")]);
    let mut silent = Raw::connect(proxy.address);
    assert!(silent.until_closed().is_empty());
    let mut halfway = Raw::connect(proxy.address);
    halfway.send(&op_msg(1, 0, &hello())[..20]);
    assert!(halfway.until_closed().is_empty());
    // Times that a slow machine keeps: the first message comes within the one, the second within the other.
    let proxy = Proxy::start(&[("handshake_timeout", "1s"), ("idle_timeout", "8s")]);
    let mut idle = Raw::connect(proxy.address);
    assert_eq!(idle.command(&hello()).ok(), 1.0);
    // Longer than the first message may take.
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(idle.command(&hello()).ok(), 1.0);
    assert!(idle.until_closed().is_empty());
}

#[test]
fn the_connection_limit() {
    let proxy = Proxy::start(&[("max_client_connections", "2")]);
    let (mut first, mut second) = (Raw::connect(proxy.address), Raw::connect(proxy.address));
    assert_eq!((first.command(&hello()).ok(), second.command(&hello()).ok()), (1.0, 1.0));
    let mut third = Raw::connect(proxy.address);
    assert!(third.until_closed().is_empty());
    assert_eq!(second.command(&hello()).ok(), 1.0);
    first.half_close();
    assert!(first.until_closed().is_empty());
    assert_eq!(Raw::connect(proxy.address).command(&hello()).ok(), 1.0);
}

#[test]
fn a_client_that_hangs_up_frees_its_place() {
    // PostgreSQL accepts and never answers, so that a request runs until somebody ends it.
    let hole = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u@127.0.0.1:{}/d", hole.local_addr().unwrap().port());
    let proxy = Proxy::start(&[
        ("auth", "false"),
        ("postgresql_url", &url),
        ("pool_wait_timeout", "1h"),
        ("pool_connect_timeout", "1h"),
        ("max_client_connections", "1"),
    ]);
    let mut raw = Raw::connect(proxy.address);
    raw.send(&op_msg(1, 0, &rawdoc! { "find": "c", "$db": "d" }));
    raw.half_close();
    assert!(raw.until_closed().is_empty());
    assert_eq!(Raw::connect(proxy.address).command(&hello()).ok(), 1.0);
}

#[test]
fn an_idle_client_does_not_delay_the_stop() {
    let (mut proxy, mut raw) = client();
    assert_eq!(raw.command(&hello()).ok(), 1.0);
    raw.send(&op_msg(1, 0, &hello())[..20]);
    assert!(proxy.join());
}
