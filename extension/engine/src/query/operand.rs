//! The right side of a comparison: an owned value prepared for many comparisons.

use crate::collation::Collation;
use crate::compare;
use crate::raw::{Val, View, ty};
use std::cmp::Ordering;

/// A value of the filter, kept encoded so that comparing it with a document's value decodes neither.
#[derive(Clone, Debug)]
pub struct Operand {
    ty: u8,
    bytes: Box<[u8]>,
    bracket: u8,
    nan: bool,
    /// Simple for an operand without strings, whatever the filter's is.
    collation: Collation,
}

impl Operand {
    /// Copies `v`, which compares with strings by `collation`.
    #[must_use]
    pub fn new(v: Val<'_>, collation: &Collation) -> Self {
        let plain = collation.is_simple() || !compare::has_string(v);
        Self {
            ty: v.ty,
            bytes: v.bytes.into(),
            bracket: compare::bracket(v.ty),
            nan: is_nan(v),
            collation: if plain { Collation::SIMPLE } else { collation.clone() },
        }
    }

    /// Equality is that of the values' bytes where strings are concerned.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.collation.is_simple()
    }

    /// The value.
    #[must_use]
    pub fn val(&self) -> Val<'_> {
        Val { ty: self.ty, bytes: &self.bytes }
    }

    /// Is null (or undefined, where one can stand): equal to a missing field.
    #[must_use]
    pub fn is_nullish(&self) -> bool {
        self.val().is_nullish()
    }

    /// Is a NaN: equal to every other NaN, not comparable with anything else.
    #[must_use]
    pub fn is_nan(&self) -> bool {
        self.nan
    }

    /// Query equality: equal in MongoDB's order; a missing field equals null.
    #[must_use]
    #[inline]
    pub fn equals(&self, v: Option<Val<'_>>) -> bool {
        match v {
            None => self.is_nullish(),
            Some(v) if v.ty == self.ty && v.bytes == &*self.bytes => true,
            Some(v) => {
                compare::bracket(v.ty) == self.bracket
                    && !(self.is_plain() && same_bytes_decide(self.ty, v.ty))
                    && compare::collated(v, self.val(), &self.collation) == Ordering::Equal
            }
        }
    }

    /// How `v` compares with the operand, when the two are comparable in a query: types of one bracket, no NaN on
    /// one side only; everything is comparable with `MinKey` and `MaxKey`, a missing field too.
    #[must_use]
    #[inline]
    pub fn order(&self, v: Option<Val<'_>>) -> Option<Ordering> {
        let Some(v) = v else {
            return match self.ty {
                ty::MIN_KEY => Some(Ordering::Greater),
                ty::MAX_KEY => Some(Ordering::Less),
                _ => self.is_nullish().then_some(Ordering::Equal),
            };
        };
        if compare::bracket(v.ty) != self.bracket {
            return match self.ty {
                ty::MIN_KEY => Some(Ordering::Greater),
                ty::MAX_KEY => Some(Ordering::Less),
                _ => None,
            };
        }
        if (self.nan || matches!(v.ty, ty::DOUBLE | ty::DECIMAL128)) && is_nan(v) != self.nan {
            return None;
        }
        Some(compare::collated(v, self.val(), &self.collation))
    }
}

/// Values of these types are equal only if their bytes are, so different bytes settle it.
fn same_bytes_decide(a: u8, b: u8) -> bool {
    a == b
        && matches!(
            a,
            ty::STRING
                | ty::OBJECT_ID
                | ty::BOOL
                | ty::DATE
                | ty::INT32
                | ty::INT64
                | ty::TIMESTAMP
                | ty::BINARY
        )
}

/// Is a double or decimal NaN.
#[must_use]
pub fn is_nan(v: Val<'_>) -> bool {
    match v.view() {
        View::Double(d) => d.is_nan(),
        View::Decimal128(d) => crate::decimal::decode(d) == crate::decimal::Parts::NaN,
        _ => false,
    }
}

/// The values of an `$in`, sorted in MongoDB's order and without repetitions.
#[derive(Clone, Debug, Default)]
pub struct OperandSet {
    sorted: Vec<Operand>,
    null: bool,
    collation: Collation,
}

impl OperandSet {
    /// Sorts `values`.
    #[must_use]
    pub fn new(mut values: Vec<Operand>, collation: &Collation) -> Self {
        values.sort_by(|a, b| compare::collated(a.val(), b.val(), collation));
        values.dedup_by(|a, b| compare::collated(a.val(), b.val(), collation) == Ordering::Equal);
        let null = values.iter().any(Operand::is_nullish);
        Self { sorted: values, null, collation: collation.clone() }
    }

    /// The values in order.
    #[must_use]
    pub fn values(&self) -> &[Operand] {
        &self.sorted
    }

    /// Is `v` equal to one of the values? A missing field equals null.
    #[must_use]
    pub fn contains(&self, v: Option<Val<'_>>) -> bool {
        let Some(v) = v else { return self.null };
        match self.sorted.as_slice() {
            [one] => one.equals(Some(v)),
            many => many.binary_search_by(|o| compare::collated(o.val(), v, &self.collation)).is_ok(),
        }
    }
}
