//! Index specifications in the words of error messages: `{ "key" : { "a" : 1 }, "name" : "n" }`.

use engine::raw::View;
use engine::{Doc, Val};

/// A document.
pub fn document(d: Doc<'_>) -> String {
    let mut out = String::new();
    write_document(&mut out, d);
    out
}

/// One value.
pub fn value(v: Val<'_>) -> String {
    let mut out = String::new();
    write_value(&mut out, v);
    out
}

fn write_document(out: &mut String, d: Doc<'_>) {
    out.push_str("{ ");
    for (i, e) in d.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        out.push('"');
        out.push_str(e.name());
        out.push_str("\" : ");
        write_value(out, e.val);
    }
    out.push_str(" }");
}

fn write_value(out: &mut String, v: Val<'_>) {
    match v.view() {
        View::Document(d) => write_document(out, d),
        View::Array(a) => {
            out.push_str("[ ");
            for (i, e) in a.values().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_value(out, e);
            }
            out.push_str(" ]");
        }
        _ => out.push_str(&engine::display::value(v)),
    }
}
