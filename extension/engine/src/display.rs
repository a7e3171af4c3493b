//! Values as MongoDB's error messages show them.

use crate::raw::{Doc, Val, View};
use std::fmt::Write;

/// One value: `5`, `"x"`, `{ a: 1 }`, `[ 1, 2 ]`, `ObjectId('…')`.
#[must_use]
pub fn value(v: Val<'_>) -> String {
    let mut out = String::new();
    write_value(&mut out, v);
    out
}

/// One document: `{ a: 1, b: "x" }`.
#[must_use]
pub fn document(d: Doc<'_>) -> String {
    let mut out = String::new();
    write_doc(&mut out, d);
    out
}

/// A double: always with a fraction or exponent.
#[must_use]
pub fn double(d: f64) -> String {
    if d.is_nan() {
        return "nan.0".into();
    }
    if d.is_infinite() {
        return if d < 0.0 { "-inf.0" } else { "inf.0" }.into();
    }
    let text = if d != 0.0 && !(1e-5..1e16).contains(&d.abs()) { format!("{d:e}") } else { format!("{d}") };
    if text.contains(['.', 'e']) { text } else { format!("{text}.0") }
}

fn write_doc(out: &mut String, d: Doc<'_>) {
    if d.is_empty() {
        out.push_str("{ }");
        return;
    }
    for (i, e) in d.iter().enumerate() {
        let _ = write!(out, "{} {}: ", if i == 0 { "{" } else { "," }, e.name());
        write_value(out, e.val);
    }
    out.push_str(" }");
}

fn write_value(out: &mut String, v: Val<'_>) {
    let _ = match v.view() {
        View::Double(d) => write!(out, "{}", double(d)),
        View::String(s) => write!(out, "\"{s}\""),
        View::Document(d) => {
            write_doc(out, d);
            Ok(())
        }
        View::Array(a) => {
            for (i, e) in a.values().enumerate() {
                out.push_str(if i == 0 { "[ " } else { ", " });
                write_value(out, e);
            }
            write!(out, "{}", if a.is_empty() { "[  ]" } else { " ]" })
        }
        View::Binary { subtype, bytes } => {
            let _ = write!(out, "BinData({subtype}, ");
            for b in bytes {
                let _ = write!(out, "{b:02X}");
            }
            write!(out, ")")
        }
        View::Undefined => write!(out, "undefined"),
        View::ObjectId(id) => {
            out.push_str("ObjectId('");
            hex(out, &id);
            write!(out, "')")
        }
        View::Bool(b) => write!(out, "{b}"),
        View::DateTime(ms) => write!(out, "new Date({ms})"),
        View::Null => write!(out, "null"),
        View::Regex { pattern, options } => write!(out, "/{pattern}/{options}"),
        View::DbPointer { ns, id } => {
            let _ = write!(out, "DBRef('{ns}',");
            hex(out, &id);
            write!(out, ")")
        }
        View::Code(c) => write!(out, "{c}"),
        View::Symbol(s) => write!(out, "\"{s}\""),
        View::CodeWithScope { code, scope } => {
            write!(out, "CodeWScope( {code}, {})", document(scope))
        }
        View::Int32(i) => write!(out, "{i}"),
        View::Timestamp { t, i } => write!(out, "Timestamp({t}, {i})"),
        View::Int64(i) => write!(out, "{i}"),
        View::Decimal128(d) => write!(out, "{}", crate::decimal::to_text(crate::decimal::decode(d))),
        View::MaxKey => write!(out, "MaxKey"),
        View::MinKey => write!(out, "MinKey"),
    };
}

fn hex(out: &mut String, bytes: &[u8]) {
    for b in bytes {
        let _ = write!(out, "{b:02x}");
    }
}
