//! Runs one case: set-up, call, follow-up calls, teardown, each on its connection and node.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bytes::encode;
use crate::case::{Case, Expected, Step};
use crate::client::{Answer, Argument, Client, Lost};
use crate::compare::{bson_of, compare, describe};
use crate::target::Target;
use crate::tree::Bson;

/// How long the standby may take to replay a case's set-up.
const REPLAY_PATIENCE: Duration = Duration::from_secs(30);

/// Why a case did not pass.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The answer is another one, or the case cannot be run.
    Differs(String),
    /// The server went away: this case, or another one at the same time, took it down.
    ServerLost(String),
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Connection(why) => Self::ServerLost(why),
            Lost::Refused(why) => Self::Differs(why),
        }
    }
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Differs(why)
    }
}

type Result<T> = std::result::Result<T, Failure>;

/// What is told of a case while it runs.
pub trait Witness {
    /// An answer to a call: the first difference to what is expected ends the case.
    fn judge(&mut self, expected: Expected<'_>, answer: &Answer) -> std::result::Result<(), String>;

    /// Any step, with what was expected and what came.
    fn trace(&mut self, line: String);
}

/// Compares each answer, and keeps a trace.
#[derive(Debug, Default)]
pub struct Judge {
    /// Whether numbers may differ in the last digits.
    pub approximate: bool,
    /// Every step so far.
    pub trace: Vec<String>,
}

impl Witness for Judge {
    fn judge(&mut self, expected: Expected<'_>, answer: &Answer) -> std::result::Result<(), String> {
        compare(expected, answer, self.approximate)
    }

    fn trace(&mut self, line: String) {
        self.trace.push(line);
    }
}

/// Runs `case` in a database of the given name.
pub fn replay(target: &Target, case: &Case, database: &str, witness: &mut dyn Witness) -> Result<()> {
    let case = case.in_database(database);
    let run = Run { target, case: &case, connections: RefCell::default(), answers: RefCell::default() };
    let result = run.all(witness);
    run.clean_up(database);
    result
}

struct Connection {
    client: Client,
    /// Whether the case's settings are in force.
    set: bool,
}

/// A connection's name, and whether it goes to the standby.
type Key<'a> = (&'a str, bool);

struct Run<'a> {
    target: &'a Target,
    case: &'a Case,
    connections: RefCell<HashMap<Key<'a>, Connection>>,
    /// Answers so far under the names `@ref` knows them by.
    answers: RefCell<HashMap<String, Answer>>,
}

impl<'a> Run<'a> {
    fn all(&self, witness: &mut dyn Witness) -> Result<()> {
        for (i, step) in self.case.setup().enumerate() {
            let answer = self.step(step, step.on_standby().unwrap_or(false), false)?;
            witness.trace(format!("set-up {i}: {}\n          {}", step.sql()?, describe(&answer)));
            if let Answer::Error { .. } = answer {
                return Err(Failure::Differs(format!("set-up step {i}: {}", describe(&answer))));
            }
            self.answers.borrow_mut().insert(format!("setup.{i}"), answer);
        }
        for (i, (step, expected)) in self.case.calls().enumerate() {
            let name = if i == 0 { "call".to_owned() } else { format!("then.{}", i - 1) };
            let standby = step.on_standby().unwrap_or(self.case.on_standby());
            let answer = self.polled(step, standby)?;
            let (sql, got) = (step.sql()?, describe(&answer));
            witness.trace(format!("{name}: {sql}\n  expected {}\n  got     {got}", expected.result));
            witness.judge(expected, &answer).map_err(|d| format!("{name}: {d}"))?;
            self.answers.borrow_mut().insert(name, answer);
        }
        Ok(())
    }

    /// Runs a step, again and again where it says so.
    fn polled(&self, step: Step<'a>, standby: bool) -> Result<Answer> {
        let Some((column, equals, every, limit)) = step.poll() else { return self.step(step, standby, true) };
        let give_up = Instant::now() + Duration::from_millis(limit);
        loop {
            let answer = self.step(step, standby, true)?;
            let wanted = match equals {
                Value::Bool(b) => if *b { "t" } else { "f" }.to_owned(),
                other => other.as_str().map_or_else(|| other.to_string(), str::to_owned),
            };
            let reached = cell(&answer, column).is_some_and(|(text, _)| text == wanted);
            if reached || Instant::now() > give_up {
                return Ok(answer);
            }
            std::thread::sleep(Duration::from_millis(every));
        }
    }

