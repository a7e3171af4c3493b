//! What the operations of one command share.

use engine::collation::Collation;
use engine::expr::{Binding, Variables};
use engine::query::{ParseContext, Query};
use engine::{Doc, Value};
use pgrx::pg_sys;

use crate::error::Result;

/// Variables and time of a command.
#[derive(Default)]
pub struct Context {
    variables: Option<Variables>,
    now: i64,
}

impl Context {
    /// For a command with this `let`.
    ///
    /// # Errors
    /// Those of the variables' expressions.
    pub fn new(variables: Option<Doc<'_>>) -> Result<Self> {
        /// PostgreSQL counts from 2000-01-01T00:00:00Z, in microseconds.
        const EPOCH_MS: i64 = 946_684_800_000;
        // SAFETY: reads a variable of the backend.
        let now = unsafe { pg_sys::GetCurrentStatementStartTimestamp() }.div_euclid(1_000) + EPOCH_MS;
        let variables = variables.map(|d| Variables::from_let(d, now, &Collation::SIMPLE)).transpose()?;
        Ok(Context { variables, now })
    }

    /// With variables that have their values already.
    pub fn with(variables: Variables) -> Result<Self> {
        Ok(Context { variables: Some(variables), ..Context::new(None)? })
    }

    /// The variables, and `constants` of one statement beside them.
    pub fn with_constants(&self, constants: Doc<'_>) -> Variables {
        let mut variables = self.variables.clone().unwrap_or_default();
        for e in constants {
            variables.set(e.name(), Binding::Value(Some(Value::from(e.val))));
        }
        variables
    }

    /// What the engine wants to know to parse filters, updates and projections.
    pub fn parse<'p>(&'p self, collation: &'p Collation) -> ParseContext<'p> {
        ParseContext {
            variables: self.variables.as_ref(),
            now: self.now,
            collation: Some(collation),
            ..ParseContext::default()
        }
    }

    /// The time of the command, in milliseconds since 1970.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Parses an operation's filter.
    pub fn query(&self, filter: Doc<'_>, collation: &Collation) -> Result<Query> {
        Ok(Query::parse(filter, &self.parse(collation))?)
    }
}
