//! The structural check of documents: one pass over lengths, terminators, element types and nesting, without
//! decoding a value. PostgreSQL takes documents as plain bytes and believes their lengths (sql-api.md
//! section 2), so that nothing unchecked may get there.
//!
//! Text is not checked to be UTF-8: MongoDB stores what it is given, and no length depends on it.
use super::error::{BsonFault, Refusal};
use super::{MAX_DOCUMENT, MAX_NESTING};

/// Bytes of an int32 length.
const LENGTH: usize = 4;
/// Bytes of the smallest document.
const EMPTY: usize = 5;

/// Checks one document that must fill `bytes` exactly.
///
/// # Errors
/// [`Refusal::TooLarge`], [`Refusal::TooDeep`] or [`Refusal::InvalidBson`].
pub fn check_document(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.len() > MAX_DOCUMENT {
        return Err(Refusal::TooLarge(i32::try_from(bytes.len()).unwrap_or(i32::MAX)));
    }
    Walk::new(bytes)?.run()
}

/// Checks documents that stand one after the other.
///
/// # Errors
/// As [`check_document`], for the first bad one.
pub fn check_sequence(mut bytes: &[u8]) -> Result<(), Refusal> {
    while !bytes.is_empty() {
        let claimed = peek_i32(bytes, 0).ok_or(BsonFault::Length)?;
        let length = usize::try_from(claimed).map_err(|_| BsonFault::Length)?;
        if length > MAX_DOCUMENT && length <= bytes.len() {
            return Err(Refusal::TooLarge(claimed));
        }
        let (document, rest) = bytes.split_at_checked(length).ok_or(BsonFault::Length)?;
        check_document(document)?;
        bytes = rest;
    }
    Ok(())
}

/// The name of a document's first field: of a command document, the command. None if there is no field.
pub fn first_key(document: &[u8]) -> Option<&[u8]> {
    let name = document.get(EMPTY..)?;
    if *document.get(LENGTH)? == 0 {
        return None;
    }
    name.get(..name.iter().position(|byte| *byte == 0)?)
}

/// True if a checked document has the field at its top level.
pub(super) fn has_key(document: &[u8], key: &[u8]) -> bool {
    let Ok(mut walk) = Walk::new(document) else { return false };
    while let Ok(Some(element)) = walk.element() {
        if walk.depth == 0 && element.name == key {
            return true;
        }
        if walk.enter(&element).is_err() {
            return false;
        }
    }
    false
}

fn peek_i32(bytes: &[u8], at: usize) -> Option<i32> {
    bytes.get(at..)?.first_chunk::<LENGTH>().map(|chunk| i32::from_le_bytes(*chunk))
}

/// A position in a document, with the ends of the documents around it. No recursion: the depth is the client's.
#[derive(Debug)]
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the document at each level ends, behind its NUL.
    ends: [usize; MAX_NESTING + 1],
    depth: usize,
}

