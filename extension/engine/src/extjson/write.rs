//! From BSON to text.

use super::date;
use crate::decimal;
use crate::raw::{Doc, Val, View};
use std::fmt::Write;

/// Canonical Extended JSON: every number in a wrapper that keeps its type.
#[must_use]
pub fn canonical(doc: Doc<'_>) -> String {
    let mut w = Writer { out: String::with_capacity(doc.bytes().len() * 3), relaxed: false };
    w.document(doc);
    w.out
}

/// One value in canonical Extended JSON.
#[must_use]
pub fn canonical_value(v: Val<'_>) -> String {
    let mut w = Writer { out: String::new(), relaxed: false };
    w.value(v);
    w.out
}

/// Relaxed Extended JSON: plain numbers and readable dates where nothing but the type is lost.
#[must_use]
pub fn relaxed(doc: Doc<'_>) -> String {
    let mut w = Writer { out: String::with_capacity(doc.bytes().len() * 2), relaxed: true };
    w.document(doc);
    w.out
}

struct Writer {
    out: String,
    relaxed: bool,
}

impl Writer {
    fn document(&mut self, d: Doc<'_>) {
        self.out.push_str("{ ");
        for (i, e) in d.iter().enumerate() {
            if i > 0 {
                self.out.push_str(", ");
            }
            self.string(e.name());
            self.out.push_str(" : ");
            self.value(e.val);
        }
        self.out.push_str(if d.is_empty() { "}" } else { " }" });
    }

    fn array(&mut self, a: Doc<'_>) {
        self.out.push_str("[ ");
        for (i, v) in a.values().enumerate() {
            if i > 0 {
                self.out.push_str(", ");
            }
            self.value(v);
        }
        self.out.push_str(" ]");
    }

    fn value(&mut self, v: Val<'_>) {
        match v.view() {
            View::Double(d) if self.relaxed && d.is_finite() => self.out.push_str(&double(d)),
            View::Double(d) => self.wrap("$numberDouble", &double(d)),
            View::String(s) => self.string(s),
            View::Document(d) => self.document(d),
            View::Array(a) => self.array(a),
            View::Binary { subtype, bytes } => {
                let data = base64(bytes);
                self.raw(&format!(
                    "{{ \"$binary\" : {{ \"base64\" : \"{data}\", \"subType\" : \"{subtype:02x}\" }} }}"
                ));
            }
            View::Undefined => self.raw("{ \"$undefined\" : true }"),
            View::ObjectId(id) => {
                let oid = object_id(&id);
                self.raw(&oid);
            }
            View::Bool(b) => self.raw(if b { "true" } else { "false" }),
            View::DateTime(ms) => match date::format(ms).filter(|_| self.relaxed) {
                Some(text) => self.wrap("$date", &text),
                None => self.raw(&format!("{{ \"$date\" : {{ \"$numberLong\" : \"{ms}\" }} }}")),
            },
            View::Null => self.raw("null"),
            View::Regex { pattern, options } => {
                self.raw("{ \"$regularExpression\" : { \"pattern\" : ");
                self.string(pattern);
                self.raw(", \"options\" : ");
                self.string(options);
                self.raw(" } }");
            }
            View::DbPointer { ns, id } => {
                self.raw("{ \"$dbPointer\" : { \"$ref\" : ");
                self.string(ns);
                self.raw(", \"$id\" : ");
                self.raw(&object_id(&id));
                self.raw(" } }");
            }
            View::Code(code) => self.wrap("$code", code),
            View::Symbol(s) => self.wrap("$symbol", s),
            View::CodeWithScope { code, scope } => {
                self.raw("{ \"$code\" : ");
                self.string(code);
                self.raw(", \"$scope\" : ");
                self.document(scope);
                self.raw(" }");
            }
            View::Int32(i) if self.relaxed => self.raw(&i.to_string()),
            View::Int32(i) => self.wrap("$numberInt", &i.to_string()),
            View::Int64(i) if self.relaxed => self.raw(&i.to_string()),
            View::Int64(i) => self.wrap("$numberLong", &i.to_string()),
            View::Timestamp { t, i } => {
                self.raw(&format!("{{ \"$timestamp\" : {{ \"t\" : {t}, \"i\" : {i} }} }}"));
            }
            View::Decimal128(d) => self.wrap("$numberDecimal", &decimal::to_text(decimal::decode(d))),
            View::MaxKey => self.raw("{ \"$maxKey\" : 1 }"),
            View::MinKey => self.raw("{ \"$minKey\" : 1 }"),
        }
    }

    fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn wrap(&mut self, name: &str, text: &str) {
        self.raw("{ \"");
        self.raw(name);
        self.raw("\" : ");
        self.string(text);
        self.raw(" }");
    }

    fn string(&mut self, s: &str) {
        self.out.push('"');
        for c in s.chars() {
            match c {
                '"' => self.raw("\\\""),
                '\\' => self.raw("\\\\"),
                '\n' => self.raw("\\n"),
                '\r' => self.raw("\\r"),
                '\t' => self.raw("\\t"),
                '\u{8}' => self.raw("\\b"),
                '\u{c}' => self.raw("\\f"),
                c if c < ' ' => {
                    let _ = write!(self.out, "\\u{:04x}", u32::from(c));
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

fn object_id(id: &[u8; 12]) -> String {
    let digits: String = id.iter().map(|b| format!("{b:02x}")).collect();
    format!("{{ \"$oid\" : \"{digits}\" }}")
}

/// Shortest text that reads back as the same double, always with a fraction or an exponent.
fn double(d: f64) -> String {
    if d.is_nan() {
        return "NaN".into();
    }
    if d.is_infinite() {
        return if d < 0.0 { "-Infinity" } else { "Infinity" }.into();
    }
    if d == 0.0 || (1e-5..1e16).contains(&d.abs()) { format!("{d:?}") } else { format!("{d:e}") }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (i, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let six = usize::try_from(bits >> shift & 63).unwrap_or(0);
            let c = ALPHABET.get(six).copied().unwrap_or(b'=');
            out.push(if i <= chunk.len() { char::from(c) } else { '=' });
        }
    }
    out
}
