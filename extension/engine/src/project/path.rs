//! Field paths of projections.

use crate::error::Result;
use crate::{bail, codes};

/// Checks `path` and takes it apart.
///
/// # Errors
/// 40352, 40353 and 15998 for empty components, 16410 for one that begins with a dollar sign.
pub fn split(path: &str) -> Result<Vec<&str>> {
    if path.is_empty() {
        bail!(codes::LOCATION40352, "FieldPath cannot be constructed with empty string");
    }
    if path.ends_with('.') {
        bail!(codes::LOCATION40353, "FieldPath must not end with a '.'.");
    }
    let parts: Vec<&str> = path.split('.').collect();
    for part in &parts {
        if part.is_empty() {
            bail!(codes::LOCATION15998, "FieldPath field names may not be empty strings.");
        }
        if part.starts_with('$') {
            bail!(
                codes::LOCATION16410,
                "FieldPath field names may not start with '$'. Consider using $getField or $setField."
            );
        }
    }
    Ok(parts)
}
