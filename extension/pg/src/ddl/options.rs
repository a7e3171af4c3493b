//! Validators and views as create and collMod give them.

use engine::query::{ParseContext, Place, Query};
use engine::{Doc, DocWriter, Val, codes};

use super::fail;
use crate::catalog::{Level, Validator};
use crate::error::{Error, Result};
use crate::{guc, spec};

/// The three fields of a validator, as far as they are given.
#[derive(Default)]
pub struct ValidatorFields<'a> {
    /// `validator`
    pub filter: Option<Doc<'a>>,
    /// `validationLevel`
    pub level: Option<Level>,
    /// `validationAction`: true for error.
    pub refuse: Option<bool>,
}

impl<'a> ValidatorFields<'a> {
    /// Takes a field if it is one of the three.
    ///
    /// # Errors
    /// TypeMismatch and BadValue for their values; CommandNotSupported while validation is switched off.
    pub fn take(&mut self, command: &str, name: &str, v: Val<'a>) -> Result<bool> {
        match name {
            "validator" => {
                self.supported()?;
                let filter = spec::document(&format!("{command}.validator"), v)?;
                Query::parse(filter, &ParseContext { place: Place::Validator, ..ParseContext::default() })?;
                self.filter = Some(filter);
            }
            "validationLevel" => {
                self.supported()?;
                let path = format!("{command}.validationLevel");
                self.level = Some(match spec::string(&path, v)? {
                    "off" => Level::Off,
                    "strict" => Level::Strict,
                    "moderate" => Level::Moderate,
                    other => return Err(not_a_value(&path, other)),
                });
            }
            "validationAction" => {
                self.supported()?;
                let path = format!("{command}.validationAction");
                self.refuse = Some(match spec::string(&path, v)? {
                    "error" => true,
                    "warn" => false,
                    other => return Err(not_a_value(&path, other)),
                });
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn supported(&self) -> Result<()> {
        if guc::flag(c"documentdb.enableSchemaValidation") {
            return Ok(());
        }
        Err(fail(codes::COMMAND_NOT_SUPPORTED, "validator not supported yet"))
    }

    /// Any of them given?
    pub fn any(&self) -> bool {
        self.filter.is_some() || self.level.is_some() || self.refuse.is_some()
    }

    /// What `old` becomes with these fields.
    pub fn apply(&self, old: Option<&Validator>) -> Option<Validator> {
        let filter = match (self.filter, old) {
            (Some(f), _) => f.bytes().to_vec(),
            (None, Some(old)) => old.filter.clone(),
            (None, None) if self.any() => Doc::EMPTY.bytes().to_vec(),
            (None, None) => return None,
        };
        let level = self.level.or(old.map(|o| o.level)).unwrap_or(Level::Strict);
        let refuse = self.refuse.or(old.map(|o| o.refuse)).unwrap_or(true);
        Some(Validator { filter, level, refuse })
    }
}

fn not_a_value(path: &str, value: &str) -> Error {
    let message = format!("Enumeration value '{value}' for field '{path}' is not a valid value.");
    fail(codes::BAD_VALUE, message)
}

/// `{viewOn, pipeline, collation}` as the catalog keeps it; without a pipeline where none was given.
pub fn view_definition(view_on: &str, pipeline: Option<Doc<'_>>, collation: Option<Doc<'_>>) -> Vec<u8> {
    let mut w = DocWriter::new();
    w.put_str("viewOn", view_on);
    if let Some(pipeline) = pipeline {
        w.put_array("pipeline", pipeline);
    }
    if let Some(collation) = collation {
        w.put_doc("collation", collation);
    }
    w.finish()
}
