//! From a document to a schema, with MongoDB's checks.

use super::super::operand::Operand;
use super::super::regex::Regex;
use super::super::type_set::TypeSet;
use super::equal::{equal, order};
use super::{Additional, Dependency, Items, Limit, Schema};
use crate::collation::Collation;
use crate::error::Result;
use crate::number::{self, Truncated};
use crate::raw::{Doc, Elem, Val, ty};
use crate::{bail, codes, decimal, display};

pub(super) fn root(v: Val<'_>) -> Result<Schema> {
    match v.as_doc() {
        Some(d) => schema(d),
        None => bail!(codes::TYPE_MISMATCH, "$jsonSchema must be an object"),
    }
}

fn schema(d: Doc<'_>) -> Result<Schema> {
    let mut s = Schema::default();
    let mut seen: Vec<&str> = Vec::new();
    for e in d {
        if seen.contains(&e.name()) {
            bail!(codes::FAILED_TO_PARSE, "Duplicate $jsonSchema keyword: {}", e.name());
        }
        seen.push(e.name());
        keyword(&mut s, &e, d)?;
    }
    let both = |a, b| seen.contains(&a) && seen.contains(&b);
    if both("type", "bsonType") {
        bail!(codes::FAILED_TO_PARSE, "Cannot specify both $jsonSchema keywords 'type' and 'bsonType'");
    }
    for (flag, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if seen.contains(&flag) && !seen.contains(&bound) {
            bail!(
                codes::FAILED_TO_PARSE,
                "$jsonSchema keyword '{bound}' must be a present if {flag} is present"
            );
        }
    }
    Ok(s)
}

fn keyword(s: &mut Schema, e: &Elem<'_>, whole: Doc<'_>) -> Result<()> {
    let v = e.val;
    match e.name() {
        "title" | "description" => {
            if v.as_str().is_none() {
                bail!(codes::TYPE_MISMATCH, "$jsonSchema keyword '{}' must be of type string", e.name());
            }
        }
        "type" => s.types = Some(types(e, json_type)?),
        "bsonType" => s.types = Some(types(e, TypeSet::add_alias)?),
        "enum" => s.one_of_values = Some(values(e)?),
        "minimum" => s.numbers.minimum = Some(limit(e, whole.get("exclusiveMinimum"))?),
        "maximum" => s.numbers.maximum = Some(limit(e, whole.get("exclusiveMaximum"))?),
        "exclusiveMinimum" | "exclusiveMaximum" => {
            flag(e)?;
        }
        "multipleOf" => s.numbers.multiple_of = Some(multiple_of(e)?),
        "minLength" => s.strings.min_length = Some(count(e)?),
        "maxLength" => s.strings.max_length = Some(count(e)?),
        "pattern" => match v.as_str() {
            Some(p) => s.strings.pattern = Some(Regex::new(p, "")?),
            None => bail!(codes::TYPE_MISMATCH, "$jsonSchema keyword 'pattern' must be a string"),
        },
        "minItems" => s.arrays.min_items = Some(count(e)?),
        "maxItems" => s.arrays.max_items = Some(count(e)?),
        "uniqueItems" => s.arrays.unique = flag(e)?,
        "items" => s.arrays.items = items(v)?,
        "additionalItems" => s.arrays.additional = additional(e, "either an object or a boolean")?,
        "properties" => s.objects.properties = properties(e)?,
        "patternProperties" => s.objects.patterns = patterns(e)?,
        "additionalProperties" => s.objects.additional = additional(e, "an object or a boolean")?,
        "required" => s.objects.required = names(e)?,
        "minProperties" => s.objects.min_properties = Some(count(e)?),
        "maxProperties" => s.objects.max_properties = Some(count(e)?),
        "dependencies" => s.objects.dependencies = dependencies(e)?,
        "allOf" => s.all_of = schemas(e)?,
        "anyOf" => s.any_of = schemas(e)?,
        "oneOf" => s.one_of = schemas(e)?,
        "not" => match v.as_doc() {
            Some(d) => s.not = Some(Box::new(schema(d)?)),
            None => mismatch(e, "an object, but found an element of type", v)?,
        },
        name @ ("$ref" | "$schema" | "default" | "definitions" | "format" | "id" | "encrypt"
        | "encryptMetadata" | "keyId") => {
            bail!(codes::FAILED_TO_PARSE, "$jsonSchema keyword '{name}' is not currently supported")
        }
        name => bail!(codes::FAILED_TO_PARSE, "Unknown $jsonSchema keyword: {name}"),
    }
    Ok(())
}

fn mismatch<T>(e: &Elem<'_>, wanted: &str, found: Val<'_>) -> Result<T> {
    bail!(codes::TYPE_MISMATCH, "$jsonSchema keyword '{}' must be {wanted} {}", e.name(), found.type_name())
}

