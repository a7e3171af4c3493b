//! Reads what a server wrote to its log.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A place in the log of one server; what comes after it is read with [`LogMark::statements`] or
/// [`LogMark::text`].
#[derive(Clone, Debug)]
pub struct LogMark {
    file: PathBuf,
    offset: u64,
}

impl LogMark {
    /// The present end of the log.
    pub(crate) fn end_of(file: &Path) -> Self {
        let offset = std::fs::metadata(file).map_or(0, |m| m.len());
        Self { file: file.to_owned(), offset }
    }

    /// Everything logged since.
    pub fn text(&self) -> String {
        let mut bytes = Vec::new();
        if let Ok(mut file) = File::open(&self.file)
            && file.seek(SeekFrom::Start(self.offset)).is_ok()
        {
            // A log that vanished meanwhile has nothing to say.
            let _ = file.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The SQL statements executed since, in order, each on one line. The server logs a statement before it
    /// runs it: once a client has its answer, the statement is here. Needs a cluster with
    /// [`log_statements`](crate::Builder::log_statements).
    pub fn statements(&self) -> Vec<String> {
        let mut statements: Vec<String> = Vec::new();
        let mut inside = false;
        for line in self.text().lines() {
            if let Some(rest) = line.strip_prefix('\t') {
                if inside && let Some(last) = statements.last_mut() {
                    last.push(' ');
                    last.push_str(rest.trim());
                }
                continue;
            }
            let statement = statement_of(line);
            inside = statement.is_some();
            statements.extend(statement.map(str::to_owned));
        }
        statements
    }

    /// Whether a statement executed since contains `part`.
    pub fn ran(&self, part: &str) -> bool {
        self.statements().iter().any(|statement| statement.contains(part))
    }
}

/// The SQL in a log line of a simple (`statement: …`) or prepared (`execute name: …`) call.
fn statement_of(line: &str) -> Option<&str> {
    let (_, message) = line.split_once("LOG:  ")?;
    if let Some(sql) = message.strip_prefix("statement: ") {
        return Some(sql);
    }
    message.strip_prefix("execute ").and_then(|rest| rest.split_once(": ")).map(|(_, sql)| sql)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_found_and_joined() {
        let file = std::env::temp_dir().join(format!("ermine-log-{}", std::process::id()));
        std::fs::write(&file, "old\n").unwrap();
        let mark = LogMark::end_of(&file);
        let log = "old\n2026-01-01 [1] LOG:  statement: SELECT 1\n\tFROM t\n2026 [1] LOG:  duration: 1 ms\n\
                   2026 [2] LOG:  execute s1: SELECT f($1)\n2026 [2] DETAIL:  parameters: $1 = 'a'\n\tb\n";
        std::fs::write(&file, log).unwrap();
        assert_eq!(mark.statements(), ["SELECT 1 FROM t", "SELECT f($1)"]);
        assert!(mark.ran("f($1)") && !mark.ran("old"));
        std::fs::remove_file(&file).unwrap();
    }
}
