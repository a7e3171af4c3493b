//! What a row of PostgreSQL's answer holds: documents as the bytes they came in, and a few plain values.
use bytes::Bytes;
use tokio_postgres::Row;

use crate::error::{CommandError, Result};

/// The first page of a cursor.
#[derive(Debug)]
pub struct FirstPage {
    /// The complete reply.
    pub page: Bytes,
    /// What the next page needs; None if there is none.
    pub continuation: Option<Bytes>,
    /// The rest lives in this very backend.
    pub pinned: bool,
    /// The cursor's id; 0 if there is nothing more.
    pub id: i64,
}

/// A further page of a cursor.
#[derive(Debug)]
pub struct Page {
    /// The complete reply.
    pub page: Bytes,
    /// What the next page needs; None at the end.
    pub continuation: Option<Bytes>,
}

impl FirstPage {
    /// Reads the four columns of a first-page function.
    ///
    /// # Errors
    /// An answer that the surface does not allow.
    pub fn read(row: Row) -> Result<Self> {
        Ok(Self {
            continuation: optional_document(&row, 1)?,
            pinned: row.try_get(2).map_err(unreadable)?,
            id: row.try_get::<_, Option<i64>>(3).map_err(unreadable)?.unwrap_or(0),
            page: into_document(row)?,
        })
    }
}

impl Page {
    /// Reads the two columns of `cursor_get_more`.
    ///
    /// # Errors
    /// An answer that the surface does not allow.
    pub fn read(row: Row) -> Result<Self> {
        Ok(Self { continuation: optional_document(&row, 1)?, page: into_document(row)? })
    }
}

/// The BSON document of the first column, which is not copied: it keeps what PostgreSQL sent.
///
/// # Errors
/// A NULL, or bytes whose frame is no document.
pub fn into_document(row: Row) -> Result<Bytes> {
    let bytes: Option<&[u8]> = row.try_get(0).map_err(unreadable)?;
    check_frame(bytes.ok_or_else(|| CommandError::unexpected("NULL for a document"))?)?;
    Ok(Bytes::from_owner(FirstColumn(row)))
}

/// A row that was seen to have bytes in its first column.
struct FirstColumn(Row);

impl AsRef<[u8]> for FirstColumn {
    fn as_ref(&self) -> &[u8] {
        self.0.try_get(0).unwrap_or_default()
    }
}

/// The BSON document of a column, as bytes.
///
/// # Errors
/// A NULL, or bytes whose frame is no document.
pub fn document(row: &Row, column: usize) -> Result<Bytes> {
    optional_document(row, column)?.ok_or_else(|| CommandError::unexpected("NULL for a document"))
}

/// As [`document`], None for NULL.
///
/// # Errors
/// Bytes whose frame is no document.
pub fn optional_document(row: &Row, column: usize) -> Result<Option<Bytes>> {
    let bytes: Option<&[u8]> = row.try_get(column).map_err(unreadable)?;
    bytes.map(framed).transpose()
}

/// A boolean column.
///
/// # Errors
/// Not a boolean, or NULL.
pub fn flag(row: &Row, column: usize) -> Result<bool> {
    row.try_get(column).map_err(unreadable)
}

/// The OID of a role in a column.
///
/// # Errors
/// Not an OID, or NULL.
pub fn oid(row: &Row, column: usize) -> Result<u32> {
    row.try_get(column).map_err(unreadable)
}

/// A bigint column.
///
/// # Errors
/// Not a bigint, or NULL.
pub fn number(row: &Row, column: usize) -> Result<i64> {
    row.try_get(column).map_err(unreadable)
}

/// As [`number`], None for NULL.
///
/// # Errors
/// Not a bigint.
pub fn optional_number(row: &Row, column: usize) -> Result<Option<i64>> {
    row.try_get(column).map_err(unreadable)
}

/// The document in the text form `BSONHEX…` that a procedure's result has.
///
/// # Errors
/// Any other text.
pub fn from_hex_text(text: &str) -> Result<Bytes> {
    let broken = || CommandError::unexpected("a document's text form is not BSONHEX");
    let digits = text.strip_prefix("BSONHEX").ok_or_else(broken)?.as_bytes();
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    for pair in digits.chunks(2) {
        let &[high, low] = pair else { return Err(broken()) };
        let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
        match (digit(high), digit(low)) {
            (Some(high), Some(low)) => bytes.push(high << 4 | low),
            _ => return Err(broken()),
        }
    }
    framed(&bytes)
}

/// A `bytea` literal of these bytes: the only way a value gets into a statement's text.
pub fn literal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2 + 16);
    text.push_str("'\\x");
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    text.push_str("'::bytea");
    text
}

fn framed(bytes: &[u8]) -> Result<Bytes> {
    check_frame(bytes)?;
    Ok(Bytes::copy_from_slice(bytes))
}

fn check_frame(bytes: &[u8]) -> Result<()> {
    let declared = bytes.first_chunk().map(|prefix| i32::from_le_bytes(*prefix));
    let whole = declared.and_then(|length| usize::try_from(length).ok()) == Some(bytes.len());
    if whole && bytes.len() >= 5 {
        return Ok(());
    }
    Err(CommandError::unexpected("a document's length is wrong"))
}

fn unreadable(error: tokio_postgres::Error) -> CommandError {
    CommandError::unexpected("a column has another type").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_text_and_literals() {
        let empty = [5u8, 0, 0, 0, 0];
        assert_eq!(from_hex_text("BSONHEX0500000000").unwrap(), &empty[..]);
        assert_eq!(literal(&empty), "'\\x0500000000'::bytea");
        for wrong in
            ["", "0500000000", "BSONHEX05", "BSONHEX050000000", "BSONHEXzz00000000", "BSONHEX0600000000"]
        {
            assert!(from_hex_text(wrong).is_err(), "{wrong}");
        }
    }
}
