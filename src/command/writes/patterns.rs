//! The keys that E11000 tells: which pattern an index has, and what a write would have put under it.
use bson::raw::RawBsonRef;
use bson::{RawBson, RawDocument, RawDocumentBuf, rawdoc};

use super::{MAX_DEPTH, Place};
use crate::pool::Lease;
use crate::reply::write_errors::Duplicate;
use crate::sql::{Budget, Param, calls, run};

/// Keys of indexes by name, asked once for each reply.
#[derive(Default)]
pub(in crate::command) struct Patterns(Vec<(String, Option<RawDocumentBuf>)>);

impl Patterns {
    /// The duplicate that an index refused; `value_of` makes its key of the index's pattern.
    pub(super) async fn describe(
        &mut self,
        place: Place<'_>,
        lease: &mut Lease,
        index: &str,
        value_of: impl Fn(&RawDocument) -> Option<RawDocumentBuf>,
    ) -> Duplicate {
        let ns = format!("{}.{}", place.db, place.collection);
        if !self.0.iter().any(|(name, _)| name == index) {
            let pattern = pattern(place, lease, index).await;
            self.0.push((index.to_owned(), pattern));
        }
        let pattern =
            self.0.iter().find(|(name, _)| name == index).and_then(|(_, pattern)| pattern.as_deref());
        match pattern {
            Some(pattern) => Duplicate::new(&ns, index, pattern, value_of(pattern).as_deref()),
            // The index is gone by now: its name is all there is to tell.
            None => Duplicate {
                message: format!("E11000 duplicate key error collection: {ns} index: {index}"),
                fields: RawDocumentBuf::new(),
            },
        }
    }
}

async fn pattern(place: Place<'_>, lease: &mut Lease, index: &str) -> Option<RawDocumentBuf> {
    if index == "_id_" {
        return Some(rawdoc! { "_id": 1 });
    }
    let params: [Param<'_>; 3] = [&place.db, &place.collection, &index];
    let row = run::optional_row(lease, Budget::default(), &calls::INDEX_KEY, &params).await.ok()??;
    let key = run::document(&row, 0).ok()?;
    RawDocumentBuf::from_bytes(key.to_vec()).ok()
}

/// The key of a document under an index.
pub(super) fn key_of(pattern: &RawDocument, document: &RawDocument) -> Option<RawDocumentBuf> {
    let mut key = RawDocumentBuf::new();
    for element in pattern.iter_elements() {
        let element = element.ok()?;
        key.append(element.key(), at_path(document, element.key().as_str())?);
    }
    Some(key)
}

/// The key that an update gives a document: what it sets, else what its query asks for.
pub(super) fn updated_key(pattern: &RawDocument, operation: &RawDocument) -> Option<RawDocumentBuf> {
    let change = operation.get_document("u").ok()?;
    let is_operator = |element: &bson::raw::RawElement<'_>| element.key().as_str().starts_with('$');
    let operators =
        change.iter_elements().next().is_some_and(|first| first.is_ok_and(|first| is_operator(&first)));
    let mut key = RawDocumentBuf::new();
    for element in pattern.iter_elements() {
        let element = element.ok()?;
        let path = element.key().as_str();
        let set_by = |operator: &str| {
            let fields = change.get_document(operator).ok()?;
            fields.get(path).ok().flatten().map(RawBson::from)
        };
        let queried = || {
            let query = operation.get_document("q").ok()?;
            let value = query.get(path).ok().flatten()?;
            let plain = value.as_document().is_none_or(|value| {
                value.iter_elements().next().is_none_or(|first| first.is_ok_and(|first| !is_operator(&first)))
            });
            plain.then(|| RawBson::from(value))
        };
        let value = if operators {
            set_by("$set").or_else(|| set_by("$setOnInsert")).or_else(queried)?
        } else if path == "_id" {
            change.get("_id").ok().flatten().map(RawBson::from).or_else(queried)?
        } else {
            at_path(change, path)?
        };
        key.append(element.key(), value);
    }
    Some(key)
}

/// The value at a dotted path; null where there is none. None where an array makes it ambiguous.
fn at_path(document: &RawDocument, path: &str) -> Option<RawBson> {
    let mut document = document;
    let mut steps = path.split('.').take(MAX_DEPTH).peekable();
    while let Some(step) = steps.next() {
        match document.get(step).ok()? {
            None => return Some(RawBson::Null),
            Some(RawBsonRef::Array(_)) => return None,
            Some(value) if steps.peek().is_none() => return Some(value.into()),
            Some(RawBsonRef::Document(inner)) => document = inner,
            Some(_) => return Some(RawBson::Null),
        }
    }
    None
}
