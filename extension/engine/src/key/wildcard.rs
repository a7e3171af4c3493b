//! The `$**` component of an index: a path and its value, for every path of the document.
//!
//! A document has one component per scalar, empty document, empty array and array within an array, under the path of field names
//! that leads to it; positions in arrays do not count (MongoDB manual, "Wildcard Indexes"). Conditions on one path are answered
//! by the keys that begin with it, so the index is planned as an ordinary one over that path: [`Wildcard::options`].

use std::collections::BTreeSet;

use super::filter::{Interval, Predicate, after, operators, truthy};
use super::spec::{KeyField, KeySpec, position};
use super::{EMPTY_ARRAY, NULL, encode, encode_by, encode_text};
use crate::collation::Collation;
use crate::compare::bracket;
use crate::number::to_f64;
use crate::raw::{Doc, Val, View, ty};

/// First byte of the marker that says "some document has several keys for this path"; the path follows.
pub const PATHS: u8 = 0xFE;

/// Most bytes of a path that its marker keeps.
const MARKED: usize = 512;

/// Which paths an index with a `$**` component has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wildcard {
    /// Place of the component.
    pub at: usize,
    /// Only the paths named below, as opposed to all others.
    include: bool,
    tree: Vec<(String, Node)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Leaf(bool),
    Branch(Vec<(String, Node)>),
}

/// How much of a path and what is below it an index has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cover {
    Nothing,
    /// Some of what is below.
    Below,
    /// The value itself, but not all of what is below.
    Value,
    All,
}

/// One way to use the index: as an ordinary one over one path.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The index over that path.
    pub spec: KeySpec,
    /// The conditions it can be asked for.
    pub conditions: Vec<Predicate>,
    /// The path, where conditions on its values are met; otherwise documents may have any number of keys.
    pub path: Option<String>,
}

impl Wildcard {
    /// The component of a key pattern, with the index's `wildcardProjection` as it was normalized at its making.
    #[must_use]
    pub fn of(fields: &[KeyField], projection: Option<Doc<'_>>) -> Option<Self> {
        let at = fields.iter().position(|f| is_wildcard(&f.path))?;
        if let Some(prefix) = fields[at].path.strip_suffix(".$**") {
            let mut tree = Vec::new();
            put(&mut tree, &prefix.split('.').collect::<Vec<_>>(), Node::Leaf(true));
            return Some(Self { at, include: true, tree });
        }
        let tree = projection.map(branch).unwrap_or_default();
        let include = first_leaf(&tree).unwrap_or_else(|| tree.iter().any(|(_, n)| *n == Node::Leaf(true)));
        Some(Self { at, include, tree })
    }

    fn cover<'p>(&self, path: impl Iterator<Item = &'p str>) -> Cover {
        let mut level = &self.tree;
        for (i, part) in path.enumerate() {
            match level.iter().find(|(name, _)| name == part).map(|(_, n)| n) {
                Some(Node::Leaf(true)) => return Cover::All,
                Some(Node::Leaf(false)) => return Cover::Nothing,
                Some(Node::Branch(below)) => level = below,
                // `_id` is left out unless it is asked for.
                None if self.include || (i == 0 && part == "_id") => return Cover::Nothing,
                None => return Cover::All,
            }
        }
        if self.include { Cover::Below } else { Cover::Value }
    }

    /// The component has this path or something below it.
    #[must_use]
    pub fn overlaps(&self, path: &str) -> bool {
        // An ancestor that only leads to what is included has no keys of its own.
        self.cover(path.split('.')) != Cover::Nothing
    }

    /// The component's encodings for a document, and the paths for which it has, or could have, several.
    #[must_use]
    pub fn components(
        &self,
        doc: Doc<'_>,
        descending: bool,
        collation: &Collation,
    ) -> (Vec<Vec<u8>>, BTreeSet<String>) {
        let mut walk =
            Walk { wildcard: self, descending, collation, out: Vec::new(), several: BTreeSet::new() };
        walk.document(doc, "", false);
        (walk.out, walk.several)
    }

    /// The ways to use the index for a filter; the one on the path of `sort` first, if there is any.
    #[must_use]
    pub fn options(
        &self,
        spec: &KeySpec,
        filter: Doc<'_>,
        conditions: &[Predicate],
        sort: Option<&str>,
    ) -> Vec<Choice> {
        let mut out: Vec<Choice> = Vec::new();
        let usable = |p: &Predicate| {
            !p.path.split('.').any(|part| position(part).is_some())
                && matches!(self.cover(p.path.split('.')), Cover::All | Cover::Value)
                && p.set.iter().all(is_leaf)
        };
        let regular = |p: &&Predicate| spec.fields.iter().any(|f| f.path == p.path);
        for p in conditions.iter().filter(|p| usable(p)) {
            if out.iter().any(|c| c.path.as_deref() == Some(p.path.as_str())) {
                continue;
            }
            let mut along = spec.clone();
            let field = &mut along.fields[self.at];
            field.path.clone_from(&p.path);
            field.parts = p.path.split('.').map(str::to_owned).collect();
            field.lead = lead(&p.path);
            let mine = |q: &&Predicate| regular(q) || (q.path == p.path && usable(q));
            let conditions = conditions.iter().filter(mine).cloned().collect();
            out.push(Choice { spec: along, conditions, path: Some(p.path.clone()) });
        }
        out.sort_by_key(|c| c.path.as_deref() != sort || sort.is_none());
        for path in existing(filter) {
            let known = !path.split('.').any(|part| position(part).is_some());
            if known && self.cover(path.split('.')) == Cover::All {
                let mut conditions: Vec<_> = conditions.iter().filter(regular).cloned().collect();
                let mut below = lead_text(&path);
                below.push(b'.');
                let set = vec![Interval::prefix(lead(&path)), Interval::prefix(below)];
                let mut along = spec.clone();
                along.fields[self.at].descending = false;
                conditions.push(Predicate { path: along.fields[self.at].path.clone(), set, exact: false });
                out.push(Choice { spec: along, conditions, path: None });
            }
        }
        if self.at > 0 {
            out.push(Choice {
                spec: spec.clone(),
                conditions: conditions.iter().filter(regular).cloned().collect(),
                path: None,
            });
        }
        out
    }
}

