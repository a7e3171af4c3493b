//! The structural check.
use super::super::{BsonFault, MAX_NESTING, check_document, check_sequence, first_key};
use super::*;

fn element(kind: u8, value: &[u8]) -> Vec<u8> {
    document(&[&[kind], b"a\0", value])
}

fn fault(bytes: &[u8]) -> BsonFault {
    match check_document(bytes) {
        Err(Refusal::InvalidBson(fault)) => fault,
        other => panic!("{other:?} for {bytes:?}"),
    }
}

/// One value of every type, as its bytes.
fn values() -> Vec<(u8, Vec<u8>)> {
    let string = b"\x03\0\0\0hi\0".to_vec();
    let scope = ping();
    let whole = i32::try_from(4 + string.len() + scope.len()).unwrap();
    vec![
        (0x01, vec![1; 8]),
        (0x02, string.clone()),
        (0x03, ping()),
        (0x04, document(&[&int("0", 1)])),
        (0x05, b"\x02\0\0\0\x00xy".to_vec()),
        (0x06, vec![]),
        (0x07, vec![1; 12]),
        (0x08, vec![1]),
        (0x09, vec![1; 8]),
        (0x0a, vec![]),
        (0x0b, b"^a\0i\0".to_vec()),
        (0x0c, [&string[..], &[7; 12]].concat()),
        (0x0d, string.clone()),
        (0x0e, string.clone()),
        (0x0f, [&whole.to_le_bytes()[..], &string, &scope].concat()),
        (0x10, vec![1; 4]),
        (0x11, vec![1; 8]),
        (0x12, vec![1; 8]),
        (0x13, vec![1; 16]),
        (0x7f, vec![]),
        (0xff, vec![]),
    ]
}

#[test]
fn every_type_is_walked() {
    for (kind, value) in values() {
        let whole = element(kind, &value);
        assert_eq!(check_document(&whole), Ok(()), "type {kind:#x}");
        // Two of them: the walk stood at the right place after the first.
        let twice = document(&[&[kind], b"a\0", &value, &[kind], b"b\0", &value]);
        assert_eq!(check_document(&twice), Ok(()), "type {kind:#x} twice");
    }
}

#[test]
fn every_type_is_bounded() {
    for (kind, value) in values() {
        for length in 0..value.len() {
            let cut = element(kind, &value[..length]);
            assert!(check_document(&cut).is_err(), "type {kind:#x} cut to {length} bytes");
            let nested = document(&[&[3], b"n\0", &cut, &int("z", 1)]);
            assert!(check_document(&nested).is_err(), "type {kind:#x} cut to {length} bytes, nested");
        }
    }
}

#[test]
fn agrees_with_the_bson_library() {
    let all: Vec<Vec<u8>> =
        values().into_iter().map(|(kind, value)| [&[kind], b"k\0" as &[u8], &value].concat()).collect();
    let parts: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
    let whole = document(&parts);
    assert_eq!(check_document(&whole), Ok(()));
    let raw = ::bson::RawDocument::from_bytes(&whole).unwrap();
    assert_eq!(raw.iter().filter(|element| element.is_ok()).count(), values().len());
}

#[test]
fn only_known_types() {
    let known: Vec<u8> = values().into_iter().map(|(kind, _)| kind).collect();
    for kind in (1..=255).filter(|kind| !known.contains(kind)) {
        assert_eq!(fault(&element(kind, &[])), BsonFault::Type(kind));
    }
}

#[test]
fn frames_of_documents() {
    assert_eq!(check_document(&document(&[])), Ok(()));
    assert_eq!(fault(&[]), BsonFault::Length);
    assert_eq!(fault(&[4, 0, 0, 0]), BsonFault::Length);
    assert_eq!(fault(&[6, 0, 0, 0, 0]), BsonFault::Length);
    assert_eq!(fault(&[5, 0, 0, 0, 1]), BsonFault::Terminator);
    // The NUL in the middle ends the document before its length does.
    assert_eq!(fault(&[7, 0, 0, 0, 0, 0, 0]), BsonFault::Terminator);
    // The field name takes the document's own NUL.
    assert_eq!(fault(&[7, 0, 0, 0, 0x0a, b'a', 0]), BsonFault::Terminator);
}

#[test]
fn nested_documents_stay_inside() {
    let outer = |length: i32| document(&[&[3], b"n\0", &length.to_le_bytes(), &[0], &int("z", 1)]);
    assert_eq!(check_document(&outer(5)), Ok(()));
    for length in [0, 4, -1] {
        assert_eq!(fault(&outer(length)), BsonFault::Length);
    }
    let space = i32::try_from(outer(5).len() - 7).unwrap();
    for length in [space, space + 1, i32::MAX] {
        assert_eq!(fault(&outer(length)), BsonFault::Length, "{length}");
    }
    assert_eq!(fault(&outer(6)), BsonFault::Terminator);
}

#[test]
fn values_are_looked_at_where_lengths_depend_on_them() {
    assert_eq!(fault(&element(0x08, &[2])), BsonFault::Bool);
    assert_eq!(fault(&element(0x02, b"\0\0\0\0\0")), BsonFault::String);
    assert_eq!(fault(&element(0x02, b"\x02\0\0\0ab")), BsonFault::String);
    assert_eq!(fault(&element(0x02, b"\xff\xff\xff\xff\0")), BsonFault::Length);
    assert_eq!(fault(&element(0x05, b"\xff\xff\xff\x7f\0")), BsonFault::Value);
    for wrong in [-1, 1] {
        let whole: i32 = 4 + 6 + 5 + wrong;
        let value = [&whole.to_le_bytes()[..], b"\x02\0\0\0x\0", &document(&[])].concat();
        assert_eq!(fault(&element(0x0f, &value)), BsonFault::CodeWithScope);
    }
    // Text may be anything, also not UTF-8.
    assert_eq!(check_document(&element(0x02, b"\x02\0\0\0\xff\0")), Ok(()));
}

#[test]
fn nesting_has_a_limit() {
    let nested = |levels: usize| (0..levels).fold(document(&[]), |inner, _| element(4, &inner));
    assert_eq!(check_document(&nested(MAX_NESTING)), Ok(()));
    assert_eq!(check_document(&nested(MAX_NESTING + 1)), Err(Refusal::TooDeep));
    assert_eq!(check_document(&nested(30_000)), Err(Refusal::TooDeep));
    assert_eq!(Refusal::TooDeep.code(), (15, "Overflow"));
}

#[test]
fn sequences_are_documents_end_to_end() {
    assert_eq!(check_sequence(&[]), Ok(()));
    assert_eq!(check_sequence(&[ping(), ping()].concat()), Ok(()));
    for bad in [&[5, 0, 0][..], &[9, 0, 0, 0, 0], &[4, 0, 0, 0], &[0xff; 5]] {
        let bytes = [&ping()[..], bad].concat();
        assert_eq!(check_sequence(&bytes), Err(Refusal::InvalidBson(BsonFault::Length)), "{bad:?}");
    }
}

#[test]
fn the_first_key_names_the_command() {
    assert_eq!(first_key(&ping()), Some(&b"ping"[..]));
    assert_eq!(first_key(&element(3, &ping())), Some(&b"a"[..]));
    assert_eq!(first_key(&document(&[])), None);
    assert_eq!(first_key(&[]), None);
}
