//! OP_MSG: flags, sections, checksum.
use bytes::Bytes;

use super::bson_check::{check_document, check_sequence, has_key};
use super::cursor::Cursor;
use super::error::{FrameError, Refusal};
use super::header::Header;
use super::{MAX_SEQUENCES, OpMsg, Sequence};

pub(super) const CHECKSUM_PRESENT: u32 = 1;
pub(super) const MORE_TO_COME: u32 = 1 << 1;
pub(super) const EXHAUST_ALLOWED: u32 = 1 << 16;
/// Bits 0-15 must be understood; the others may be ignored.
const REQUIRED: u32 = 0xffff;
/// Bytes of the trailing CRC-32C.
pub(super) const CHECKSUM_LEN: usize = 4;
/// Bytes of the smallest document: its length and its NUL.
pub(super) const EMPTY_DOCUMENT: usize = 5;

/// The flag bits of a message, required ones known to be defined.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flags(u32);

impl Flags {
    fn new(bits: u32) -> Result<Self, FrameError> {
        let unknown = bits & REQUIRED & !(CHECKSUM_PRESENT | MORE_TO_COME);
        if unknown == 0 { Ok(Self(bits)) } else { Err(FrameError::Flags(unknown)) }
    }

    pub(super) fn checksum(self) -> bool {
        self.0 & CHECKSUM_PRESENT != 0
    }

    pub(super) fn more_to_come(self) -> bool {
        self.0 & MORE_TO_COME != 0
    }

    fn exhaust_allowed(self) -> bool {
        self.0 & EXHAUST_ALLOWED != 0
    }
}

/// CRC-32C over header and payload (without the checksum itself).
pub(super) fn checksum(header: Header, payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header.to_bytes()), payload)
}

/// Decodes the payload behind `header`. The flags come also with a refusal: they decide whether it is sent.
pub(super) fn decode(header: Header, payload: Bytes) -> Result<(Flags, Result<OpMsg, Refusal>), FrameError> {
    let flags = Flags::new(Cursor::new(payload.clone()).u32("the flags")?)?;
    let mut cursor = Cursor::new(if flags.checksum() { verify(header, payload)? } else { payload });
    cursor.u32("the flags")?;

    let mut sections = Sections::default();
    while !cursor.is_empty() {
        match cursor.u8("a section")? {
            0 => sections.body(cursor.block(EMPTY_DOCUMENT, "the body")?),
            1 => {
                let mut section = Cursor::new(cursor.block(4, "a document sequence")?);
                section.i32("a document sequence")?;
                sections.sequence(section.cstring("a sequence identifier")?, section.rest());
            }
            kind => return Err(FrameError::SectionKind(kind)),
        }
    }
    Ok((flags, sections.finish(flags)))
}

/// Splits the checksum off and compares it.
fn verify(header: Header, mut payload: Bytes) -> Result<Bytes, FrameError> {
    // The flags stand in front, so that a checksum must not reach into them.
    let length = payload.len().checked_sub(CHECKSUM_LEN).filter(|length| *length >= 4);
    let sent = payload.split_off(length.ok_or(FrameError::Truncated("the checksum"))?);
    let sent = Cursor::new(sent).u32("the checksum")?;
    if sent == checksum(header, &payload) { Ok(payload) } else { Err(FrameError::Checksum) }
}

/// Collects sections; remembers the first refusal but reads on, because the framing has to be checked anyway.
#[derive(Debug, Default)]
struct Sections {
    body: Option<Bytes>,
    sequences: Vec<Sequence>,
    refusal: Option<Refusal>,
}

impl Sections {
    fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }

    fn body(&mut self, body: Bytes) {
        if self.body.is_some() {
            return self.refuse(Refusal::TwoBodies);
        }
        if let Err(refusal) = check_document(&body) {
            self.refuse(refusal);
        }
        self.body = Some(body);
    }

    fn sequence(&mut self, identifier: Bytes, documents: Bytes) {
        if self.sequences.len() >= MAX_SEQUENCES {
            return self.refuse(Refusal::TooManySequences);
        }
        if self.sequences.iter().any(|other| other.identifier == identifier) {
            return self.refuse(Refusal::DuplicateSequence(text(&identifier)));
        }
        if let Err(refusal) = check_sequence(&documents) {
            self.refuse(refusal);
        }
        self.sequences.push(Sequence { identifier, documents });
    }

    fn finish(self, flags: Flags) -> Result<OpMsg, Refusal> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        let body = self.body.ok_or(Refusal::NoBody)?;
        for sequence in &self.sequences {
            if has_key(&body, &sequence.identifier) {
                return Err(Refusal::DuplicateField(text(&sequence.identifier)));
            }
        }
        Ok(OpMsg {
            more_to_come: flags.more_to_come(),
            exhaust_allowed: flags.exhaust_allowed(),
            checksum: flags.checksum(),
            body,
            sequences: self.sequences,
        })
    }
}

/// A name from a client for an error message: readable, and not longer than a line.
fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().take(100).collect()
}
