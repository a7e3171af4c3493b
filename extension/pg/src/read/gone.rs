//! What became of a collection that a cursor reads and does not find any more: MongoDB ends the cursor with an error, for a result
//! that just stops looks like a complete one.

use std::fmt::Write;

use engine::{Error, codes};

use super::cursor::Stream;
use crate::error::Result;
use crate::spi::{self, Param};
use crate::xact::Snapshot;

/// QueryPlanKilled 175 in MongoDB's words, for the stream `s` of the database `db`.
///
/// # Errors
/// The catalog cannot be read.
pub fn error(db: &str, s: &Stream) -> Result<crate::error::Error> {
    let _snapshot = Snapshot::latest();
    let rows = spi::query(
        "SELECT database_name, collection_name FROM documentdb_api_catalog.collections
         WHERE collection_id OPERATOR(pg_catalog.=) $1",
        &[Param::Int8(s.collection)],
    )?;
    let now = rows.first().and_then(|row| Some((row.first()?.text()?, row.get(1)?.text()?)));
    let uuid = s.uuid.map(|uuid| format!(". UUID {}", hyphenated(uuid))).unwrap_or_default();
    let text = match now {
        Some((to_db, to)) if to_db == db && to != s.name && !s.name.is_empty() => {
            format!("collection renamed from '{db}.{}' to '{to_db}.{to}'{uuid}", s.name)
        }
        Some((to_db, _)) if to_db == db => "the view this cursor reads was dropped or changed".to_owned(),
        // Renamed to another database, or the call names another one than the cursor's.
        Some(_) => format!("the collection this cursor reads is not in the database '{db}'"),
        None => format!("collection dropped{uuid}"),
    };
    Ok(Error::new(codes::QUERY_PLAN_KILLED, text).into())
}

fn hyphenated(uuid: [u8; 16]) -> String {
    let mut out = String::new();
    for (i, byte) in uuid.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        // Writing to a String can't fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}
