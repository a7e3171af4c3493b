//! What is asked of wildcard indexes besides (MongoDB manual, "Wildcard Indexes": restrictions).

use engine::expr::Variables;
use engine::key::{KeySpec, is_wildcard, truthy};
use engine::project::{Kind, Projection};
use engine::query::{ParseContext, Place};
use engine::{Doc, DocWriter, Error, Val, Value, codes};

use super::parse::{must_be, wrong};
use crate::error::Result;

/// Checks the options of an index whose pattern has a `$**` component; its `wildcardProjection` as it is kept. For other indexes
/// only that there is none.
pub fn check(d: Doc<'_>, key: Doc<'_>, projection: Option<Val<'_>>) -> Result<Option<Vec<u8>>> {
    let wild: Vec<&str> =
        key.iter().filter(|e| is_wildcard(e.name()) && e.val.as_str().is_none()).map(|e| e.name()).collect();
    let Some(field) = wild.first() else {
        if projection.is_some() {
            let cause = "The field 'wildcardProjection' is only allowed in an 'wildcard' index";
            return Err(wrong(d, codes::BAD_VALUE, cause));
        }
        return Ok(None);
    };
    if wild.len() > 1 {
        let cause = "A compound wildcard index can only have one wildcard field";
        return Err(wrong(d, codes::LOCATION7246201, cause));
    }
    if key.iter().any(|e| e.val.as_str().is_some()) {
        let cause = "Can't use more than one index plugin for a single index.";
        return Err(wrong(d, codes::CANNOT_CREATE_INDEX, cause));
    }
    let refused = |cause: &str| {
        Err(Error::new(codes::CANNOT_CREATE_INDEX, format!("Index type 'wildcard' {cause}")).into())
    };
    for option in ["sparse", "unique"] {
        if d.get(option).is_some_and(truthy) {
            return refused(&format!("does not support the {option} option"));
        }
    }
    if d.get("expireAfterSeconds").is_some() {
        return refused("cannot be a TTL index");
    }
    let kept = projection.map(|v| self::projection(d, field, v)).transpose()?;
    if key.iter().nth(1).is_some() {
        compound(d, key, field, kept.as_deref())?;
    }
    Ok(kept)
}

/// Reads a `wildcardProjection` into nested documents of booleans, as the official extension keeps and shows it.
fn projection(d: Doc<'_>, field: &str, v: Val<'_>) -> Result<Vec<u8>> {
    let spec = v.as_doc().ok_or_else(|| must_be(d, "wildcardProjection", "a non-empty object", v))?;
    if spec.is_empty() {
        let cause = "The 'wildcardProjection' field can't be an empty object";
        return Err(wrong(d, codes::FAILED_TO_PARSE, cause));
    }
    if field != "$**" {
        let cause = "The field 'wildcardProjection' is only allowed when 'key' is {\"$**\": ±1}";
        return Err(wrong(d, codes::FAILED_TO_PARSE, cause));
    }
    let fail = |code, cause: &str| {
        wrong(d, code, format!("Failed to parse: wildcardProjection :: caused by :: {cause}"))
    };
    plain(spec, 0).map_err(|cause| fail(codes::FAILED_TO_PARSE, &cause))?;
    let variables = Variables::new();
    let cx = ParseContext { place: Place::Find, variables: Some(&variables), ..ParseContext::default() };
    Projection::parse(spec, Kind::Aggregate, &cx).map_err(|e| fail(e.code, &e.message))?;
    let mut tree = Vec::new();
    flatten(spec, &mut Vec::new(), &mut tree);
    let id = tree.iter().find(|(path, _)| *path == ["_id"]).is_some_and(|(_, shown)| *shown);
    tree.retain(|(path, _)| *path != ["_id"]);
    let deeper = tree.iter().any(|(path, _)| path.first().is_some_and(|name| name == "_id"));
    let mut w = nested(&tree, 0);
    if !deeper {
        w.put("_id", &Value::Bool(id));
    }
    Ok(w.finish())
}

/// Only paths that are in or out.
fn plain(spec: Doc<'_>, depth: usize) -> core::result::Result<(), String> {
    for e in spec {
        match e.val.as_doc() {
            Some(below) if depth < 100 && below.first().is_some_and(|f| !f.name().starts_with('$')) => {
                plain(below, depth + 1)?;
            }
            None if e.val.is_number() || e.val.as_bool().is_some() => {}
            _ => {
                return Err(format!(
                    "Bad projection specification, cannot use computed fields: {}",
                    e.name()
                ));
            }
        }
    }
    Ok(())
}

fn flatten(spec: Doc<'_>, above: &mut Vec<String>, out: &mut Vec<(Vec<String>, bool)>) {
    for e in spec {
        let depth = above.len();
        above.extend(e.name().split('.').map(str::to_owned));
        match e.val.as_doc() {
            Some(below) => flatten(below, above, out),
            None => out.push((above.clone(), truthy(e.val))),
        }
        above.truncate(depth);
    }
}

/// The paths from `depth` on as nested documents.
fn nested(paths: &[(Vec<String>, bool)], depth: usize) -> DocWriter {
    let mut w = DocWriter::new();
    let mut done: Vec<&String> = Vec::new();
    for (path, shown) in paths {
        let Some(name) = path.get(depth) else { continue };
        if done.contains(&name) {
            continue;
        }
        done.push(name);
        if path.len() == depth + 1 {
            w.put(name, &Value::Bool(*shown));
        } else {
            let same: Vec<_> = paths.iter().filter(|(p, _)| p.get(depth) == Some(name)).cloned().collect();
            w.put_doc(name, Doc::trusted(&nested(&same, depth + 1).finish()));
        }
    }
    w
}

/// The other fields of a compound wildcard index are not in the wildcard.
fn compound(d: Doc<'_>, key: Doc<'_>, field: &str, projection: Option<&[u8]>) -> Result<()> {
    if field == "$**" && projection.is_none() {
        let cause = "A compound wildcard index on all fields must have a 'wildcardProjection' that leaves out its other fields";
        return Err(wrong(d, codes::CANNOT_CREATE_INDEX, cause));
    }
    let mut w = DocWriter::new();
    w.put_doc("key", key);
    if let Some(p) = projection {
        w.put_doc("wildcardProjection", Doc::trusted(p));
    }
    let spec = KeySpec::parse(Doc::trusted(&w.finish()))?;
    let overlaps = |path: &str| spec.wildcard.as_ref().is_some_and(|w| w.overlaps(path));
    if let Some(f) = spec.fields.iter().find(|f| !is_wildcard(&f.path) && overlaps(&f.path)) {
        let code = if field == "$**" { codes::LOCATION7246208 } else { codes::LOCATION7246204 };
        let cause = format!("The field '{}' overlaps with the wildcard field '{field}'", f.path);
        return Err(wrong(d, code, cause));
    }
    Ok(())
}
