//! Sorting by paths (MongoDB manual, "cursor.sort()").

use crate::collation::Collation;
use crate::error::{Error, Result};
use crate::key::{KeyField, KeySpec};
use crate::number::{self, Truncated};
use crate::raw::{Doc, Elem, Val, View};
use crate::{bail, codes, display};
use std::cmp::Ordering;

/// Most components a sort may have.
const MAX_KEYS: usize = 32;

/// A document's place in a sort: byte strings that compare as the sort wants the documents ordered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SortKey(pub Vec<u8>);

/// The order a sort asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The component with this number of the key pattern.
    Field,
    /// `{$meta: "randVal"}`
    Random,
}

/// A parsed sort.
#[derive(Clone, Debug)]
pub struct SortSpec {
    parts: Vec<Part>,
    /// The paths among the parts, in order.
    keys: KeySpec,
    natural: Option<bool>,
}

impl SortSpec {
    /// Parses a sort document. An empty one sorts nothing ([`SortSpec::is_empty`]).
    ///
    /// # Errors
    /// 15974 and 15975 for a direction that is neither 1 nor -1, 15998, 40352 and 40353 for a path that is none, 16410 for a component that starts
    /// with `$`, 13103 for more than 32 components, 31138 and 40218 for `$meta`.
    pub fn parse(spec: Doc<'_>) -> Result<Self> {
        let keys = KeySpec {
            fields: Vec::new(),
            sparse: false,
            unique: false,
            collation: Collation::SIMPLE,
            wildcard: None,
            text: None,
        };
        let mut sort = SortSpec { parts: Vec::new(), keys, natural: None };
        for e in spec {
            if e.name() == "$natural" {
                sort.natural = Some(natural(&e, spec)?);
                continue;
            }
            sort.parts.push(match e.val.as_doc().and_then(|d| d.get("$meta")) {
                Some(meta) => meta_sort(meta)?,
                None => {
                    sort.keys.fields.push(field(&e)?);
                    Part::Field
                }
            });
        }
        if sort.parts.len() > MAX_KEYS {
            bail!(codes::LOCATION13103, "too many compound keys");
        }
        Ok(sort)
    }

    /// The same sort with strings in the order of `collation`.
    #[must_use]
    pub fn collated(mut self, collation: &Collation) -> Self {
        self.keys.collation = collation.clone();
        self
    }

    /// The order of strings.
    #[must_use]
    pub fn collation(&self) -> &Collation {
        &self.keys.collation
    }

    /// Sorts nothing: no component, or only `$natural`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The direction of `$natural`: true for forwards.
    #[must_use]
    pub fn natural(&self) -> Option<bool> {
        self.natural
    }

    /// The components as paths with a flag for descending, when all of them are paths: what an index can serve.
    #[must_use]
    pub fn paths(&self) -> Option<Vec<(&str, bool)>> {
        let only_paths = self.parts.iter().all(|p| *p == Part::Field);
        only_paths.then(|| self.keys.fields.iter().map(|f| (f.path.as_str(), f.descending)).collect())
    }

    /// The document's place. Compute it once per document: a random component is drawn anew by each call. Of an
    /// array the least element counts (the greatest for a descending component); an empty one lies below null.
    ///
    /// # Errors
    /// `BadValue` when two components go through different arrays of the document.
    pub fn key(&self, doc: Doc<'_>) -> Result<SortKey> {
        let random = self.parts.contains(&Part::Random);
        if !random {
            return Ok(SortKey(least(&self.keys, doc)?));
        }
        // Components before and after a random one are keyed apart: a random draw decides nearly every comparison.
        let mut key = Vec::new();
        let mut fields = self.keys.fields.iter();
        for part in &self.parts {
            match (part, fields.len()) {
                (Part::Random, _) => key.extend_from_slice(&draw().to_be_bytes()),
                (Part::Field, 0) => {}
                (Part::Field, _) => {
                    let field = fields.next().cloned().into_iter().collect();
                    let one = KeySpec { fields: field, ..self.keys.clone() };
                    key.extend(least(&one, doc)?);
                }
            }
        }
        Ok(SortKey(key))
    }

