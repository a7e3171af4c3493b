//! Sets of BSON types: `$type`, `bsonType`.

use crate::error::Result;
use crate::raw::{Val, View, ty};
use crate::{bail, codes, number};

/// A set of types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TypeSet {
    bits: u32,
}

const NUMBERS: [u8; 4] = [ty::DOUBLE, ty::INT32, ty::INT64, ty::DECIMAL128];

fn bit(t: u8) -> u32 {
    match t {
        ty::MIN_KEY => 1 << 30,
        ty::MAX_KEY => 1 << 31,
        t if t < 30 => 1 << t,
        _ => 0,
    }
}

impl TypeSet {
    /// Is the type in the set?
    #[must_use]
    pub fn contains(self, t: u8) -> bool {
        self.bits & bit(t) != 0
    }

    /// Adds a type.
    pub fn add(&mut self, t: u8) {
        self.bits |= bit(t);
    }

    /// Has no type.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// Adds the types an alias stands for. False when there is no such alias.
    pub fn add_alias(&mut self, alias: &str) -> bool {
        if alias == "number" {
            NUMBERS.into_iter().for_each(|t| self.add(t));
            return true;
        }
        let Some(t) = type_of_alias(alias) else { return false };
        self.add(t);
        true
    }

    /// Parses the operand of `$type` for the field `path`.
    ///
    /// # Errors
    /// `FailedToParse` for an empty list, `BadValue` for anything that names no type.
    pub fn parse(v: Val<'_>, path: &str) -> Result<Self> {
        let mut set = TypeSet::default();
        match v.as_array() {
            None => set.add_one(v)?,
            Some(list) => {
                for v in list.values() {
                    set.add_one(v)?;
                }
            }
        }
        if set.is_empty() {
            bail!(codes::FAILED_TO_PARSE, "{path} must match at least one type");
        }
        Ok(set)
    }

    fn add_one(&mut self, v: Val<'_>) -> Result<()> {
        if let View::String(alias) = v.view() {
            if !self.add_alias(alias) {
                bail!(codes::BAD_VALUE, "Unknown type name alias: {alias}");
            }
            return Ok(());
        }
        if !v.is_number() {
            bail!(codes::TYPE_MISMATCH, "type must be represented as a number or a string");
        }
        match number::exact_i64(v) {
            Some(-1) => self.add(ty::MIN_KEY),
            Some(127) => self.add(ty::MAX_KEY),
            Some(code @ 1..=19) => self.add(u8::try_from(code).unwrap_or(0)),
            Some(0) => {
                bail!(codes::BAD_VALUE, "Invalid numerical type code: 0. Instead use {{$exists:false}}.")
            }
            Some(code) => bail!(codes::BAD_VALUE, "Invalid numerical type code: {code}"),
            None => {
                let shown = crate::display::double(number::to_f64(v));
                let shown = shown.strip_suffix(".0").unwrap_or(&shown);
                bail!(codes::BAD_VALUE, "Invalid numerical type code: {shown}")
            }
        }
        Ok(())
    }
}

/// The type behind one of MongoDB's aliases (MongoDB manual, "BSON Types"). `"number"` is not one type.
#[must_use]
pub fn type_of_alias(alias: &str) -> Option<u8> {
    (1..=19).chain([ty::MIN_KEY, ty::MAX_KEY]).find(|t| crate::raw::type_name(*t) == alias)
}
