//! Values inside error messages and as text: MongoDB's spelling.

use super::ops::dec128;
use crate::raw::{Doc, Val, View, ty};
use crate::value::Value;
use std::fmt::Write as _;

/// A value as messages show it; `None` is `MISSING`.
pub(crate) fn value(v: Option<&Value>) -> String {
    v.map_or_else(|| "MISSING".into(), |v| v.with_val(val))
}

/// A borrowed value as messages show it.
pub(crate) fn val(v: Val<'_>) -> String {
    match v.view() {
        View::Double(x) => double(x),
        View::String(s) => format!("\"{s}\""),
        View::Document(d) => doc(d),
        View::Array(a) => array(a),
        View::Int32(i) => i.to_string(),
        View::Int64(i) => i.to_string(),
        View::Bool(b) => b.to_string(),
        View::Null => "null".into(),
        View::Decimal128(d) => dec128::to_text(d),
        View::ObjectId(o) => format!("{{ \"$oid\" : \"{}\" }}", hex(&o)),
        View::DateTime(ms) => format!("{{ \"$date\" : \"{}\" }}", super::ops::date::iso(ms)),
        View::Timestamp { t, i } => format!("{{ \"$timestamp\" : {{ \"t\" : {t}, \"i\" : {i} }} }}"),
        View::Regex { pattern, options } => {
            format!(
                "{{ \"$regularExpression\" : {{ \"pattern\" : \"{pattern}\", \"options\" : \"{options}\" }} }}"
            )
        }
        View::MinKey => "{ \"$minKey\" : 1 }".into(),
        View::MaxKey => "{ \"$maxKey\" : 1 }".into(),
        View::Undefined => "{ \"$undefined\" : true }".into(),
        View::Binary { .. } => "{ \"$binary\" : … }".into(),
        View::Code(s) | View::CodeWithScope { code: s, .. } => format!("{{ \"$code\" : \"{s}\" }}"),
        View::Symbol(s) => format!("{{ \"$symbol\" : \"{s}\" }}"),
        View::DbPointer { .. } => "{ \"$dbPointer\" : … }".into(),
    }
}

/// A document as messages show it.
pub(crate) fn doc(d: Doc<'_>) -> String {
    if d.is_empty() {
        return "{ }".into();
    }
    let mut out = String::from("{ ");
    for (i, e) in d.iter().enumerate() {
        let sep = if i == 0 { "" } else { ", " };
        let _ = write!(out, "{sep}\"{}\" : {}", e.name(), val(e.val));
    }
    out.push_str(" }");
    out
}

fn array(a: Doc<'_>) -> String {
    if a.is_empty() {
        return "[  ]".into();
    }
    let items: Vec<String> = a.values().map(val).collect();
    format!("[ {} ]", items.join(", "))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

/// The shortest text that reads back as the same double, in the style of C's `%g`.
pub(crate) fn double(x: f64) -> String {
    if x.is_nan() {
        return "NaN".into();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let magnitude = x.abs();
    if magnitude != 0.0 && !(1e-5..1e16).contains(&magnitude) {
        let text = format!("{x:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let n: i32 = exponent.parse().unwrap_or(0);
        let sign = if n < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", n.unsigned_abs());
    }
    x.to_string()
}

/// The name of a computed value's type, `missing` included.
pub(crate) fn type_of(v: Option<&Value>) -> &'static str {
    v.map_or("missing", |v| if v.ty() == ty::UNDEFINED { "undefined" } else { v.type_name() })
}
