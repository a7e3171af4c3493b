//! A `$text` of a filter.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::language::Language;
use super::spec::TextSpec;
use super::token::{Folding, fold, words};
use crate::raw::Doc;
use crate::{Error, Result, codes};

/// `{$search, $language, $caseSensitive, $diacriticSensitive}`
#[derive(Debug)]
pub struct TextFilter {
    search: String,
    language: Option<String>,
    folding: Folding,
    bound: OnceCell<Bound>,
}

/// What is looked for in the documents of one collection.
#[derive(Debug)]
struct Bound {
    spec: TextSpec,
    /// Words of the index, one of which a match has.
    keys: BTreeSet<String>,
    /// The same, as case and diacritics count.
    positive: BTreeSet<String>,
    negative: BTreeSet<String>,
    phrases: Vec<String>,
    negated_phrases: Vec<String>,
}

/// The parts of `$search`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub positive: String,
    pub negative: String,
    pub phrases: Vec<String>,
    pub negated_phrases: Vec<String>,
}

impl TextFilter {
    /// As it was given.
    #[must_use]
    pub fn new(search: &str, language: Option<&str>, case: bool, diacritics: bool) -> Self {
        Self {
            search: search.to_owned(),
            language: language.map(str::to_owned),
            folding: Folding { case, diacritics },
            bound: OnceCell::new(),
        }
    }

    /// Gets ready for the documents of an index.
    ///
    /// # Errors
    /// BadValue for an unknown language.
    pub fn bind(&self, spec: &TextSpec) -> Result<()> {
        if self.bound.get().is_some() {
            return Ok(());
        }
        let language = self.language.as_deref().map_or(Ok(spec.language), Language::of)?;
        let parts = parts(&self.search);
        let set =
            |text: &str, folding| words(text, language, folding, false).into_iter().collect::<BTreeSet<_>>();
        let folded = |list: Vec<String>| list.iter().map(|p| fold(p, self.folding)).collect();
        let _ = self.bound.set(Bound {
            spec: spec.clone(),
            keys: set(&parts.positive, Folding::default()),
            positive: set(&parts.positive, self.folding),
            negative: set(&parts.negative, self.folding),
            phrases: folded(parts.phrases),
            negated_phrases: folded(parts.negated_phrases),
        });
        Ok(())
    }

    fn bound(&self) -> Result<&Bound> {
        self.bound
            .get()
            .ok_or_else(|| Error::new(codes::INDEX_NOT_FOUND, "text index required for $text query"))
    }

    /// The words to look up in the index.
    ///
    /// # Errors
    /// IndexNotFound before [`TextFilter::bind`].
    pub fn keys(&self) -> Result<impl Iterator<Item = &str>> {
        Ok(self.bound()?.keys.iter().map(String::as_str))
    }

    /// Does the document match?
    ///
    /// # Errors
    /// As [`TextFilter::keys`], and those of documents that name no language.
    pub fn matches(&self, doc: Doc<'_>) -> Result<bool> {
        let b = self.bound()?;
        let (mut positive, mut negative) = (false, false);
        let mut phrases = vec![false; b.phrases.len()];
        b.spec.strings(doc, &mut |raw, language, _| {
            if !positive || !b.negative.is_empty() {
                for word in words(raw, language, self.folding, true) {
                    positive |= b.positive.contains(&word);
                    negative |= b.negative.contains(&word);
                }
            }
            if !b.phrases.is_empty() || !b.negated_phrases.is_empty() {
                let text = fold(raw, self.folding);
                for (found, p) in phrases.iter_mut().zip(&b.phrases) {
                    *found |= text.contains(p);
                }
                negative |= b.negated_phrases.iter().any(|p| text.contains(p));
            }
            !negative
        })?;
        Ok(positive && !negative && phrases.iter().all(|found| *found))
    }

    /// How well the document matches.
    ///
    /// # Errors
    /// As [`TextFilter::matches`].
    pub fn score(&self, doc: Doc<'_>) -> Result<f64> {
        let b = self.bound()?;
        let terms = b.spec.terms(doc)?;
        // Not `sum`, which begins with a negative zero.
        Ok(b.keys.iter().filter_map(|k| terms.get(k)).fold(0.0, |a, s| a + s))
    }
}

/// Takes `$search` apart: words, `-words`, "phrases" (whose words are searched too) and -"phrases". A negation lasts until the
/// next white space.
pub(super) fn parts(search: &str) -> Parts {
    let mut out = Parts::default();
    let (mut negation, mut phrase) = (false, None);
    let mut space = true;
    let mut chars = search.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            ' ' | '\n' | '\r' | '\x0b' | '\x0c' => {
                space = true;
                continue;
            }
            '-' => negation |= phrase.is_none() && space,
            '"' => match phrase.take() {
                Some(from) => {
                    let text = search.get(from..at).unwrap_or("").to_owned();
                    if negation { &mut out.negated_phrases } else { &mut out.phrases }.push(text);
                }
                None => {
                    phrase = Some(at + 1);
                    negation &= !space;
                }
            },
            _ => {
                let mut end = at + c.len_utf8();
                while let Some((i, c)) =
                    chars.next_if(|(_, c)| !matches!(c, ' ' | '\n' | '\r' | '\x0b' | '\x0c' | '-' | '"'))
                {
                    end = i + c.len_utf8();
                }
                if !(phrase.is_some() && negation) {
                    negation &= !space;
                    let to = if negation { &mut out.negative } else { &mut out.positive };
                    to.push_str(search.get(at..end).unwrap_or(""));
                    to.push(' ');
                }
            }
        }
        space = false;
    }
    out
}
