//! The document an upsert inserts.

use super::tree::Node;
use super::{Kind, Outcome, Update, store};
use crate::error::Result;
use crate::query::Query;
use crate::raw::{Doc, Val};
use crate::value::DocWriter;
use crate::{bail, codes};
use std::borrow::Cow;

/// Refuses filters an upsert can't take fields from.
///
/// # Errors
/// `QueryFeatureNotAllowed` for `$expr`.
pub fn check_upsert_filter(filter: Doc<'_>) -> Result<()> {
    for e in filter {
        match e.name() {
            "$expr" => bail!(
                codes::QUERY_FEATURE_NOT_ALLOWED,
                "$expr is not allowed in the query predicate for an upsert"
            ),
            "$and" | "$or" | "$nor" => {
                for branch in e.val.as_array().into_iter().flat_map(Doc::values).filter_map(Val::as_doc) {
                    check_upsert_filter(branch)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The new document: the filter's equalities (for a replacement only those on `_id`), then the update. `_id` is
/// first when there is one; when there is none the caller generates it and puts it in front.
///
/// # Errors
/// `NotSingleValueField` when the filter sets a path twice, `BadValue` for an `_id` that can't be stored, and
/// those of the update.
pub fn upsert_document(query: &Query, update: &Update) -> Result<Vec<u8>> {
    check_upsert_filter(query.source())?;
    let replaces = matches!(update.kind, Kind::Replacement(_));
    let base = from_equalities(query, replaces)?;
    let result = match update.run(Doc::trusted(&base), None, true)? {
        Outcome::NoOp => base,
        Outcome::Changed(doc) => doc,
    };
    let result = id_first(result);
    store::check_stored(Doc::trusted(&result))?;
    Ok(result)
}

fn from_equalities(query: &Query, only_id: bool) -> Result<Vec<u8>> {
    let mut equalities: Vec<(&str, Val<'_>)> = Vec::new();
    for (path, v) in query.equalities() {
        let path = path.as_str();
        if only_id {
            if path.split('.').next() != Some("_id") {
                continue;
            }
            if path != "_id" {
                bail!(
                    codes::NOT_EXACT_VALUE_FIELD,
                    "field at '_id' must be exactly specified, field at sub-path '{path}'found"
                );
            }
        }
        let same_or_above =
            |p: &str| path.strip_prefix(p).is_some_and(|r| r.is_empty() || r.starts_with('.'));
        match equalities.iter().find(|(p, _)| same_or_above(p)) {
            Some((known, _)) if *known != path => bail!(
                codes::NOT_SINGLE_VALUE_FIELD,
                "cannot infer query fields to set, both paths '{path}' and '{known}' are matched"
            ),
            Some(_) => bail!(
                codes::NOT_SINGLE_VALUE_FIELD,
                "cannot infer query fields to set, path '{path}' is matched twice"
            ),
            None => {}
        }
        equalities.push((path, v));
    }
    equalities.sort_by_key(|(p, _)| *p);
    let mut root = Node::Doc(Vec::new());
    for (path, v) in equalities {
        let names: Vec<Cow<'_, str>> = path.split('.').map(Cow::Borrowed).collect();
        let (node, depth) = root.find(&names);
        match names.get(depth..).filter(|l| !l.is_empty()) {
            None => *node = Node::Raw(v),
            Some(left) => {
                super::apply::create(node, &names, left, Node::Raw(v))?;
            }
        }
    }
    let mut base = Vec::new();
    root.encode(&mut base);
    Ok(base)
}

fn id_first(doc: Vec<u8>) -> Vec<u8> {
    let view = Doc::trusted(&doc);
    let Some(id) = view.get("_id") else { return doc };
    if view.first().is_some_and(|e| e.name() == "_id") {
        return doc;
    }
    let mut w = DocWriter::with_capacity(doc.len());
    w.put_val("_id", id);
    for e in view.iter().filter(|e| e.name() != "_id") {
        w.put_elem(&e);
    }
    w.finish()
}
