//! Rules of a schema.

use super::super::schema::{Schema, order};
use super::{operator, position, specified};
use crate::error::Result;
use crate::raw::{Doc, Elem, Val, ty};
use crate::value::{ArrayWriter, DocWriter, Value};

/// The order in which MongoDB's parser translates the keywords, and so in which they are told.
const ORDER: [&str; 24] = [
    "pattern",
    "maxLength",
    "minLength",
    "multipleOf",
    "maximum",
    "minimum",
    "minItems",
    "maxItems",
    "uniqueItems",
    "items",
    "additionalItems",
    "properties",
    "additionalProperties",
    "patternProperties",
    "required",
    "minProperties",
    "maxProperties",
    "dependencies",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "enum",
    "type",
];

/// The schema's keywords that `v` does not satisfy, each explained.
pub(super) fn rules(schema: Doc<'_>, v: Val<'_>) -> Result<Vec<u8>> {
    let mut list = ArrayWriter::new();
    for name in ORDER {
        let is_it = |e: &Elem<'_>| e.name() == name || (name == "type" && e.name() == "bsonType");
        if let Some(e) = schema.iter().find(is_it)
            && !alone(&e, schema)?.accepts(v)?
        {
            list.push(&Value::Document(rule(&e, schema, v)?));
        }
    }
    Ok(list.finish())
}

/// Does the schema of whole documents ask for something else than a document?
pub(super) fn is_for_no_document(schema: Doc<'_>) -> Result<bool> {
    let empty = Val { ty: ty::DOCUMENT, bytes: Doc::EMPTY.bytes() };
    match schema.iter().find(|e| matches!(e.name(), "type" | "bsonType")) {
        Some(e) => Ok(!alone(&e, schema)?.accepts(empty)?),
        None => Ok(false),
    }
}

/// The schema with this keyword alone, and those it can't do without.
fn alone(e: &Elem<'_>, schema: Doc<'_>) -> Result<Schema> {
    let companions: &[&str] = match e.name() {
        "minimum" => &["exclusiveMinimum"],
        "maximum" => &["exclusiveMaximum"],
        "additionalItems" => &["items"],
        "additionalProperties" => &["properties", "patternProperties"],
        _ => &[],
    };
    let mut w = DocWriter::new();
    w.put_elem(e);
    for name in companions {
        let Some(v) = schema.get(name) else { continue };
        // Only what these name or how many they are counts here, not what they ask for.
        match (e.name(), v.as_array()) {
            ("additionalProperties", _) => {
                let mut names = DocWriter::new();
                for p in v.as_doc().unwrap_or(Doc::EMPTY) {
                    names.put_doc(p.name(), Doc::EMPTY);
                }
                w.put_doc(name, Doc::trusted(&names.finish()));
            }
            ("additionalItems", Some(schemas)) => {
                let mut list = ArrayWriter::new();
                for _ in schemas {
                    list.push(&Value::Document(Doc::EMPTY.bytes().to_vec()));
                }
                w.put(name, &Value::Array(list.finish()));
            }
            ("additionalItems", None) => {}
            _ => {
                w.put_val(name, v);
            }
        }
    }
    Schema::parse(Val { ty: ty::DOCUMENT, bytes: &w.finish() })
}

fn rule(e: &Elem<'_>, schema: Doc<'_>, v: Val<'_>) -> Result<Vec<u8>> {
    let mut w = operator(e.name());
    let fields = v.as_doc().unwrap_or(Doc::EMPTY);
    match e.name() {
        "properties" => {
            let mut list = ArrayWriter::new();
            for p in e.val.as_doc().unwrap_or(Doc::EMPTY) {
                let (Some(sub), Some(value)) = (p.val.as_doc(), fields.get(p.name())) else { continue };
                property(&mut list, (p.name(), None), sub, value)?;
            }
            w.put("propertiesNotSatisfied", &Value::Array(list.finish()));
        }
        "required" => {
            specified(&mut w, e);
            w.put("missingProperties", &Value::Array(missing(e.val, fields, true)));
        }
        "additionalProperties" => additional_properties(&mut w, e, &alone(e, schema)?, fields)?,
        "patternProperties" => {
            let mut list = ArrayWriter::new();
            for p in e.val.as_doc().unwrap_or(Doc::EMPTY) {
                let mut one = DocWriter::new();
                one.put_elem(&p);
                let mut pattern = DocWriter::new();
                pattern.put_doc(e.name(), Doc::trusted(&one.finish()));
                let pattern = Schema::parse(Val { ty: ty::DOCUMENT, bytes: &pattern.finish() })?;
                if let (Some(f), Some(sub)) = (first_refused(&pattern, fields)?, p.val.as_doc()) {
                    property(&mut list, (f.name(), Some(p.name())), sub, f.val)?;
                }
            }
            w.put("details", &Value::Array(list.finish()));
        }
        "minProperties" | "maxProperties" => {
            specified(&mut w, e);
            w.put_str("reason", "specified number of properties was not satisfied");
            w.put("numberOfProperties", &position(fields.iter().count()));
        }
        "dependencies" => dependencies(&mut w, e.val, v)?,
        "items" => items(&mut w, e.val, v)?,
        "additionalItems" => {
            let listed = schema.get("items").and_then(Val::as_array).map_or(0, |list| list.iter().count());
            additional_items(&mut w, e, listed, v)?;
        }
        "allOf" | "anyOf" | "oneOf" => combination(&mut w, e, v)?,
        "not" => {
            w.put_str("reason", "child expression matched");
        }
        name => {
            let mut s = DocWriter::new();
            s.put_elem(e);
            for (bound, flag) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
                if name == bound && schema.get(flag).and_then(Val::as_bool) == Some(true) {
                    s.put(flag, &Value::Bool(true));
                }
            }
            w.put("specifiedAs", &Value::Document(s.finish()));
            w.put_str("reason", reason(name));
            w.put_val("consideredValue", v);
            match name {
                "uniqueItems" => duplicate(&mut w, v),
                "minItems" | "maxItems" => {
                    w.put("numberOfItems", &position(v.as_array().unwrap_or(Doc::EMPTY).iter().count()));
                }
                "type" | "bsonType" => {
                    w.put_str("consideredType", v.type_name());
                }
                _ => {}
            }
        }
    }
    Ok(w.finish())
}