/// A type name of JSON Schema. True when there is one of that name.
fn json_type(set: &mut TypeSet, name: &str) -> bool {
    match name {
        "boolean" => set.add(ty::BOOL),
        "object" | "array" | "string" | "null" | "number" => {
            set.add_alias(name);
        }
        _ => return false,
    }
    true
}

fn types(e: &Elem<'_>, add: impl Fn(&mut TypeSet, &str) -> bool) -> Result<TypeSet> {
    let name = e.name();
    let list: Vec<Val<'_>> = match e.val.as_array() {
        Some(a) => a.values().collect(),
        None if e.val.ty == ty::STRING => vec![e.val],
        None => bail!(
            codes::TYPE_MISMATCH,
            "$jsonSchema keyword '{name}' must be either a string or an array of strings"
        ),
    };
    let mut set = TypeSet::default();
    let mut seen = Vec::new();
    for v in list {
        let Some(alias) = v.as_str() else {
            bail!(codes::TYPE_MISMATCH, "$jsonSchema keyword '{name}' array elements must be strings");
        };
        if name == "type" && alias == "integer" {
            bail!(codes::FAILED_TO_PARSE, "$jsonSchema type 'integer' is not currently supported.");
        }
        if seen.contains(&alias) {
            bail!(
                codes::FAILED_TO_PARSE,
                "$jsonSchema keyword '{name}' has duplicate value: {}",
                display::value(v)
            );
        }
        seen.push(alias);
        if !add(&mut set, alias) {
            // The leading blank is part of the message.
            bail!(codes::BAD_VALUE, "Unknown type name alias: {alias}");
        }
    }
    if set.is_empty() {
        bail!(codes::FAILED_TO_PARSE, "$jsonSchema keyword '{name}' must name at least one type");
    }
    Ok(set)
}

fn values(e: &Elem<'_>) -> Result<Vec<Operand>> {
    let Some(list) = e.val.as_array() else {
        return mismatch(e, "an array, but found an element of type", e.val);
    };
    if list.is_empty() {
        bail!(codes::FAILED_TO_PARSE, "$jsonSchema keyword 'enum' cannot be an empty array");
    }
    let mut values: Vec<Val<'_>> = list.values().collect();
    values.sort_by(|a, b| order(*a, *b));
    if values.windows(2).any(|w| matches!(w, [a, b] if equal(*a, *b))) {
        bail!(codes::FAILED_TO_PARSE, "$jsonSchema keyword 'enum' array cannot contain duplicate values.");
    }
    Ok(values.into_iter().map(|v| Operand::new(v, &Collation::SIMPLE)).collect())
}

fn limit(e: &Elem<'_>, exclusive: Option<Val<'_>>) -> Result<Limit> {
    if !e.val.is_number() {
        bail!(codes::TYPE_MISMATCH, "$jsonSchema keyword '{}' must be a number", e.name());
    }
    let exclusive = exclusive.and_then(Val::as_bool).unwrap_or(false);
    Ok(Limit { value: Operand::new(e.val, &Collation::SIMPLE), exclusive })
}

fn flag(e: &Elem<'_>) -> Result<bool> {
    match e.val.as_bool() {
        Some(b) => Ok(b),
        None => bail!(codes::TYPE_MISMATCH, "$jsonSchema keyword '{}' must be a boolean", e.name()),
    }
}

fn multiple_of(e: &Elem<'_>) -> Result<decimal::Parts> {
    if !e.val.is_number() {
        bail!(codes::TYPE_MISMATCH, "$jsonSchema keyword 'multipleOf' must be a number");
    }
    let parts = match e.val.view() {
        crate::raw::View::Double(d) => decimal::from_f64_15(d),
        _ => decimal::of_value(e.val).unwrap_or(decimal::Parts::NaN),
    };
    let zero = decimal::from_i64(0);
    if decimal::compare_parts(parts, zero).is_le() {
        bail!(codes::FAILED_TO_PARSE, "$jsonSchema keyword 'multipleOf' must have a positive value");
    }
    Ok(parts)
}

fn count(e: &Elem<'_>) -> Result<u64> {
    let shown = || format!("{}: {}", e.name(), display::value(e.val));
    match number::truncate_i64(e.val) {
        None => bail!(codes::FAILED_TO_PARSE, "Expected a number in: {}", shown()),
        Some(Truncated::Int(n)) if number::exact_i64(e.val) == Some(n) => match u64::try_from(n) {
            Ok(n) => Ok(n),
            Err(_) => bail!(codes::FAILED_TO_PARSE, "Expected a non-negative number in: {}", shown()),
        },
        Some(Truncated::OutOfRange) => {
            bail!(codes::FAILED_TO_PARSE, "Cannot represent as a 64-bit integer: {}", shown())
        }
        Some(_) => bail!(codes::FAILED_TO_PARSE, "Expected an integer: {}", shown()),
    }
}

