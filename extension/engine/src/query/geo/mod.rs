//! Geospatial predicates.

use super::context::{ParseContext, Place};
use crate::error::Result;
use crate::raw::{Doc, Val};
use crate::{bail, codes};

/// A parsed geospatial predicate.
#[derive(Debug)]
pub enum GeoPredicate {}

impl GeoPredicate {
    /// Parses `$geoWithin` or `$geoIntersects`.
    ///
    /// # Errors
    /// `CommandNotSupported`: this build has no geometry.
    pub fn parse(name: &str, _v: Val<'_>) -> Result<Self> {
        bail!(codes::COMMAND_NOT_SUPPORTED, "{name} is not supported yet");
    }

    /// Looks for `$near` and its companions in a document of operators.
    ///
    /// # Errors
    /// `UnableToFindIndex`: there is no geospatial index to answer it.
    pub fn parse_near(d: Doc<'_>, _path: &str, cx: &ParseContext<'_>) -> Result<Option<Self>> {
        let near = d.iter().any(|e| matches!(e.name(), "$near" | "$nearSphere" | "$geoNear"));
        if near && cx.place == Place::Match {
            bail!(codes::LOCATION5626500, "$geoNear, $near, and $nearSphere are not allowed in this context");
        }
        if near {
            bail!(
                codes::UNABLE_TO_FIND_INDEX,
                "planner returned error :: caused by :: unable to find index for $geoNear query"
            );
        }
        Ok(None)
    }

    /// Tests a value.
    #[must_use]
    pub fn test(&self, _v: Val<'_>) -> bool {
        match *self {}
    }
}
