//! OP_MSG.
use super::super::request;
use super::super::{MAX_DOCUMENT, Op, Sequence};
use super::*;

const MSG: i32 = 2013;
const NO_FLAGS: &[u8] = &[0; 4];

#[test]
fn a_body_alone() {
    let decoded = inbound(&message(MSG, &[NO_FLAGS, &[0], &ping()]));
    assert_eq!(decoded.shape.request_id, 7);
    assert!(decoded.shape.wants_reply && !decoded.shape.legacy && !decoded.shape.checksum);
    let msg = msg(&message(MSG, &[NO_FLAGS, &[0], &ping()]));
    assert_eq!(msg.body, ping());
    assert!(msg.sequences.is_empty() && !msg.more_to_come && !msg.exhaust_allowed && !msg.checksum);
}

#[test]
fn sections_come_in_any_order() {
    let updates = sequence("updates", &[document(&[]), ping()]);
    let nothing = sequence("documents", &[]);
    let msg = msg(&message(MSG, &[NO_FLAGS, &updates, &[0], &ping(), &nothing]));
    assert_eq!(msg.body, ping());
    let expected = [
        Sequence { identifier: bytes(b"updates"), documents: [document(&[]), ping()].concat().into() },
        Sequence { identifier: bytes(b"documents"), documents: Bytes::new() },
    ];
    assert_eq!(msg.sequences, expected);
}

#[test]
fn flags() {
    let with = |flags: u32| message(MSG, &[&flags.to_le_bytes(), &[0], &ping()]);
    assert!(msg(&with(1 << 1)).more_to_come);
    assert!(!inbound(&with(1 << 1)).shape.wants_reply);
    assert!(msg(&with(1 << 16)).exhaust_allowed);
    // Optional bits are ignored, required ones are not.
    assert_eq!(msg(&with(1 << 17 | 1 << 31)), msg(&with(0)));
    for bit in 2..16 {
        assert_eq!(decode_one(&with(1 << bit)), Err(FrameError::Flags(1 << bit)));
    }
}

#[test]
fn checksum_is_verified() {
    let mut good = message(MSG, &[&1u32.to_le_bytes(), &[0], &ping(), &[0; 4]]);
    let at = good.len() - 4;
    let crc = crc32c::crc32c(&good[..at]);
    good[at..].copy_from_slice(&crc.to_le_bytes());
    assert!(msg(&good).checksum);
    assert!(inbound(&good).shape.checksum);
    for flipped in 4..good.len() {
        if (12..20).contains(&flipped) {
            continue; // opcode and flags have errors of their own
        }
        let mut bad = good.clone();
        bad[flipped] ^= 1;
        assert_eq!(decode_one(&bad), Err(FrameError::Checksum), "byte {flipped}");
    }
    // A message too short to hold flags and checksum.
    let short = message(MSG, &[&1u32.to_le_bytes(), &[0; 3]]);
    assert_eq!(decode_one(&short), Err(FrameError::Truncated("the checksum")));
}

#[test]
fn refusals_leave_the_stream_intact() {
    let body: &[u8] = &[&[0], &ping()[..]].concat();
    let seq = sequence("documents", &[]);
    let cases: Vec<(Vec<&[u8]>, Refusal)> = vec![
        (vec![NO_FLAGS], Refusal::NoBody),
        (vec![NO_FLAGS, &seq], Refusal::NoBody),
        (vec![NO_FLAGS, body, body], Refusal::TwoBodies),
        (vec![NO_FLAGS, body, &seq, &seq], Refusal::DuplicateSequence("documents".into())),
    ];
    for (parts, expected) in cases {
        let mut buffer = BytesMut::from(&message(MSG, &parts)[..]);
        buffer.extend_from_slice(&message(MSG, &[NO_FLAGS, body]));
        assert_eq!(decode(&mut buffer).unwrap().unwrap().content, Content::Refused(expected));
        assert!(matches!(decode(&mut buffer).unwrap().unwrap().content, Content::Frame(_)));
        assert!(buffer.is_empty());
    }
}

#[test]
fn a_field_is_given_once() {
    let seq = sequence("ping", &[document(&[])]);
    let refused = refusal(&message(MSG, &[NO_FLAGS, &seq, &[0], &ping()]));
    assert_eq!(refused, Refusal::DuplicateField("ping".into()));
    // The same name deeper in the body is another field.
    let nested = document(&[&[3], b"q\0", &ping()]);
    assert_eq!(msg(&message(MSG, &[NO_FLAGS, &seq, &[0], &nested])).sequences.len(), 1);
    let after = document(&[&[3], b"q\0", &document(&[]), &int("ping", 1)]);
    let refused = refusal(&message(MSG, &[NO_FLAGS, &seq, &[0], &after]));
    assert_eq!(refused, Refusal::DuplicateField("ping".into()));
}

#[test]
fn sequences_are_counted() {
    let named: Vec<Vec<u8>> = (0..17).map(|n| sequence(&format!("s{n}"), &[])).collect();
    let parts = |n: usize| {
        let mut parts: Vec<&[u8]> = vec![NO_FLAGS, &[0]];
        let body = Box::leak(Box::new(ping()));
        parts.push(body);
        parts.extend(named.iter().take(n).map(Vec::as_slice));
        message(MSG, &parts)
    };
    assert_eq!(msg(&parts(16)).sequences.len(), 16);
    assert_eq!(refusal(&parts(17)), Refusal::TooManySequences);
}

#[test]
fn a_refused_more_to_come_wants_no_reply() {
    assert!(!inbound(&message(MSG, &[&2u32.to_le_bytes()])).shape.wants_reply);
}