fn items(v: Val<'_>) -> Result<Items> {
    if let Some(d) = v.as_doc() {
        return Ok(Items::Each(Box::new(schema(d)?)));
    }
    let Some(list) = v.as_array() else {
        bail!(
            codes::TYPE_MISMATCH,
            "$jsonSchema keyword 'items' must be an array or an object, not {}",
            v.type_name()
        );
    };
    let one = |v: Val<'_>| match v.as_doc() {
        Some(d) => schema(d),
        None => bail!(
            codes::TYPE_MISMATCH,
            "$jsonSchema keyword 'items' requires that each element of the array is an object, but found a {}",
            v.type_name()
        ),
    };
    Ok(Items::List(list.values().map(one).collect::<Result<_>>()?))
}

fn additional(e: &Elem<'_>, wanted: &str) -> Result<Additional> {
    match (e.val.as_bool(), e.val.as_doc()) {
        (Some(true), _) => Ok(Additional::Allowed),
        (Some(false), _) => Ok(Additional::Forbidden),
        (None, Some(d)) => Ok(Additional::Schema(Box::new(schema(d)?))),
        (None, None) => {
            bail!(codes::TYPE_MISMATCH, "$jsonSchema keyword '{}' must be {wanted}", e.name())
        }
    }
}

fn object<'v>(e: &Elem<'v>) -> Result<Doc<'v>> {
    match e.val.as_doc() {
        Some(d) => Ok(d),
        None => bail!(codes::TYPE_MISMATCH, "$jsonSchema keyword '{}' must be an object", e.name()),
    }
}

fn properties(e: &Elem<'_>) -> Result<Vec<(Box<str>, Schema)>> {
    let one = |p: Elem<'_>| match p.val.as_doc() {
        Some(d) => Ok((p.name().into(), schema(d)?)),
        None => bail!(
            codes::TYPE_MISMATCH,
            "Nested schema for $jsonSchema property '{}' must be an object",
            p.name()
        ),
    };
    object(e)?.iter().map(one).collect()
}

fn patterns(e: &Elem<'_>) -> Result<Vec<(Regex, Schema)>> {
    let one = |p: Elem<'_>| match p.val.as_doc() {
        Some(d) => Ok((Regex::new(p.name(), "")?, schema(d)?)),
        None => bail!(
            codes::TYPE_MISMATCH,
            "$jsonSchema keyword 'patternProperties' has property '{}' which is not an object",
            p.name()
        ),
    };
    object(e)?.iter().map(one).collect()
}

/// A list of different strings, at least one.
fn names(e: &Elem<'_>) -> Result<Vec<Box<str>>> {
    let Some(list) = e.val.as_array() else {
        return mismatch(e, "an array, but found an element of type", e.val);
    };
    let mut names: Vec<Box<str>> = Vec::new();
    for v in list.values() {
        match v.as_str() {
            None => return mismatch(e, "an array of strings, but found an element of type", v),
            Some(s) if names.iter().any(|n| **n == *s) => bail!(
                codes::FAILED_TO_PARSE,
                "$jsonSchema keyword '{}' array cannot contain duplicate values",
                e.name()
            ),
            Some(s) => names.push(s.into()),
        }
    }
    if names.is_empty() {
        bail!(codes::FAILED_TO_PARSE, "$jsonSchema keyword '{}' cannot be an empty array", e.name());
    }
    Ok(names)
}

fn dependencies(e: &Elem<'_>) -> Result<Vec<(Box<str>, Dependency)>> {
    let one = |p: Elem<'_>| {
        let dependency = match (p.val.as_doc(), p.val.ty) {
            (Some(d), _) => Dependency::Schema(Box::new(schema(d)?)),
            (None, ty::ARRAY) => Dependency::Fields(names(&p)?),
            _ => bail!(
                codes::TYPE_MISMATCH,
                "$jsonSchema keyword 'dependencies' must be an object or an array, but found an element of type {}",
                p.val.type_name()
            ),
        };
        Ok((p.name().into(), dependency))
    };
    object(e)?.iter().map(one).collect()
}

fn schemas(e: &Elem<'_>) -> Result<Vec<Schema>> {
    let Some(list) = e.val.as_array() else {
        bail!(codes::TYPE_MISMATCH, "$jsonSchema keyword '{}' must be an array", e.name());
    };
    if list.is_empty() {
        bail!(codes::BAD_VALUE, "$jsonSchema keyword '{}' must be a non-empty array", e.name());
    }
    let one = |v: Val<'_>| match v.as_doc() {
        Some(d) => schema(d),
        None => mismatch(e, "an array of objects, but found an element of type", v),
    };
    list.values().map(one).collect()
}
