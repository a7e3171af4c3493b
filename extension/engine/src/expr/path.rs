//! Field paths of expressions: `a.b.c`, with MongoDB's semantics for arrays on the way.

use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::raw::{Doc, Val};
use crate::value::{ArrayWriter, Value};

/// A dotted path; empty for the whole value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldPath(Vec<Box<str>>);

impl FieldPath {
    /// Splits and checks `text`.
    ///
    /// # Errors
    /// 40352 for an empty path, 40353 for a trailing dot, 15998 for an empty component, 16410 for a `$` at the
    /// start of one, 16411 for a NUL.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            bail!(codes::LOCATION40352, "FieldPath cannot be constructed with empty string");
        }
        if text.ends_with('.') {
            bail!(codes::LOCATION40353, "FieldPath must not end with a '.'.");
        }
        let parts: Vec<Box<str>> = text.split('.').map(Into::into).collect();
        for part in &parts {
            if part.is_empty() {
                bail!(codes::LOCATION15998, "FieldPath field names may not be empty strings.");
            }
            if part.starts_with('$') {
                bail!(
                    codes::LOCATION16410,
                    "FieldPath field names may not start with '$'. Consider using $getField or $setField."
                );
            }
            if part.contains('\0') {
                bail!(codes::LOCATION16411, "FieldPath field names may not contain '\0'.");
            }
        }
        Ok(Self(parts))
    }

    /// One is the other, or lies below it.
    #[must_use]
    pub fn overlaps(&self, other: &FieldPath) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a == b)
    }

    /// Has no component.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The components.
    #[must_use]
    pub fn parts(&self) -> &[Box<str>] {
        &self.0
    }

    /// The dotted form.
    #[must_use]
    pub fn dotted(&self) -> String {
        self.0.join(".")
    }

    /// The value at the path below `doc`.
    #[must_use]
    pub fn get(&self, doc: Doc<'_>) -> Option<Value> {
        if self.0.is_empty() {
            return Some(Value::Document(doc.bytes().to_vec()));
        }
        in_doc(&self.0, doc)
    }

    /// The value at the path below any value.
    #[must_use]
    pub fn get_in(&self, v: Val<'_>) -> Option<Value> {
        if self.0.is_empty() {
            return Some(Value::from(v));
        }
        if let Some(d) = v.as_doc() {
            return in_doc(&self.0, d);
        }
        v.as_array().map(|a| in_array(&self.0, a))
    }
}

fn in_doc(path: &[Box<str>], doc: Doc<'_>) -> Option<Value> {
    let (head, rest) = path.split_first()?;
    let v = doc.get(head)?;
    if rest.is_empty() {
        return Some(Value::from(v));
    }
    if let Some(d) = v.as_doc() {
        return in_doc(rest, d);
    }
    v.as_array().map(|a| in_array(rest, a))
}

/// Every element that is a document contributes the value at the rest of the path; numbers in a path are names,
/// never positions, and arrays inside the array contribute nothing.
fn in_array(path: &[Box<str>], array: Doc<'_>) -> Value {
    let mut out = ArrayWriter::new();
    for v in array.values().filter_map(Val::as_doc).filter_map(|d| in_doc(path, d)) {
        out.push(&v);
    }
    Value::Array(out.finish())
}
