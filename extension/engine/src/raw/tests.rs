use super::*;

fn doc(elements: &[u8]) -> Vec<u8> {
    let len = i32::try_from(elements.len() + 5).unwrap();
    [&len.to_le_bytes(), elements, &[0]].concat()
}

#[test]
fn well_formed_documents_pass() {
    for elements in [
        &b""[..],
        b"\x10a\0\x01\0\0\0",
        b"\x02a\0\x02\0\0\0x\0",
        b"\x08a\0\x01",
        b"\x0Ba\0^x\0i\0",
        b"\x05a\0\x02\0\0\0\x00ab",
        b"\x05a\0\x06\0\0\0\x02\x02\0\0\0ab",
        b"\x0Fa\0\x0F\0\0\0\x02\0\0\0f\0\x05\0\0\0\0",
        b"\xFFa\0\x7Fb\0",
    ] {
        assert_eq!(validate(&doc(elements)), Ok(()), "{elements:?}");
    }
}

#[test]
fn each_rule_refuses() {
    let long = [&100i32.to_le_bytes()[..], &[0]].concat();
    for (bytes, reason) in [
        (vec![], "length and content"),
        (vec![4, 0, 0, 0], "length and content"),
        (long, "length and content"),
        (vec![5, 0, 0, 0, 1], "length and content"),
        (doc(b"\x10a\0\x01\0\0"), "truncated"),
        (doc(b"\x20a\0"), "unknown type"),
        (doc(b"\x10a"), "truncated"),
        (doc(b"\x0Aa\0\0\0"), "truncated"),
        (doc(b"\x0A\xFF\0"), "name is not UTF-8"),
        (doc(b"\x02a\0\x02\0\0\0\xFF\0"), "string is not UTF-8"),
        (doc(b"\x02a\0\x02\0\0\0xy"), "string's length"),
        (doc(b"\x02a\0\0\0\0\0"), "string's length"),
        (doc(b"\x02a\0\xFF\xFF\xFF\xFF"), "truncated"),
        (doc(b"\x08a\0\x02"), "bool"),
        (doc(b"\x0Ba\0\xFF\0\0"), "regular expression"),
        (doc(b"\x05a\0\x06\0\0\0\x02\x03\0\0\0ab"), "subtype 2"),
        (doc(b"\x05a\0\x02\0\0\0\x02ab"), "subtype 2"),
        (doc(b"\x03a\0\x06\0\0\0\0\0"), "truncated"),
        (doc(b"\x0Fa\0\x0F\0\0\0\x20\0\0\0f\0\x05\0\0\0\0"), "code with scope"),
    ] {
        let e = validate(&bytes).unwrap_err();
        assert!(e.message.contains(reason), "{bytes:?}: {e}, not {reason}");
    }
}

#[test]
fn repeated_names_give_the_first() {
    let bytes = doc(b"\x10a\0\x01\0\0\0\x10a\0\x02\0\0\0");
    assert!(matches!(Doc::new(&bytes).unwrap().get("a").unwrap().view(), View::Int32(1)));
    assert_eq!(Doc::trusted(&bytes).iter().count(), 2);
}

#[test]
fn every_type_has_its_name() {
    let names: Vec<_> = (1..=19).map(type_name).collect();
    assert!(!names.contains(&"missing"));
    assert_eq!((type_name(0), type_name(0x7F), type_name(0xFF)), ("missing", "maxKey", "minKey"));
}
