//! `$expr`: an aggregation expression as a filter.

use super::context::ParseContext;
use crate::error::Result;
use crate::expr::{self, EvalContext, Expr};
use crate::meta::Known;
use crate::raw::{Doc, Val};
use crate::value::Value;

/// A parsed `$expr`.
#[derive(Debug)]
pub struct ExprFilter(Expr);

impl ExprFilter {
    /// Parses the operand of `$expr`.
    ///
    /// # Errors
    /// Those of the expression.
    pub fn parse(expression: Val<'_>, cx: &ParseContext<'_>) -> Result<Self> {
        let variables = cx.variables.cloned().unwrap_or_default();
        Ok(Self(Expr::parse(
            expression,
            &expr::ParseContext {
                variables,
                now: cx.now,
                redact: false,
                windows: false,
                known: Known::default(),
                collation: cx.strings().clone(),
            },
        )?))
    }

    /// See [`Expr::equalities`].
    pub(super) fn equalities(&self, found: &mut Vec<(String, Vec<crate::value::Value>)>) {
        self.0.equalities(found);
    }

    /// The expression's value for the document; `None` where it is missing.
    ///
    /// # Errors
    /// Those of the expression's evaluation.
    pub fn value(&self, doc: Doc<'_>) -> Result<Option<Value>> {
        self.0.eval(&EvalContext::new(doc))
    }

    /// Is the expression true (neither false, null, missing nor zero) for the document?
    ///
    /// # Errors
    /// Those of the expression's evaluation.
    pub fn matches(&self, doc: Doc<'_>) -> Result<bool> {
        self.0.eval_bool(&EvalContext::new(doc))
    }
}
