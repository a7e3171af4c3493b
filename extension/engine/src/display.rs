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

/// Significant digits of a double in a message.
const DIGITS: i32 = 16;

/// A double as C's `%.16g` prints it, `.0` after what has neither a fraction nor a capital letter (MongoDB's `appendDoubleNice`).
#[must_use]
pub fn double(d: f64) -> String {
    if d.is_nan() {
        return "nan.0".into();
    }
    if d.is_infinite() {
        return if d < 0.0 { "-inf.0" } else { "inf.0" }.into();
    }
    let scientific = format!("{d:.15e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let text = if (-4..DIGITS).contains(&exponent) {
        let fraction = usize::try_from(DIGITS - 1 - exponent).unwrap_or(0);
        trimmed(&format!("{d:.fraction$}"))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
    };
    if text.contains('.') { text } else { format!("{text}.0") }
}

fn write_doc(out: &mut String, d: Doc<'_>) {
    if d.is_empty() {
        out.push_str("{}");
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
            write!(out, "{}", if a.is_empty() { "[]" } else { " ]" })
        }
        View::Binary { subtype: 4, bytes } if bytes.len() == 16 => {
            out.push_str("UUID(\"");
            for (i, b) in bytes.iter().enumerate() {
                let _ = write!(out, "{}{b:02x}", if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" });
            }
            write!(out, "\")")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn doubles_have_sixteen_digits() {
        for (d, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.3"),
            (1.5e15, "1500000000000000.0"),
            (1e16, "1e+16.0"),
            (1.25e20, "1.25e+20"),
            (1e-5, "1e-05.0"),
            (0.0001, "0.0001"),
            (-3.25e-7, "-3.25e-07"),
            (f64::INFINITY, "inf.0"),
        ] {
            assert_eq!(double(d), text);
        }
    }

    #[test]
    fn empty_containers_and_identifiers() {
        let uuid = Value::Binary { subtype: 4, bytes: (0..16).collect() };
        assert_eq!(uuid.with_val(value), "UUID(\"00010203-0405-0607-0809-0a0b0c0d0e0f\")");
        assert_eq!(document(Doc::EMPTY), "{}");
    }
}
