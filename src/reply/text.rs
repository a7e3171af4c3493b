//! BSON as MongoDB prints it inside messages: `{ _id: 1, name: "a" }`.
use std::fmt::Write as _;

use bson::RawDocument;
use bson::raw::{RawArray, RawBsonRef};
use bson::spec::BinarySubtype;

/// A document in one line.
pub fn document(document: &RawDocument) -> String {
    let mut out = String::new();
    write_document(&mut out, document);
    out
}

fn write_document(out: &mut String, document: &RawDocument) {
    let mut separator = "{ ";
    for (key, value) in document.iter().flatten() {
        out.push_str(separator);
        out.push_str(key.as_str());
        out.push_str(": ");
        write_value(out, value);
        separator = ", ";
    }
    out.push_str(if separator == "{ " { "{}" } else { " }" });
}

fn write_array(out: &mut String, array: &RawArray) {
    let mut separator = "[ ";
    for value in array.into_iter().flatten() {
        out.push_str(separator);
        write_value(out, value);
        separator = ", ";
    }
    out.push_str(if separator == "[ " { "[]" } else { " ]" });
}

fn write_value(out: &mut String, value: RawBsonRef<'_>) {
    // Writing to a String cannot fail.
    let _ = match value {
        RawBsonRef::Double(value) if value.fract() == 0.0 && value.abs() < 1e15 => write!(out, "{value:.1}"),
        RawBsonRef::Double(value) => write!(out, "{value}"),
        RawBsonRef::String(value) => write!(out, "\"{value}\""),
        RawBsonRef::Document(value) => {
            write_document(out, value);
            Ok(())
        }
        RawBsonRef::Array(value) => {
            write_array(out, value);
            Ok(())
        }
        RawBsonRef::Binary(value) => {
            let hex: String = value.bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            match (value.subtype, value.bytes.len()) {
                (BinarySubtype::Uuid, 16) => write!(out, "UUID(\"{}\")", hyphenated(&hex)),
                (subtype, _) => write!(out, "BinData({}, {hex})", u8::from(subtype)),
            }
        }
        RawBsonRef::ObjectId(value) => write!(out, "ObjectId('{}')", value.to_hex()),
        RawBsonRef::Boolean(value) => write!(out, "{value}"),
        RawBsonRef::DateTime(value) => write!(out, "new Date({})", value.timestamp_millis()),
        RawBsonRef::Null => write!(out, "null"),
        RawBsonRef::Undefined => write!(out, "undefined"),
        RawBsonRef::RegularExpression(value) => {
            write!(out, "/{}/{}", value.pattern.as_str(), value.options.as_str())
        }
        RawBsonRef::Int32(value) => write!(out, "{value}"),
        RawBsonRef::Int64(value) => write!(out, "{value}"),
        RawBsonRef::Timestamp(value) => write!(out, "Timestamp({}, {})", value.time, value.increment),
        RawBsonRef::Decimal128(value) => write!(out, "{value}"),
        RawBsonRef::MinKey => write!(out, "MinKey"),
        RawBsonRef::MaxKey => write!(out, "MaxKey"),
        RawBsonRef::Symbol(value) => write!(out, "\"{value}\""),
        RawBsonRef::JavaScriptCode(value) => write!(out, "{value}"),
        RawBsonRef::JavaScriptCodeWithScope(value) => write!(out, "CodeWScope({})", value.code),
        RawBsonRef::DbPointer(_) => write!(out, "DBRef"),
    };
}

/// The digits in groups of 8-4-4-4-12, lower case.
fn hyphenated(hex: &str) -> String {
    let mut out = String::with_capacity(36);
    for (at, digit) in hex.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(digit.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::rawdoc;

    #[test]
    fn as_in_duplicate_key_messages() {
        assert_eq!(document(&rawdoc! { "_id": 1 }), "{ _id: 1 }");
        assert_eq!(document(&rawdoc! { "a": "x", "b": 1.0, "c": 2.5 }), "{ a: \"x\", b: 1.0, c: 2.5 }");
        assert_eq!(
            document(&rawdoc! { "a": { "b": bson::RawBson::Null }, "c": [1, true] }),
            "{ a: { b: null }, c: [ 1, true ] }"
        );
        assert_eq!(document(&rawdoc! {}), "{}");
    }
}