fn reason(name: &str) -> &'static str {
    match name {
        "type" | "bsonType" => "type did not match",
        "enum" => "value was not found in enum",
        "minimum" | "maximum" => "comparison failed",
        "multipleOf" => "considered value is not a multiple of the specified value",
        "minLength" | "maxLength" => "specified string length was not satisfied",
        "pattern" => "regular expression did not match",
        "minItems" | "maxItems" => "array did not match specified length",
        "uniqueItems" => "found a duplicate item",
        _ => "the value did not satisfy the keyword",
    }
}

/// What the schema says about itself.
pub(super) fn annotations(w: &mut DocWriter, schema: Doc<'_>) {
    for text in ["title", "description"] {
        if let Some(v) = schema.get(text) {
            w.put_val(text, v);
        }
    }
}

/// A field with the rules that its value breaks, and the pattern that chose it.
fn property(
    list: &mut ArrayWriter,
    (name, pattern): (&str, Option<&str>),
    schema: Doc<'_>,
    v: Val<'_>,
) -> Result<()> {
    let details = rules(schema, v)?;
    if Doc::trusted(&details).is_empty() {
        return Ok(());
    }
    let mut w = DocWriter::new();
    w.put_str("propertyName", name);
    annotations(&mut w, schema);
    if let Some(pattern) = pattern {
        w.put_str("regexMatched", pattern);
    }
    w.put("details", &Value::Array(details));
    list.push(&Value::Document(w.finish()));
    Ok(())
}

/// Those of the `names` that are no field.
fn missing(names: Val<'_>, fields: Doc<'_>, sorted: bool) -> Vec<u8> {
    let mut missing: Vec<&str> =
        names.as_array().into_iter().flat_map(Doc::values).filter_map(Val::as_str).collect();
    missing.retain(|n| fields.get(n).is_none());
    if sorted {
        missing.sort_unstable();
    }
    let mut list = ArrayWriter::new();
    for name in missing {
        list.push(&Value::String(name.to_owned()));
    }
    list.finish()
}

/// The first field that a schema does not accept for itself.
fn first_refused<'d>(schema: &Schema, fields: Doc<'d>) -> Result<Option<Elem<'d>>> {
    for f in fields {
        let mut single = DocWriter::new();
        single.put_elem(&f);
        if !schema.matches(Doc::trusted(&single.finish()))? {
            return Ok(Some(f));
        }
    }
    Ok(None)
}

fn additional_properties(w: &mut DocWriter, e: &Elem<'_>, alone: &Schema, fields: Doc<'_>) -> Result<()> {
    if let Some(schema) = e.val.as_doc() {
        annotations(w, schema);
        w.put_str("reason", "at least one additional property did not match the subschema");
        if let Some(f) = first_refused(alone, fields)? {
            w.put_str("failingProperty", f.name());
            w.put("details", &Value::Array(rules(schema, f.val)?));
        }
        return Ok(());
    }
    specified(w, e);
    let mut names = ArrayWriter::new();
    for f in fields {
        let mut single = DocWriter::new();
        single.put_elem(&f);
        if !alone.matches(Doc::trusted(&single.finish()))? {
            names.push(&Value::String(f.name().to_owned()));
        }
    }
    w.put("additionalProperties", &Value::Array(names.finish()));
    Ok(())
}

