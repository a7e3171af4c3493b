//! The values the `distinct` command collects (MongoDB manual, "distinct").

use crate::collation::Collation;
use crate::compare;
use crate::path::{Part, Path};
use crate::raw::{Doc, Val, View};
use crate::value::ArrayWriter;
use std::cmp::Ordering;
use std::collections::HashMap;

/// Collects the different values at one path.
#[derive(Debug)]
pub struct Distinct {
    path: Path,
    /// Values found so far, in the order of their first appearance, and their places by hash.
    found: Vec<(u8, Box<[u8]>)>,
    places: HashMap<u64, Vec<usize>>,
    collation: Collation,
}

impl Distinct {
    /// Nothing collected yet. Of strings that `collation` holds equal the first one counts.
    #[must_use]
    pub fn new(path: &str, collation: &Collation) -> Self {
        let collation = collation.clone();
        Self { path: Path::new(path), found: Vec::new(), places: HashMap::new(), collation }
    }

    /// Adds the document's values: an array at the end of the path counts with its elements, documents in an array
    /// on the way are entered, a missing field adds nothing.
    pub fn add(&mut self, doc: Doc<'_>) {
        let path = std::mem::replace(&mut self.path, Path::new(""));
        self.collect(doc, path.parts());
        self.path = path;
    }

    /// The values as an encoded array, in MongoDB's order.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.found.sort_by(|a, b| compare::collated(val(a), val(b), &self.collation));
        let mut w = ArrayWriter::new();
        for v in &self.found {
            w.push_val(val(v));
        }
        w.finish()
    }

    fn collect(&mut self, doc: Doc<'_>, parts: &[Part]) {
        let Some((part, rest)) = parts.split_first() else { return };
        let Some(v) = doc.get(part.name()) else { return };
        self.descend(v, rest);
    }

    fn descend(&mut self, v: Val<'_>, rest: &[Part]) {
        match (v.view(), rest) {
            (View::Array(a), []) => a.values().for_each(|e| self.insert(e)),
            (_, []) => self.insert(v),
            (View::Document(d), _) => self.collect(d, rest),
            (View::Array(a), [part, after @ ..]) => match part.index() {
                Some(i) => {
                    if let Some(e) = a.values().nth(i) {
                        self.descend(e, after);
                    }
                }
                None => a.values().filter_map(Val::as_doc).for_each(|d| self.collect(d, rest)),
            },
            _ => {}
        }
    }

    fn insert(&mut self, v: Val<'_>) {
        let places = self.places.entry(crate::hash::collated(v, &self.collation)).or_default();
        let known = places.iter().filter_map(|p| self.found.get(*p));
        if known.into_iter().any(|k| compare::collated(val(k), v, &self.collation) == Ordering::Equal) {
            return;
        }
        places.push(self.found.len());
        self.found.push((v.ty, v.bytes.into()));
    }
}

fn val(v: &(u8, Box<[u8]>)) -> Val<'_> {
    Val { ty: v.0, bytes: &v.1 }
}
