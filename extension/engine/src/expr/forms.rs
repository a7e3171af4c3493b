//! Operators with a node of their own: constants, conditions, branches, variables.

use super::named::{given, named_in};
use super::parse::{Scope, arguments, call, check_name, expression};
use super::table::Operator;
use super::{Expr, Node};
use crate::Code;
use crate::bail;
use crate::codes;
use crate::error::{Error, Result};
use crate::raw::{Doc, Val};
use crate::value::Value;

/// The object, or the refusal.
pub(super) fn object<'a>(v: Val<'a>, code: Code, text: impl FnOnce() -> String) -> Result<Doc<'a>> {
    v.as_doc().ok_or_else(|| Error::new(code, text()))
}

pub(super) fn literal(_: &'static Operator, v: Val<'_>, _: &Scope<'_>) -> Result<Expr> {
    Ok(Expr::constant(Some(Value::from(v))))
}

pub(super) fn cond(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let args = match v.as_doc() {
        Some(d) if !d.first().is_some_and(|e| e.name().starts_with('$')) => {
            let unknown: (Code, fn(&str, &str) -> String) =
                (codes::LOCATION17083, |_, f| format!("Unrecognized parameter to $cond: {f}"));
            let args = named_in(op, d, sc, &["if", "then", "else"], unknown)?;
            let missing = [
                (codes::LOCATION17080, "if"),
                (codes::LOCATION17081, "then"),
                (codes::LOCATION17082, "else"),
            ];
            for (i, (code, name)) in missing.into_iter().enumerate() {
                if !given(args.get(i)) {
                    bail!(code, "Missing '{name}' parameter to $cond");
                }
            }
            args
        }
        _ => arguments(v, sc)?,
    };
    if args.len() != 3 {
        bail!(
            codes::LOCATION16020,
            "Expression $cond takes exactly 3 arguments. {} were passed in.",
            args.len()
        );
    }
    call(op, args, sc)
}

pub(super) fn if_null(op: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let args = arguments(v, sc)?;
    if args.len() < 2 {
        bail!(codes::LOCATION1257300, "$ifNull needs at least two arguments, had: {}", args.len());
    }
    call(op, args, sc)
}

pub(super) fn switch(_: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let d = object(v, codes::LOCATION40060, || {
        format!("$switch requires an object as an argument, found: {}", v.type_name())
    })?;
    let (mut branches, mut default) = (Vec::new(), None);
    for e in d {
        match e.name() {
            "branches" => {
                let Some(list) = e.val.as_array() else {
                    bail!(
                        codes::LOCATION40061,
                        "$switch expected an array for 'branches', found: {}",
                        e.val.type_name()
                    )
                };
                for b in list.values() {
                    branches.push(branch(b, sc)?);
                }
            }
            "default" => default = Some(Box::new(expression(e.val, sc)?)),
            other => bail!(codes::LOCATION40067, "$switch found an unknown argument: {other}"),
        }
    }
    if branches.is_empty() {
        bail!(codes::LOCATION40068, "$switch requires at least one branch.");
    }
    Ok(Expr(Node::Switch { branches, default }))
}

fn branch(v: Val<'_>, sc: &Scope<'_>) -> Result<(Expr, Expr)> {
    let d = object(v, codes::LOCATION40062, || {
        format!("$switch expected each branch to be an object, found: {}", v.type_name())
    })?;
    let (mut case, mut then) = (None, None);
    for e in d {
        match e.name() {
            "case" => case = Some(expression(e.val, sc)?),
            "then" => then = Some(expression(e.val, sc)?),
            other => bail!(codes::LOCATION40063, "$switch found an unknown argument to a branch: {other}"),
        }
    }
    let Some(case) = case else {
        bail!(codes::LOCATION40064, "$switch requires each branch have a 'case' expression")
    };
    let Some(then) = then else {
        bail!(codes::LOCATION40065, "$switch requires each branch have a 'then' expression")
    };
    Ok((case, then))
}