#[derive(Debug)]
struct Element<'a> {
    kind: u8,
    name: &'a [u8],
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, BsonFault> {
        let length = peek_i32(bytes, 0).and_then(|length| usize::try_from(length).ok());
        if length != Some(bytes.len()) || bytes.len() < EMPTY {
            return Err(BsonFault::Length);
        }
        if bytes.last() != Some(&0) {
            return Err(BsonFault::Terminator);
        }
        let mut ends = [0; MAX_NESTING + 1];
        ends[0] = bytes.len();
        Ok(Self { bytes, at: LENGTH, ends, depth: 0 })
    }

    fn run(mut self) -> Result<(), Refusal> {
        while let Some(element) = self.element()? {
            self.enter(&element)?;
        }
        Ok(())
    }

    /// The end of the innermost document.
    fn end(&self) -> usize {
        self.ends.get(self.depth).copied().unwrap_or(0)
    }

    /// Reads type and name of the next element, leaving documents that end here. None at the end of all.
    fn element(&mut self) -> Result<Option<Element<'a>>, BsonFault> {
        loop {
            let kind = *self.take(1).ok().and_then(<[u8]>::first).ok_or(BsonFault::Terminator)?;
            if kind != 0 {
                return Ok(Some(Element { kind, name: self.cstring()? }));
            }
            if self.at != self.end() {
                return Err(BsonFault::Terminator);
            }
            match self.depth.checked_sub(1) {
                Some(outer) => self.depth = outer,
                None => return Ok(None),
            }
        }
    }

    /// Skips the element's value, or steps into it if it is a document.
    fn enter(&mut self, element: &Element<'_>) -> Result<(), Refusal> {
        match element.kind {
            // null, undefined, minKey, maxKey
            0x0a | 0x06 | 0xff | 0x7f => {}
            0x08 => {
                if self.take(1)?.first().is_none_or(|value| *value > 1) {
                    return Err(BsonFault::Bool.into());
                }
            }
            0x10 => self.skip(4)?,
            // double, date, timestamp, int64
            0x01 | 0x09 | 0x11 | 0x12 => self.skip(8)?,
            0x07 => self.skip(12)?,
            // decimal128
            0x13 => self.skip(16)?,
            // string, code, symbol
            0x02 | 0x0d | 0x0e => self.string()?,
            0x03 | 0x04 => return self.document(),
            0x05 => {
                let length = self.length()?;
                self.skip(1)?;
                self.skip(length)?;
            }
            // regular expression: pattern and options
            0x0b => {
                self.cstring()?;
                self.cstring()?;
            }
            // DBPointer
            0x0c => {
                self.string()?;
                self.skip(12)?;
            }
            0x0f => return self.code_with_scope(),
            unknown => return Err(BsonFault::Type(unknown).into()),
        }
        Ok(())
    }

    /// Bytes inside the innermost document, whose own NUL is never part of a value but may be read as a type.
    fn take(&mut self, length: usize) -> Result<&'a [u8], BsonFault> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.end()).ok_or(BsonFault::Value)?;
        let taken = self.bytes.get(self.at..end).ok_or(BsonFault::Value)?;
        self.at = end;
        Ok(taken)
    }

    fn skip(&mut self, length: usize) -> Result<(), BsonFault> {
        self.take(length).map(|_| ())
    }

    fn length(&mut self) -> Result<usize, BsonFault> {
        let claimed = peek_i32(self.take(LENGTH)?, 0).ok_or(BsonFault::Value)?;
        usize::try_from(claimed).map_err(|_| BsonFault::Length)
    }

    fn cstring(&mut self) -> Result<&'a [u8], BsonFault> {
        let rest = self.bytes.get(self.at..self.end()).ok_or(BsonFault::CString)?;
        let length = rest.iter().position(|byte| *byte == 0).ok_or(BsonFault::CString)?;
        let text = self.take(length)?;
        self.skip(1)?;
        Ok(text)
    }

    /// A length that counts the NUL, the text, the NUL.
    fn string(&mut self) -> Result<(), BsonFault> {
        let length = self.length()?;
        if length == 0 {
            return Err(BsonFault::String);
        }
        if self.take(length)?.last() == Some(&0) { Ok(()) } else { Err(BsonFault::String) }
    }

    fn document(&mut self) -> Result<(), Refusal> {
        let begin = self.at;
        let length = self.length()?;
        let end = begin.checked_add(length).ok_or(BsonFault::Length)?;
        self.nest(end, length)
    }

    fn nest(&mut self, end: usize, length: usize) -> Result<(), Refusal> {
        // The outer document's own NUL comes after every value in it.
        if length < EMPTY || end >= self.end() {
            return Err(BsonFault::Length.into());
        }
        self.depth = self.depth.saturating_add(1);
        *self.ends.get_mut(self.depth).ok_or(Refusal::TooDeep)? = end;
        Ok(())
    }

    /// The whole length, the code as a string, the scope as a document that ends where the whole does.
    fn code_with_scope(&mut self) -> Result<(), Refusal> {
        let begin = self.at;
        let whole = self.length()?;
        let end = begin.checked_add(whole).ok_or(BsonFault::CodeWithScope)?;
        self.string()?;
        let scope = self.at;
        let length = self.length()?;
        if scope.checked_add(length) != Some(end) {
            return Err(BsonFault::CodeWithScope.into());
        }
        self.nest(end, length)
    }
}
