//! Reading a collection: which way to the documents ([`plan`]), and the way itself ([`Reader`]).
//!
//! A reader yields the documents that match, in the order its plan promises, each once, and can tell at any of them
//! from where another reader (in another backend, later) goes on ([`Position`]).

mod ends;
mod entries;
pub mod examined;
mod hint;
mod inspect;
mod near;
mod pk;
mod plan;
mod position;
mod reader;
mod text;

pub use ends::Ends;
pub use entries::{Entries, deciding};
pub use hint::{Hint, is_id_pattern, same_pattern};
pub use near::{NearWay, only_field};
pub use pk::Ids;
pub use plan::{Plan, Want, Way, plan};
pub use position::Position;
pub use reader::Reader;
pub use text::is_text;
