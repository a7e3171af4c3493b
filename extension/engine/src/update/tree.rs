//! A document being changed: opened only where an update reaches, the rest stays the encoded bytes it was.

use crate::error::Result;
use crate::path::array_index;
use crate::raw::{Doc, Val, ty};
use crate::value::Value;
use crate::{bail, codes};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Most nulls an update may put between the end of an array and the position it sets.
pub const MAX_PADDING: usize = 1_500_000;

/// A value in the tree.
#[derive(Clone, Debug)]
pub enum Node<'d> {
    /// Encoded, of the original document or of the update.
    Raw(Val<'d>),
    /// Computed.
    Owned(Value),
    /// An opened document.
    Doc(Vec<(Cow<'d, str>, Node<'d>)>),
    /// An opened array.
    Array(Vec<Node<'d>>),
}

impl<'d> Node<'d> {
    /// The root of `doc`, opened.
    #[must_use]
    pub fn root(doc: Doc<'d>) -> Self {
        Node::Doc(fields(doc))
    }

    /// Element type.
    #[must_use]
    pub fn ty(&self) -> u8 {
        match self {
            Node::Raw(v) => v.ty,
            Node::Owned(v) => v.ty(),
            Node::Doc(_) => ty::DOCUMENT,
            Node::Array(_) => ty::ARRAY,
        }
    }

    /// MongoDB's name of the type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        crate::raw::type_name(self.ty())
    }

    /// Opens an encoded document or array, so that its members can be changed.
    pub fn open(&mut self) {
        let opened = match self {
            Node::Raw(Val { ty: ty::DOCUMENT, bytes }) => Node::Doc(fields(Doc::trusted(bytes))),
            Node::Raw(Val { ty: ty::ARRAY, bytes }) => {
                Node::Array(Doc::trusted(bytes).values().map(Node::Raw).collect())
            }
            Node::Owned(Value::Document(d)) => Node::Doc(
                Doc::trusted(d)
                    .iter()
                    .map(|e| (Cow::Owned(e.name().to_owned()), Node::Owned(Value::from(e.val))))
                    .collect(),
            ),
            Node::Owned(Value::Array(a)) => {
                Node::Array(Doc::trusted(a).values().map(|v| Node::Owned(Value::from(v))).collect())
            }
            _ => return,
        };
        *self = opened;
    }

    /// Index of the member named `name`, or at that position.
    fn position(&self, name: &str) -> Option<usize> {
        match self {
            Node::Doc(fields) => fields.iter().position(|(n, _)| n == name),
            Node::Array(items) => array_index(name).filter(|i| *i < items.len()),
            _ => None,
        }
    }

    /// Follows `path` as far as it goes: the deepest existing value and the number of components that lead to it.
    pub fn find<'t>(&'t mut self, path: &[Cow<'_, str>]) -> (&'t mut Node<'d>, usize) {
        let Some((name, rest)) = path.split_first() else { return (self, 0) };
        self.open();
        let Some(i) = self.position(name) else { return (self, 0) };
        let child = match self {
            Node::Doc(fields) => &mut fields[i].1,
            Node::Array(items) => &mut items[i],
            scalar => return (scalar, 0),
        };
        let (node, depth) = child.find(rest);
        (node, depth + 1)
    }

    /// Removes the member: a field goes, an array element becomes null so that the others keep their positions.
    /// False when there is no such member.
    pub fn remove(&mut self, name: &str) -> bool {
        self.open();
        let Some(i) = self.position(name) else { return false };
        match self {
            Node::Doc(fields) => {
                fields.remove(i);
            }
            Node::Array(items) => {
                if let Some(v) = items.get_mut(i) {
                    *v = Node::Raw(Val::NULL);
                }
            }
            _ => {}
        }
        true
    }

    /// Adds a member that is not there; positions beyond an array's end are filled with nulls. False when the
    /// value can't hold such a member.
    ///
    /// # Errors
    /// `CannotBackfillArray` when too many nulls would be needed.
    pub fn insert(&mut self, name: Cow<'d, str>, value: Node<'d>) -> Result<bool> {
        self.open();
        match self {
            Node::Doc(fields) => {
                fields.push((name, value));
                Ok(true)
            }
            Node::Array(items) => {
                let Some(i) = array_index(&name) else { return Ok(false) };
                if i.saturating_sub(items.len()) > MAX_PADDING {
                    bail!(codes::CANNOT_BACKFILL_ARRAY, "can't backfill more than {MAX_PADDING} elements");
                }
                items.resize_with(i.max(items.len()), || Node::Raw(Val::NULL));
                items.push(value);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// The elements, opened, when the value is an array.
    pub fn elements(&mut self) -> Option<&mut Vec<Node<'d>>> {
        self.open();
        if let Node::Array(items) = self { Some(items) } else { None }
    }

    /// Gives the encoded value to `f`.
    pub fn with_val<T>(&self, f: impl FnOnce(Val<'_>) -> T) -> T {
        match self {
            Node::Raw(v) => f(*v),
            Node::Owned(v) => v.with_val(f),
            Node::Doc(_) | Node::Array(_) => {
                let mut bytes = Vec::new();
                self.encode(&mut bytes);
                f(Val { ty: self.ty(), bytes: &bytes })
            }
        }
    }

    /// Appends the encoded value, without type and name.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Node::Raw(v) => out.extend_from_slice(v.bytes),
            Node::Owned(v) => v.encode(out),
            Node::Doc(fields) => container(out, |out| {
                for (name, v) in fields {
                    member(out, v, name);
                }
            }),
            Node::Array(items) => container(out, |out| {
                let mut name = String::new();
                for (i, v) in items.iter().enumerate() {
                    name.clear();
                    // Writing to a String can't fail.
                    let _ = write!(name, "{i}");
                    member(out, v, &name);
                }
            }),
        }
    }
}

fn container(out: &mut Vec<u8>, members: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    members(out);
    out.push(0);
    let len = i32::try_from(out.len() - start).unwrap_or(i32::MAX).to_le_bytes();
    if let Some(head) = out.get_mut(start..start + 4) {
        head.copy_from_slice(&len);
    }
}

fn member(out: &mut Vec<u8>, v: &Node<'_>, name: &str) {
    out.push(v.ty());
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    v.encode(out);
}

fn fields(doc: Doc<'_>) -> Vec<(Cow<'_, str>, Node<'_>)> {
    doc.iter().map(|e| (Cow::Borrowed(e.name()), Node::Raw(e.val))).collect()
}
