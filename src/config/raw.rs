//! Settings as text, each with where it came from, and what is wrong with them.
use std::collections::BTreeMap;
use std::fmt;

use super::keys::{Fate, Foreign, Key};
use super::units;

/// Where a value came from. The later ones win.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    File,
    Ferretdb(String),
    Variable(String),
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("the configuration file"),
            Self::Ferretdb(name) | Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => write!(f, "--{flag}"),
        }
    }
}

#[derive(Clone)]
struct Value {
    text: String,
    source: Source,
    secret: bool,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.secret { "<hidden>" } else { &self.text };
        write!(f, "{text:?} from {}", self.source)
    }
}

/// The settings that were given, not yet checked. An empty text counts as not given.
#[derive(Debug, Clone, Default)]
pub struct Raw {
    values: BTreeMap<&'static str, Value>,
    problems: Vec<Problem>,
    faults: Vec<Problem>,
    notes: Vec<String>,
}

/// One thing that is wrong, with the key it is about. Never holds a secret value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key of the setting, or the name of the variable if it belongs to none.
    pub key: String,
    /// What is wrong, for the user.
    pub message: String,
}

/// All that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is not usable:")?;
        for problem in &self.0 {
            write!(f, "\n  {}: {}", problem.key, problem.message)?;
        }
        Ok(())
    }
}

impl Raw {
    /// One setting as if given by its flag. An unknown name is a problem.
    pub fn flag(&mut self, name: &str, text: &str) {
        let flag = name.replace('_', "-");
        if let Some(key) = Key::find(name) {
            self.put(key, text, Source::Flag(flag));
        } else if let Some(foreign) = Foreign::find(name) {
            self.foreign(foreign, text, &format!("--{flag}"));
        } else {
            self.problem(&flag, "there is no such flag".to_owned());
        }
    }

    /// Takes from the environment what is ours or FerretDB's.
    pub fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (variable, text) in variables {
            if let Some(rest) = variable.strip_prefix("ERMINE_") {
                match Key::find(&rest.to_lowercase()) {
                    Some(key) => self.put(key, &text, Source::Variable(variable)),
                    None => self.unknown(&variable, rest),
                }
            } else if let Some(rest) = variable.strip_prefix("FERRETDB_") {
                let name = rest.to_lowercase();
                if let Some(key) = Key::find(&name).filter(|key| key.ferretdb) {
                    self.put(key, &text, Source::Ferretdb(variable));
                } else if let Some(foreign) = Foreign::find(&name) {
                    self.foreign(foreign, &text, &variable);
                } else {
                    self.unknown(&variable, rest);
                }
            }
        }
    }

    /// Takes the settings of a TOML file.
    pub fn toml(&mut self, text: &str) {
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                // The message without the excerpt, which could show a password.
                let line =
                    error.span().map_or(0, |span| text.get(..span.start).unwrap_or("").lines().count());
                return self.problem("config", format!("line {}: {}", line.max(1), error.message()));
            }
        };
        for (name, value) in table {
            let Some(key) = Key::find(&name) else {
                self.problem(&name, "there is no such key in the configuration file".to_owned());
                continue;
            };
            match plain_text(&value, key.list) {
                Some(text) => self.put(key, &text, Source::File),
                None if key.list => self.problem(&name, "expected a text or an array of texts".to_owned()),
                None => self.problem(&name, "expected a text, a number or a boolean".to_owned()),
            }
        }
    }

    /// Adds a problem.
    pub fn problem(&mut self, key: &str, message: String) {
        self.problems.push(Problem { key: key.to_owned(), message });
    }

    fn put(&mut self, key: &'static Key, text: &str, source: Source) {
        let text = text.trim();
        if text.is_empty() || self.values.get(key.name).is_some_and(|value| value.source > source) {
            return;
        }
        self.values.insert(key.name, Value { text: text.to_owned(), source, secret: key.secret });
    }

    /// Kubernetes sets variables for every Service of the namespace, so that one named `ermine` or `ferretdb` makes
    /// variables that look like settings; other unknown ones may belong to scripts around the process.
    fn unknown(&mut self, variable: &str, rest: &str) {
        let service = rest == "PORT" || rest.starts_with("PORT_") || rest.contains("SERVICE_");
        if !service {
            self.notes.push(format!("{variable} is ignored: there is no such setting"));
        }
    }

    fn foreign(&mut self, foreign: &Foreign, text: &str, source: &str) {
        match foreign.fate {
            _ if text.is_empty() => {}
            Fate::Ignored(why) => self.notes.push(format!("{source} is ignored: {why}")),
            Fate::Refused(harmless, why) => {
                let off = text == "-" || text == harmless || units::boolean(text) == Ok(false);
                if !off {
                    self.problem(source, why.to_owned());
                }
            }
        }
    }

    /// The text of a setting, else its default; None if there is neither.
    pub(super) fn text(&self, key: &Key) -> Option<&str> {
        let given = self.values.get(key.name).map(|value| value.text.as_str());
        given.or((!key.default.is_empty()).then_some(key.default))
    }

    /// True if the setting was given.
    pub(super) fn is_given(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Adds a problem with a setting, saying where its value came from.
    pub(super) fn bad(&mut self, key: &Key, message: impl fmt::Display) {
        let message = self.sourced(key, message);
        self.problem(key.name, message);
    }

    /// Adds a problem with a setting without which the process can start all the same.
    pub(super) fn fault(&mut self, key: &Key, message: impl fmt::Display) {
        let message = self.sourced(key, message);
        self.faults.push(Problem { key: key.name.to_owned(), message });
    }

    fn sourced(&self, key: &Key, message: impl fmt::Display) -> String {
        match self.values.get(key.name) {
            Some(value) => format!("{message} (given by {})", value.source),
            None => message.to_string(),
        }
    }

    pub(super) fn problem_count(&self) -> usize {
        self.problems.len()
    }

    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The value with the notes and faults; or the problems, and then the faults among them.
    pub(super) fn finish<T>(self, value: T) -> Result<(T, Vec<String>, Problems), Problems> {
        if self.problems.is_empty() {
            return Ok((value, self.notes, Problems(self.faults)));
        }
        Err(Problems(self.problems.into_iter().chain(self.faults).collect()))
    }
}

fn plain_text(value: &toml::Value, list: bool) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) if list => {
            items.iter().map(toml::Value::as_str).collect::<Option<Vec<_>>>().map(|items| items.join("\n"))
        }
        _ => None,
    }
}
