//! The specification of a text index, as MongoDB keeps it.

use std::collections::BTreeMap;

use engine::text::Language;
use engine::{Doc, DocWriter, Error, Value, codes};

use crate::error::Result;

/// Weights are below this.
const MAX_WEIGHT: i64 = 100_000;

fn fail<T>(text: impl Into<String>) -> Result<T> {
    Err(Error::new(codes::CANNOT_CREATE_INDEX, text).into())
}

/// The key pattern with `_fts` and `_ftsx` in place of the text fields, and the options with their defaults.
///
/// # Errors
/// CannotCreateIndex for options that a text index does not have.
pub fn fix(d: Doc<'_>, key: Doc<'_>) -> Result<(Vec<u8>, Vec<u8>)> {
    if d.get("unique").is_some_and(engine::key::truthy) {
        return fail("Index type 'text' does not support the unique option");
    }
    if d.get("expireAfterSeconds").is_some() {
        return fail("Index type 'text' cannot be a TTL index");
    }
    let mut weights = BTreeMap::new();
    let pattern = pattern(key, &mut weights)?;
    match d.get("weights") {
        None => {}
        Some(v) => match (v.as_doc(), v.as_str()) {
            (Some(list), _) => {
                for e in list {
                    if !e.val.is_number() {
                        return fail("weight for text index needs numeric type");
                    }
                    weights.insert(e.name().to_owned(), engine::number::to_f64(e.val) as i64);
                }
            }
            (None, Some("$**")) => {
                weights.insert("$**".to_owned(), 1);
            }
            _ => return fail("text index option 'weights' must be an object"),
        },
    }
    let mut w = DocWriter::new();
    for (path, weight) in &weights {
        if *weight <= 0 || *weight >= MAX_WEIGHT {
            return fail("text index weight must be in the exclusive interval (0,100000)");
        }
        if path != "$**" && path.split('.').any(|part| part.is_empty() || part.starts_with('$')) {
            return fail(format!("weight cannot be on the field '{path}'"));
        }
        w.put(path, &Value::Int32(i32::try_from(*weight).unwrap_or(1)));
    }
    if weights.is_empty() {
        return fail("a text index needs at least one field");
    }
    let text = |name: &str, default: &'static str, wrong: &str| match d.get(name) {
        None => Ok(default.to_owned()),
        Some(v) => v.as_str().map_or_else(|| fail(wrong), |s| Ok(s.to_owned())),
    };
    let language = text("default_language", "english", "default_language needs a string type")?;
    Language::of(&language).or_else(|e| fail(e.message))?;
    let field = text("language_override", "language", "language_override must be a string")?;
    if field.is_empty() || field.starts_with('$') || field.contains('.') {
        return fail("language_override is not valid");
    }
    match d.get("textIndexVersion").map(engine::number::exact_i64) {
        None | Some(Some(1..=3)) => {}
        Some(Some(n)) => return fail(format!("bad textIndexVersion: {n}")),
        Some(None) => return fail("text index option 'textIndexVersion' must be a number"),
    }
    let mut options = DocWriter::new();
    options.put_doc("weights", Doc::trusted(&w.finish()));
    options.put_str("default_language", &language).put_str("language_override", &field);
    options.put("textIndexVersion", &Value::Int32(3));
    Ok((pattern, options.finish()))
}

/// Fields before the text fields, `_fts` and `_ftsx`, fields behind them.
fn pattern(key: Doc<'_>, weights: &mut BTreeMap<String, i64>) -> Result<Vec<u8>> {
    let mut w = DocWriter::new();
    let (mut seen, mut left) = (false, false);
    for e in key {
        match e.val.as_str() {
            Some("text") if left => return fail("'text' fields in index must all be adjacent"),
            Some("text") => {
                if !seen {
                    w.put_str("_fts", "text").put("_ftsx", &Value::Int32(1));
                }
                seen = true;
                if e.name() != "_fts" {
                    weights.insert(e.name().to_owned(), 1);
                }
            }
            Some(_) => return fail("Can't use more than one index plugin for a single index."),
            None if e.name() == "_ftsx" => {}
            None => {
                left = seen;
                let one = matches!(engine::number::exact_i64(e.val), Some(1 | -1));
                if !one {
                    return fail("expected value 1 or -1 for non-text key in compound index");
                }
                w.put_elem(&e);
            }
        }
    }
    Ok(w.finish())
}
