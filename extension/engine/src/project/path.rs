//! Field paths of projections.

use crate::error::Result;
use crate::{bail, codes};

/// Checks `path` and takes it apart.
///
/// # Errors
/// `FailedToParse` for empty components, 16410 for one that begins with a dollar sign.
pub fn split(path: &str) -> Result<Vec<&str>> {
    if path.is_empty() {
        bail!(codes::FAILED_TO_PARSE, "FieldPath cannot be constructed with empty string.");
    }
    if path.ends_with('.') {
        bail!(codes::FAILED_TO_PARSE, "FieldPath must not end with a '.'.");
    }
    let parts: Vec<&str> = path.split('.').collect();
    for part in &parts {
        if part.is_empty() {
            bail!(codes::FAILED_TO_PARSE, "FieldPath field names may not be empty strings.");
        }
        if part.starts_with('$') {
            bail!(
                codes::LOCATION16410,
                "FieldPath field names may not start with '$'. Consider using $getField or $setField"
            );
        }
    }
    Ok(parts)
}
