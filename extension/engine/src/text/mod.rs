//! Text indexes and `$text` (MongoDB manual, "Text Indexes", "$text").
//!
//! [`TextSpec`] says which strings of a document an index has and what they weigh; its terms are keys of the index.
//! [`TextFilter`] is a `$text` of a filter: it needs the index's specification before it can match ([`TextFilter::bind`]).

mod filter;
mod language;
mod spec;
#[cfg(test)]
mod tests;
mod token;

pub use filter::TextFilter;
pub use language::Language;
pub use spec::TextSpec;

pub use crate::meta::SCORE;
