//! A case as it is recorded: the JSON with names.

use serde_json::{Map, Value};

use crate::tree::Result;

/// One recorded case, read from a line of `cases/<topic>.jsonl`.
#[derive(Clone, Debug)]
pub struct Case {
    line: Value,
}

/// One call or statement.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    json: &'a Value,
}

/// What is expected of a step, and how strictly.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// `result` of the format.
    pub result: &'a Value,
    holder: &'a Value,
}

impl Case {
    /// Reads one line.
    pub fn parse(line: &str) -> Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(line);
        deserializer.disable_recursion_limit();
        let line = serde::Deserialize::deserialize(&mut deserializer)
            .map_err(|e: serde_json::Error| e.to_string())?;
        Ok(Self { line })
    }

    /// The same case with `$DB` replaced.
    pub fn in_database(&self, database: &str) -> Self {
        let mut line = self.line.clone();
        replace(&mut line, database);
        Self { line }
    }

    /// The same case with other expectations: every field of `overlay` takes the place of the recorded one.
    pub fn overlaid(&self, overlay: &Map<String, Value>) -> Self {
        let mut line = self.line.clone();
        if let Value::Object(fields) = &mut line {
            fields.extend(overlay.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        Self { line }
    }

    /// The name, unique over all topics.
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// The topic: the name of its file.
    pub fn topic(&self) -> &str {
        self.text("topic")
    }

    /// The line about MongoDB's other answer, when there is one.
    pub fn mongodb_differs(&self) -> Option<&str> {
        self.line.get("mongodb_differs").and_then(Value::as_str)
    }

    /// Whether calls run on the standby unless they say otherwise.
    pub fn on_standby(&self) -> bool {
        self.text("node") == "standby"
    }

    /// Whether numbers may differ in the last digits.
    pub fn approximate(&self) -> bool {
        self.line.get("approximate") == Some(&Value::Bool(true))
    }

    /// Whether the call has a time limit, so that its answer depends on how fast the machine is.
    pub fn timed(&self) -> bool {
        self.line.get("call").is_some_and(|call| call.to_string().contains("\"maxTimeMS\""))
    }

    /// Names and values of the settings.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        let settings = self.line.get("settings").and_then(Value::as_object);
        settings.into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }

    /// The steps before the call.
    pub fn setup(&self) -> impl Iterator<Item = Step<'_>> {
        steps(&self.line, "setup")
    }

    /// The steps after everything.
    pub fn teardown(&self) -> impl Iterator<Item = Step<'_>> {
        steps(&self.line, "teardown")
    }

    /// The call and the follow-up calls with what is expected of each.
    pub fn calls(&self) -> impl Iterator<Item = (Step<'_>, Expected<'_>)> {
        let then = self.line.get("then").and_then(Value::as_array);
        std::iter::once(&self.line).chain(then.into_iter().flatten()).map(|holder| {
            let expected = Expected { result: &holder["result"], holder };
            (Step { json: &holder["call"] }, expected)
        })
    }

    /// The follow-up calls as they are recorded.
    pub fn then(&self) -> Option<Vec<Value>> {
        self.line.get("then").and_then(Value::as_array).cloned()
    }

    fn text(&self, name: &str) -> &str {
        self.line.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

fn steps<'a>(line: &'a Value, name: &str) -> impl Iterator<Item = Step<'a>> {
    line.get(name).and_then(Value::as_array).into_iter().flatten().map(|json| Step { json })
}

impl<'a> Step<'a> {
    /// The SQL, with `$1` … for the arguments.
    pub fn sql(&self) -> Result<String> {
        if let Some(sql) = self.json.get("sql").and_then(Value::as_str) {
            return Ok(sql.into());
        }
        let function =
            self.json.get("function").and_then(Value::as_str).ok_or("a step without function or sql")?;
        let mut arguments = Vec::new();
        let mut number = 0;
        for (kind, value) in self.arguments()? {
            if kind == "null" {
                arguments.push(format!("NULL::{}", sql_type(value.as_str().unwrap_or_default())?));
            } else {
                number += 1;
                arguments.push(format!("${number}::{}", sql_type(kind)?));
            }
        }
        let verb =
            if self.json.get("procedure") == Some(&Value::Bool(true)) { "CALL" } else { "SELECT * FROM" };
        Ok(format!("{verb} {function}({})", arguments.join(", ")))
    }

