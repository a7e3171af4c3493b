//! Walking a projection's tree along a document.

use super::Mode;
use super::tree::{Branch, Leaf, Node};
use crate::error::Result;
use crate::expr::EvalContext;
use crate::raw::{Doc, Elem, Val, ty};
use crate::value::{ArrayWriter, DocWriter};
use crate::{bail, codes};

/// What leaves need to know.
pub struct Scope<'d> {
    expressions: EvalContext<'d>,
    /// Position of the array element the query matched.
    position: Option<usize>,
}

impl<'d> Scope<'d> {
    /// For one document.
    #[must_use]
    pub fn new(doc: Doc<'d>, position: Option<usize>) -> Self {
        Self { expressions: EvalContext::new(doc), position }
    }
}

/// The projected document.
///
/// # Errors
/// Those of expressions and of the positional projection.
pub fn document(branch: &Branch, mode: Mode, doc: Doc<'_>, scope: &Scope<'_>) -> Result<Vec<u8>> {
    let mut w = DocWriter::with_capacity(doc.bytes().len().min(4096));
    // A computed `_id` stays the first field, as `_id` is in every document.
    if mode == Mode::Include
        && let Some(Node::Leaf(leaf @ Leaf::Compute(_))) = branch.get(b"_id")
    {
        computed(leaf, "_id", scope, &mut w)?;
        fields(branch, mode, doc, scope, &mut w, Some("_id"))?;
    } else {
        fields(branch, mode, doc, scope, &mut w, None)?;
    }
    Ok(w.finish())
}

/// Writes the fields of one level; `done` is a computed field that is already written.
fn fields(
    branch: &Branch,
    mode: Mode,
    doc: Doc<'_>,
    scope: &Scope<'_>,
    w: &mut DocWriter,
    done: Option<&str>,
) -> Result<()> {
    for e in doc {
        match branch.get(e.name_bytes()) {
            None if mode == Mode::Include => {}
            None => {
                w.put_elem(&e);
            }
            Some(Node::Branch(below)) => nested(below, mode, &e, scope, w)?,
            Some(Node::Leaf(leaf)) => at_leaf(leaf, mode, &e, scope, w)?,
        }
    }
    for (name, node) in branch.iter().filter(|(name, _)| Some(*name) != done) {
        match node {
            // Fields of an inclusion that are computed come after those that are only shown.
            Node::Leaf(leaf @ Leaf::Compute(_)) if mode == Mode::Include || doc.get(name).is_none() => {
                computed(leaf, name, scope, w)?;
            }
            Node::Leaf(Leaf::ElemMatch(_)) if mode == Mode::Include => {
                if let (Node::Leaf(leaf), Some(v)) = (node, doc.get(name)) {
                    elem_match(leaf, name, v, w)?;
                }
            }
            Node::Branch(below) if below.computes() && doc.get(name).is_none() => {
                let made = made(below, mode, scope)?;
                w.put_doc(name, Doc::trusted(&made));
            }
            _ => {}
        }
    }
    Ok(())
}

fn at_leaf(leaf: &Leaf, mode: Mode, e: &Elem<'_>, scope: &Scope<'_>, w: &mut DocWriter) -> Result<()> {
    match leaf {
        Leaf::Include => {
            w.put_elem(e);
        }
        Leaf::Exclude => {}
        Leaf::Compute(_) | Leaf::ElemMatch(_) if mode == Mode::Include => {}
        Leaf::Compute(_) => computed(leaf, e.name(), scope, w)?,
        Leaf::ElemMatch(_) => elem_match(leaf, e.name(), e.val, w)?,
        Leaf::Slice(slice) => match e.val.as_array() {
            Some(array) => {
                w.put_array(e.name(), Doc::trusted(&slice.apply(array)));
            }
            None => {
                w.put_elem(e);
            }
        },
        Leaf::Positional => match e.val.as_array() {
            Some(array) => {
                let mut one = ArrayWriter::new();
                one.push_val(matched(array, scope)?);
                w.put_array(e.name(), Doc::trusted(&one.finish()));
            }
            None => {
                w.put_elem(e);
            }
        },
    }
    Ok(())
}

