//! Values as the messages of updates print them, where that is not MongoDB's plain notation (see `display`).

use crate::display;
use crate::raw::{Doc, Val, View};

/// Longest value shown in a message, in bytes: a message is no place for a whole document of 16 MiB.
const LIMIT: usize = 4096;

fn cut(mut text: String) -> String {
    if text.len() > LIMIT {
        text.truncate(text.floor_char_boundary(LIMIT));
        text.push_str("...");
    }
    text
}

/// `name: value`
#[must_use]
pub fn field(name: &str, v: Val<'_>) -> String {
    cut(format!("{name}: {}", display::value(v)))
}

/// `_id: 1` of the document a message speaks of, or `no id`.
#[must_use]
pub fn id(doc: Doc<'_>) -> String {
    doc.get("_id").map_or_else(|| "no id".to_owned(), |v| field("_id", v))
}

/// A document.
#[must_use]
pub fn document(d: Doc<'_>) -> String {
    cut(display::document(d))
}

/// Numbers with their type: `(NumberInt)1`, `{ a: (NumberLong)2 }`.
#[must_use]
pub fn typed(v: Val<'_>) -> String {
    cut(typed_whole(v))
}

fn typed_whole(v: Val<'_>) -> String {
    match v.view() {
        View::Int32(_) => format!("(NumberInt){}", display::value(v)),
        View::Int64(_) => format!("(NumberLong){}", display::value(v)),
        View::Double(_) => format!("(NumberDouble){}", display::value(v)),
        View::Decimal128(_) => format!("(NumberDecimal){}", display::value(v)),
        View::Document(d) if !d.is_empty() => {
            let fields: Vec<_> = d.iter().map(|e| format!("{}: {}", e.name(), typed_whole(e.val))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        View::Array(a) if !a.is_empty() => {
            let items: Vec<_> = a.values().map(typed_whole).collect();
            format!("[ {} ]", items.join(", "))
        }
        _ => display::value(v),
    }
}
