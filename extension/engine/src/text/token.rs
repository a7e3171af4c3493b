//! Words of a text, as MongoDB's text index version 3 finds them.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::language::Language;

/// How words are made comparable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folding {
    /// Case counts.
    pub case: bool,
    /// Diacritics count.
    pub diacritics: bool,
}

/// The stems of a text's words. `all`: stop words too.
pub fn words(text: &str, language: Language, folding: Folding, all: bool) -> Vec<String> {
    let apart = |c: char| is_delimiter(c) && !(language.keeps_apostrophes() && matches!(c, '\'' | '’'));
    let mut out = Vec::new();
    for raw in text.split(apart).filter(|w| !w.is_empty()) {
        let lower = raw.to_lowercase();
        if !all && language.is_stop_word(&lower) {
            continue;
        }
        let stem = language.stem(if folding.case { raw } else { &lower });
        out.push(if folding.diacritics { stem } else { without_marks(&stem) });
    }
    out
}

/// A whole text, for phrases.
pub fn fold(text: &str, folding: Folding) -> String {
    let text = if folding.case { text.to_owned() } else { text.to_lowercase() };
    if folding.diacritics { text } else { without_marks(&text) }
}

fn without_marks(s: &str) -> String {
    if s.is_ascii() { s.to_owned() } else { s.nfd().filter(|c| !is_combining_mark(*c)).nfc().collect() }
}

/// White space, dashes, quotation marks, punctuation and symbols of syntax (Unicode's `Pattern_Syntax` and
/// `Terminal_Punctuation`).
fn is_delimiter(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_whitespace() || c == '\x0b' || (c.is_ascii_punctuation() && c != '_');
    }
    c.is_whitespace()
        || matches!(c,
            '\u{a1}'..='\u{a7}' | '\u{a9}' | '\u{ab}' | '\u{ac}' | '\u{ad}' | '\u{ae}' | '\u{b0}' | '\u{b1}' | '\u{b6}'
            | '\u{bb}' | '\u{bf}' | '\u{d7}' | '\u{f7}' | '\u{37e}' | '\u{387}' | '\u{589}' | '\u{58a}' | '\u{5be}'
            | '\u{5c3}' | '\u{60c}' | '\u{61b}' | '\u{61f}' | '\u{6d4}' | '\u{964}' | '\u{965}' | '\u{e5a}' | '\u{e5b}'
            | '\u{104a}' | '\u{104b}' | '\u{1361}'..='\u{1368}' | '\u{2010}'..='\u{203e}' | '\u{2041}'..='\u{2053}'
            | '\u{2055}'..='\u{205e}' | '\u{2190}'..='\u{245f}' | '\u{2500}'..='\u{2775}' | '\u{2794}'..='\u{2bff}'
            | '\u{2e00}'..='\u{2e7f}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3020}' | '\u{3030}' | '\u{30a0}'
            | '\u{fe31}'..='\u{fe6b}' | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff3d}'
            | '\u{ff5b}'..='\u{ff65}')
}
