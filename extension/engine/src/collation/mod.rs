//! Collation: strings in the order of a language (MongoDB manual, "Collation").
//!
//! [`Collation::parse`] reads the specification document, [`crate::compare::collated`] and [`crate::key::encode_by`]
//! use it. The rules of the languages are ICU4X's. A collator is built once a backend and specification: what
//! comparisons hold is a shared pointer.

mod locale;
mod spec;
#[cfg(test)]
mod tests;

pub use spec::{VERSION, with_defaults};

use crate::error::Result;
use crate::raw::Doc;
use icu_collator::CollatorBorrowed;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;

/// How strings are ordered. The simple collation compares their bytes.
#[derive(Clone, Default)]
pub struct Collation(Option<Rc<Collator>>);

/// A collation that is not the simple one, ready to compare.
pub struct Collator {
    rules: CollatorBorrowed<'static>,
    spec: Vec<u8>,
}

/// Most collators kept by one thread.
const MAX_KEPT: usize = 64;

thread_local! {
    /// By the specification as it was given.
    static KEPT: RefCell<HashMap<Vec<u8>, Collation>> = RefCell::default();
}

impl Collation {
    /// Strings compare by their bytes.
    pub const SIMPLE: Collation = Collation(None);

    /// Reads a specification; an empty one, and the locale `simple`, mean the simple collation.
    ///
    /// # Errors
    /// MongoDB's codes and words for unknown fields, wrong types, values and locales; `CommandNotSupported` for a
    /// variant of a locale that there are no rules for.
    pub fn parse(spec: Doc<'_>) -> Result<Self> {
        if spec.is_empty() {
            return Ok(Self::SIMPLE);
        }
        if let Some(known) = KEPT.with_borrow(|kept| kept.get(spec.bytes()).cloned()) {
            return Ok(known);
        }
        let parsed = Self(spec::parse(spec)?.map(Rc::new));
        KEPT.with_borrow_mut(|kept| {
            if kept.len() >= MAX_KEPT {
                kept.clear();
            }
            kept.insert(spec.bytes().to_vec(), parsed.clone());
        });
        Ok(parsed)
    }

    /// Compares bytes.
    #[must_use]
    #[inline]
    pub fn is_simple(&self) -> bool {
        self.0.is_none()
    }

    /// The specification with all its fields, as listCollections shows it; `None` for the simple collation.
    #[must_use]
    pub fn spec(&self) -> Option<Doc<'_>> {
        self.0.as_deref().map(|c| Doc::trusted(&c.spec))
    }

    #[inline]
    pub(crate) fn collator(&self) -> Option<&Collator> {
        self.0.as_deref()
    }
}

impl Collator {
    /// How two strings of valid UTF-8 compare.
    #[must_use]
    pub fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        self.rules.compare_utf8(a, b)
    }

    /// Bytes that compare as the strings do. They may hold NUL bytes.
    #[must_use]
    pub fn sort_key(&self, s: &[u8]) -> Vec<u8> {
        let mut key = Vec::with_capacity(2 * s.len() + 8);
        let Ok(()) = self.rules.write_sort_key_utf8_to(s, &mut key);
        key
    }
}

impl PartialEq for Collation {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => Rc::ptr_eq(a, b) || a.spec == b.spec,
            _ => false,
        }
    }
}

impl Eq for Collation {}

impl std::fmt::Debug for Collation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.spec() {
            None => f.write_str("simple"),
            Some(spec) => f.write_str(&crate::display::document(spec)),
        }
    }
}