    /// Orders two documents. Prefer [`SortSpec::key`] where a document is compared more than once.
    ///
    /// # Errors
    /// As [`SortSpec::key`].
    pub fn compare(&self, a: Doc<'_>, b: Doc<'_>) -> Result<Ordering> {
        Ok(self.key(a)?.cmp(&self.key(b)?))
    }
}

fn least(keys: &KeySpec, doc: Doc<'_>) -> Result<Vec<u8>> {
    keys.least(doc).map_err(|e| {
        if e.code == codes::CANNOT_INDEX_PARALLEL_ARRAYS {
            Error::new(codes::BAD_VALUE, "cannot sort with keys that are parallel arrays")
        } else {
            e
        }
    })
}

fn draw() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // A RandomState differs from call to call, and its hash of nothing is well mixed.
    std::hash::RandomState::new().build_hasher().finish()
}

/// 1 or -1, after a fraction is cut off.
fn direction(v: Val<'_>) -> Option<bool> {
    match number::truncate_i64(v) {
        Some(Truncated::Int(1)) => Some(true),
        Some(Truncated::Int(-1)) => Some(false),
        _ => None,
    }
}

fn natural(e: &Elem<'_>, spec: Doc<'_>) -> Result<bool> {
    match direction(e.val) {
        Some(_) if spec.iter().nth(1).is_some() => {
            bail!(codes::BAD_VALUE, "Cannot include '$natural' in compound sort: {}", display::document(spec))
        }
        Some(forwards) => Ok(forwards),
        None => bail!(codes::BAD_VALUE, "$natural sort cannot be set to a value other than -1 or 1."),
    }
}

fn field(e: &Elem<'_>) -> Result<KeyField> {
    let path = e.name();
    if path.is_empty() {
        bail!(codes::LOCATION40352, "FieldPath cannot be constructed with empty string");
    }
    if path.ends_with('.') {
        bail!(codes::LOCATION40353, "FieldPath must not end with a '.'.");
    }
    if path.split('.').any(str::is_empty) {
        bail!(codes::LOCATION15998, "FieldPath field names may not be empty strings.");
    }
    // `$id`, `$ref` and `$db` below a field are parts of a DBRef.
    let dollar = |(i, part): (usize, &str)| {
        part.starts_with('$') && !(i > 0 && matches!(part, "$id" | "$ref" | "$db"))
    };
    if path.split('.').enumerate().any(dollar) {
        bail!(
            codes::LOCATION16410,
            "FieldPath field names may not start with '$'. Consider using $getField or $setField."
        );
    }
    let Some(ascending) = direction(e.val) else {
        if e.val.as_doc().is_some() {
            bail!(codes::LOCATION17312, "$meta is the only expression supported by $sort right now");
        }
        if !e.val.is_number() {
            bail!(
                codes::LOCATION15974,
                "Illegal key in $sort specification: {path}: {}",
                display::value(e.val)
            );
        }
        bail!(codes::LOCATION15975, "$sort key ordering must be 1 (for ascending) or -1 (for descending)");
    };
    Ok(KeyField {
        path: path.to_owned(),
        parts: path.split('.').map(str::to_owned).collect(),
        descending: !ascending,
        hashed: false,
        geo: None,
        lead: Vec::new(),
    })
}

fn meta_sort(meta: Val<'_>) -> Result<Part> {
    match meta.view() {
        View::String("randVal") => Ok(Part::Random),
        View::String("textScore") => {
            bail!(codes::LOCATION40218, "query requires text score metadata, but it is not available")
        }
        View::String(other) => {
            bail!(codes::LOCATION17308, "Unsupported argument to $meta: {other}")
        }
        _ => bail!(codes::LOCATION31138, "Illegal $meta sort: $meta: {}", display::value(meta)),
    }
}

#[cfg(test)]
mod tests;
