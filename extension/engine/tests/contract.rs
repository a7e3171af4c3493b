//! Finds of the contract corpus, replayed on the engine alone: documents from the set-up, filter, sort, skip and limit
//! from the call; where `mongodb.jsonl` has MongoDB's answer, that one is expected. Cases that need more (projections, indexes, collations, cursors) are left to `extension/contract`.

use engine::query::{ParseContext, Query};
use engine::sort::SortSpec;
use engine::{Doc, Val, extjson};
use std::collections::HashMap;

const FIND_FIELDS: [&str; 7] = ["find", "filter", "sort", "skip", "limit", "batchSize", "projection"];

/// Recorded answers we don't give.
const DIFFERENT: &[&str] = &[
    // MongoDB reads null as false here.
    "query-exists-null",
    // In MongoDB no element of an empty array is no value, not a missing one.
    "query-path-a-0-null",
    // MongoDB knows the keyword, and says that its value is no array.
    "query-jsonschema-required-not-array-error",
    // MongoDB's message instead of an internal one.
    "query-jsonschema-not-object-error",
    // Expressions the engine does not have yet.
    "query-rand-expression-lt-2",
    // Whether there is an index is known where the documents are.
    "query-near-without-index-error",
    // MongoDB's code for an expression that does not exist.
    "query-expr-unknown-operator-error",
    // MongoDB's words.
    "query-geointersects-bad-geometry-error",
    "query-geointersects-unclosed-polygon-error",
];

struct Case<'a> {
    name: &'a str,
    documents: Vec<Doc<'a>>,
    find: Doc<'a>,
    expected: Result<Vec<Val<'a>>, (&'a str, &'a str)>,
}

fn path<'a>(d: Doc<'a>, names: &[&str]) -> Option<Val<'a>> {
    let (last, parents) = names.split_last()?;
    let mut at = d;
    for n in parents {
        let v = at.get(n)?;
        at = v.as_doc().or_else(|| v.as_array())?;
    }
    at.get(last)
}

/// The case, when it has the simple form this test plays; `mongodb` is the line of MongoDB's answer.
fn simple<'a>(case: Doc<'a>, mongodb: Option<Doc<'a>>) -> Option<Case<'a>> {
    if ["settings", "node", "masked", "then", "mongodb_differs"].iter().any(|n| case.get(n).is_some()) {
        return None;
    }
    let find = path(case, &["call", "args", "1", "bson"])?.as_doc()?;
    if find.get("find").and_then(Val::as_str) != Some("c")
        || !find.iter().all(|e| FIND_FIELDS.contains(&e.name()))
        || find.get("filter")?.as_doc().is_none()
    {
        return None;
    }
    let mut documents = Vec::new();
    for step in case.get("setup")?.as_array()?.values() {
        let step = step.as_doc()?;
        let insert = path(step, &["args", "1", "bson"])?.as_doc()?;
        if step.get("function")?.as_str()? != "documentdb_api.insert"
            || insert.get("insert")?.as_str()? != "c"
        {
            return None;
        }
        documents.extend(
            insert.get("documents")?.as_array()?.values().map(|v| v.as_doc()).collect::<Option<Vec<_>>>()?,
        );
    }
    let result = mongodb.and_then(|m| m.get("result")).or_else(|| case.get("result"))?.as_doc()?;
    let expected = match result.get("sqlstate") {
        Some(state) => Err((state.as_str()?, result.get("message")?.as_str()?)),
        None => {
            let batch = path(result, &["columns", "cursorpage", "cursor", "firstBatch"])?.as_array()?;
            Ok(batch.values().map(|d| d.as_doc()?.get("_id")).collect::<Option<Vec<_>>>()?)
        }
    };
    // Errors of the command's other fields are not the engine's.
    let other = expected.as_ref().is_err_and(|(_, m)| {
        m.contains("$skip")
            || m.contains("$limit")
            || m.contains("BSON field")
            || m.contains("BatchSize")
            || m.contains("the limit")
            || m.starts_with("Expected field")
            || m.starts_with("Executor error")
    });
    let whole = documents.iter().all(|d| d.get("_id").is_some());
    (!other && whole).then_some(Case { name: case.get("name")?.as_str()?, documents, find, expected })
}

fn play<'a>(case: &Case<'a>) -> engine::Result<Vec<Val<'a>>> {
    let empty = |name| case.find.get(name).and_then(Val::as_doc).unwrap_or(Doc::EMPTY);
    let query = Query::parse(empty("filter"), &ParseContext::default())?;
    let sort = SortSpec::parse(empty("sort"))?;
    let mut found = Vec::new();
    for d in &case.documents {
        if query.matches(*d)? {
            found.push((sort.key(*d)?, d.get("_id").unwrap_or(Val::NULL)));
        }
    }
    if sort.natural() == Some(false) {
        found.reverse();
    }
    if !sort.is_empty() {
        found.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let number = |name| match case.find.get(name).and_then(engine::number::truncate_i64) {
        Some(engine::number::Truncated::Int(n)) => n,
        _ => 0,
    };
    let skip = usize::try_from(number("skip")).unwrap_or(0);
    let limit = match number("limit") {
        0 => usize::MAX,
        n => usize::try_from(n.abs()).unwrap_or(usize::MAX),
    };
    let batch = match case.find.get("batchSize").and_then(engine::number::exact_i64) {
        None => 101,
        Some(n) => usize::try_from(n).unwrap_or(0),
    };
    Ok(found.into_iter().skip(skip).take(limit.min(batch)).map(|(_, id)| id).collect())
}

#[test]
fn answers_as_recorded() {
    let mut failures = Vec::new();
    let mut played = 0;
    let file = format!("{}/../contract/mongodb.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap();
    let answers: Vec<Vec<u8>> = text.lines().map(|line| extjson::parse(line).unwrap()).collect();
    let answers: HashMap<&str, Doc<'_>> = answers
        .iter()
        .map(|bytes| Doc::new(bytes).unwrap())
        .map(|d| (d.get("name").and_then(Val::as_str).unwrap(), d))
        .collect();
    for topic in ["query_operators", "find", "sort_and_comparison"] {
        let file = format!("{}/../contract/cases/{topic}.jsonl", env!("CARGO_MANIFEST_DIR"));
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            let bytes = extjson::parse(line).unwrap();
            let case = Doc::new(&bytes).unwrap();
            let mongodb = case.get("name").and_then(Val::as_str).and_then(|n| answers.get(n).copied());
            let Some(case) = simple(case, mongodb) else { continue };
            if DIFFERENT.contains(&case.name) {
                continue;
            }
            played += 1;
            let shown = |ids: &[Val<'_>]| {
                ids.iter().map(|v| engine::display::value(*v)).collect::<Vec<_>>().join(" ")
            };
            let found = match play(&case) {
                Ok(ids) => shown(&ids),
                Err(e) => format!("{} {}", e.code.sqlstate, e.message),
            };
            let wanted = match &case.expected {
                Ok(ids) => shown(ids),
                Err((state, message)) => format!("{state} {message}"),
            };
            if found != wanted {
                failures.push(format!("{}\n  wanted {wanted}\n  found  {found}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {played} differ:\n{}", failures.len(), failures.join("\n"));
    // Fewer would mean that the filter above has started to leave cases out.
    assert!(played >= 500, "only {played} cases played");
}
