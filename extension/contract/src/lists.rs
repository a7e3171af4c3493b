//! The corpus on disk and the two lists of exceptions beside it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::case::Case;
use crate::tree::Result;

/// A case with what the lists say about it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The case as it is judged: with MongoDB's answer where `mongodb.jsonl` has one.
    pub case: Case,
    /// Why it is known not to pass.
    pub not_yet: Option<String>,
    /// Whether MongoDB's answer stands in for the recorded one.
    pub follows_mongodb: bool,
}

impl Entry {
    /// `topic::name`.
    pub fn id(&self) -> String {
        format!("{}::{}", self.case.topic(), self.case.name())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The file of cases that do not pass yet.
pub fn not_yet_file() -> PathBuf {
    root().join("not_yet.txt")
}

/// Reads the corpus and the lists. `ours` says whether the lists apply: they are about our extension.
///
/// # Errors
/// When a file cannot be read, or a list names a case that is not in the corpus or names one twice.
pub fn load(ours: bool) -> Result<Vec<Entry>> {
    let mut files: Vec<_> =
        fs::read_dir(root().join("cases")).map_err(|e| e.to_string())?.flatten().collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    let mut entries = Vec::new();
    for file in files {
        let text = fs::read_to_string(file.path()).map_err(|e| e.to_string())?;
        for line in text.lines() {
            let case = Case::parse(line).map_err(|e| format!("{}: {e}", file.path().display()))?;
            entries.push(Entry { case, not_yet: None, follows_mongodb: false });
        }
    }
    if ours {
        apply(&mut entries)?;
    }
    Ok(entries)
}

fn apply(entries: &mut [Entry]) -> Result<()> {
    let positions: BTreeMap<String, usize> =
        entries.iter().enumerate().map(|(i, entry)| (entry.case.name().to_owned(), i)).collect();
    let find = |file: &str, name: &str| {
        positions.get(name).copied().ok_or_else(|| format!("{file} names {name}, which is not in the corpus"))
    };
    for (name, overlay) in mongodb()? {
        let entry = &mut entries[find("mongodb.jsonl", &name)?];
        entry.case = entry.case.overlaid(&overlay);
        entry.follows_mongodb = true;
    }
    for (name, reason) in parse_not_yet(&read("not_yet.txt")?)? {
        entries[find("not_yet.txt", &name)?].not_yet = Some(reason);
    }
    Ok(())
}

/// The lines of `mongodb.jsonl`: the fields that replace those of the case of the same name.
fn mongodb() -> Result<BTreeMap<String, Map<String, Value>>> {
    let mut overlays = BTreeMap::new();
    for line in read("mongodb.jsonl")?.lines() {
        let value: Value =
            serde_json::from_str(line).map_err(|e| format!("mongodb.jsonl: {e}: {line:.80}"))?;
        let Value::Object(mut overlay) = value else {
            return Err(format!("mongodb.jsonl: not an object: {line:.80}"));
        };
        let Some(Value::String(name)) = overlay.remove("name") else {
            return Err(format!("mongodb.jsonl: no name: {line:.80}"));
        };
        if !overlay.get("reason").is_some_and(Value::is_string) {
            return Err(format!("mongodb.jsonl: {name} has no reason"));
        }
        if overlays.insert(name.clone(), overlay).is_some() {
            return Err(format!("mongodb.jsonl names {name} twice"));
        }
    }
    Ok(overlays)
}

/// Reads `name: reason` lines; `#` begins a comment line.
fn parse_not_yet(text: &str) -> Result<BTreeMap<String, String>> {
    let mut list = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, reason) =
            line.split_once(": ").ok_or_else(|| format!("not_yet.txt: no reason: {line}"))?;
        if list.insert(name.to_owned(), reason.to_owned()).is_some() {
            return Err(format!("not_yet.txt names {name} twice"));
        }
    }
    Ok(list)
}

/// Removes the lines of the named cases from `not_yet.txt` and gives their number.
pub fn shrink_not_yet(passed: &[&str]) -> Result<usize> {
    let text = read("not_yet.txt")?;
    let gone = |line: &&str| line.split_once(": ").is_some_and(|(name, _)| passed.contains(&name));
    let count = text.lines().filter(gone).count();
    let kept: String = text.lines().filter(|line| !gone(line)).flat_map(|line| [line, "\n"]).collect();
    fs::write(not_yet_file(), kept).map_err(|e| e.to_string())?;
    Ok(count)
}

/// Puts lines into `mongodb.jsonl` in place of those of the same names, in order of the names.
pub fn write_mongodb(lines: &[Map<String, Value>]) -> Result<()> {
    let mut overlays = mongodb()?;
    for line in lines {
        let mut overlay = line.clone();
        let name = overlay.shift_remove("name").and_then(|name| name.as_str().map(str::to_owned));
        overlays.insert(name.ok_or("a line without name")?, overlay);
    }
    let mut text = String::new();
    for (name, overlay) in overlays {
        let mut line = Map::from_iter([("name".to_owned(), Value::from(name))]);
        line.extend(overlay);
        text += &Value::Object(line).to_string();
        text.push('\n');
    }
    fs::write(root().join("mongodb.jsonl"), text).map_err(|e| e.to_string())
}

/// Marks of the table in README.md.
const TABLE: [&str; 2] = ["<!-- table -->\n", "<!-- end of table -->"];

/// Writes the table of topics into README.md. It follows from the lists alone: what is not listed passes.
pub fn write_table() -> Result<()> {
    let text = with_table(&read("README.md")?, &load(true)?)?;
    fs::write(root().join("README.md"), text).map_err(|e| e.to_string())
}

fn with_table(readme: &str, entries: &[Entry]) -> Result<String> {
    let mut topics: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for entry in entries {
        for topic in [entry.case.topic(), "~"] {
            let [passed, total, mongodb] = topics.entry(topic).or_default();
            *total += 1;
            *passed += usize::from(entry.not_yet.is_none());
            *mongodb += usize::from(entry.not_yet.is_none() && entry.follows_mongodb);
        }
    }
    let mut table =
        String::from("| topic | passed | of | with MongoDB's answer |\n| --- | ---: | ---: | ---: |\n");
    for (topic, [passed, total, mongodb]) in topics {
        let topic = if topic == "~" { "**all**" } else { topic };
        table += &format!("| {topic} | {passed} | {total} | {mongodb} |\n");
    }
    let (before, rest) = readme.split_once(TABLE[0]).ok_or("README.md has no table")?;
    let (_, after) = rest.split_once(TABLE[1]).ok_or("the table of README.md has no end")?;
    Ok(format!("{before}{}{table}{}{after}", TABLE[0], TABLE[1]))
}

fn read(name: &str) -> Result<String> {
    let path = root().join(name);
    fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_case_has_a_reason() {
        assert!(parse_not_yet("# why\na-case: because\n").unwrap().contains_key("a-case"));
        parse_not_yet("a-case\n").unwrap_err();
        parse_not_yet("a: x\na: y\n").unwrap_err();
    }

    /// A missing file, a name that is no longer there, or a line that cannot be read would hide cases.
    #[test]
    fn the_corpus_is_whole_and_its_lists_fit() {
        assert_eq!(load(true).unwrap().len(), 3485);
    }

    #[test]
    fn the_table_of_the_readme_is_up_to_date() {
        let readme = read("README.md").unwrap();
        assert!(
            with_table(&readme, &load(true).unwrap()).unwrap() == readme,
            "run: cargo run -p contract -- --table"
        );
    }
}
