use super::*;

#[test]
fn hex_text_and_literals() {
    let empty = [5u8, 0, 0, 0, 0];
    assert_eq!(from_hex_text("BSONHEX0500000000").unwrap(), &empty[..]);
    assert_eq!(literal(&empty), "'\\x0500000000'::bytea");
    for wrong in ["", "0500000000", "BSONHEX05", "BSONHEX050000000", "BSONHEXzz00000000", "BSONHEX0600000000"]
    {
        assert!(from_hex_text(wrong).is_err(), "{wrong}");
    }
}
