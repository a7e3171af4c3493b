//! What a find asks for that the proxy has to know of: noted in the one pass over its fields.
use bson::raw::RawBsonRef;

use super::super::options::wrong_type;
use super::super::spec::Harmless;
use crate::error::{CommandError, Result, codes};
use crate::reply::ok::is_true;

/// How a cursor follows a capped collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Its further pages may be empty.
    Polls,
    /// They wait for documents.
    Awaits,
}

/// The fields of a find that the proxy has to know of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wishes {
    tailable: bool,
    awaits: bool,
    /// `min` or `max`, whichever came last and is not empty.
    pub bound: Option<&'static str>,
    /// `noCursorTimeout`.
    pub no_timeout: bool,
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
            "noCursorTimeout" => self.no_timeout = is_true(value),
            "min" if !Harmless::Empty.covers(value) => self.bound = Some("min"),
            "max" if !Harmless::Empty.covers(value) => self.bound = Some("max"),
            _ => {}
        }
        Ok(())
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