struct Walk<'w> {
    wildcard: &'w Wildcard,
    descending: bool,
    collation: &'w Collation,
    out: Vec<Vec<u8>>,
    several: BTreeSet<String>,
}

// Depth is bounded: stored documents are checked for theirs.
impl Walk<'_> {
    /// The fields of a document at `path`, which is one of several there when `several`.
    fn document(&mut self, d: Doc<'_>, path: &str, several: bool) {
        for e in d {
            let path = if path.is_empty() { e.name().to_owned() } else { format!("{path}.{}", e.name()) };
            let cover = self.wildcard.cover(path.split('.'));
            if cover != Cover::Nothing {
                self.value(e.val, &path, cover != Cover::Below, several, false);
            }
        }
    }

    /// `own`: the index has the path's own value, not only what is below. `nested`: it is an element of an array.
    fn value(&mut self, v: Val<'_>, path: &str, own: bool, several: bool, nested: bool) {
        match v.view() {
            View::Document(d) if !d.is_empty() => self.document(d, path, several),
            View::Array(a) if !nested && !a.is_empty() => {
                let several = several || a.iter().nth(1).is_some();
                if several {
                    self.several.insert(path.to_owned());
                }
                for v in a.values() {
                    self.value(v, path, own, several, true);
                }
            }
            _ if own => {
                if several {
                    self.several.insert(path.to_owned());
                }
                let mut key = lead(path);
                let start = key.len();
                match v.view() {
                    View::Array(_) if !nested => key.push(EMPTY_ARRAY),
                    _ => encode_by(&mut key, v, self.collation),
                }
                if self.descending {
                    key[start..].iter_mut().for_each(|b| *b = !*b);
                }
                self.out.push(key);
            }
            _ => {}
        }
    }
}

/// What a component of `path` begins with.
fn lead(path: &str) -> Vec<u8> {
    let mut out = vec![bracket(ty::STRING)];
    encode_text(&mut out, path.as_bytes());
    out
}

/// The same without the end of the path: components of longer paths begin so too.
fn lead_text(path: &str) -> Vec<u8> {
    let mut out = lead(path);
    out.truncate(out.len() - 2);
    out
}

/// The body of the marker for a path.
#[must_use]
pub fn path_marker(path: &str) -> Vec<u8> {
    let mut out = vec![PATHS];
    out.extend_from_slice(&path.as_bytes()[..path.len().min(MARKED)]);
    out
}

/// `$**`, alone or below a field.
#[must_use]
pub fn is_wildcard(path: &str) -> bool {
    path == "$**" || path.ends_with(".$**")
}

/// Values that are keys of their own: not documents with fields, and nothing that a missing field could satisfy.
fn is_leaf(i: &Interval) -> bool {
    let rank = vec![bracket(ty::DOCUMENT)];
    let mut empty = Vec::new();
    encode(&mut empty, Val { ty: ty::DOCUMENT, bytes: Doc::EMPTY.bytes() });
    let meets = |from: &[u8], to: &[u8]| i.start().as_slice() < to && i.end().as_slice() > from;
    let of_documents = meets(&rank, &after(&rank)) && !(i.is_point() && i.lo == empty);
    !of_documents && !meets(&[NULL], &[NULL + 1])
}

/// Paths that every match has, by `$exists`.
fn existing(filter: Doc<'_>) -> Vec<String> {
    let mut out = Vec::new();
    for e in filter {
        if e.name() == "$and" {
            for d in e.val.as_array().into_iter().flat_map(Doc::values).filter_map(Val::as_doc) {
                out.extend(existing(d));
            }
        } else if !e.name().starts_with('$')
            && operators(e.val).is_some_and(|o| o.iter().any(|x| x.name() == "$exists" && truthy(x.val)))
        {
            out.push(e.name().to_owned());
        }
    }
    out
}

fn branch(d: Doc<'_>) -> Vec<(String, Node)> {
    let node = |v: Val<'_>| match v.view() {
        View::Document(d) => Node::Branch(branch(d)),
        View::Bool(b) => Node::Leaf(b),
        _ => Node::Leaf(!v.is_number() || to_f64(v) != 0.0),
    };
    let mut out = Vec::new();
    for e in d {
        put(&mut out, &e.name().split('.').collect::<Vec<_>>(), node(e.val));
    }
    out
}

fn put(level: &mut Vec<(String, Node)>, path: &[&str], node: Node) {
    let [first, rest @ ..] = path else { return };
    let at = level.iter().position(|(name, _)| name == first).unwrap_or_else(|| {
        level.push(((*first).to_owned(), Node::Branch(Vec::new())));
        level.len() - 1
    });
    let Some((_, slot)) = level.get_mut(at) else { return };
    match (slot, rest) {
        (slot, []) => *slot = node,
        (Node::Branch(below), rest) => put(below, rest, node),
        (Node::Leaf(_), _) => {}
    }
}

/// What the first leaf says that is not `_id` itself.
fn first_leaf(level: &[(String, Node)]) -> Option<bool> {
    level.iter().filter(|(name, n)| name != "_id" || matches!(n, Node::Branch(_))).find_map(
        |(_, n)| match n {
            Node::Leaf(b) => Some(*b),
            Node::Branch(below) => first_leaf(below),
        },
    )
}
