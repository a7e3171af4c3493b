//! The use arrows of the crate point down only (see `src/lib.rs`).
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with those it may use. Below a module's own path everything is allowed to it.
const ALLOWED: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("tasks", &[]),
    ("config", &[]),
    ("obs", &["config"]),
    ("error", &[]),
    ("tls", &["config"]),
    ("reply", &["error"]),
    ("pool", &["reply", "error", "config", "obs", "tasks", "tls", "wire"]),
    ("sql", &["pool", "reply", "error", "config", "obs", "tasks", "tls", "wire"]),
    ("session", &["sql", "pool", "reply", "error", "config", "obs", "tasks", "tls", "wire"]),
    ("command", &["session", "sql", "pool", "reply", "error", "config", "obs", "tasks", "tls", "wire"]),
    (
        "route",
        &["command", "session", "sql", "pool", "reply", "error", "config", "obs", "tasks", "tls", "wire"],
    ),
    (
        "server",
        &[
            "route", "command", "session", "sql", "pool", "reply", "error", "config", "obs", "tasks", "wire",
            "tls",
        ],
    ),
    ("debug", &["command", "sql", "pool", "error", "config", "obs", "tasks", "tls"]),
    ("otlp", &["config", "obs", "tasks", "tls"]),
    ("ping", &["config", "wire", "tls"]),
    ("cli", &["server", "debug", "otlp", "ping", "command", "config", "obs", "tasks", "tls"]),
    ("main", &[]),
    ("lib", &[]),
];

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The modules that a source text names behind `crate::`, also in a group.
fn used(source: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut modules = Vec::new();
    for rest in source.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => modules.push(word(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut item = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            modules.push(word(item.trim()));
                            item.clear();
                        }
                        c => item.push(c),
                    }
                }
                modules.push(word(item.trim()));
            }
        }
    }
    modules.retain(|module| !module.is_empty());
    modules
}

#[test]
fn arrows_point_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in files(&root) {
        let relative = file.strip_prefix(&root).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == module) else {
            panic!("{} belongs to no known module", relative.display());
        };
        for target in used(&fs::read_to_string(&file).unwrap()) {
            if target != module && !allowed.contains(&target.as_str()) {
                wrong.push(format!("{} uses {target}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point up:\n{}", wrong.join("\n"));
}

#[test]
fn the_search_finds_every_form() {
    let source = "use crate::a::B; use crate::{c, d::{E, f}, g as h}; let x = crate::i::J;";
    assert_eq!(used(source), ["a", "c", "d", "g", "i"]);
}
