//! `arrayFilters`: conditions that name array elements for `$[identifier]`.

use crate::error::{Error, Result};
use crate::query::{ParseContext, Place, Query};
use crate::raw::{Doc, Val};
use crate::{bail, codes};

/// The filters of one update, by identifier.
#[derive(Debug, Default)]
pub struct ArrayFilters(Vec<(Box<str>, Query)>);

impl ArrayFilters {
    /// Parses the `arrayFilters` array.
    ///
    /// # Errors
    /// `TypeMismatch` for an element that is no document, `FailedToParse` for one without, with several or with
    /// a repeated identifier, `BadValue` for an identifier MongoDB does not allow.
    pub fn parse(filters: Doc<'_>, cx: &ParseContext<'_>) -> Result<Self> {
        let mut parsed: Vec<(Box<str>, Query)> = Vec::new();
        for (i, v) in filters.values().enumerate() {
            let Some(filter) = v.as_doc() else {
                bail!(
                    codes::TYPE_MISMATCH,
                    "BSON field 'update.updates.arrayFilters.{i}' is the wrong type '{}', expected type 'object'",
                    v.type_name()
                );
            };
            let cx = ParseContext { place: Place::Element, ..*cx };
            let query = Query::parse(filter, &cx).map_err(in_filter)?;
            let Some(name) = identifier(filter).map_err(in_filter)? else {
                bail!(
                    codes::FAILED_TO_PARSE,
                    "Cannot use an expression without a top-level field name in arrayFilters"
                );
            };
            if parsed.iter().any(|(n, _)| **n == *name) {
                bail!(
                    codes::FAILED_TO_PARSE,
                    "Found multiple array filters with the same top-level field name {name}"
                );
            }
            parsed.push((name.into(), query));
        }
        Ok(Self(parsed))
    }

    /// The identifiers, in the order given.
    pub fn identifiers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name)
    }

    /// Has a filter with this identifier.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.identifiers().any(|n| n == name)
    }

    /// Does the filter choose this element?
    ///
    /// # Errors
    /// Those of matching.
    pub fn matches(&self, name: &str, element: Val<'_>) -> Result<bool> {
        match self.0.iter().find(|(n, _)| **n == *name) {
            Some((name, query)) => query.matches_value(name, element),
            None => Ok(false),
        }
    }
}

fn in_filter(e: Error) -> Error {
    Error::new(e.code, format!("Error parsing array filter :: caused by :: {}", e.message))
}

/// The one top-level name all conditions are on.
fn identifier(filter: Doc<'_>) -> Result<Option<&str>> {
    let mut found = None;
    collect(filter, &mut found)?;
    match found {
        Some(name) if !is_identifier(name) => bail!(
            codes::BAD_VALUE,
            "The top-level field name must be an alphanumeric string beginning with a lowercase letter, found '{name}'"
        ),
        found => Ok(found),
    }
}

fn collect<'f>(filter: Doc<'f>, found: &mut Option<&'f str>) -> Result<()> {
    for e in filter {
        match e.name() {
            "$and" | "$or" | "$nor" => {
                for branch in e.val.as_array().into_iter().flat_map(Doc::values).filter_map(Val::as_doc) {
                    collect(branch, found)?;
                }
            }
            name if name.starts_with('$') => {}
            name => {
                let top = name.split('.').next().unwrap_or(name);
                match *found {
                    Some(other) if other != top => bail!(
                        codes::FAILED_TO_PARSE,
                        "Expected a single top-level field name, found {other} and {top}"
                    ),
                    _ => *found = Some(top),
                }
            }
        }
    }
    Ok(())
}

/// A lowercase letter, then letters and digits.
fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(|c| c.is_ascii_alphanumeric())
}