    /// Whether it is a bare statement, which is sent as one.
    pub fn is_statement(&self) -> bool {
        self.json.get("sql").is_some()
    }

    /// Type and value of each argument.
    pub fn arguments(&self) -> Result<Vec<(&'a str, &'a Value)>> {
        let arguments = self.json.get("args").and_then(Value::as_array).into_iter().flatten();
        arguments
            .map(|argument| {
                let entry = argument.as_object().and_then(|map| map.iter().next());
                entry
                    .map(|(kind, value)| (kind.as_str(), value))
                    .ok_or_else(|| "an argument without type".into())
            })
            .collect()
    }

    /// The name of the connection; empty for the main one.
    pub fn connection(&self) -> &'a str {
        self.json.get("connection").and_then(Value::as_str).unwrap_or_default()
    }

    /// The role that opens the connection.
    pub fn as_user(&self) -> Option<&'a str> {
        self.json.get("as_user").and_then(Value::as_str)
    }

    /// The node, when the step says one.
    pub fn on_standby(&self) -> Option<bool> {
        self.json.get("node").and_then(Value::as_str).map(|node| node == "standby")
    }

    /// Column, value, step and limit in milliseconds of a step that is repeated.
    pub fn poll(&self) -> Option<(&'a str, &'a Value, u64, u64)> {
        let poll = self.json.get("poll")?;
        let number = |name: &str| poll.get(name).and_then(Value::as_u64);
        Some((poll.get("column")?.as_str()?, poll.get("equals")?, number("every_ms")?, number("timeout_ms")?))
    }
}

fn sql_type(kind: &str) -> Result<&str> {
    match kind {
        "bson" => Ok("documentdb_core.bson"),
        "bsonsequence" => Ok("documentdb_core.bsonsequence"),
        "text" | "bool" | "int4" | "int8" | "float8" | "uuid" | "int8[]" => Ok(kind),
        other => Err(format!("unknown argument type {other}")),
    }
}

impl<'a> Expected<'a> {
    /// The paths of masked values, split at the dots.
    pub fn masked(&self) -> Vec<Vec<&'a str>> {
        self.paths("masked")
    }

    /// The paths of arrays whose order does not count. `unordered` stands for the usual ones.
    pub fn unordered(&self) -> Vec<Vec<&'a str>> {
        let mut paths = self.paths("unordered_paths");
        if self.holder.get("unordered") == Some(&Value::Bool(true)) {
            paths.extend([
                vec!["cursorpage", "cursor", "firstBatch"],
                vec!["cursorpage", "cursor", "nextBatch"],
            ]);
            paths.push(vec!["document", "values"]);
        }
        paths
    }

    fn paths(&self, name: &str) -> Vec<Vec<&'a str>> {
        let paths = self.holder.get(name).and_then(Value::as_array).into_iter().flatten();
        paths.filter_map(Value::as_str).map(|path| path.split('.').collect()).collect()
    }
}

/// Replaces `$DB` in every string and field name.
fn replace(json: &mut Value, database: &str) {
    match json {
        Value::String(text) if text.contains("$DB") => *text = text.replace("$DB", database),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, database)),
        Value::Object(map) => {
            if map.keys().any(|name| name.contains("$DB")) {
                let entries = std::mem::take(map);
                map.extend(entries.into_iter().map(|(name, value)| (name.replace("$DB", database), value)));
            }
            map.values_mut().for_each(|value| replace(value, database));
        }
        _ => {}
    }
}