pub(super) fn let_(_: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let d = object(v, codes::LOCATION16874, || "$let only supports an object as its argument".into())?;
    let (mut vars, mut body) = (None, None);
    for e in d {
        match e.name() {
            "vars" => vars = Some(e.val),
            "in" => body = Some(e.val),
            other => bail!(codes::LOCATION16875, "Unrecognized parameter to $let: {other}"),
        }
    }
    let Some(vars) = vars else { bail!(codes::LOCATION16876, "Missing 'vars' parameter to $let") };
    let Some(body) = body else { bail!(codes::LOCATION16877, "Missing 'in' parameter to $let") };
    let vars = object(vars, codes::LOCATION10065, || "invalid parameter: expected an object (vars)".into())?;
    let mut bound = Vec::new();
    for e in vars {
        check_name(e.name(), true)?;
        bound.push((e.name().to_owned(), expression(e.val, sc)?));
    }
    let names: Vec<&str> = bound.iter().map(|(n, _)| n.as_str()).collect();
    let body = sc.parse_with(&names, body)?;
    Ok(Expr(Node::Let { vars: bound, body: Box::new(body) }))
}

fn variable<'a>(v: Option<Val<'a>>) -> Result<&'a str> {
    match v {
        None => Ok("this"),
        Some(v) => {
            // Anything but a string reads as a name that no variable has.
            let name = v.as_str().unwrap_or("");
            check_name(name, true)?;
            Ok(name)
        }
    }
}

pub(super) fn map(_: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let d = object(v, codes::LOCATION16878, || "$map only supports an object as its argument".into())?;
    let (mut input, mut name, mut body) = (None, None, None);
    for e in d {
        match e.name() {
            "input" => input = Some(e.val),
            "as" => name = Some(e.val),
            "in" => body = Some(e.val),
            other => bail!(codes::LOCATION16879, "Unrecognized parameter to $map: {other}"),
        }
    }
    let Some(input) = input else { bail!(codes::LOCATION16880, "Missing 'input' parameter to $map") };
    let Some(body) = body else { bail!(codes::LOCATION16882, "Missing 'in' parameter to $map") };
    let name = variable(name)?;
    let input = Box::new(expression(input, sc)?);
    let body = Box::new(sc.parse_with(&[name], body)?);
    Ok(Expr(Node::Map { input, name: name.to_owned(), body }))
}

pub(super) fn filter(_: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let d = object(v, codes::LOCATION28646, || "$filter only supports an object as its argument".into())?;
    let (mut input, mut name, mut cond, mut limit) = (None, None, None, None);
    for e in d {
        match e.name() {
            "input" => input = Some(e.val),
            "as" => name = Some(e.val),
            "cond" => cond = Some(e.val),
            "limit" => limit = Some(e.val),
            other => bail!(codes::LOCATION28647, "Unrecognized parameter to $filter: {other}"),
        }
    }
    let Some(input) = input else { bail!(codes::LOCATION28648, "Missing 'input' parameter to $filter") };
    let Some(cond) = cond else { bail!(codes::LOCATION28650, "Missing 'cond' parameter to $filter") };
    let name = variable(name)?;
    let input = Box::new(expression(input, sc)?);
    let limit = limit.map(|l| expression(l, sc)).transpose()?.map(Box::new);
    let cond = Box::new(sc.parse_with(&[name], cond)?);
    Ok(Expr(Node::Filter { input, name: name.to_owned(), cond, limit }))
}

pub(super) fn reduce(_: &'static Operator, v: Val<'_>, sc: &Scope<'_>) -> Result<Expr> {
    let d = object(v, codes::LOCATION40075, || {
        format!("$reduce requires an object as an argument, found: {}", v.type_name())
    })?;
    let (mut input, mut initial, mut body) = (None, None, None);
    for e in d {
        match e.name() {
            "input" => input = Some(e.val),
            "initialValue" => initial = Some(e.val),
            "in" => body = Some(e.val),
            other => bail!(codes::LOCATION40076, "$reduce found an unknown argument: {other}"),
        }
    }
    let Some(input) = input else { bail!(codes::LOCATION40077, "$reduce requires 'input' to be specified") };
    let Some(initial) = initial else {
        bail!(codes::LOCATION40078, "$reduce requires 'initialValue' to be specified")
    };
    let Some(body) = body else { bail!(codes::LOCATION40079, "$reduce requires 'in' to be specified") };
    let input = Box::new(expression(input, sc)?);
    let initial = Box::new(expression(initial, sc)?);
    let body = Box::new(sc.parse_with(&["this", "value"], body)?);
    Ok(Expr(Node::Reduce { input, initial, body }))
}
