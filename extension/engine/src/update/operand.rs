//! An operator's argument, kept encoded so that it goes into a document as a copy of bytes.

use crate::raw::{Val, ty};

/// An owned encoded value.
#[derive(Clone, Debug)]
pub struct Operand {
    ty: u8,
    bytes: Box<[u8]>,
    depth: usize,
}

impl From<Val<'_>> for Operand {
    fn from(v: Val<'_>) -> Self {
        Self { ty: v.ty, bytes: v.bytes.into(), depth: depth(v) }
    }
}

impl Operand {
    /// The value.
    #[must_use]
    pub fn val(&self) -> Val<'_> {
        Val { ty: self.ty, bytes: &self.bytes }
    }

    /// Levels of documents and arrays in it; 0 for a scalar.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }
}

/// Levels of documents and arrays in a value: 0 for a scalar, 1 for a document without documents in it.
#[must_use]
pub fn depth(v: Val<'_>) -> usize {
    match v.ty {
        ty::DOCUMENT | ty::ARRAY => {
            1 + crate::raw::Doc::trusted(v.bytes).values().map(depth).max().unwrap_or(0)
        }
        _ => 0,
    }
}
