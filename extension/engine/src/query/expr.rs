//! `$expr`: an aggregation expression as a filter.

use super::context::ParseContext;
use crate::error::Result;
use crate::raw::{Doc, Val};
use crate::{bail, codes};

/// A parsed `$expr`.
#[derive(Debug)]
pub enum ExprFilter {}

impl ExprFilter {
    /// Parses the operand of `$expr`.
    ///
    /// # Errors
    /// `CommandNotSupported`: this build has no expressions.
    pub fn parse(_expression: Val<'_>, _cx: &ParseContext<'_>) -> Result<Self> {
        bail!(codes::COMMAND_NOT_SUPPORTED, "$expr is not supported yet");
    }

    /// Is the expression true (neither false, null, missing nor zero) for the document?
    ///
    /// # Errors
    /// Those of the expression's evaluation.
    pub fn matches(&self, _doc: Doc<'_>) -> Result<bool> {
        match *self {}
    }
}
