//! Languages of text indexes: stop words and stems (MongoDB manual, "Text Search Languages").

use rust_stemmers::{Algorithm, Stemmer};

use crate::{Result, bail, codes};

/// A language by its place in [`TABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language(usize);

struct Row {
    name: &'static str,
    /// ISO 639-1.
    code: &'static str,
    stemmer: Option<Algorithm>,
    /// A word a line.
    stop: &'static str,
}

macro_rules! rows {
    ($($name:literal $code:literal $algorithm:ident $stop:expr;)*) => {
        &[Row { name: "none", code: "none", stemmer: None, stop: "" },
          $(Row { name: $name, code: $code, stemmer: Some(Algorithm::$algorithm), stop: $stop }),*]
    };
}

const TABLE: &[Row] = rows! {
    "danish" "da" Danish include_str!("stop/danish.stop");
    "dutch" "nl" Dutch include_str!("stop/dutch.stop");
    "english" "en" English include_str!("stop/english.stop");
    "finnish" "fi" Finnish include_str!("stop/finnish.stop");
    "french" "fr" French include_str!("stop/french.stop");
    "german" "de" German include_str!("stop/german.stop");
    "hungarian" "hu" Hungarian include_str!("stop/hungarian.stop");
    "italian" "it" Italian include_str!("stop/italian.stop");
    "norwegian" "nb" Norwegian include_str!("stop/norwegian.stop");
    "portuguese" "pt" Portuguese include_str!("stop/portuguese.stop");
    "romanian" "ro" Romanian "";
    "russian" "ru" Russian include_str!("stop/russian.stop");
    "spanish" "es" Spanish include_str!("stop/spanish.stop");
    "swedish" "sv" Swedish include_str!("stop/swedish.stop");
    "turkish" "tr" Turkish include_str!("stop/turkish.stop");
};

impl Language {
    /// By name or two-letter code, in any case.
    ///
    /// # Errors
    /// BadValue for a language that is not on MongoDB's list.
    pub fn of(name: &str) -> Result<Self> {
        let wanted = name.to_lowercase();
        match TABLE.iter().position(|r| r.name == wanted || r.code == wanted) {
            Some(at) => Ok(Self(at)),
            None => bail!(codes::BAD_VALUE, "unsupported language: \"{name}\" for text index version 3"),
        }
    }

    fn row(self) -> &'static Row {
        &TABLE[self.0]
    }

    /// Is this lower-case word too common to be indexed?
    #[must_use]
    pub fn is_stop_word(self, word: &str) -> bool {
        self.row().stop.lines().any(|w| w == word)
    }

    /// The stem of a word.
    #[must_use]
    pub fn stem(self, word: &str) -> String {
        match self.row().stemmer {
            Some(a) => Stemmer::create(a).stem(word).into_owned(),
            None => word.to_owned(),
        }
    }

    /// An apostrophe is part of a word.
    #[must_use]
    pub fn keeps_apostrophes(self) -> bool {
        self.row().name == "english"
    }
}
