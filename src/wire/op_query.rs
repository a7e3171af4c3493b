//! OP_QUERY, which drivers still use for their first message.
use bytes::Bytes;

use super::OpQuery;
use super::bson_check::check_document;
use super::cursor::Cursor;
use super::error::{FrameError, Refusal};
use super::op_msg::EMPTY_DOCUMENT;

/// Decodes the payload. Queries on anything but a `$cmd` collection are refused.
pub(super) fn decode(payload: Bytes) -> Result<Result<OpQuery, Refusal>, FrameError> {
    let mut cursor = Cursor::new(payload);
    let flags = cursor.i32("the flags")?;
    let collection = cursor.cstring("the collection name")?;
    let _skip = cursor.i32("numberToSkip")?;
    let _limit = cursor.i32("numberToReturn")?;
    let body = cursor.block(EMPTY_DOCUMENT, "the query")?;
    if !cursor.is_empty() {
        cursor.block(EMPTY_DOCUMENT, "returnFieldsSelector")?;
    }
    if !cursor.is_empty() {
        return Err(FrameError::Trailing(cursor.rest().len()));
    }
    if !collection.ends_with(b".$cmd") {
        return Ok(Err(Refusal::LegacyOpcode("OP_QUERY")));
    }
    Ok(check_document(&body).map(|()| OpQuery { flags, collection, body }))
}
