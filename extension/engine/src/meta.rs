//! What is known of a document beside its fields, for `$meta` (MongoDB manual, "$meta").
//!
//! It travels with the document in fields whose names no client sends; whoever shows documents takes them out ([`strip`]).

use crate::raw::{Doc, Val, ty};
use crate::value::{ArrayWriter, DocWriter};

/// The score of a `$text`.
pub const SCORE: &str = "\u{1}textScore";
/// How far away a document was found.
pub const DISTANCE: &str = "\u{1}geoNearDistance";
/// The place that was found.
pub const POINT: &str = "\u{1}geoNearPoint";

/// What documents carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// [`SCORE`].
    pub text: bool,
    /// [`DISTANCE`] and [`POINT`].
    pub near: bool,
}

impl Known {
    /// Anything.
    #[must_use]
    pub fn any(self) -> bool {
        self.text || self.near
    }

    /// The field that carries what the keyword of a `$meta` asks for.
    #[must_use]
    pub fn field(self, keyword: &str) -> Option<&'static str> {
        match keyword {
            "textScore" if self.text => Some(SCORE),
            "geoNearDistance" if self.near => Some(DISTANCE),
            "geoNearPoint" if self.near => Some(POINT),
            _ => None,
        }
    }

    /// The fields that documents carry.
    pub fn fields(self) -> impl Iterator<Item = &'static str> {
        let text = self.text.then_some(SCORE);
        let near = self.near.then_some([DISTANCE, POINT]);
        text.into_iter().chain(near.into_iter().flatten())
    }
}

/// Is the field one of ours?
fn is_ours(name: &str) -> bool {
    matches!(name, SCORE | DISTANCE | POINT)
}

/// Does the stage or projection mention `$meta` anywhere?
#[must_use]
pub fn is_asked(spec: Doc<'_>) -> bool {
    const NAME: &[u8] = b"$meta\0";
    spec.bytes().windows(NAME.len()).any(|w| w == NAME)
}

/// The document without what it carries, wherever a stage may have put it.
#[must_use]
pub fn strip(doc: Doc<'_>) -> Vec<u8> {
    const MARK: &[u8] = b"\x01textScore\0";
    let carries = |name: &[u8]| doc.bytes().windows(name.len()).any(|w| w == name);
    if !carries(MARK) && !carries(b"\x01geoNear") {
        return doc.bytes().to_vec();
    }
    without(doc, 0)
}

fn without(doc: Doc<'_>, depth: usize) -> Vec<u8> {
    let mut w = DocWriter::with_capacity(doc.bytes().len());
    for e in doc.iter().filter(|e| !is_ours(e.name())) {
        match inner(e.val, depth) {
            Some((kind, bytes)) => w.put_val(e.name(), Val { ty: kind, bytes: &bytes }),
            None => w.put_elem(&e),
        };
    }
    w.finish()
}

/// A document or array without what is carried in it.
fn inner(v: Val<'_>, depth: usize) -> Option<(u8, Vec<u8>)> {
    /// As deep as documents may be stored.
    const DEEPEST: usize = 200;
    if depth >= DEEPEST {
        return None;
    }
    if let Some(d) = v.as_doc() {
        return Some((ty::DOCUMENT, without(d, depth + 1)));
    }
    let list = v.as_array()?;
    let mut w = ArrayWriter::new();
    for item in list.values() {
        match inner(item, depth + 1) {
            Some((kind, bytes)) => w.push_val(Val { ty: kind, bytes: &bytes }),
            None => w.push_val(item),
        };
    }
    Some((ty::ARRAY, w.finish()))
}

/// A sort document with what is asked for by `$meta` under the names it travels by, the greatest first; did it ask?
#[must_use]
pub fn sort(spec: Doc<'_>, known: Known) -> (Vec<u8>, bool) {
    let keyword = |v: Val<'_>| v.as_doc()?.get("$meta")?.as_str().and_then(|k| known.field(k));
    let mut found = Vec::new();
    let mut w = DocWriter::new();
    for e in spec {
        match keyword(e.val) {
            Some(field) if found.contains(&field) => {}
            Some(field) => {
                // Scores come best first, distances nearest first.
                let direction = if field == SCORE { -1 } else { 1 };
                w.put(field, &crate::Value::Int32(direction));
                found.push(field);
            }
            None => {
                w.put_elem(&e);
            }
        }
    }
    (w.finish(), !found.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extjson;

    #[test]
    fn what_is_carried_is_taken_out_everywhere() {
        let text = r#"{"a": 1, "\u0001textScore": 2.0, "b": [{"\u0001geoNearDistance": 1, "c": {"\u0001textScore": 1, "d": 2}}]}"#;
        let doc = extjson::parse(text).unwrap();
        let shown = extjson::relaxed(Doc::trusted(&strip(Doc::trusted(&doc))));
        assert_eq!(shown, r#"{ "a" : 1, "b" : [ { "c" : { "d" : 2 } } ] }"#);
    }

    #[test]
    fn sorts_name_what_documents_carry() {
        let spec =
            extjson::parse(r#"{"a": 1, "s": {"$meta": "textScore"}, "t": {"$meta": "textScore"}}"#).unwrap();
        let (sorted, asked) = sort(Doc::trusted(&spec), Known { text: true, near: false });
        assert!(asked);
        let names: Vec<_> = Doc::trusted(&sorted).iter().map(|e| e.name().to_owned()).collect();
        assert_eq!(names, ["a", SCORE]);
        assert!(!sort(Doc::trusted(&spec), Known::default()).1);
    }
}
