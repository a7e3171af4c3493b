//! OP_QUERY and the other legacy operations.
use super::super::{Op, OpQuery, request};
use super::*;

const QUERY: i32 = 2004;
const COUNTS: &[u8] = &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];

fn query(collection: &str, rest: &[&[u8]]) -> Vec<u8> {
    let rest = rest.concat();
    message(QUERY, &[&4i32.to_le_bytes(), collection.as_bytes(), &[0], COUNTS, &rest])
}

#[test]
fn the_handshake() {
    let bytes = query("admin.$cmd", &[&ping()]);
    let Op::Query(decoded) = frame(&bytes).op else { panic!("not a query") };
    assert_eq!(
        (decoded.flags, &decoded.collection[..], decoded.body),
        (4, &b"admin.$cmd"[..], ping().into())
    );
    assert!(inbound(&bytes).shape.legacy);
    // With a field selector behind the query.
    assert!(matches!(frame(&query("test.$cmd", &[&ping(), &document(&[])])).op, Op::Query(_)));
}

#[test]
fn only_commands() {
    for collection in ["test.users", "$cmd", "test.$cmd.sys.inprog", ""] {
        let bytes = query(collection, &[&ping()]);
        assert_eq!(refusal(&bytes), Refusal::LegacyOpcode("OP_QUERY"), "{collection}");
    }
    let get_more = message(2005, &[&[1, 2, 3]]);
    assert_eq!(refusal(&get_more), Refusal::LegacyOpcode("OP_GET_MORE"));
    assert!(inbound(&get_more).shape.legacy);
}

#[test]
fn broken_queries_close() {
    let whole = query("admin.$cmd", &[&ping()]);
    let cases = [
        (18, "the flags"),
        (25, "the collection name"),
        (33, "numberToSkip"),
        (37, "numberToReturn"),
        (41, "the query"),
        (whole.len() - 1, "the query"),
    ];
    for (length, what) in cases {
        let mut cut = whole[..length].to_vec();
        cut[..4].copy_from_slice(&i32::try_from(length).unwrap().to_le_bytes());
        assert_eq!(decode_one(&cut), Err(FrameError::Truncated(what)), "{length}");
    }
    let selector = query("admin.$cmd", &[&ping(), &[9, 0]]);
    assert_eq!(decode_one(&selector), Err(FrameError::Truncated("returnFieldsSelector")));
    let trailing = query("admin.$cmd", &[&ping(), &ping(), &[1, 2, 3]]);
    assert_eq!(decode_one(&trailing), Err(FrameError::Trailing(3)));
}

#[test]
fn a_bad_document_is_refused() {
    let bad = document(&[&[0x55], b"x\0"]);
    assert_eq!(refusal(&query("admin.$cmd", &[&bad])).code().0, 22);
}

#[test]
fn the_client_side_writes_what_the_decoder_reads() {
    let op = Op::Query(OpQuery { flags: 4, collection: bytes(b"admin.$cmd"), body: ping().into() });
    let sent = Frame { request_id: -3, op };
    assert_eq!(frame(&request::encode(&sent, None).unwrap()), sent);
}
