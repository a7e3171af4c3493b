//! The fields of updates and deletes that are wrong for the whole command: MongoDB reads all of a batch before it writes.
use bson::RawDocument;

use super::super::options::{missing, unknown_field};
use crate::error::{CommandError, Owner, Result};

/// What an element of `updates` may have (MongoDB manual, `update`; the last two are sent by routers).
const UPDATE_FIELDS: &[&str] = &[
    "q",
    "u",
    "c",
    "multi",
    "upsert",
    "arrayFilters",
    "hint",
    "collation",
    "sort",
    "upsertSupplied",
    "sampleId",
];
/// What an element of `deletes` may have.
const DELETE_FIELDS: &[&str] = &["q", "limit", "hint", "collation", "sampleId"];

/// Where the fields of a command's writes stand, which there may be, and which there have to be.
fn known(command: &str) -> Option<(&'static str, &'static [&'static str], &'static [&'static str])> {
    match command {
        "update" => Some(("update.updates", UPDATE_FIELDS, &["q", "u"])),
        "delete" => Some(("delete.deletes", DELETE_FIELDS, &["q", "limit"])),
        _ => None,
    }
}

/// A field of a write that is none, where the whole command failed: MongoDB names it before anything else. Looked for only
/// then, because a batch is long.
pub(super) fn unknown_first(command: &str, writes: &[&RawDocument], error: CommandError) -> CommandError {
    match known(command) {
        Some((path, fields, _)) if error.owner == Owner::Client => match unknown(path, fields, writes) {
            Some(unknown) => unknown.because(error),
            None => error,
        },
        _ => error,
    }
}

/// What the extension would find in the last of several calls, when the others have written.
///
/// # Errors
/// 40415 for a field that is none, 40414 for one that is missing.
pub(super) fn check(command: &str, writes: &[&RawDocument]) -> Result<()> {
    let Some((path, fields, required)) = known(command) else { return Ok(()) };
    if let Some(unknown) = unknown(path, fields, writes) {
        return Err(unknown);
    }
    for write in writes {
        for field in required {
            if write.get(field)?.is_none() {
                return Err(missing(path, field));
            }
        }
    }
    Ok(())
}

fn unknown(path: &str, fields: &[&str], writes: &[&RawDocument]) -> Option<CommandError> {
    let mut all = writes.iter().flat_map(|write| write.iter_elements().flatten());
    let element = all.find(|element| !fields.contains(&element.key().as_str()))?;
    Some(unknown_field(path, element.key().as_str()))
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn what_is_wrong_with_any_of_a_batch_is_found_before_it_begins() {
        let good = rawdoc! { "q": {}, "u": {}, "multi": true };
        let code = |command, last: &RawDocument| check(command, &[&good, last]).map_err(|error| error.code.0);
        assert_eq!(code("update", &good), Ok(()));
        assert_eq!(code("update", &rawdoc! { "q": {}, "u": {}, "x": 1 }), Err(40415));
        assert_eq!(code("update", &rawdoc! { "q": {} }), Err(40414));
        assert_eq!(code("delete", &rawdoc! { "q": {}, "limit": 1 }), Err(40415), "the first one's u");
        assert_eq!(code("insert", &rawdoc! {}), Ok(()));
    }
}