    fn step(&self, step: Step<'a>, standby: bool, settings: bool) -> Result<Answer> {
        if standby {
            self.wait_replayed()?;
        }
        let sql = step.sql()?;
        let arguments = self.arguments(step)?;
        let key = (step.connection(), standby);
        let mut connections = self.connections.borrow_mut();
        let connection = match connections.entry(key) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let client = self.target.connect(standby, step.as_user())?;
                entry.insert(Connection { client, set: false })
            }
        };
        if settings && !connection.set {
            connection.set = true;
            for (name, value) in self.case.settings() {
                // A search path is a list, everything else one string.
                let value = if name == "search_path" { value.into() } else { format!("'{value}'") };
                let answer = connection.client.statement(&format!("SET {name} = {value}"))?;
                if let Answer::Error { .. } = answer {
                    return Err(Failure::Differs(format!("SET {name}: {}", describe(&answer))));
                }
            }
        }
        Ok(match step.is_statement() {
            true => connection.client.statement(&sql)?,
            false => connection.client.call(&sql, &arguments)?,
        })
    }

    fn arguments(&self, step: Step<'_>) -> Result<Vec<Argument>> {
        let refs = |path: &str| self.reference(path);
        let mut arguments = Vec::new();
        for (kind, value) in step.arguments()? {
            let scalar = |value: &Value| match value {
                Value::Object(_) => Bson::from_json(value, &refs).map(|bson| scalar_text(&bson)),
                Value::String(text) => Ok(text.clone()),
                other => Ok(other.to_string()),
            };
            arguments.push(match (kind, value) {
                ("null", _) => continue,
                ("bson", value) => match Bson::from_json(value, &refs)? {
                    Bson::Document(fields) => Argument::Binary(encode(&fields)),
                    Bson::Null => Argument::Null,
                    other => return Err(Failure::Differs(format!("a bson argument is {other}"))),
                },
                ("bsonsequence", value) => match Bson::from_json(value, &refs)? {
                    Bson::Array(items) => {
                        Argument::Binary(items.iter().filter_map(Bson::fields).flat_map(encode).collect())
                    }
                    other => return Err(Failure::Differs(format!("a bsonsequence argument is {other}"))),
                },
                ("int8[]", Value::Array(items)) => {
                    let items = items.iter().map(scalar).collect::<std::result::Result<Vec<_>, _>>()?;
                    Argument::Text(format!("{{{}}}", items.join(",")))
                }
                (_, value) => Argument::Text(scalar(value)?),
            });
        }
        Ok(arguments)
    }

    /// The value behind `@ref`: `call`, `then.N` or `setup.N`, a column, and a path inside it.
    fn reference(&self, path: &str) -> std::result::Result<Bson, String> {
        let parts: Vec<&str> = path.split('.').collect();
        let length = if parts.first() == Some(&"call") { 1 } else { 2 };
        let missing = || format!("@ref {path} finds nothing");
        let (name, rest) = parts.split_at_checked(length).ok_or_else(missing)?;
        let (column, inner) = rest.split_first().ok_or_else(missing)?;
        let answers = self.answers.borrow();
        let (text, oid) = answers.get(&name.join(".")).and_then(|a| cell(a, column)).ok_or_else(missing)?;
        const INT8: u32 = 20;
        let value = match bson_of(text) {
            Ok(document) => document,
            Err(_) if oid == INT8 => Bson::Int64(text.parse().map_err(|_| missing())?),
            Err(_) => Bson::String(text.into()),
        };
        value.at(inner).cloned().ok_or_else(missing)
    }

    /// Waits until the standby has everything the primary has committed.
    fn wait_replayed(&self) -> Result<()> {
        let first = |answer: Answer| match answer {
            Answer::Rows { rows, .. } => Ok(rows.into_iter().flatten().next().flatten().unwrap_or_default()),
            error => Err(Failure::Differs(describe(&error))),
        };
        let mut primary = self.target.connect(false, None)?;
        let target = first(primary.statement("SELECT pg_current_wal_flush_lsn()")?)?;
        let mut standby = self.target.connect(true, None)?;
        let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{target}'");
        let give_up = Instant::now() + REPLAY_PATIENCE;
        while first(standby.statement(&sql)?)? != "t" {
            if Instant::now() > give_up {
                return Err(Failure::Differs(format!(
                    "the standby has not replayed {target} in {REPLAY_PATIENCE:?}"
                )));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Ends the connections, runs the teardown and drops the database; what fails there fails in silence, as
    /// the format has it.
    fn clean_up(&self, database: &str) {
        self.connections.borrow_mut().clear();
        for step in self.case.teardown() {
            if self.step(step, false, false).is_err() {
                return;
            }
        }
        if let Ok(mut client) = self.target.connect(false, None) {
            let _ = client.statement(&format!("SELECT documentdb_api.drop_database('{database}')"));
        }
    }
}

/// Text and type of a column of a one-row answer.
fn cell<'a>(answer: &'a Answer, name: &str) -> Option<(&'a str, u32)> {
    let Answer::Rows { columns, rows, .. } = answer else { return None };
    let index = columns.iter().position(|column| column.name == name)?;
    Some((rows.first()?.get(index)?.as_deref()?, columns[index].oid))
}

/// The SQL text of a BSON scalar that is passed on as an argument.
fn scalar_text(value: &Bson) -> String {
    match value {
        Bson::Int32(i) => i.to_string(),
        Bson::Int64(i) => i.to_string(),
        Bson::String(s) => s.clone(),
        Bson::Binary(_, bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        other => other.to_string(),
    }
}
