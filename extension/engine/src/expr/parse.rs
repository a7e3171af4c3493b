//! From BSON to [`Expr`]: which form a value has, and the scopes of variables.

use super::table::{self, Operator, Shape};
use super::{Binding, EvalContext, Expr, FieldPath, Node, ParseContext};
use crate::bail;
use crate::codes;
use crate::error::{Error, Result};
use crate::raw::{Doc, MAX_DEPTH, Val, View};
use crate::value::Value;

/// The variables visible at one place of an expression.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub cx: &'a ParseContext,
    names: Option<&'a Named<'a>>,
    depth: usize,
}

#[derive(Clone, Copy)]
struct Named<'a> {
    name: &'a str,
    outer: Option<&'a Named<'a>>,
}

impl<'a> Scope<'a> {
    pub(super) fn outermost(cx: &'a ParseContext) -> Self {
        Self { cx, names: None, depth: 0 }
    }

    fn deeper(self) -> Result<Self> {
        if self.depth >= MAX_DEPTH {
            bail!(codes::OVERFLOW, "an expression is nested too deeply: at most {MAX_DEPTH} levels");
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn knows(&self, name: &str) -> bool {
        let mut at = self.names;
        while let Some(n) = at {
            if n.name == name {
                return true;
            }
            at = n.outer;
        }
        false
    }

    /// Parses `v` with these further variables in scope.
    pub(super) fn parse_with(self, names: &[&str], v: Val<'_>) -> Result<Expr> {
        match names.split_first() {
            None => expression(v, &self),
            Some((name, rest)) => {
                let named = Named { name, outer: self.names };
                Scope { names: Some(&named), ..self }.parse_with(rest, v)
            }
        }
    }
}

pub(super) fn expression(v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    match v.view() {
        View::String(s) if s.starts_with('$') => reference(s, sc),
        View::Document(d) => document(d, &sc.deeper()?),
        View::Array(a) => array(a, &sc.deeper()?),
        _ => Ok(Expr::constant(Some(Value::from(v)))),
    }
}

/// `"$a.b"` and `"$$name.a.b"`.
fn reference(s: &str, sc: &Scope<'_>) -> Result<Expr> {
    let Some(rest) = s.strip_prefix("$$") else {
        let path = s.get(1..).unwrap_or("");
        if path.is_empty() {
            bail!(codes::LOCATION16872, "'$' by itself is not a valid FieldPath");
        }
        let path = FieldPath::parse(path)?;
        return Ok(current(path, sc));
    };
    let (name, path) = match rest.split_once('.') {
        Some((name, path)) => (name, FieldPath::parse(path)?),
        None => (rest, FieldPath::default()),
    };
    check_name(name, false)?;
    if sc.knows(name) {
        return Ok(Expr(Node::Var { name: name.into(), path }));
    }
    let constant = |v: Option<Value>| {
        let v = if path.is_empty() { v } else { v.and_then(|v| v.with_val(|v| path.get_in(v))) };
        Expr::constant(v)
    };
    match name {
        "ROOT" => return Ok(Expr(Node::Root(path))),
        "CURRENT" => return Ok(current(path, sc)),
        "REMOVE" => return Ok(Expr::constant(None)),
        "NOW" => return Ok(constant(Some(Value::DateTime(sc.cx.now)))),
        "KEEP" | "PRUNE" | "DESCEND" if sc.cx.redact => {
            return Ok(constant(Some(Value::String(name.to_ascii_lowercase()))));
        }
        "CLUSTER_TIME" | "USER_ROLES" | "SEARCH_META" => {
            bail!(codes::COMMAND_NOT_SUPPORTED, "Variable $${name} not supported yet")
        }
        _ => {}
    }
    match sc.cx.variables.get(name) {
        Some(Binding::Value(v)) => Ok(constant(v.clone())),
        Some(Binding::Unknown) => Ok(Expr(Node::Var { name: name.into(), path })),
        None => bail!(codes::LOCATION17276, "Use of undefined variable: {name}"),
    }
}

fn current(path: FieldPath, sc: &Scope<'_>) -> Expr {
    if sc.knows("CURRENT") {
        Expr(Node::Var { name: "CURRENT".into(), path })
    } else {
        Expr(Node::Root(path))
    }
}

/// Checks a variable's name; one that is being defined (`user`) starts with a small letter.
pub(crate) fn check_name(name: &str, user: bool) -> Result<()> {
    let Some(first) = name.bytes().next() else {
        bail!(codes::FAILED_TO_PARSE, "empty variable names are not allowed")
    };
    if user && name == "CURRENT" {
        return Ok(());
    }
    let starts = first.is_ascii_lowercase() || first >= 0x80 || (!user && first.is_ascii_uppercase());
    if !starts {
        let kind = if user { "user variable" } else { "variable" };
        bail!(codes::FAILED_TO_PARSE, "'{name}' starts with an invalid character for a {kind} name");
    }
    if let Some(bad) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '_' || !c.is_ascii())) {
        bail!(codes::FAILED_TO_PARSE, "'{name}' contains an invalid character for a variable name: '{bad}'");
    }
    Ok(())
}

