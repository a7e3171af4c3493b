//! What an expression is parsed and evaluated against.

use super::Expr;
use crate::collation::Collation;
use crate::error::Result;
use crate::meta::Known;
use crate::raw::Doc;
use crate::value::Value;
use crate::{bail, codes};
use std::rc::Rc;

/// A variable of the command's or a `$lookup`'s `let`.
#[derive(Clone, Debug, PartialEq)]
pub enum Binding {
    /// Its value; `None` is missing.
    Value(Option<Value>),
    /// Known by name only: the pipeline is parsed to check it, and parsed again when the value is there.
    Unknown,
}

/// The variables in scope outside of the expression. Copies share the values, which may be whole documents.
#[derive(Clone, Debug, Default)]
pub struct Variables(Vec<(Rc<str>, Rc<Binding>)>);

impl Variables {
    /// No variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Evaluates a command's `let` document: constants and expressions without fields, which may name the variables
    /// before them (MongoDB's `seedVariablesWithLetParameters`).
    ///
    /// # Errors
    /// For a name no user variable may have, 4890500 for an expression that reads the document, and those of the
    /// expressions.
    pub fn from_let(spec: Doc<'_>, now: i64, collation: &Collation) -> Result<Self> {
        let mut cx = ParseContext { now, collation: collation.clone(), ..ParseContext::default() };
        for e in spec {
            super::parse::check_name(e.name(), true)?;
            let expr = Expr::parse(e.val, &cx)?;
            if expr.reads_document() {
                bail!(
                    codes::LOCATION4890500,
                    "Command let Expression tried to access a field, but this is not allowed because Command Let \
                     expressions run before the query examines any documents."
                );
            }
            let value = expr.eval(&EvalContext::new(Doc::EMPTY))?;
            cx.variables.set(e.name(), Binding::Value(value));
        }
        Ok(cx.variables)
    }

    /// Binds `name`, hiding an earlier binding.
    pub fn set(&mut self, name: impl Into<Rc<str>>, binding: Binding) {
        self.0.push((name.into(), Rc::new(binding)));
    }

    /// The innermost binding of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Binding> {
        self.0.iter().rev().find(|(n, _)| &**n == name).map(|(_, b)| &**b)
    }

    /// Every binding, outermost first; a later one hides an earlier one of the same name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Binding)> {
        self.0.iter().map(|(n, b)| (&**n, &**b))
    }
}

/// What parsing needs to know beyond the expression.
#[derive(Clone, Debug, Default)]
pub struct ParseContext {
    /// `let` variables of the command or of an enclosing `$lookup`.
    pub variables: Variables,
    /// `$$NOW`: milliseconds since 1970, fixed for the whole command.
    pub now: i64,
    /// `$$KEEP`, `$$PRUNE`, `$$DESCEND` exist (in `$redact` only).
    pub redact: bool,
    /// Accumulators that only windows have exist (in `$setWindowFields`).
    pub windows: bool,
    /// How strings compare.
    pub collation: Collation,
    /// What documents carry, for `$meta`.
    pub known: Known,
}

/// What evaluation needs: the document and the bound variables.
#[derive(Clone, Copy)]
pub struct EvalContext<'a> {
    pub(super) root: Doc<'a>,
    pub(super) scope: Option<&'a Bound<'a>>,
}

/// One variable bound by `$let`, `$map`, `$filter` or `$reduce`.
#[derive(Clone, Copy)]
pub(super) struct Bound<'a> {
    pub name: &'a str,
    pub value: &'a Option<Value>,
    pub outer: Option<&'a Bound<'a>>,
}

impl<'a> EvalContext<'a> {
    /// Evaluation against `root` without bound variables.
    #[must_use]
    pub fn new(root: Doc<'a>) -> Self {
        Self { root, scope: None }
    }

    pub(super) fn lookup(&self, name: &str) -> Option<&'a Option<Value>> {
        let mut at = self.scope;
        while let Some(b) = at {
            if b.name == name {
                return Some(b.value);
            }
            at = b.outer;
        }
        None
    }
}
