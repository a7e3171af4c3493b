//! Aggregation expressions: parsing, variables, evaluation (MongoDB manual, "Expressions").
//!
//! One table entry per operator lives in [`table`]; the functions behind the entries are in `ops`. Subtrees
//! without field references are folded while parsing, so their errors surface there, as in MongoDB.

mod context;
mod eval;
mod forms;
mod named;
mod named_dates;
mod ops;
mod parse;
mod path;
pub(crate) mod render;
mod table;
#[cfg(test)]
mod tests;

pub use context::{Binding, EvalContext, ParseContext, Variables};
pub use path::FieldPath;

pub(crate) use ops::compare::{collated, values as compare_values};
pub(crate) use ops::object::{merge_into, merged};
pub(crate) use ops::order::{check_sort_by, count_of_n};
pub(crate) use ops::{dec128, num};

/// `$add` and its kin for stages.
pub(crate) mod arithmetic {
    pub(crate) use super::ops::arith::{add, divide, multiply, subtract};
}

/// Calendar arithmetic for stages.
pub(crate) mod dates {
    pub(crate) use super::ops::date::add::{Unit, add};
    pub(crate) use super::ops::date::zone::Zone;
}

pub(crate) use parse::check_name;

use crate::collation::Collation;
use crate::error::Result;
use crate::raw::{Doc, Val};
use crate::value::Value;
use table::Operator;

/// An operator of this name exists.
pub(crate) fn is_operator(name: &str) -> bool {
    matches!(name, "$function" | "$accumulator") || table::find(name).is_some()
}

/// The result of an expression; `None` is MongoDB's "missing".
pub type Computed = Option<Value>;

/// A parsed expression.
#[derive(Clone, Debug)]
pub struct Expr(Node);

/// The forms an expression takes.
#[derive(Clone, Debug)]
enum Node {
    /// A constant; `None` is `$$REMOVE` or an unset `let` variable.
    Const(Computed),
    /// A named argument that was not given.
    Absent,
    /// `"$a.b"` or `"$$ROOT.a.b"`; an empty path is the whole document.
    Root(FieldPath),
    /// `"$$name.a.b"`
    Var { name: Box<str>, path: FieldPath },
    /// `{a: …, b: …}`
    Object(Vec<(String, Expr)>),
    /// `[…]`
    Array(Vec<Expr>),
    /// An operator of the table with its arguments in the order of its parameters.
    Call { op: &'static Operator, args: Vec<Expr>, collation: Collation },
    /// `$let`
    Let { vars: Vec<(String, Expr)>, body: Box<Expr> },
    /// `$map`, and the condition of `$filter`, run per element with `name` bound.
    Map { input: Box<Expr>, name: String, body: Box<Expr> },
    /// `$filter`
    Filter { input: Box<Expr>, name: String, cond: Box<Expr>, limit: Option<Box<Expr>> },
    /// `$reduce`
    Reduce { input: Box<Expr>, initial: Box<Expr>, body: Box<Expr> },
    /// `$switch`
    Switch { branches: Vec<(Expr, Expr)>, default: Option<Box<Expr>> },
}

impl Expr {
    /// Parses `v` as an expression: `"$path"`, `"$$variable"`, `{$operator: …}`, an object or array of
    /// expressions, or a constant.
    ///
    /// # Errors
    /// MongoDB's code and message for an unknown operator, a wrong number of arguments, an undefined variable,
    /// or a constant subtree whose evaluation fails.
    pub fn parse(v: Val<'_>, cx: &ParseContext) -> Result<Self> {
        parse::expression(v, &parse::Scope::outermost(cx))
    }

    /// A constant.
    #[must_use]
    pub fn constant(value: Computed) -> Self {
        Expr(Node::Const(value))
    }

    /// The value, when the expression was folded to a constant.
    #[must_use]
    pub fn as_constant(&self) -> Option<&Computed> {
        if let Node::Const(value) = &self.0 { Some(value) } else { None }
    }

    /// The path, when the expression is a plain field path of the document.
    #[must_use]
    pub fn as_field_path(&self) -> Option<&FieldPath> {
        match &self.0 {
            Node::Root(path) if !path.is_empty() => Some(path),
            _ => None,
        }
    }

