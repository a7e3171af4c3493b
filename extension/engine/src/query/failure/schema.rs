//! Rules of a schema.

use super::super::schema::Schema;
use super::{operator, specified};
use crate::compare;
use crate::error::Result;
use crate::raw::{Doc, Elem, Val, ty};
use crate::value::{ArrayWriter, DocWriter, Value};

/// The schema's keywords that `v` does not satisfy, each explained.
pub(super) fn rules(schema: Doc<'_>, v: Val<'_>) -> Result<Vec<u8>> {
    let mut list = ArrayWriter::new();
    for e in schema {
        if !alone(&e, schema)?.accepts(v)? {
            list.push(&Value::Document(rule(&e, schema, v)?));
        }
    }
    Ok(list.finish())
}

/// The schema with this keyword alone, and those it can't do without.
fn alone(e: &Elem<'_>, schema: Doc<'_>) -> Result<Schema> {
    let companions: &[&str] = match e.name() {
        "minimum" => &["exclusiveMinimum"],
        "maximum" => &["exclusiveMaximum"],
        // These say nothing without the keyword they belong to, which explains them.
        "exclusiveMinimum" | "exclusiveMaximum" => return Ok(Schema::default()),
        "additionalItems" => &["items"],
        "additionalProperties" => &["properties", "patternProperties"],
        _ => &[],
    };
    let mut w = DocWriter::new();
    w.put_elem(e);
    for name in companions {
        match (schema.get(name), e.name()) {
            (Some(v), "additionalProperties") => {
                // Only which fields they name counts here, not what they ask of them.
                let mut names = DocWriter::new();
                for p in v.as_doc().unwrap_or(Doc::EMPTY) {
                    names.put_doc(p.name(), Doc::EMPTY);
                }
                w.put_doc(name, Doc::trusted(&names.finish()));
            }
            (Some(v), _) => {
                w.put_val(name, v);
            }
            (None, _) => {}
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
                property(&mut list, p.name(), sub, value)?;
            }
            w.put("propertiesNotSatisfied", &Value::Array(list.finish()));
        }
        "required" => {
            specified(&mut w, e);
            let mut missing = ArrayWriter::new();
            for name in e.val.as_array().unwrap_or(Doc::EMPTY).values() {
                if name.as_str().is_some_and(|n| fields.get(n).is_none()) {
                    missing.push_val(name);
                }
            }
            w.put("missingProperties", &Value::Array(missing.finish()));
        }
        "additionalProperties" => {
            specified(&mut w, e);
            let alone = alone(e, schema)?;
            let mut names = ArrayWriter::new();
            for f in fields {
                let mut single = DocWriter::new();
                single.put_elem(&f);
                if !alone.matches(Doc::trusted(&single.finish()))? {
                    names.push(&Value::String(f.name().to_owned()));
                }
            }
            w.put("additionalProperties", &Value::Array(names.finish()));
        }
        "minProperties" | "maxProperties" => {
            specified(&mut w, e);
            w.put_str("reason", "specified number of properties was not satisfied");
            let n = i32::try_from(fields.iter().count()).unwrap_or(i32::MAX);
            w.put("numberOfProperties", &Value::Int32(n));
        }
        "items" => items(&mut w, e.val, v)?,
        "allOf" | "anyOf" | "oneOf" => combination(&mut w, e, v)?,
        "not" => {
            w.put_str("reason", "child expression matched");
        }
        name => {
            specified(&mut w, e);
            w.put_str("reason", reason(name));
            if name == "uniqueItems" {
                duplicate(&mut w, v);
            }
            w.put_val("consideredValue", v);
            if matches!(name, "type" | "bsonType") {
                w.put_str("consideredType", v.type_name());
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

fn property(list: &mut ArrayWriter, name: &str, schema: Doc<'_>, v: Val<'_>) -> Result<()> {
    let details = rules(schema, v)?;
    if Doc::trusted(&details).is_empty() {
        return Ok(());
    }
    let mut w = DocWriter::new();
    w.put_str("propertyName", name);
    annotations(&mut w, schema);
    w.put("details", &Value::Array(details));
    list.push(&Value::Document(w.finish()));
    Ok(())
}

fn items(w: &mut DocWriter, items: Val<'_>, v: Val<'_>) -> Result<()> {
    w.put_str("reason", "At least one item did not match the sub-schema");
    let each = items.as_doc();
    let list: Vec<_> = items.as_array().into_iter().flat_map(Doc::values).filter_map(Val::as_doc).collect();
    for (i, item) in v.as_array().unwrap_or(Doc::EMPTY).values().enumerate() {
        let Some(schema) = each.or_else(|| list.get(i).copied()) else { break };
        let details = rules(schema, item)?;
        if !Doc::trusted(&details).is_empty() {
            w.put("itemIndex", &Value::Int32(i32::try_from(i).unwrap_or(i32::MAX)));
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
        let index = Value::Int32(i32::try_from(i).unwrap_or(i32::MAX));
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

fn duplicate(w: &mut DocWriter, v: Val<'_>) {
    let mut values: Vec<_> = v.as_array().into_iter().flat_map(Doc::values).collect();
    values.sort_by(|a, b| compare::values(*a, *b));
    let twice = values.windows(2).find(|p| matches!(p, [a, b] if compare::values(*a, *b).is_eq()));
    if let Some([first, ..]) = twice {
        w.put_val("duplicatedValue", *first);
    }
}
