//! What an operator does to the value at one path.

use super::array::{Pull, Push};
use super::bits::BitOps;
use super::operand::Operand;
use super::paths::UpdatePath;
use super::tree::Node;
use super::{Clock, arith, array, text};
use crate::collation::Collation;
use crate::compare;
use crate::error::Result;
use crate::raw::Doc;
use crate::value::Value;
use crate::{bail, codes};
use std::cmp::Ordering;

/// An operator with its parsed argument.
#[derive(Debug)]
pub enum Op {
    /// `$set`
    Set(Operand),
    /// `$setOnInsert`
    SetOnInsert(Operand),
    /// `$unset`
    Unset,
    /// `$inc`, `$mul`
    Arithmetic(arith::Kind, Operand),
    /// `$min` keeps the smaller value, `$max` the greater: the order in which the argument wins.
    Bound(Ordering, Operand, Collation),
    /// `$currentDate`: a date, or a timestamp.
    CurrentDate {
        /// A timestamp is wanted.
        timestamp: bool,
    },
    /// `$rename`; the path of the operation is the target.
    Rename {
        /// Where the value is taken from.
        from: UpdatePath,
    },
    /// `$push`
    Push(Push),
    /// `$addToSet`, its values without duplicates.
    AddToSet(Vec<Operand>, Collation),
    /// `$pop`
    Pop {
        /// The first element goes, not the last.
        first: bool,
    },
    /// `$pull`
    Pull(Pull),
    /// `$pullAll`
    PullAll(Vec<Operand>, Collation),
    /// `$bit`
    Bit(BitOps),
}

/// What operators need to know of the document they change.
#[derive(Clone, Copy, Debug)]
pub struct OpContext<'d> {
    /// The document before the update.
    pub doc: Doc<'d>,
    /// Current time.
    pub clock: Clock,
}

impl Op {
    /// Makes the value when the path does not exist.
    #[must_use]
    pub fn creates(&self) -> bool {
        !matches!(self, Op::Unset | Op::Pop { .. } | Op::Pull(_) | Op::PullAll(..))
    }

    /// Levels of nesting the operator may put below its path.
    #[must_use]
    pub fn depth(&self) -> usize {
        let deepest = |values: &[Operand]| values.iter().map(|v| v.depth() + 1).max().unwrap_or(0);
        match self {
            Op::Set(v) | Op::SetOnInsert(v) | Op::Bound(_, v, _) => v.depth(),
            Op::Push(p) => deepest(&p.values),
            Op::AddToSet(values, _) => deepest(values),
            _ => 0,
        }
    }

    /// Changes the value that is at the path; true when it really changed.
    ///
    /// # Errors
    /// The operator's refusal of the value's type, or of the result.
    pub fn update<'d>(&'d self, node: &mut Node<'d>, path: &str, cx: &OpContext<'d>) -> Result<bool> {
        match self {
            Op::Set(v) | Op::SetOnInsert(v) => {
                let same = node.with_val(|old| old.ty == v.val().ty && old.bytes == v.val().bytes);
                if !same {
                    *node = Node::Raw(v.val());
                }
                Ok(!same)
            }
            Op::Arithmetic(kind, v) => {
                let result = node.with_val(|old| arith::apply(*kind, old, v.val(), path, cx.doc))?;
                let same =
                    node.with_val(|old| result.with_val(|new| old.ty == new.ty && old.bytes == new.bytes));
                if !same {
                    *node = Node::Owned(result);
                }
                Ok(!same)
            }
            Op::Bound(wins, v, collation) => {
                let replace = node.with_val(|old| compare::collated(v.val(), old, collation)) == *wins;
                if replace {
                    *node = Node::Raw(v.val());
                }
                Ok(replace)
            }
            Op::CurrentDate { timestamp } => {
                *node = Node::Owned(cx.clock.value(*timestamp));
                Ok(true)
            }
            Op::Push(push) => {
                let found = node.type_name();
                let Some(items) = node.elements() else {
                    bail!(
                        codes::BAD_VALUE,
                        "The field '{path}' must be an array but is of type {found} in document {{{}}}",
                        text::id(cx.doc)
                    );
                };
                Ok(push.apply(items))
            }
            Op::AddToSet(values, collation) => {
                let found = node.type_name();
                let Some(items) = node.elements() else {
                    bail!(
                        codes::BAD_VALUE,
                        "Cannot apply $addToSet to non-array field. Field named '{}' has non-array type {found}",
                        path.rsplit('.').next().unwrap_or(path)
                    );
                };
                Ok(array::add_to_set(items, values, collation))
            }
            Op::Pop { first } => {
                let found = node.type_name();
                let Some(items) = node.elements() else {
                    bail!(
                        codes::TYPE_MISMATCH,
                        "Path '{path}' contains an element of non-array type '{found}'"
                    );
                };
                if items.is_empty() {
                    return Ok(false);
                }
                items.remove(if *first { 0 } else { items.len() - 1 });
                Ok(true)
            }
            Op::Pull(pull) => {
                let Some(items) = node.elements() else {
                    bail!(codes::BAD_VALUE, "Cannot apply $pull to a non-array value");
                };
                array::retain(items, |v| pull.matches(v).map(|m| !m))
            }
            Op::PullAll(values, collation) => {
                let Some(items) = node.elements() else {
                    bail!(codes::BAD_VALUE, "Cannot apply $pullAll to a non-array value");
                };
                array::retain(items, |v| {
                    Ok(values.iter().all(|w| compare::collated(v, w.val(), collation).is_ne()))
                })
            }
            Op::Bit(ops) => {
                let result = node.with_val(|old| ops.apply(old, path, cx.doc))?;
                let same =
                    node.with_val(|old| result.with_val(|new| old.ty == new.ty && old.bytes == new.bytes));
                if !same {
                    *node = Node::Owned(result);
                }
                Ok(!same)
            }
            // Both work on the parent; the caller sees to them.
            Op::Unset | Op::Rename { .. } => Ok(false),
        }
    }

    /// The value when there is none yet; `None` for operators that leave a missing value alone.
    ///
    /// # Errors
    /// None today; the signature leaves room for operators that can refuse.
    pub fn create<'d>(&'d self, cx: &OpContext<'d>) -> Result<Option<Node<'d>>> {
        Ok(Some(match self {
            Op::Set(v) | Op::SetOnInsert(v) | Op::Bound(_, v, _) => Node::Raw(v.val()),
            Op::Arithmetic(kind, v) => Node::Owned(arith::initial(*kind, v.val())),
            Op::CurrentDate { timestamp } => Node::Owned(cx.clock.value(*timestamp)),
            Op::Push(push) => {
                let mut items = Vec::new();
                push.apply(&mut items);
                Node::Array(items)
            }
            Op::AddToSet(values, _) => Node::Array(values.iter().map(|v| Node::Raw(v.val())).collect()),
            Op::Bit(ops) => Node::Owned(ops.initial()),
            Op::Unset | Op::Pop { .. } | Op::Pull(_) | Op::PullAll(..) | Op::Rename { .. } => {
                return Ok(None);
            }
        }))
    }
}

impl Clock {
    fn value(self, timestamp: bool) -> Value {
        if timestamp { super::store::timestamp(self.now, 1) } else { Value::DateTime(self.now) }
    }
}
