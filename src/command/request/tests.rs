use bson::rawdoc;

use super::*;
use crate::wire::OpMsg;

fn frame(body: RawDocumentBuf) -> Frame {
    let body = body.into_bytes().into();
    let message =
        OpMsg { more_to_come: false, exhaust_allowed: false, checksum: false, body, sequences: Vec::new() };
    Frame { request_id: 1, op: Op::Msg(message) }
}

fn forwarded(body: RawDocumentBuf) -> Result<(RawDocumentBuf, bool)> {
    let frame = frame(body);
    let (spec, name) = identify(&frame)?;
    let request = Request::parse(spec, name, &frame, Instant::now())?;
    let copied = matches!(request.forward, Cow::Owned(_));
    Ok((request.forward.into_owned(), copied))
}

#[test]
fn what_the_extension_would_refuse_is_not_forwarded() {
    let body = rawdoc! { "listDatabases": 1, "authorizedDatabases": true, "nameOnly": true, "$db": "admin" };
    let want = rawdoc! { "listDatabases": 1, "nameOnly": true, "$db": "admin" };
    assert_eq!(forwarded(body).unwrap(), (want, true));
    let body =
        rawdoc! { "find": "c", "term": false, "mirrored": true, "filter": { "mirrored": 1 }, "$db": "d" };
    assert_eq!(forwarded(body).unwrap_err().code, codes::COMMAND_NOT_SUPPORTED);
    let body = rawdoc! { "find": "c", "mirrored": true, "filter": { "mirrored": 1 }, "$db": "d" };
    let want = rawdoc! { "find": "c", "filter": { "mirrored": 1 }, "$db": "d" };
    assert_eq!(forwarded(body).unwrap(), (want, true));
}

#[test]
fn the_common_case_is_not_copied() {
    let body = rawdoc! {
        "find": "c", "filter": {}, "allowDiskUse": true, "tailable": false, "comment": "x", "$clusterTime": {},
        "$readPreference": { "mode": "primary" }, "$db": "d",
    };
    assert_eq!(forwarded(body.clone()).unwrap(), (body, false));
}

#[test]
fn tolerated_names_are_sorted() {
    assert!(TOLERATED.is_sorted());
}

#[test]
fn a_repeated_field_is_refused() {
    let body = rawdoc! { "find": "c", "limit": 1, "$db": "d" };
    let mut bytes = body.into_bytes();
    bytes.pop();
    bytes.extend_from_slice(b"\x10limit\0\x02\0\0\0\0");
    let length = i32::try_from(bytes.len()).unwrap().to_le_bytes();
    bytes[..4].copy_from_slice(&length);
    let error = forwarded(RawDocumentBuf::from_bytes(bytes).unwrap()).unwrap_err();
    assert_eq!(error.code, Code(40413));
}

#[test]
fn what_a_find_wishes_is_noted_in_passing() {
    let wishes = |body: RawDocumentBuf| {
        let frame = frame(body);
        let (spec, name) = identify(&frame)?;
        Request::parse(spec, name, &frame, Instant::now()).map(|request| request.wishes)
    };
    let none = rawdoc! { "find": "c", "min": {}, "max": null, "tailable": false, "$db": "d" };
    assert_eq!(wishes(none).unwrap(), Wishes::default());
    let all = rawdoc! { "find": "c", "tailable": true, "awaitData": true, "noCursorTimeout": true, "max": { "a": 1 }, "$db": "d" };
    let all = wishes(all).unwrap();
    assert_eq!((all.tail().unwrap(), all.bound, all.no_timeout), (Some(Tail::Awaits), Some("max"), true));
    let polls = wishes(rawdoc! { "find": "c", "tailable": true, "$db": "d" }).unwrap();
    assert_eq!(polls.tail().unwrap(), Some(Tail::Polls));
    let waits = wishes(rawdoc! { "find": "c", "awaitData": true, "$db": "d" }).unwrap();
    assert_eq!(waits.tail().unwrap_err().code, codes::FAILED_TO_PARSE);
    let wrong = rawdoc! { "find": "c", "tailable": 1, "$db": "d" };
    assert_eq!(wishes(wrong).unwrap_err().code, codes::TYPE_MISMATCH);
}
