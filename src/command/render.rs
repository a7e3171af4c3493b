//! The command table as documentation.
use std::fmt::Write;

use super::refused::REFUSED;
use super::registry::COMMANDS;
use super::spec::{Auth, Kind};

/// The README's tables of commands: those that are served, and those that are refused by name.
pub fn markdown() -> String {
    let mut text = String::from("| Command | Runs on | Login | Meaning |\n|---|---|---|---|\n");
    for command in COMMANDS {
        let names = std::iter::once(&command.name).chain(command.aliases);
        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        let place = match (command.kind, command.writes_if) {
            (Kind::Read, None) => "primary or standby",
            (Kind::Read, Some(_)) => "primary or standby; primary when it writes",
            (Kind::Write | Kind::Admin, _) => "primary",
            (Kind::Any, _) => "any node",
            (Kind::Local, _) => "no node",
        };
        let login = if command.auth == Auth::Open { "no" } else { "yes" };
        // Writing to a String can't fail.
        let _ = writeln!(text, "| {} | {place} | {login} | {} |", names.join(", "), command.help);
    }
    text.push_str("\nRefused by name; every other command is refused with 59 CommandNotFound:\n\n");
    text.push_str("| Command | Code | Answer |\n|---|---|---|\n");
    for refused in REFUSED {
        let (name, code) = (refused.name, refused.code);
        let _ = writeln!(text, "| `{name}` | {} {} | {} |", code.0, code.name(), refused.message);
    }
    text
}
