//! The documents, and the same as jsonb.

use engine::{DocWriter, Value};

/// Bytes of a document.
pub const SIZE: usize = 1024;

/// Fills a document up: no two neighbours alike, so that nothing compresses too well.
fn padding(id: i64, n: usize) -> String {
    let mut x = id.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        char::from(b'a' + u8::try_from(x % 26).unwrap_or(0))
    };
    (0..n).map(|_| next()).collect()
}

/// A number that no two ids below `count` share, in no order: `count` is even.
pub fn scattered(id: i64, count: i64) -> i64 {
    // A prime that does not divide any sensible count.
    (id % count * 7_368_787) % count
}

/// The fields of document `id` of `count`.
fn fields(id: i64, count: i64) -> Vec<(&'static str, Value)> {
    let mut all = vec![
        ("_id", Value::Int64(id)),
        ("a", Value::Int64(scattered(id, count))),
        ("r", Value::Int64(scattered(id, count) * 31 % count)),
        ("s", Value::String(format!("name-{id}"))),
        ("n", Value::Double(id as f64 / 4.0)),
    ];
    let used: usize = document_of(&all).len();
    all.push(("pad", Value::String(padding(id, SIZE.saturating_sub(used + 10)))));
    all
}

fn document_of(fields: &[(&'static str, Value)]) -> Vec<u8> {
    let mut w = DocWriter::with_capacity(SIZE);
    for (name, v) in fields {
        w.put(name, v);
    }
    w.finish()
}

/// Document `id` of `count`.
pub fn document(id: i64, count: i64) -> Vec<u8> {
    document_of(&fields(id, count))
}

/// A command of these fields.
pub fn command(fields: &[(&str, Value)]) -> Vec<u8> {
    let mut w = DocWriter::new();
    for (name, v) in fields {
        w.put(name, v);
    }
    w.finish()
}

/// A document value.
pub fn sub(fields: &[(&str, Value)]) -> Value {
    Value::Document(command(fields))
}

/// The document as JSON for the plain table.
pub fn json(id: i64, count: i64) -> String {
    let parts = fields(id, count).into_iter().map(|(name, v)| match v {
        Value::Int64(i) => format!("\"{name}\":{i}"),
        Value::Double(d) => format!("\"{name}\":{d}"),
        Value::String(s) => format!("\"{name}\":\"{s}\""),
        other => unreachable!("{other:?}"),
    });
    format!("{{{}}}", parts.collect::<Vec<_>>().join(","))
}
