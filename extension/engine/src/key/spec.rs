//! What an index covers.

use super::geo::GeoKind;
use super::wildcard::Wildcard;
use crate::collation::Collation;
use crate::raw::{Doc, View};
use crate::text::TextSpec;
use crate::{Error, Result, codes};

/// One component of an index key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyField {
    /// Dotted path, as written in the key pattern.
    pub path: String,
    /// The path's components.
    pub parts: Vec<String>,
    /// Stored in reverse order.
    pub descending: bool,
    /// Of a hashed index: arrays are refused. (Stored are the values themselves: equality finds them as well.)
    pub hashed: bool,
    /// Geometries, kept as the numbers of the cells they lie in.
    pub geo: Option<GeoKind>,
    /// What its keys begin with: the path, of a wildcard component over one path.
    pub lead: Vec<u8>,
}

/// The key pattern of an index with the options that decide which entries a document has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// Components in order; never empty.
    pub fields: Vec<KeyField>,
    /// A document in which every field is missing has no entry.
    pub sparse: bool,
    /// Keys are kept apart from each other by value, so a [`super::marker`] needs a row identity.
    pub unique: bool,
    /// How strings are ordered.
    pub collation: Collation,
    /// One of the components is `$**`.
    pub wildcard: Option<Wildcard>,
    /// One of the components is a document's words.
    pub text: Option<TextSpec>,
}

impl KeyField {
    /// Has a component that may name an array position. Such paths have keys, but [`super::bounds`] leaves them alone.
    #[must_use]
    pub fn positional(&self) -> bool {
        self.parts.iter().any(|p| position(p).is_some())
    }
}

/// The array position a path component may stand for.
#[must_use]
pub fn position(part: &str) -> Option<usize> {
    if part.is_empty()
        || !part.bytes().all(|c| c.is_ascii_digit())
        || (part.len() > 1 && part.starts_with('0'))
    {
        return None;
    }
    part.parse().ok()
}

impl KeySpec {
    /// Reads `{key: {path: 1 | -1, …}, sparse: bool, unique: bool, collation: {…}, wildcardProjection: {…}}`; other fields are
    /// left to the caller.
    ///
    /// # Errors
    /// `CannotCreateIndex` when the pattern is missing, empty or has a component that is not a direction.
    pub fn parse(spec: Doc<'_>) -> Result<Self> {
        let pattern = spec.get("key").and_then(|v| v.as_doc()).unwrap_or(Doc::EMPTY);
        let mut fields = Vec::new();
        for e in pattern {
            // It stands for the score, which is not stored.
            if e.name() == "_ftsx" {
                continue;
            }
            let direction = match e.val.view() {
                View::Int32(i) => f64::from(i),
                #[allow(clippy::cast_precision_loss, reason = "only the sign matters")]
                View::Int64(i) => i as f64,
                View::Double(d) => d,
                View::Decimal128(_) if crate::compare::values(e.val, crate::raw::Val::ZERO).is_lt() => -1.0,
                View::Decimal128(_) => 1.0,
                View::String("hashed" | "2d" | "2dsphere" | "text") => 1.0,
                _ => {
                    return Err(Error::new(
                        codes::CANNOT_CREATE_INDEX,
                        format!("Index direction of '{}' is not a number", e.name()),
                    ));
                }
            };
            fields.push(KeyField {
                path: e.name().to_owned(),
                parts: e.name().split('.').map(str::to_owned).collect(),
                descending: direction < 0.0,
                hashed: e.val.as_str() == Some("hashed"),
                geo: GeoKind::of(e.val, spec),
                lead: Vec::new(),
            });
        }
        if fields.is_empty() {
            return Err(Error::new(codes::CANNOT_CREATE_INDEX, "Index keys cannot be empty."));
        }
        let flag = |name| spec.get(name).and_then(|v| v.as_bool()).unwrap_or(false);
        let collation = match spec.get("collation").and_then(|v| v.as_doc()) {
            Some(d) => Collation::parse(d)?,
            None => Collation::SIMPLE,
        };
        let wildcard = Wildcard::of(&fields, spec.get("wildcardProjection").and_then(|v| v.as_doc()));
        let text = fields.iter().position(|f| f.path == "_fts").filter(|_| spec.get("weights").is_some());
        let text = text.map(|at| TextSpec::parse(at, spec)).transpose()?;
        Ok(Self { fields, sparse: flag("sparse"), unique: flag("unique"), collation, wildcard, text })
    }

    /// The key of these values, which are named as the pattern's fields are and in that order; `None` when they are not.
    #[must_use]
    pub fn key_of(&self, values: Doc<'_>) -> Option<Vec<u8>> {
        if self.wildcard.is_some() || self.text.is_some() {
            return None;
        }
        let mut key = Vec::new();
        let mut values = values.iter();
        for f in &self.fields {
            let e = values.next().filter(|e| e.name() == f.path)?;
            let at = key.len();
            super::encode_by(&mut key, e.val, &self.collation);
            if f.descending {
                key.iter_mut().skip(at).for_each(|b| *b = !*b);
            }
        }
        values.next().is_none().then_some(key)
    }
}
