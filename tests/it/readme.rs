//! What is generated stands in the README as it would be generated now (`make gen`).
use std::fs;

/// What stands between a table's marker and the next end marker.
fn generated(name: &str) -> String {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let marker = format!("<!-- generated: {name} -->\n");
    let start = readme.find(&marker).unwrap() + marker.len();
    let length = readme[start..].find("<!-- end -->").unwrap();
    readme[start..start + length].to_owned()
}

#[test]
fn settings_are_current() {
    assert_eq!(generated("settings"), ermine::config::markdown());
}

#[test]
fn commands_are_current() {
    assert_eq!(generated("commands"), ermine::command::markdown());
}
