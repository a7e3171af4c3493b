//! `$jsonSchema`.

use crate::error::Result;
use crate::raw::{Doc, Val};
use crate::{bail, codes};

/// A parsed schema.
#[derive(Debug)]
pub enum Schema {}

impl Schema {
    /// Parses a schema.
    ///
    /// # Errors
    /// `CommandNotSupported`: this build has no schemas.
    pub fn parse(_v: Val<'_>) -> Result<Self> {
        bail!(codes::COMMAND_NOT_SUPPORTED, "$jsonSchema is not supported yet");
    }

    /// Does the document satisfy the schema?
    ///
    /// # Errors
    /// Those of a pattern that exceeds its limits.
    pub fn matches(&self, _doc: Doc<'_>) -> Result<bool> {
        match *self {}
    }
}