fn array(a: Doc<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let items = a.values().map(|v| expression(v, sc)).collect::<Result<Vec<_>>>()?;
    fold_if(items.iter().all(is_constant), Node::Array(items))
}

fn document(d: Doc<'_>, sc: &Scope<'_>) -> Result<Expr> {
    if let Some(first) = d.first().filter(|e| e.name_bytes().first() == Some(&b'$')) {
        let name = first.name();
        let mut rest = d.iter();
        rest.next();
        if rest.next().is_some() {
            bail!(
                codes::LOCATION15983,
                "An object representing an expression must have exactly one field: {}",
                super::render::doc(d)
            );
        }
        return operator(name, first.val, sc);
    }
    let mut fields: Vec<(String, Expr)> = Vec::new();
    for e in d {
        let name = e.name();
        if name.starts_with('$') {
            bail!(
                codes::LOCATION16410,
                "FieldPath field names may not start with '$'. Consider using $getField or $setField."
            );
        }
        if name.contains('.') {
            bail!(
                codes::LOCATION16412,
                "FieldPath field names may not contain '.'. Consider using $getField or $setField."
            );
        }
        if fields.iter().any(|(n, _)| n == name) {
            bail!(
                codes::LOCATION16406,
                "duplicate field name specified in object literal: {}",
                super::render::doc(d)
            );
        }
        fields.push((name.to_owned(), expression(e.val, sc)?));
    }
    fold_if(fields.iter().all(|(_, e)| is_constant(e)), Node::Object(fields))
}

fn operator(name: &str, arg: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    if matches!(name, "$function" | "$accumulator") {
        bail!(codes::COMMAND_NOT_SUPPORTED, "Operator {name} not implemented yet");
    }
    let Some(op) = table::find(name) else {
        bail!(codes::INVALID_PIPELINE_OPERATOR, "Unrecognized expression '{name}'")
    };
    match op.shape {
        Shape::Own(parse) => parse(op, arg, sc),
        Shape::One | Shape::Fixed(_) | Shape::Range(..) | Shape::Any => {
            let args = arguments(arg, sc)?;
            check_count(op, args.len())?;
            call(op, args, sc)
        }
    }
}

/// An array is the list of arguments, anything else the only one.
pub(super) fn arguments(arg: Val<'_>, sc: &Scope<'_>) -> Result<Vec<Expr>> {
    match arg.as_array() {
        Some(a) => a.values().map(|v| expression(v, sc)).collect(),
        None => Ok(vec![expression(arg, sc)?]),
    }
}

fn check_count(op: &Operator, n: usize) -> Result<()> {
    match op.shape {
        Shape::One if n != 1 => Err(wrong_count(op.name, 1, n)),
        Shape::Fixed(want) if n != want => Err(wrong_count(op.name, want, n)),
        Shape::Range(min, max) if n < min || n > max => bail!(
            codes::LOCATION28667,
            "Expression {} takes at least {min} arguments, and at most {max}, but {n} were passed in.",
            op.name
        ),
        _ => Ok(()),
    }
}

fn wrong_count(name: &str, want: usize, n: usize) -> Error {
    // The old name is an alias of the new one.
    let name = if name == "$substr" { "$substrBytes" } else { name };
    Error::new(
        codes::LOCATION16020,
        format!("Expression {name} takes exactly {want} arguments. {n} were passed in."),
    )
}

/// A call, folded when its arguments are constant.
pub(super) fn call(op: &'static Operator, args: Vec<Expr>, sc: &Scope<'_>) -> Result<Expr> {
    let collation = sc.cx.collation.clone();
    fold_if(op.pure && args.iter().all(is_constant), Node::Call { op, args, collation })
}

fn is_constant(e: &Expr) -> bool {
    matches!(e.0, Node::Const(_) | Node::Absent)
}

fn fold_if(constant: bool, node: Node) -> Result<Expr> {
    if constant {
        Ok(Expr::constant(super::eval::node(&node, &EvalContext::new(Doc::EMPTY))?))
    } else {
        Ok(Expr(node))
    }
}
