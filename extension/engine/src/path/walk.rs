//! The walk itself.

use super::Part;
use crate::error::Result;
use crate::raw::{Doc, Val, ty};

/// What happens with an array at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// Its elements come first, then the array itself (comparison, `$in`, `$type`, …).
    Expand,
    /// Only the array itself (`$size`, `$elemMatch`).
    Whole,
    /// Only its elements (explanations of what did not match).
    Elements,
}

/// Calls `found` for each value that `parts` leads to in `doc` until it answers true, as MongoDB's query matching does:
///
/// * documents are entered by field name;
/// * an array in the middle of a path stands for its elements: each document in it is entered with the rest of the
///   path, and where the next component is a position, so is the element there;
/// * an element reached by a position at the end of the path is given as it is, arrays unexpanded;
/// * where a document or a scalar ends the way early, the value is missing: `found(None, …)`. An array that ends it
///   early gives nothing.
///
/// The second argument is the position of the outermost array element the value was found in; positions written
/// in the path don't count unless they are its end. Update's and projection's `$` use it.
///
/// # Errors
/// Those of `found`.
pub fn walk<'d, F>(doc: Doc<'d>, parts: &[Part], leaf: Leaf, found: &mut F) -> Result<bool>
where
    F: FnMut(Option<Val<'d>>, Option<usize>) -> Result<bool>,
{
    in_doc(doc, parts, leaf, None, found)
}

fn in_doc<'d, F>(
    doc: Doc<'d>,
    parts: &[Part],
    leaf: Leaf,
    outer: Option<usize>,
    found: &mut F,
) -> Result<bool>
where
    F: FnMut(Option<Val<'d>>, Option<usize>) -> Result<bool>,
{
    let mut doc = doc;
    let mut parts = parts;
    while let Some((part, rest)) = parts.split_first() {
        let Some(v) = doc.get(part.name()) else { break };
        if rest.is_empty() {
            return at_leaf(v, leaf, outer, found);
        }
        match v.ty {
            ty::DOCUMENT => doc = Doc::trusted(v.bytes),
            ty::ARRAY => return in_array(Doc::trusted(v.bytes), rest, leaf, outer, found),
            _ => break,
        }
        parts = rest;
    }
    found(None, outer)
}

fn at_leaf<'d, F>(v: Val<'d>, leaf: Leaf, outer: Option<usize>, found: &mut F) -> Result<bool>
where
    F: FnMut(Option<Val<'d>>, Option<usize>) -> Result<bool>,
{
    if leaf != Leaf::Whole
        && let Some(array) = v.as_array()
    {
        for (i, e) in array.values().enumerate() {
            crate::interrupt::check();
            if found(Some(e), outer.or(Some(i)))? {
                return Ok(true);
            }
        }
        if leaf == Leaf::Elements {
            return Ok(false);
        }
    }
    found(Some(v), outer)
}

fn in_array<'d, F>(
    array: Doc<'d>,
    parts: &[Part],
    leaf: Leaf,
    outer: Option<usize>,
    found: &mut F,
) -> Result<bool>
where
    F: FnMut(Option<Val<'d>>, Option<usize>) -> Result<bool>,
{
    let Some((part, rest)) = parts.split_first() else { return Ok(false) };
    for (i, e) in array.values().enumerate() {
        crate::interrupt::check();
        if let Some(d) = e.as_doc()
            && in_doc(d, parts, leaf, outer.or(Some(i)), found)?
        {
            return Ok(true);
        }
        if part.index() != Some(i) {
            continue;
        }
        let stop = if rest.is_empty() {
            found(Some(e), outer.or(Some(i)))?
        } else if let Some(d) = e.as_doc() {
            in_doc(d, rest, leaf, outer, found)?
        } else if let Some(a) = e.as_array() {
            in_array(a, rest, leaf, outer, found)?
        } else {
            false
        };
        if stop {
            return Ok(true);
        }
    }
    Ok(false)
}
