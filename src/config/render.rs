//! The settings as documentation: the example file and the README's table.
use std::fmt::Write;

use super::keys::{KEYS, Key};

/// `config.example.toml`: every key, commented out, at its default.
pub fn example_toml() -> String {
    let mut text = String::from(
        "# Every setting of Ermine at its default. A flag (--listen-addr) wins over the variable\n\
         # (ERMINE_LISTEN_ADDR), the variable over this file. Start with `ermine --config FILE`.\n",
    );
    for key in KEYS {
        // Writing to a String can't fail.
        let _ = write!(text, "\n# {}.\n#{} = {}\n", key.help, key.name, example(key));
    }
    text
}

fn example(key: &Key) -> String {
    match key.default {
        "" if key.list => "[]".to_owned(),
        number if number.parse::<u32>().is_ok() || number == "true" => number.to_owned(),
        text => format!("{text:?}"),
    }
}

/// The README's table.
pub fn markdown() -> String {
    let mut text = String::from("| Key | Variable | Default | Meaning |\n|---|---|---|---|\n");
    for key in KEYS {
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        let also = key.ferretdb_variable().map_or(String::new(), |variable| format!(", `{variable}`"));
        let _ = writeln!(text, "| `{}` | `{}`{also} | {default} | {} |", key.name, key.variable(), key.help);
    }
    text
}