#[test]
fn broken_sections_close() {
    let cases: [(&[u8], FrameError); 9] = [
        (b"\0\0\0", FrameError::Truncated("the flags")),
        (b"\0\0\0\0\x02", FrameError::SectionKind(2)),
        (b"\0\0\0\0\x00\x05\0\0", FrameError::Truncated("the body")),
        (b"\0\0\0\0\x00\x06\0\0\0\0", FrameError::Truncated("the body")),
        (b"\0\0\0\0\x00\x04\0\0\0", FrameError::Truncated("the body")),
        (b"\0\0\0\0\x00\xff\xff\xff\xff", FrameError::Truncated("the body")),
        (b"\0\0\0\0\x01\x03\0\0\0", FrameError::Truncated("a document sequence")),
        (b"\0\0\0\0\x01\x63\0\0\0x\0", FrameError::Truncated("a document sequence")),
        (b"\0\0\0\0\x01\x06\0\0\0xy", FrameError::Truncated("a sequence identifier")),
    ];
    for (payload, expected) in cases {
        assert_eq!(decode_one(&message(MSG, &[payload])), Err(expected), "{payload:?}");
    }
}

#[test]
fn bad_documents_are_refused_wherever_they_are() {
    let bad = document(&[&[0x55], b"x\0"]);
    let expected = Refusal::InvalidBson(super::super::BsonFault::Type(0x55));
    assert_eq!(refusal(&message(MSG, &[NO_FLAGS, &[0], &bad])), expected);
    let seq = sequence("documents", &[ping(), bad]);
    assert_eq!(refusal(&message(MSG, &[NO_FLAGS, &[0], &ping(), &seq])), expected);
    assert_eq!(expected.code(), (22, "InvalidBSON"));
}

#[test]
fn documents_have_a_limit_of_their_own() {
    let filled = |size: usize| {
        let length = i32::try_from(size - 14).unwrap();
        document(&[b"\x05b\0", &length.to_le_bytes(), &[0], &vec![0; size - 14][..], b"\x0a\0"])
    };
    // The smallest body around 14 bytes of framing: header 4, type and name 3, length 4, subtype 1, null 2, NUL 1.
    let fits = filled(MAX_DOCUMENT - 1);
    assert_eq!(fits.len(), MAX_DOCUMENT);
    assert_eq!(msg(&message(MSG, &[NO_FLAGS, &[0], &fits])).body.len(), MAX_DOCUMENT);
    let large = filled(MAX_DOCUMENT);
    let size = i32::try_from(MAX_DOCUMENT + 1).unwrap();
    assert_eq!(refusal(&message(MSG, &[NO_FLAGS, &[0], &large])), Refusal::TooLarge(size));
    let seq = sequence("documents", &[large]);
    assert_eq!(refusal(&message(MSG, &[NO_FLAGS, &[0], &ping(), &seq])), Refusal::TooLarge(size));
}

#[test]
fn length_limits() {
    let header =
        |length: i32| [length, 1, 0, MSG].into_iter().flat_map(i32::to_le_bytes).collect::<Vec<u8>>();
    for length in [15, 0, -1, i32::MIN, 48_000_001, i32::MAX] {
        assert_eq!(decode_one(&header(length)), Err(FrameError::Length(length)));
        // The length alone is enough.
        assert_eq!(decode_one(&header(length)[..4]), Err(FrameError::Length(length)));
    }
    assert_eq!(decode_one(&header(48_000_000)), Ok(None));
    assert_eq!(decode_one(&header(16)), Err(FrameError::Truncated("the flags")));
}

#[test]
fn waits_for_the_whole_message_and_takes_no_more() {
    let whole = message(MSG, &[NO_FLAGS, &[0], &ping()]);
    for length in 0..whole.len() {
        let mut buffer = BytesMut::from(&whole[..length]);
        assert_eq!(decode(&mut buffer), Ok(None));
        assert_eq!(buffer, &whole[..length]);
    }
    let mut buffer = BytesMut::from(&[&whole[..], &whole[..9]].concat()[..]);
    assert!(decode(&mut buffer).unwrap().is_some());
    assert_eq!(buffer, &whole[..9]);
}

#[test]
fn unknown_opcodes_close_before_the_payload_is_there() {
    for opcode in [0, 1, 2001, 2002, 2003, 2006, 2007, 2010, 2011, 2014, -1] {
        let mut bytes = message(opcode, &[&[0; 30]]);
        bytes.truncate(16);
        assert_eq!(decode_one(&bytes), Err(FrameError::Opcode(opcode)));
    }
}

#[test]
fn http_is_recognized_from_four_bytes() {
    assert_eq!(decode_one(b"GET "), Err(FrameError::Http));
    assert_eq!(decode_one(b"GET / HTTP/1.1\r\n\r\n"), Err(FrameError::Http));
    let hint = std::str::from_utf8(super::super::HTTP_HINT).unwrap();
    let (head, body) = hint.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}", body.len())));
}

#[test]
fn the_client_side_writes_what_the_decoder_reads() {
    let sequences = vec![Sequence { identifier: bytes(b"documents"), documents: ping().into() }];
    for bits in 0..8 {
        let op = Op::Msg(OpMsg {
            more_to_come: bits & 1 != 0,
            exhaust_allowed: bits & 2 != 0,
            checksum: bits & 4 != 0,
            body: document(&[&int("insert", 1)]).into(),
            sequences: sequences.clone(),
        });
        let sent = Frame { request_id: 9, op };
        let encoded = request::encode(&sent, None).unwrap();
        assert_eq!(frame(&encoded), sent);
    }
}
