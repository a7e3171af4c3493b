//! What needs no PostgreSQL: frames, the handshake, limits, and what happens while PostgreSQL is down.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]
mod errors;
mod framing;
mod hellos;
mod limits;

use bson::{RawDocumentBuf, rawdoc};
use proto_tests::proxy::Proxy;
use proto_tests::raw::Raw;

fn hello() -> RawDocumentBuf {
    rawdoc! { "hello": 1, "$db": "admin" }
}

fn client() -> (Proxy, Raw) {
    let proxy = Proxy::start(&[]);
    let raw = Raw::connect(proxy.address);
    (proxy, raw)
}
