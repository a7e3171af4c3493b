//! What a filter is parsed for.

use crate::collation::Collation;
use crate::expr::Variables;
use crate::meta::Known;

/// Where a filter stands: some operators are allowed only in some places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// The filter of find, count, distinct, update, delete, findAndModify.
    #[default]
    Find,
    /// An aggregation's `$match`.
    Match,
    /// A collection's validator.
    Validator,
    /// An index's `partialFilterExpression`.
    PartialIndex,
    /// A filter over array elements: `arrayFilters`, `$pull`, the projection's `$elemMatch`.
    Element,
}

/// The surroundings of a filter.
#[derive(Clone, Copy, Debug, Default)]
pub struct ParseContext<'a> {
    /// Where the filter stands.
    pub place: Place,
    /// The command's `let` variables, which `$expr` can name.
    pub variables: Option<&'a Variables>,
    /// The statement's time for `$$NOW`, milliseconds since 1970-01-01T00:00:00Z.
    pub now: i64,
    /// How strings compare; `None` is by their bytes.
    pub collation: Option<&'a Collation>,
    /// What documents carry, for `$meta`.
    pub known: Known,
}

impl ParseContext<'_> {
    /// How strings compare.
    #[must_use]
    pub fn strings(&self) -> &Collation {
        self.collation.unwrap_or(&Collation::SIMPLE)
    }
}
