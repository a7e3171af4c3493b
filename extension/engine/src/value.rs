//! Owned BSON: computed values and the writers that build documents.
//!
//! A [`Value`]'s documents and arrays stay encoded, so nesting one value in another is a copy of bytes.

use crate::raw::{Doc, OLD_BINARY, Val, View, ty};

/// An owned value.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "variants are BSON's types")]
pub enum Value {
    Double(f64),
    String(String),
    /// A whole encoded document.
    Document(Vec<u8>),
    /// A whole encoded array: a document whose names are `"0"`, `"1"`, …
    Array(Vec<u8>),
    Binary {
        subtype: u8,
        bytes: Vec<u8>,
    },
    Undefined,
    ObjectId([u8; 12]),
    Bool(bool),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    DateTime(i64),
    Null,
    Regex {
        pattern: String,
        options: String,
    },
    Int32(i32),
    Timestamp {
        t: u32,
        i: u32,
    },
    Int64(i64),
    /// BSON's (BID) encoding, little endian.
    Decimal128([u8; 16]),
    MaxKey,
    MinKey,
    /// A value of a deprecated type (dbPointer, code, symbol, code with scope) in its encoded form.
    Other {
        ty: u8,
        bytes: Vec<u8>,
    },
}

impl From<Val<'_>> for Value {
    fn from(v: Val<'_>) -> Self {
        match v.view() {
            View::Double(x) => Value::Double(x),
            View::String(s) => Value::String(s.to_owned()),
            View::Document(d) => Value::Document(d.bytes().to_vec()),
            View::Array(d) => Value::Array(d.bytes().to_vec()),
            View::Binary { subtype, bytes } => Value::Binary { subtype, bytes: bytes.to_vec() },
            View::Undefined => Value::Undefined,
            View::ObjectId(o) => Value::ObjectId(o),
            View::Bool(b) => Value::Bool(b),
            View::DateTime(d) => Value::DateTime(d),
            View::Null => Value::Null,
            View::Regex { pattern, options } => {
                Value::Regex { pattern: pattern.to_owned(), options: options.to_owned() }
            }
            View::Int32(i) => Value::Int32(i),
            View::Timestamp { t, i } => Value::Timestamp { t, i },
            View::Int64(i) => Value::Int64(i),
            View::Decimal128(d) => Value::Decimal128(d),
            View::MaxKey => Value::MaxKey,
            View::MinKey => Value::MinKey,
            View::DbPointer { .. } | View::Code(_) | View::Symbol(_) | View::CodeWithScope { .. } => {
                Value::Other { ty: v.ty, bytes: v.bytes.to_vec() }
            }
        }
    }
}

impl Value {
    /// Element type, one of [`ty`].
    #[must_use]
    pub fn ty(&self) -> u8 {
        match self {
            Value::Double(_) => ty::DOUBLE,
            Value::String(_) => ty::STRING,
            Value::Document(_) => ty::DOCUMENT,
            Value::Array(_) => ty::ARRAY,
            Value::Binary { .. } => ty::BINARY,
            Value::Undefined => ty::UNDEFINED,
            Value::ObjectId(_) => ty::OBJECT_ID,
            Value::Bool(_) => ty::BOOL,
            Value::DateTime(_) => ty::DATE,
            Value::Null => ty::NULL,
            Value::Regex { .. } => ty::REGEX,
            Value::Int32(_) => ty::INT32,
            Value::Timestamp { .. } => ty::TIMESTAMP,
            Value::Int64(_) => ty::INT64,
            Value::Decimal128(_) => ty::DECIMAL128,
            Value::MaxKey => ty::MAX_KEY,
            Value::MinKey => ty::MIN_KEY,
            Value::Other { ty, .. } => *ty,
        }
    }

    /// Appends the encoded value, without type and name.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Value::Double(x) => out.extend_from_slice(&x.to_le_bytes()),
            Value::String(s) => write_string(out, s),
            Value::Document(d) | Value::Array(d) | Value::Other { bytes: d, .. } => out.extend_from_slice(d),
            Value::Binary { subtype, bytes } => {
                let old = *subtype == OLD_BINARY;
                write_len(out, bytes.len() + if old { 4 } else { 0 });
                out.push(*subtype);
                if old {
                    write_len(out, bytes.len());
                }
                out.extend_from_slice(bytes);
            }
            Value::Undefined | Value::Null | Value::MaxKey | Value::MinKey => {}
            Value::ObjectId(o) => out.extend_from_slice(o),
            Value::Bool(b) => out.push(u8::from(*b)),
            Value::DateTime(i) | Value::Int64(i) => out.extend_from_slice(&i.to_le_bytes()),
            Value::Regex { pattern, options } => {
                for part in [pattern, options] {
                    out.extend_from_slice(part.as_bytes());
                    out.push(0);
                }
            }
            Value::Int32(i) => out.extend_from_slice(&i.to_le_bytes()),
            Value::Timestamp { t, i } => {
                out.extend_from_slice(&i.to_le_bytes());
                out.extend_from_slice(&t.to_le_bytes());
            }
            Value::Decimal128(d) => out.extend_from_slice(d),
        }
    }

    /// Encodes the value and gives the borrowed form to `f`; documents and arrays are not copied.
    pub fn with_val<T>(&self, f: impl FnOnce(Val<'_>) -> T) -> T {
        match self {
            Value::Document(d) | Value::Array(d) | Value::Other { bytes: d, .. } => {
                f(Val { ty: self.ty(), bytes: d })
            }
            _ => {
                let mut buf = Vec::with_capacity(24);
                self.encode(&mut buf);
                f(Val { ty: self.ty(), bytes: &buf })
            }
        }
    }

    /// An encoded array of these values.
    pub fn array_of<'v>(values: impl IntoIterator<Item = &'v Value>) -> Value {
        let mut w = ArrayWriter::new();
        for v in values {
            w.push(v);
        }
        Value::Array(w.finish())
    }

    /// MongoDB's name of the value's type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        crate::raw::type_name(self.ty())
    }

    /// The document, when it is one.
    #[must_use]
    pub fn as_doc(&self) -> Option<Doc<'_>> {
        if let Value::Document(d) = self { Some(Doc::trusted(d)) } else { None }
    }

    /// The array, when it is one.
    #[must_use]
    pub fn as_array(&self) -> Option<Doc<'_>> {
        if let Value::Array(d) = self { Some(Doc::trusted(d)) } else { None }
    }
}

