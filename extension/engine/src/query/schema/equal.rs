//! Equality as `enum` and `uniqueItems` mean it: the order of a document's fields does not count.

use crate::compare;
use crate::raw::{Doc, Elem, Val, View};
use std::cmp::Ordering;

/// Are the values equal?
pub(super) fn equal(a: Val<'_>, b: Val<'_>) -> bool {
    order(a, b) == Ordering::Equal
}

/// A total order in which documents that differ only in the order of their fields are equal.
pub(in crate::query) fn order(a: Val<'_>, b: Val<'_>) -> Ordering {
    match (a.view(), b.view()) {
        (View::Document(x), View::Document(y)) => lists(&sorted(x), &sorted(y), true),
        (View::Array(x), View::Array(y)) => {
            lists(&x.iter().collect::<Vec<_>>(), &y.iter().collect::<Vec<_>>(), false)
        }
        _ => compare::values(a, b),
    }
}

fn sorted(d: Doc<'_>) -> Vec<Elem<'_>> {
    let mut fields: Vec<_> = d.iter().collect();
    fields.sort_by(|a, b| a.name_bytes().cmp(b.name_bytes()));
    fields
}

fn lists(a: &[Elem<'_>], b: &[Elem<'_>], named: bool) -> Ordering {
    for (x, y) in a.iter().zip(b) {
        let names = if named { x.name_bytes().cmp(y.name_bytes()) } else { Ordering::Equal };
        let found = names.then_with(|| order(x.val, y.val));
        if found != Ordering::Equal {
            return found;
        }
    }
    a.len().cmp(&b.len())
}
