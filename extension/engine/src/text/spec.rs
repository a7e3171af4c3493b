//! What a text index covers, and how much a word in a document counts.

use std::collections::BTreeMap;

use super::language::Language;
use super::token::{Folding, words};
use crate::raw::{Doc, Val, View};
use crate::{Error, Result, bail, codes};

/// The text component of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSpec {
    /// Place of the component.
    pub at: usize,
    /// Paths and their weights; `$**` stands for every other string of the document.
    weights: Vec<(String, u32)>,
    /// Of documents that do not name another one.
    pub language: Language,
    /// The field that names it.
    language_field: String,
}

/// What a word is worth in one string.
#[derive(Default)]
struct Count {
    frequency: f64,
    step: f64,
    count: u32,
}

impl TextSpec {
    /// Reads `weights`, `default_language` and `language_override` of an index, as they are kept.
    ///
    /// # Errors
    /// BadValue for an unknown language.
    pub fn parse(at: usize, spec: Doc<'_>) -> Result<Self> {
        let text = |name, default| spec.get(name).and_then(Val::as_str).unwrap_or(default);
        let weights = spec.get("weights").and_then(Val::as_doc).unwrap_or(Doc::EMPTY);
        let weight = |v: Val<'_>| {
            let whole = crate::number::exact_i64(v).and_then(|n| u32::try_from(n).ok());
            whole.unwrap_or(1)
        };
        Ok(Self {
            at,
            weights: weights.iter().map(|e| (e.name().to_owned(), weight(e.val))).collect(),
            language: Language::of(text("default_language", "english"))?,
            language_field: text("language_override", "language").to_owned(),
        })
    }

    /// Calls `f` with every indexed string, its language and its weight, until it says false.
    ///
    /// # Errors
    /// 17261 and 17262 for a document that names a language that is none.
    pub fn strings(&self, doc: Doc<'_>, f: &mut dyn FnMut(&str, Language, u32) -> bool) -> Result<()> {
        self.document(doc, "", self.language, None, f).map(|_| ())
    }

    /// `weight`: of an ancestor that is indexed as a whole. Depth is bounded: stored documents are checked for theirs.
    fn document(
        &self,
        doc: Doc<'_>,
        path: &str,
        above: Language,
        weight: Option<u32>,
        f: &mut dyn FnMut(&str, Language, u32) -> bool,
    ) -> Result<bool> {
        let language = match doc.get(&self.language_field).map(Val::view) {
            None => above,
            Some(View::String(name)) => Language::of(name).map_err(|_| {
                Error::new(codes::LOCATION17262, format!("language override unsupported: {name}"))
            })?,
            Some(_) => {
                bail!(codes::LOCATION17261, "found language override field in document with non-string type")
            }
        };
        let wildcard = self.weight("$**");
        for e in doc {
            if wildcard.is_some() && e.name() == self.language_field {
                continue;
            }
            let path = if path.is_empty() { e.name().to_owned() } else { format!("{path}.{}", e.name()) };
            let weight = self.weight(&path).or(weight).or(wildcard);
            let below = || {
                self.weights.iter().any(|(p, _)| p.strip_prefix(&path).is_some_and(|r| r.starts_with('.')))
            };
            if (weight.is_some() || below()) && !self.value(e.val, &path, language, weight, false, f)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn value(
        &self,
        v: Val<'_>,
        path: &str,
        language: Language,
        weight: Option<u32>,
        nested: bool,
        f: &mut dyn FnMut(&str, Language, u32) -> bool,
    ) -> Result<bool> {
        match v.view() {
            View::String(s) => Ok(weight.is_none_or(|w| f(s, language, w))),
            // Only a wildcard reaches the strings below a path that is named itself.
            View::Document(d) => self.document(d, path, language, None, f),
            View::Array(a) if !nested => {
                for v in a.values() {
                    if !self.value(v, path, language, weight, true, f)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(true),
        }
    }

    fn weight(&self, path: &str) -> Option<u32> {
        self.weights.iter().find(|(p, _)| p == path).map(|(_, w)| *w)
    }

    /// The document's terms with what each is worth: in each string, its weight times how often the word occurs (every further
    /// time counting half of the one before) times a factor between 0.5 and 1 for its share of the string's words; a tenth more
    /// where the string is that word alone. (MongoDB's formula, as its scores show.)
    ///
    /// # Errors
    /// As [`TextSpec::strings`].
    pub fn terms(&self, doc: Doc<'_>) -> Result<BTreeMap<String, f64>> {
        let mut out: BTreeMap<String, f64> = BTreeMap::new();
        self.strings(doc, &mut |raw, language, weight| {
            let words = words(raw, language, Folding::default(), false);
            let all = f64::from(u32::try_from(words.len()).unwrap_or(u32::MAX));
            let mut counts: BTreeMap<String, Count> = BTreeMap::new();
            for word in words {
                let c = counts.entry(word).or_default();
                c.step = if c.count == 0 { 1.0 } else { c.step * 2.0 };
                c.count += 1;
                c.frequency += 1.0 / c.step;
            }
            for (word, c) in counts {
                let share = 0.5 * f64::from(c.count) / all + 0.5;
                let whole = if raw.eq_ignore_ascii_case(&word) { 1.1 } else { 1.0 };
                *out.entry(word).or_default() += f64::from(weight) * c.frequency * share * whole;
            }
            true
        })?;
        Ok(out)
    }
}
