//! `$readPreference`.
use bson::RawDocument;
use bson::raw::RawBsonRef;

use crate::command::options::{number, unknown_field, wrong_type};
use crate::error::{CommandError, Result, codes};
use crate::pool::Pick;

/// The mode of a read preference, as the kind of node it asks for; None for `primary`.
///
/// Tags and staleness are checked, but choose nothing: nodes have no tags, and every standby in use is one that the
/// operator lets clients read from.
///
/// # Errors
/// 9, 14 or 40415 for a preference that no driver sends.
pub fn parse(preference: RawBsonRef<'_>) -> Result<Option<Pick>> {
    let RawBsonRef::Document(preference) = preference else {
        return Err(wrong_type("$readPreference", preference, "object"));
    };
    let mut mode = None;
    let mut tags = false;
    let mut staleness = None;
    for element in preference {
        let (key, value) = element?;
        match key.as_str() {
            "mode" => mode = Some(parse_mode(value)?),
            "tags" => tags = has_tags(value)?,
            "maxStalenessSeconds" => staleness = Some(parse_staleness(value)?),
            "hedge" => {
                if value.as_document().is_none() {
                    return Err(wrong_type("$readPreference.hedge", value, "object"));
                }
            }
            other => return Err(unknown_field("$readPreference", other)),
        }
    }
    let mode = mode
        .ok_or_else(|| CommandError::client(codes::FAILED_TO_PARSE, "read preference mode must be given"))?;
    if mode.is_none() {
        let only = |what: &str| format!("mode 'primary' cannot be combined with {what}");
        if tags {
            return Err(CommandError::client(codes::BAD_VALUE, only("tags")));
        }
        if staleness.is_some_and(|seconds| seconds > 0.0) {
            return Err(CommandError::client(codes::FAILED_TO_PARSE, only("maxStalenessSeconds")));
        }
    }
    Ok(mode)
}

fn parse_mode(mode: RawBsonRef<'_>) -> Result<Option<Pick>> {
    let RawBsonRef::String(mode) = mode else {
        return Err(wrong_type("$readPreference.mode", mode, "string"));
    };
    match mode {
        "primary" => Ok(None),
        "primaryPreferred" => Ok(Some(Pick::PrimaryPreferred)),
        "secondary" => Ok(Some(Pick::Standby)),
        "secondaryPreferred" => Ok(Some(Pick::StandbyPreferred)),
        "nearest" => Ok(Some(Pick::Nearest)),
        other => Err(CommandError::client(
            codes::FAILED_TO_PARSE,
            format!("Enumeration value '{other}' for field '$readPreference.mode' is not a valid value."),
        )),
    }
}

/// A list of documents of strings; true if it asks for anything. An empty document matches every node.
fn has_tags(tags: RawBsonRef<'_>) -> Result<bool> {
    let RawBsonRef::Array(sets) = tags else { return Err(wrong_type("$readPreference.tags", tags, "array")) };
    let mut asks = false;
    for set in sets {
        let set = set?;
        let RawBsonRef::Document(set) = set else {
            return Err(wrong_type("$readPreference.tags.0", set, "object"));
        };
        check_tags(set)?;
        asks |= !set.is_empty();
    }
    Ok(asks)
}

fn check_tags(set: &RawDocument) -> Result<()> {
    for element in set {
        let (key, value) = element?;
        if value.as_str().is_none() {
            return Err(wrong_type(&format!("$readPreference.tags.0.{}", key.as_str()), value, "string"));
        }
    }
    Ok(())
}

/// Below this MongoDB refuses to judge.
const SMALLEST_STALENESS: f64 = 90.0;

fn parse_staleness(value: RawBsonRef<'_>) -> Result<f64> {
    let seconds =
        number(value).ok_or_else(|| wrong_type("$readPreference.maxStalenessSeconds", value, "int"))?;
    if seconds < 0.0 {
        return Err(CommandError::client(
            codes::BAD_VALUE,
            "maxStalenessSeconds must be a non-negative integer",
        ));
    }
    if seconds > 0.0 && seconds < SMALLEST_STALENESS {
        return Err(CommandError::client(
            codes::MAX_STALENESS_OUT_OF_RANGE,
            format!("maxStalenessSeconds value can not be less than {SMALLEST_STALENESS}"),
        ));
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::{RawDocumentBuf, rawdoc};

    fn parsed(preference: RawDocumentBuf) -> std::result::Result<Option<Pick>, i32> {
        parse(RawBsonRef::Document(&preference)).map_err(|error| error.code.0)
    }

    #[test]
    fn modes() {
        for (mode, pick) in [
            ("primary", None),
            ("primaryPreferred", Some(Pick::PrimaryPreferred)),
            ("secondary", Some(Pick::Standby)),
            ("secondaryPreferred", Some(Pick::StandbyPreferred)),
            ("nearest", Some(Pick::Nearest)),
        ] {
            assert_eq!(parsed(rawdoc! { "mode": mode }), Ok(pick));
        }
    }

    #[test]
    fn refusals() {
        assert_eq!(parsed(rawdoc! {}), Err(9));
        assert_eq!(parsed(rawdoc! { "mode": "any" }), Err(9));
        assert_eq!(parsed(rawdoc! { "mode": 1 }), Err(14));
        assert_eq!(parsed(rawdoc! { "mode": "primary", "tags": [{ "a": "b" }] }), Err(2));
        assert_eq!(parsed(rawdoc! { "mode": "primary", "tags": [{}] }), Ok(None));
        assert_eq!(parsed(rawdoc! { "mode": "nearest", "maxStalenessSeconds": 10 }), Err(160));
        assert_eq!(parsed(rawdoc! { "mode": "nearest", "maxStalenessSeconds": -1 }), Err(2));
        assert_eq!(
            parsed(rawdoc! { "mode": "nearest", "maxStalenessSeconds": 120 }),
            Ok(Some(Pick::Nearest))
        );
        assert_eq!(parsed(rawdoc! { "mode": "nearest", "what": 1 }), Err(40415));
        assert!(parse(RawBsonRef::Int32(1)).is_err());
    }
}
