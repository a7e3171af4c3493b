//! From a filter document to its [`Node`]s, with MongoDB's checks and messages.

mod array;
mod field;
mod top;

use super::context::ParseContext;
use super::node::Node;
use crate::error::Result;
use crate::raw::{Doc, Elem, Val, View, ty};
use crate::{bail, codes};

/// Deepest nesting of logical operators and `$elemMatch` that MongoDB accepts.
const MAX_TREE_DEPTH: usize = 100;

/// Where in the filter the parser stands.
#[derive(Clone, Copy)]
struct At<'c> {
    cx: &'c ParseContext<'c>,
    /// Nesting of operators so far.
    depth: usize,
    /// Inside an object `$elemMatch`: operators on whole documents are refused there.
    sub_document: bool,
}

impl At<'_> {
    fn deeper(self) -> Result<Self> {
        if self.depth >= MAX_TREE_DEPTH {
            bail!(
                codes::BAD_VALUE,
                "exceeded maximum query tree depth of {MAX_TREE_DEPTH} at the filter's operators"
            );
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

/// Parses a whole filter.
///
/// # Errors
/// MongoDB's for what is not a filter.
pub fn parse(filter: Doc<'_>, cx: &ParseContext<'_>) -> Result<Node> {
    document(filter, At { cx, depth: 0, sub_document: false })
}

/// A document of conditions, joined by "and".
fn document(filter: Doc<'_>, at: At<'_>) -> Result<Node> {
    let at = at.deeper()?;
    let mut all = Vec::new();
    for e in filter {
        if e.name_bytes().first() == Some(&b'$') {
            conjoin(&mut all, top::operator(&e, at)?);
        } else {
            field::condition(&e, at, &mut all)?;
        }
    }
    Ok(and(all))
}

/// Adds a condition to a conjunction, opening nested conjunctions.
fn conjoin(all: &mut Vec<Node>, node: Node) {
    match node {
        Node::True => {}
        Node::And(nested) => all.extend(nested),
        node => all.push(node),
    }
}

fn and(mut all: Vec<Node>) -> Node {
    match all.len() {
        0 => Node::True,
        1 => all.pop().unwrap_or(Node::True),
        _ => Node::And(all),
    }
}

/// Is `v` a document of operators: its first field starts with `$`, and it is not a DBRef?
pub(super) fn is_operators(v: Val<'_>, incomplete_refs: bool) -> bool {
    let Some(d) = v.as_doc() else { return false };
    let dollar = d.first().is_some_and(|e| e.name_bytes().first() == Some(&b'$'));
    dollar && !is_reference(d, incomplete_refs)
}

fn is_reference(d: Doc<'_>, incomplete: bool) -> bool {
    let has = |name| d.get(name).is_some();
    if incomplete { has("$ref") || has("$id") || has("$db") } else { has("$ref") && has("$id") }
}

/// MongoDB's reading of a value as a flag (`$exists`, `$alwaysTrue`, …).
pub(super) fn truthy(v: Val<'_>) -> bool {
    match v.view() {
        View::Bool(b) => b,
        View::Null | View::Undefined => false,
        _ if v.is_number() => {
            let zero = Val { ty: ty::INT32, bytes: &[0; 4] };
            crate::number::compare(v, zero) != std::cmp::Ordering::Equal
        }
        _ => true,
    }
}

fn unknown_operator<T>(e: &Elem<'_>) -> Result<T> {
    bail!(codes::BAD_VALUE, "unknown operator: {}", e.name())
}
