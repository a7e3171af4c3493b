//! Index specifications in the words of error messages.

use engine::{Doc, Val, display};

/// A document.
pub fn document(d: Doc<'_>) -> String {
    display::document(d)
}

/// One value.
pub fn value(v: Val<'_>) -> String {
    display::value(v)
}