fn write_len(out: &mut Vec<u8>, n: usize) {
    // Every buffer here stays far below 2 GiB: documents are limited to 16 MiB, messages to 48 MB.
    out.extend_from_slice(&i32::try_from(n).unwrap_or(i32::MAX).to_le_bytes());
}

fn write_string(out: &mut Vec<u8>, s: &str) {
    write_len(out, s.len() + 1);
    out.extend_from_slice(s.as_bytes());
    out.push(0);
}

/// Builds one document.
#[derive(Debug)]
pub struct DocWriter {
    buf: Vec<u8>,
}

impl Default for DocWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl DocWriter {
    /// An empty document.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(64)
    }

    /// An empty document with room for `n` bytes.
    #[must_use]
    pub fn with_capacity(n: usize) -> Self {
        let mut buf = Vec::with_capacity(n);
        buf.extend_from_slice(&[0; 4]);
        Self { buf }
    }

    /// Appends an owned value.
    pub fn put(&mut self, name: &str, v: &Value) -> &mut Self {
        self.head(v.ty(), name.as_bytes());
        v.encode(&mut self.buf);
        self
    }

    /// Appends a borrowed value.
    pub fn put_val(&mut self, name: &str, v: Val<'_>) -> &mut Self {
        self.head(v.ty, name.as_bytes());
        self.buf.extend_from_slice(v.bytes);
        self
    }

    /// Appends an element as it is.
    pub fn put_elem(&mut self, e: &Elem<'_>) -> &mut Self {
        self.head(e.val.ty, e.name_bytes());
        self.buf.extend_from_slice(e.val.bytes);
        self
    }

    /// Appends a string.
    pub fn put_str(&mut self, name: &str, s: &str) -> &mut Self {
        self.head(ty::STRING, name.as_bytes());
        write_string(&mut self.buf, s);
        self
    }

    /// Appends an encoded document.
    pub fn put_doc(&mut self, name: &str, d: Doc<'_>) -> &mut Self {
        self.put_val(name, Val { ty: ty::DOCUMENT, bytes: d.bytes() })
    }

    /// Appends an encoded array.
    pub fn put_array(&mut self, name: &str, d: Doc<'_>) -> &mut Self {
        self.put_val(name, Val { ty: ty::ARRAY, bytes: d.bytes() })
    }

    /// Appends already encoded elements (see [`Doc::elements`]).
    pub fn put_elements(&mut self, elements: &[u8]) -> &mut Self {
        self.buf.extend_from_slice(elements);
        self
    }

    /// Size of the finished document in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.buf.len() + 1
    }

    /// The finished document.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.buf.push(0);
        let len = i32::try_from(self.buf.len()).unwrap_or(i32::MAX).to_le_bytes();
        if let Some(head) = self.buf.first_chunk_mut::<4>() {
            *head = len;
        }
        self.buf
    }

    fn head(&mut self, t: u8, name: &[u8]) {
        self.buf.push(t);
        self.buf.extend_from_slice(name);
        self.buf.push(0);
    }
}

use crate::raw::Elem;

/// Builds one array.
#[derive(Debug, Default)]
pub struct ArrayWriter {
    doc: DocWriter,
    len: usize,
}

impl ArrayWriter {
    /// An empty array.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an owned value.
    pub fn push(&mut self, v: &Value) -> &mut Self {
        let name = self.next_name();
        self.doc.put(&name, v);
        self
    }

    /// Appends a borrowed value.
    pub fn push_val(&mut self, v: Val<'_>) -> &mut Self {
        let name = self.next_name();
        self.doc.put_val(&name, v);
        self
    }

    /// Number of values so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Has no value yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Size of the finished array in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.doc.size()
    }

    /// The finished array.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.doc.finish()
    }

    fn next_name(&mut self) -> String {
        let name = self.len.to_string();
        self.len += 1;
        name
    }
}