fn dependencies(w: &mut DocWriter, dependencies: Val<'_>, v: Val<'_>) -> Result<()> {
    let dependencies = dependencies.as_doc().unwrap_or(Doc::EMPTY);
    let fields = v.as_doc().unwrap_or(Doc::EMPTY);
    let mut list = ArrayWriter::new();
    for d in dependencies.iter().filter(|d| fields.get(d.name()).is_some()) {
        let (member, details) = match d.val.as_doc() {
            Some(schema) => ("details", rules(schema, v)?),
            None => ("missingProperties", missing(d.val, fields, false)),
        };
        if !Doc::trusted(&details).is_empty() {
            let mut one = DocWriter::new();
            one.put_str("conditionalProperty", d.name());
            one.put(member, &Value::Array(details));
            list.push(&Value::Document(one.finish()));
        }
    }
    w.put("failingDependencies", &Value::Array(list.finish()));
    Ok(())
}

fn items(w: &mut DocWriter, items: Val<'_>, v: Val<'_>) -> Result<()> {
    if let Some(schema) = items.as_doc() {
        return each(w, "At least one item did not match the sub-schema", schema, 0, v);
    }
    let schemas = items.as_array().into_iter().flat_map(Doc::values).filter_map(Val::as_doc);
    let mut list = ArrayWriter::new();
    for (i, (item, schema)) in v.as_array().unwrap_or(Doc::EMPTY).values().zip(schemas).enumerate() {
        let details = rules(schema, item)?;
        if !Doc::trusted(&details).is_empty() {
            let mut one = DocWriter::new();
            // Here MongoDB writes a 64-bit position, and a 32-bit one elsewhere.
            one.put("itemIndex", &Value::Int64(i64::try_from(i).unwrap_or(i64::MAX)));
            one.put("details", &Value::Array(details));
            list.push(&Value::Document(one.finish()));
        }
    }
    w.put("details", &Value::Array(list.finish()));
    Ok(())
}

fn additional_items(w: &mut DocWriter, e: &Elem<'_>, listed: usize, v: Val<'_>) -> Result<()> {
    if let Some(schema) = e.val.as_doc() {
        return each(w, "At least one additional item did not match the sub-schema", schema, listed, v);
    }
    specified(w, e);
    w.put_str("reason", "found additional items");
    let mut list = ArrayWriter::new();
    for item in v.as_array().unwrap_or(Doc::EMPTY).values().skip(listed) {
        list.push_val(item);
    }
    w.put("additionalItems", &Value::Array(list.finish()));
    Ok(())
}

/// The first of the items from `start` on that the one schema for all of them refuses.
fn each(w: &mut DocWriter, reason: &str, schema: Doc<'_>, start: usize, v: Val<'_>) -> Result<()> {
    annotations(w, schema);
    w.put_str("reason", reason);
    for (i, item) in v.as_array().unwrap_or(Doc::EMPTY).values().enumerate().skip(start) {
        let details = rules(schema, item)?;
        if !Doc::trusted(&details).is_empty() {
            w.put("itemIndex", &position(i));
            w.put("details", &Value::Array(details));
            break;
        }
    }
    Ok(())
}

fn combination(w: &mut DocWriter, e: &Elem<'_>, v: Val<'_>) -> Result<()> {
    let mut failed = ArrayWriter::new();
    let mut matching = ArrayWriter::new();
    for (i, schema) in e.val.as_array().unwrap_or(Doc::EMPTY).values().enumerate() {
        let index = position(i);
        if Schema::parse(schema)?.accepts(v)? {
            matching.push(&index);
            continue;
        }
        let mut one = DocWriter::new();
        let rules_of = schema.as_doc().unwrap_or(Doc::EMPTY);
        one.put("index", &index);
        annotations(&mut one, rules_of);
        one.put("details", &Value::Array(rules(rules_of, v)?));
        failed.push(&Value::Document(one.finish()));
    }
    if e.name() == "oneOf" && !matching.is_empty() {
        w.put_str("reason", "more than one subschema matched");
        w.put("matchingSchemaIndexes", &Value::Array(matching.finish()));
    } else {
        w.put("schemasNotSatisfied", &Value::Array(failed.finish()));
    }
    Ok(())
}

/// The first item that is equal to one before it.
fn duplicate(w: &mut DocWriter, v: Val<'_>) {
    let mut values: Vec<_> = v.as_array().into_iter().flat_map(Doc::values).enumerate().collect();
    values.sort_by(|(_, a), (_, b)| order(*a, *b));
    let again = values.windows(2).filter_map(|p| match p {
        [(_, a), second @ (_, b)] if order(*a, *b).is_eq() => Some(second),
        _ => None,
    });
    if let Some((_, value)) = again.min_by_key(|(i, _)| *i) {
        w.put_val("duplicatedValue", *value);
    }
}