    /// What the expression says about single fields when it is true: the value at the path is one of these. Only
    /// values that are compared alike by an expression and by a filter are told, so a filter `{path: {$in: values}}`
    /// selects every document for which the expression is true.
    pub(crate) fn equalities(&self, found: &mut Vec<(String, Vec<Value>)>) {
        let Node::Call { op, args, .. } = &self.0 else { return };
        match (op.name, args.as_slice()) {
            ("$and", all) => all.iter().for_each(|e| e.equalities(found)),
            ("$eq", [a, b]) => {
                let (path, value) = match (a.as_field_path(), b.as_field_path()) {
                    (Some(path), None) => (path, b.as_constant()),
                    (None, Some(path)) => (path, a.as_constant()),
                    _ => return,
                };
                if let Some(Some(v)) = value
                    && is_alike(v)
                {
                    found.push((path.dotted(), vec![v.clone()]));
                }
            }
            ("$in", [a, b]) => {
                let (Some(path), Some(Some(Value::Array(list)))) = (a.as_field_path(), b.as_constant())
                else {
                    return;
                };
                let values: Vec<Value> = Doc::trusted(list).values().map(Value::from).collect();
                if values.iter().all(is_alike) {
                    found.push((path.dotted(), values));
                }
            }
            _ => {}
        }
    }

    /// Does it name a field of the document, or the document itself?
    pub(crate) fn reads_document(&self) -> bool {
        let any = |list: &[Expr]| list.iter().any(Expr::reads_document);
        let named = |list: &[(String, Expr)]| list.iter().any(|(_, e)| e.reads_document());
        match &self.0 {
            Node::Const(_) | Node::Absent | Node::Var { .. } => false,
            Node::Root(_) => true,
            Node::Object(fields) => named(fields),
            Node::Array(items) => any(items),
            Node::Call { args, .. } => any(args),
            Node::Let { vars, body } => named(vars) || body.reads_document(),
            Node::Map { input, body, .. } => input.reads_document() || body.reads_document(),
            Node::Filter { input, cond, limit, .. } => {
                let limit = limit.as_ref().is_some_and(|e| e.reads_document());
                limit || input.reads_document() || cond.reads_document()
            }
            Node::Reduce { input, initial, body } => {
                input.reads_document() || initial.reads_document() || body.reads_document()
            }
            Node::Switch { branches, default } => {
                let branch = |(case, then): &(Expr, Expr)| case.reads_document() || then.reads_document();
                branches.iter().any(branch) || default.as_ref().is_some_and(|e| e.reads_document())
            }
        }
    }

    /// Is an object literal `{a: …}` (not an operator).
    #[must_use]
    pub fn is_object_literal(&self) -> bool {
        matches!(&self.0, Node::Object(_)) || matches!(&self.0, Node::Const(Some(Value::Document(_))))
    }

    /// Was written: an optional named argument that was not given is not.
    pub(crate) fn is_given(&self) -> bool {
        !matches!(self.0, Node::Absent)
    }

    /// Evaluates against one document; `Ok(None)` is "missing".
    ///
    /// # Errors
    /// MongoDB's code and message when an operator refuses its arguments.
    pub fn eval(&self, cx: &EvalContext<'_>) -> Result<Computed> {
        eval::node(&self.0, cx)
    }

    /// Evaluates as a condition: missing, null, false and zero are false, everything else is true.
    ///
    /// # Errors
    /// As [`Expr::eval`].
    pub fn eval_bool(&self, cx: &EvalContext<'_>) -> Result<bool> {
        Ok(truthy(self.eval(cx)?.as_ref()))
    }
}

/// A filter finds the value where an expression does: an array also matches by its elements, null also matches what
/// is missing, a regular expression matches strings.
fn is_alike(v: &Value) -> bool {
    !matches!(v, Value::Array(_) | Value::Null | Value::Undefined | Value::Regex { .. })
}

/// MongoDB's coercion to bool.
#[must_use]
pub fn truthy(v: Option<&Value>) -> bool {
    match v {
        None
        | Some(Value::Null | Value::Undefined | Value::Bool(false) | Value::Int32(0) | Value::Int64(0)) => {
            false
        }
        Some(Value::Double(x)) => *x != 0.0,
        Some(Value::Decimal128(d)) => {
            !matches!(crate::decimal::decode(*d), crate::decimal::Parts::Finite { coefficient: 0, .. })
        }
        Some(_) => true,
    }
}

/// Missing, null or undefined.
#[must_use]
pub fn nullish(v: &Computed) -> bool {
    matches!(v, None | Some(Value::Null | Value::Undefined))
}
