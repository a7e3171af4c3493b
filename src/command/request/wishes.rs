//! What a read asks for that the proxy has to know of: noted in the one pass over its fields.
use bson::raw::RawBsonRef;

use super::super::options::{number, wrong_type};
use super::super::spec::Harmless;
use crate::error::{Code, CommandError, Result, codes};
use crate::reply::ok::is_true;

/// How a cursor follows a capped collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Its further pages may be empty.
    Polls,
    /// They wait for documents.
    Awaits,
}

/// The fields of a read that the proxy has to know of.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Wishes {
    tailable: bool,
    awaits: bool,
    /// `min` or `max`, whichever came last and is not empty.
    pub bound: Option<&'static str>,
    /// `noCursorTimeout`.
    pub no_timeout: bool,
    /// `singleBatch`: no cursor can be left.
    pub single: bool,
    /// The first count that is negative.
    negative: Option<(&'static str, f64)>,
}

impl Wishes {
    /// Takes note of a field.
    ///
    /// # Errors
    /// 14 for a flag that is no boolean.
    pub(super) fn set(&mut self, name: &str, value: RawBsonRef<'_>) -> Result<()> {
        let flag = || match value {
            RawBsonRef::Boolean(given) => Ok(given),
            other => Err(wrong_type(&format!("find.{name}"), other, "bool")),
        };
        match name {
            "tailable" => self.tailable = flag()?,
            "awaitData" => self.awaits = flag()?,
            "singleBatch" => self.single = matches!(value, RawBsonRef::Boolean(true)),
            "batchSize" => self.count("batchSize", value),
            "limit" => self.count("limit", value),
            "skip" => self.count("skip", value),
            "noCursorTimeout" => self.no_timeout = is_true(value),
            "min" if !Harmless::Empty.covers(value) => self.bound = Some("min"),
            "max" if !Harmless::Empty.covers(value) => self.bound = Some("max"),
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, name: &'static str, value: RawBsonRef<'_>) {
        if let Some(count) = number(value).filter(|count| *count < 0.0) {
            self.negative.get_or_insert((name, count));
        }
    }

    /// Counts that cannot be negative; what they are otherwise is the extension's to say.
    ///
    /// # Errors
    /// 51024 for the first one that is.
    pub(super) fn check_counts(&self) -> Result<()> {
        let Some((field, count)) = self.negative else { return Ok(()) };
        let message = format!("BSON field '{field}' value must be >= 0, actual value '{}'", count.trunc());
        Err(CommandError::client(Code(51_024), message))
    }

    /// Whether and how the cursor is a tailable one.
    ///
    /// # Errors
    /// 9 for a cursor that is to wait and is none.
    pub fn tail(self) -> Result<Option<Tail>> {
        match (self.tailable, self.awaits) {
            (false, false) => Ok(None),
            (false, true) => Err(CommandError::client(
                codes::FAILED_TO_PARSE,
                "Cannot set 'awaitData' without also setting 'tailable'",
            )),
            (true, false) => Ok(Some(Tail::Polls)),
            (true, true) => Ok(Some(Tail::Awaits)),
        }
    }
}
