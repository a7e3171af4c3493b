//! Filters that the keys of an index decide alone, so that no document has to be looked at.

use super::bounds::Bounds;
use super::filter::{Predicate, Strings, normalize, operator, operators};
use super::{KeySpec, MAX_KEY};
use crate::query::is_nan;
use crate::raw::{Doc, Val, ty};

/// The conditions of a filter that consists of nothing else: a document with one key for each path matches exactly when each
/// of these keys lies in its set. `None` where keys can't tell.
#[must_use]
pub fn decided(filter: Doc<'_>, strings: Strings<'_>) -> Option<Vec<Predicate>> {
    let mut out = Vec::new();
    collect(filter, strings, &mut out)?;
    Some(out)
}

fn collect(filter: Doc<'_>, strings: Strings<'_>, out: &mut Vec<Predicate>) -> Option<()> {
    for e in filter {
        match e.name() {
            "$and" => {
                for d in e.val.as_array()?.values() {
                    collect(d.as_doc()?, strings, out)?;
                }
            }
            name if name.starts_with('$') => return None,
            path => match operators(e.val) {
                None => out.push(condition(path, "$eq", e.val, strings)?),
                Some(ops) => {
                    for op in ops {
                        out.push(condition(path, op.name(), op.val, strings)?);
                    }
                }
            },
        }
    }
    Some(())
}

fn condition(path: &str, name: &str, v: Val<'_>, strings: Strings<'_>) -> Option<Predicate> {
    let plain = match name {
        "$in" => v.as_array()?.values().all(is_plain),
        _ => is_plain(v),
    };
    let (set, exact) = plain.then(|| operator(name, v, strings))??;
    exact.then(|| Predicate { path: path.to_owned(), set: normalize(set), exact })
}

/// Values whose equality and order are those of their keys, wherever they stand. What contains others is left out, and what
/// matches documents without the field.
fn is_plain(v: Val<'_>) -> bool {
    let scalar = matches!(
        v.ty,
        ty::DOUBLE
            | ty::STRING
            | ty::OBJECT_ID
            | ty::BOOL
            | ty::DATE
            | ty::INT32
            | ty::INT64
            | ty::TIMESTAMP
            | ty::DECIMAL128
    );
    scalar && !is_nan(v)
}

impl Bounds {
    /// In an index whose documents have one key each, none of them cut: the ranges hold the keys of those documents, and only
    /// those, that match the filter whose [`decided`] conditions these are.
    #[must_use]
    pub fn decide(&self, spec: &KeySpec, conditions: &[Predicate]) -> bool {
        let used = spec.fields.get(..self.used).unwrap_or(&[]);
        let longest = |p: &Predicate| p.set.iter().map(|s| s.lo.len().max(s.hi.len())).max().unwrap_or(0);
        spec.text.is_none()
            && spec.wildcard.is_none()
            && !spec.is_geo()
            && conditions.iter().all(|p| used.iter().any(|f| f.path == p.path && !f.positional()))
            // Longer ones are cut.
            && conditions.iter().map(longest).sum::<usize>() < MAX_KEY / 2
    }
}