fn computed(leaf: &Leaf, name: &str, scope: &Scope<'_>, w: &mut DocWriter) -> Result<()> {
    if let Leaf::Compute(expr) = leaf
        && let Some(v) = expr.eval(&scope.expressions)?
    {
        w.put(name, &v);
    }
    Ok(())
}

fn elem_match(leaf: &Leaf, name: &str, v: Val<'_>, w: &mut DocWriter) -> Result<()> {
    let (Leaf::ElemMatch(query), Some(array)) = (leaf, v.as_array()) else { return Ok(()) };
    let mut wrapped = DocWriter::with_capacity(array.bytes().len() + 8);
    wrapped.put_array("", array);
    let wrapped = wrapped.finish();
    let position = query.match_position(Doc::trusted(&wrapped))?.and_then(|d| d.position);
    if let Some(v) = position.and_then(|i| array.values().nth(i)) {
        let mut one = ArrayWriter::new();
        one.push_val(v);
        w.put_array(name, Doc::trusted(&one.finish()));
    }
    Ok(())
}

/// The array element the query matched.
fn matched<'a>(array: Doc<'a>, scope: &Scope<'_>) -> Result<Val<'a>> {
    match scope.position.and_then(|i| array.values().nth(i)) {
        Some(v) => Ok(v),
        None => bail!(
            codes::LOCATION51246,
            "positional operator '.$' couldn't find a matching element in the array"
        ),
    }
}

/// A field whose paths continue.
fn nested(below: &Branch, mode: Mode, e: &Elem<'_>, scope: &Scope<'_>, w: &mut DocWriter) -> Result<()> {
    match e.val.ty {
        ty::DOCUMENT => {
            let inner = inside(below, mode, Doc::trusted(e.val.bytes), scope)?;
            w.put_doc(e.name(), Doc::trusted(&inner));
        }
        ty::ARRAY => {
            let array = Doc::trusted(e.val.bytes);
            let items = if below.positional() {
                let mut one = ArrayWriter::new();
                element(below, mode, matched(array, scope)?, scope, &mut one)?;
                one.finish()
            } else {
                elements(below, mode, array, scope)?
            };
            w.put_array(e.name(), Doc::trusted(&items));
        }
        _ if below.computes() => {
            let made = made(below, mode, scope)?;
            w.put_doc(e.name(), Doc::trusted(&made));
        }
        _ if mode == Mode::Include => {}
        _ => {
            w.put_elem(e);
        }
    }
    Ok(())
}

fn inside(below: &Branch, mode: Mode, doc: Doc<'_>, scope: &Scope<'_>) -> Result<Vec<u8>> {
    let mut w = DocWriter::with_capacity(doc.bytes().len().min(1024));
    fields(below, mode, doc, scope, &mut w, None)?;
    Ok(w.finish())
}

/// A document where there was none: only what is computed.
fn made(below: &Branch, mode: Mode, scope: &Scope<'_>) -> Result<Vec<u8>> {
    inside(below, mode, Doc::EMPTY, scope)
}

fn elements(below: &Branch, mode: Mode, array: Doc<'_>, scope: &Scope<'_>) -> Result<Vec<u8>> {
    let mut w = ArrayWriter::new();
    for v in array.values() {
        element(below, mode, v, scope, &mut w)?;
    }
    Ok(w.finish())
}

fn element(below: &Branch, mode: Mode, v: Val<'_>, scope: &Scope<'_>, w: &mut ArrayWriter) -> Result<()> {
    match v.ty {
        ty::DOCUMENT => {
            let inner = inside(below, mode, Doc::trusted(v.bytes), scope)?;
            w.push_val(Val { ty: ty::DOCUMENT, bytes: &inner });
        }
        ty::ARRAY => {
            let inner = elements(below, mode, Doc::trusted(v.bytes), scope)?;
            w.push_val(Val { ty: ty::ARRAY, bytes: &inner });
        }
        _ if below.computes() => {
            let made = made(below, mode, scope)?;
            w.push_val(Val { ty: ty::DOCUMENT, bytes: &made });
        }
        _ if mode == Mode::Include => {}
        _ => {
            w.push_val(v);
        }
    }
    Ok(())
}
