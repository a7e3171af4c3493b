//! Golden cases: what is sent, what comes back, and which node ran it.
//!
//! ```text
//! # a comment
//! > {"find": "c", "filter": {}, "$db": "DB"}      to the primary endpoint, logged in
//! >s {"ping": 1, "$db": "DB"}                     to the secondary endpoint
//! >? {"find": "c", "$db": "DB"}                   to the primary endpoint, before the login
//! < {"ok": 1.0}                                   the whole reply, in relaxed Extended JSON
//! @ standby documentdb_api.find_cursor_first_page the node that ran it, from its own log
//! @ nothing                                       no node ran anything
//! ~                                               waits until the standbys have it all
//! ```
//!
//! `DB` stands for a database of the case's own, dropped before it. In what is expected `"<any>"` stands for any
//! value. With `BLESS=1` the replies that differ are written into the file.
use std::path::Path;

use bson::{Bson, Document, doc};
use serde_json::Value;

use crate::client::Client;
use crate::stage::{Marks, Stage};

/// Runs one file. Err tells what differs.
///
/// # Errors
/// The first difference, unless the file was rewritten.
pub fn run(stage: &Stage, file: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let db = database_name(file);
    let mut play = Play {
        db: db.clone(),
        primary: stage.primary(),
        secondary: stage.secondary(),
        stranger: stage.stranger(),
        reply: None,
        marks: stage.marks(),
    };
    play.primary.ok(doc! { "dropDatabase": 1, "$db": &db });
    let bless = std::env::var_os("BLESS").is_some();
    let (mut out, mut differences) = (String::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let mut kept = line.to_owned();
        if let Err(difference) = play.line(stage, line, &mut kept) {
            differences.push(format!("line {}: {difference}", number + 1));
        }
        out.push_str(&kept);
        out.push('\n');
    }
    if bless && out != text {
        std::fs::write(file, out).map_err(|error| error.to_string())?;
    }
    let first = differences.first().map(|first| format!("{} difference(s); {first}", differences.len()));
    first.map_or(Ok(()), Err)
}

/// Folder and name of the file, as a database name.
fn database_name(file: &Path) -> String {
    let part = |name: Option<&std::ffi::OsStr>| {
        name.unwrap_or_default().to_string_lossy().replace([' ', '.', '-'], "_")
    };
    format!("{}_{}", part(file.parent().and_then(Path::file_name)), part(file.file_stem()))
}

struct Play {
    db: String,
    primary: Client,
    secondary: Client,
    stranger: Client,
    reply: Option<Value>,
    marks: Marks,
}

impl Play {
    fn line(&mut self, stage: &Stage, line: &str, kept: &mut String) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "" | "#" => Ok(()),
            "~" => {
                stage.replayed();
                Ok(())
            }
            ">" | ">s" | ">?" => {
                self.marks = stage.marks();
                let command = self.command(rest)?;
                let client = match word {
                    ">s" => &mut self.secondary,
                    ">?" => &mut self.stranger,
                    _ => &mut self.primary,
                };
                self.reply = Some(Bson::Document(client.run(command)).into_relaxed_extjson());
                Ok(())
            }
            "<" => self.compare(rest, kept),
            "@" => self.ran(rest),
            other => Err(format!("unknown line {other}")),
        }
    }

    fn command(&self, text: &str) -> Result<Document, String> {
        let text =
            text.replace("\"DB\"", &format!("\"{}\"", self.db)).replace("\"DB.", &format!("\"{}.", self.db));
        let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        match Bson::try_from(value) {
            Ok(Bson::Document(command)) => Ok(command),
            Ok(_) => Err("a command is a document".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn compare(&mut self, text: &str, kept: &mut String) -> Result<(), String> {
        let got = self.reply.take().ok_or("there is no reply to compare")?;
        let got: Value = {
            let text = serde_json::to_string(&got).map_err(|error| error.to_string())?;
            serde_json::from_str(&text.replace(&self.db, "DB")).map_err(|error| error.to_string())?
        };
        let want: Option<Value> = serde_json::from_str(text).ok();
        if want.as_ref().is_some_and(|want| matches(want, &got)) {
            return Ok(());
        }
        *kept = format!("< {}", spaced(&got));
        Err(format!("want {text}\n      got {}", spaced(&got)))
    }

    fn ran(&self, rest: &str) -> Result<(), String> {
        let (node, part) = rest.split_once(' ').unwrap_or((rest, ""));
        let (primary, standby) = (self.marks.primary_ran(part), self.marks.standby_ran(part));
        let right = match node {
            "primary" => primary && !standby,
            "standby" => standby && !primary,
            "nothing" => self.marks.nothing_ran(),
            other => return Err(format!("unknown node {other}")),
        };
        right.then_some(()).ok_or(format!("{rest}: the primary ran it: {primary}, a standby: {standby}"))
    }
}

/// Equal, field by field in their order, but for what is masked.
fn matches(want: &Value, got: &Value) -> bool {
    match (want, got) {
        (Value::String(mask), _) if mask == "<any>" => true,
        (Value::Object(want), Value::Object(got)) => {
            want.len() == got.len()
                && want.iter().zip(got).all(|((wk, wv), (gk, gv))| wk == gk && matches(wv, gv))
        }
        (Value::Array(want), Value::Array(got)) => {
            want.len() == got.len() && want.iter().zip(got).all(|(want, got)| matches(want, got))
        }
        (want, got) => want == got,
    }
}

/// One line with spaces as people write them.
fn spaced(value: &Value) -> String {
    match value {
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let fields: Vec<_> = fields
                .iter()
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), spaced(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
