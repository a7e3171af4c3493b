//! `$jsonSchema`: JSON Schema draft 4 as MongoDB supports it (MongoDB manual, "$jsonSchema").

mod check;
mod equal;
mod parse;

pub(super) use equal::order;

use super::operand::Operand;
use super::regex::Regex;
use super::type_set::TypeSet;
use crate::decimal::Parts;
use crate::error::Result;
use crate::raw::{Doc, Val, ty};

/// A parsed schema. Keywords about one type say nothing about values of other types.
#[derive(Debug, Default)]
pub struct Schema {
    /// `type` or `bsonType`
    types: Option<TypeSet>,
    /// `enum`
    one_of_values: Option<Vec<Operand>>,
    numbers: Numbers,
    strings: Strings,
    arrays: Arrays,
    objects: Objects,
    all_of: Vec<Schema>,
    any_of: Vec<Schema>,
    one_of: Vec<Schema>,
    not: Option<Box<Schema>>,
}

/// A bound, and whether it is itself excluded.
#[derive(Debug)]
struct Limit {
    value: Operand,
    exclusive: bool,
}

#[derive(Debug, Default)]
struct Numbers {
    minimum: Option<Limit>,
    maximum: Option<Limit>,
    multiple_of: Option<Parts>,
}

/// Lengths count code points.
#[derive(Debug, Default)]
struct Strings {
    min_length: Option<u64>,
    max_length: Option<u64>,
    pattern: Option<Regex>,
}

#[derive(Debug, Default)]
struct Arrays {
    min_items: Option<u64>,
    max_items: Option<u64>,
    unique: bool,
    items: Items,
    /// For the elements behind those that `items` lists.
    additional: Additional,
}

#[derive(Debug, Default)]
enum Items {
    #[default]
    Any,
    /// One schema for all elements.
    Each(Box<Schema>),
    /// One schema for each position.
    List(Vec<Schema>),
}

#[derive(Debug, Default)]
enum Additional {
    #[default]
    Allowed,
    Forbidden,
    Schema(Box<Schema>),
}

#[derive(Debug, Default)]
struct Objects {
    properties: Vec<(Box<str>, Schema)>,
    patterns: Vec<(Regex, Schema)>,
    /// For the fields neither `properties` nor `patternProperties` names.
    additional: Additional,
    required: Vec<Box<str>>,
    min_properties: Option<u64>,
    max_properties: Option<u64>,
    dependencies: Vec<(Box<str>, Dependency)>,
}

/// What holds when a field is present.
#[derive(Debug)]
enum Dependency {
    Fields(Vec<Box<str>>),
    Schema(Box<Schema>),
}

impl Schema {
    /// Parses the operand of `$jsonSchema`.
    ///
    /// # Errors
    /// `TypeMismatch`, `FailedToParse` or `BadValue` for what is not a schema.
    pub fn parse(v: Val<'_>) -> Result<Self> {
        parse::root(v)
    }

    /// Does the document satisfy the schema?
    ///
    /// # Errors
    /// Those of a pattern that exceeds its limits.
    pub fn matches(&self, doc: Doc<'_>) -> Result<bool> {
        self.check(Val { ty: ty::DOCUMENT, bytes: doc.bytes() })
    }

    /// Does the value satisfy the schema?
    ///
    /// # Errors
    /// As [`Schema::matches`].
    pub fn accepts(&self, v: Val<'_>) -> Result<bool> {
        self.check(v)
    }
}

#[cfg(test)]
mod tests;
