//! A MongoDB error code and its name.
use std::borrow::Cow;

use super::codes::{NAMES, SQLSTATES};

/// A MongoDB error code: the number in `code`, whose name goes into `codeName`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub i32);

impl Code {
    /// `codeName` as MongoDB writes it: a proper name, or `LocationNNNNN`.
    pub fn name(self) -> Cow<'static, str> {
        match NAMES.binary_search_by_key(&self.0, |&(code, _)| code) {
            Ok(at) => NAMES.get(at).map_or(Cow::Borrowed("UnknownError"), |&(_, name)| Cow::Borrowed(name)),
            Err(_) => Cow::Owned(format!("Location{}", self.0)),
        }
    }

    /// The code that the extension means by one of its own SQLSTATEs (class `M`).
    pub fn of_extension_state(state: &str) -> Option<Self> {
        let at = SQLSTATES.binary_search_by(|&(known, _)| known.cmp(state)).ok()?;
        SQLSTATES.get(at).map(|&(_, code)| Self(code))
    }
}

/// The classes of PostgreSQL's SQLSTATEs that a function can fail with. Some small MongoDB codes look like packed
/// states of classes that never occur here; those classes are left out, so that a plain code stays one.
const CLASSES: [&[u8; 2]; 25] = [
    b"08", b"0A", b"22", b"23", b"24", b"25", b"26", b"28", b"2B", b"2D", b"34", b"38", b"39", b"3B", b"3D",
    b"3F", b"40", b"42", b"44", b"53", b"54", b"55", b"57", b"58", b"XX",
];

/// The five characters of a SQLSTATE that was packed into an integer, six bits each, the first one lowest: the
/// form in which the extension writes `code` inside replies (sql-api.md 4.3). None if it is no such integer.
pub fn unpack_sqlstate(packed: i32) -> Option<[u8; 5]> {
    let mut rest = u32::try_from(packed).ok()?;
    let mut state = [0u8; 5];
    for slot in &mut state {
        *slot = b'0' + (rest & 0x3f) as u8;
        rest >>= 6;
    }
    let plain = state.iter().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
    let class_is_known =
        state.first() == Some(&b'M') || CLASSES.iter().any(|class| state.starts_with(*class));
    (rest == 0 && plain && class_is_known).then_some(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_mongodbs() {
        assert_eq!(Code(50).name(), "MaxTimeMSExpired");
        assert_eq!(Code(11000).name(), "DuplicateKey");
        assert_eq!(Code(40415).name(), "IDLUnknownField");
        assert_eq!(Code(40353).name(), "Location40353");
        assert_eq!(Code(10334).name(), "BSONObjectTooLarge");
        assert_eq!(Code(53).name(), "InvalidIdField");
    }

    #[test]
    fn extension_states_have_codes() {
        assert_eq!(Code::of_extension_state("M001C"), Some(Code(11000)));
        assert_eq!(Code::of_extension_state("M0087"), Some(Code(40414)));
        assert_eq!(Code::of_extension_state("M0088"), Some(Code(40415)));
        assert_eq!(Code::of_extension_state("MZZZZ"), None);
        assert_eq!(Code::of_extension_state("23505"), None);
    }

    #[test]
    fn packed_integers_as_measured() {
        for (packed, state) in [
            (16_777_245, b"M0001"),
            (50_331_677, b"M0003"),
            (285_212_701, b"M000A"),
            (319_029_277, b"M001C"),
            (486_539_293, b"M000M"),
            (83_906_754, b"23505"),
            (100_663_618, b"25006"),
            (16_777_220, b"40001"),
            (50_463_045, b"55P03"),
        ] {
            assert_eq!(unpack_sqlstate(packed), Some(*state));
        }
        assert_eq!(unpack_sqlstate(-1), None);
        for plain in
            [1, 2, 9, 13, 14, 16, 20, 26, 27, 28, 48, 50, 52, 59, 66, 67, 68, 72, 73, 85, 86, 112, 121, 11000]
        {
            assert_eq!(unpack_sqlstate(plain), None, "{plain}");
        }
    }
}
