//! Writes answers of our extension as expectations, where it follows MongoDB and the recorded server does not.

use serde_json::{Map, Value, json};

use crate::case::Expected;
use crate::client::{Answer, Column};
use crate::compare::{bson_of, compare, fits, oid};
use crate::lists::{Entry, write_mongodb};
use crate::replay::{Witness, replay};
use crate::suite::Suite;
use crate::tree::Result;

/// Runs the entries and puts their answers into `mongodb.jsonl`, with `reason`, or without one with what
/// `mongodb_differs` says; cases that then have none are left out, and so are those whose answers are the recorded
/// ones. Gives the number of lines written.
///
/// # Errors
/// When a case does not run to its end, or the file cannot be written.
pub fn adopt(suite: &Suite, entries: &[Entry], reason: Option<&str>) -> Result<usize> {
    let mut lines = Vec::new();
    for entry in entries {
        let Some(reason) = reason.or(entry.case.mongodb_differs()) else { continue };
        let database = suite.database();
        let mut recorder = Recorder { database: database.clone(), ..Recorder::default() };
        replay(suite.target(), &entry.case, &database, &mut recorder)
            .map_err(|e| format!("{}: {e:?}", entry.id()))?;
        if !recorder.differs {
            continue;
        }
        let mut results = recorder.results.into_iter();
        let mut line = Map::from_iter([
            ("name".to_owned(), Value::from(entry.case.name())),
            ("reason".to_owned(), Value::from(reason)),
            ("result".to_owned(), results.next().unwrap_or_default()),
        ]);
        if let Some(mut then) = entry.case.then() {
            for (follow_up, result) in then.iter_mut().zip(results) {
                follow_up["result"] = result;
            }
            line.insert("then".into(), Value::Array(then));
        }
        lines.push(line);
    }
    write_mongodb(&lines)?;
    Ok(lines.len())
}

/// Keeps the answers in the form of the corpus.
#[derive(Default)]
struct Recorder {
    database: String,
    results: Vec<Value>,
    /// Whether any answer is not the recorded one.
    differs: bool,
}

impl Witness for Recorder {
    fn judge(&mut self, expected: Expected<'_>, answer: &Answer) -> Result<()> {
        self.differs |= compare(expected, answer, false).is_err();
        let mut result = recorded(expected, answer)?;
        // Placeholders stay where they were.
        if let Some(columns) = result.get_mut("columns") {
            for pattern in expected.masked() {
                mask(columns, &expected.result["columns"], &pattern, &mut Vec::new());
            }
        }
        let text = result.to_string().replace(&self.database, "$DB");
        self.results.push(serde_json::from_str(&text).map_err(|e| e.to_string())?);
        Ok(())
    }

    fn trace(&mut self, _line: String) {}
}

fn recorded(expected: Expected<'_>, answer: &Answer) -> Result<Value> {
    let (columns, rows, tag) = match answer {
        Answer::Error { sqlstate, message, .. } => {
            return Ok(json!({"sqlstate": sqlstate, "message": message}));
        }
        Answer::Rows { columns, rows, tag } => (columns, rows, tag),
    };
    if columns.is_empty() {
        return Ok(json!({"command": tag}));
    }
    let row = |row: &Vec<Option<String>>| {
        let cells =
            columns.iter().zip(row).map(|(c, cell)| Ok((c.name.clone(), cell_json(c, cell.as_deref())?)));
        cells.collect::<Result<Map<_, _>>>().map(Value::Object)
    };
    let mut rows = rows.iter().map(row).collect::<Result<Vec<_>>>()?;
    if rows.len() == 1 && expected.result.get("rows").is_none() {
        return Ok(json!({"columns": rows.swap_remove(0)}));
    }
    Ok(json!({"rows": rows}))
}

fn cell_json(column: &Column, cell: Option<&str>) -> Result<Value> {
    let Some(text) = cell else { return Ok(Value::Null) };
    Ok(match column.oid {
        oid::VOID => Value::Null,
        oid::BOOL => Value::Bool(text == "t"),
        number if oid::NUMBERS.contains(&number) => serde_json::from_str(text).map_err(|e| e.to_string())?,
        _ => match bson_of(text) {
            Ok(bson) => serde_json::from_str(&bson.to_string()).map_err(|e| e.to_string())?,
            Err(_) => Value::from(text),
        },
    })
}

/// Copies the placeholders of `from` that lie at the pattern.
fn mask(to: &mut Value, from: &Value, pattern: &[&str], path: &mut Vec<String>) {
    if fits(pattern, path) {
        if from.is_string() {
            *to = from.clone();
        }
        return;
    }
    match (to, from) {
        (Value::Object(to), Value::Object(from)) => {
            for (name, value) in to {
                let Some(from) = from.get(name) else { continue };
                path.push(name.clone());
                mask(value, from, pattern, path);
                path.pop();
            }
        }
        (Value::Array(to), Value::Array(from)) => {
            for (i, (value, from)) in to.iter_mut().zip(from).enumerate() {
                path.push(i.to_string());
                mask(value, from, pattern, path);
                path.pop();
            }
        }
        _ => {}
    }
}
