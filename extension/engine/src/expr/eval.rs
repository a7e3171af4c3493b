//! Evaluation of the node kinds.

use super::context::Bound;
use super::{Computed, EvalContext, Expr, Node, nullish};
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::table::Run;
use crate::interrupt;
use crate::raw::Doc;
use crate::value::{ArrayWriter, DocWriter, Value};

pub(super) fn node(n: &Node, cx: &EvalContext<'_>) -> Result<Computed> {
    match n {
        Node::Const(v) => Ok(v.clone()),
        Node::Absent => Ok(None),
        Node::Root(path) => Ok(path.get(cx.root)),
        Node::Var { name, path } => Ok(match cx.lookup(name) {
            Some(Some(v)) if path.is_empty() => Some(v.clone()),
            Some(Some(v)) => v.with_val(|v| path.get_in(v)),
            _ => None,
        }),
        Node::Object(fields) => object(fields, cx),
        Node::Array(items) => {
            let mut out = ArrayWriter::new();
            for item in items {
                out.push(&item.eval(cx)?.unwrap_or(Value::Null));
            }
            Ok(Some(Value::Array(out.finish())))
        }
        Node::Call { op, args, collation } => match op.run {
            Run::Values(f) => f(op.name, &evaluated(args, cx)?),
            Run::Ordered(f) => f(op.name, &evaluated(args, cx)?, collation),
            Run::Lazy(f) => f(op.name, args, cx),
            Run::LazyOrdered(f) => f(op.name, args, cx, collation),
        },
        Node::Let { vars, body } => {
            let mut values = Vec::with_capacity(vars.len());
            for (_, e) in vars {
                values.push(e.eval(cx)?);
            }
            with_bound(vars, &values, cx, body)
        }
        Node::Map { input, name, body } => {
            let Some(array) = array_input("$map", codes::LOCATION16883, input.eval(cx)?)? else {
                return Ok(Some(Value::Null));
            };
            let mut out = ArrayWriter::new();
            for v in Doc::trusted(&array).values() {
                interrupt::check();
                let item = Some(Value::from(v));
                out.push(&bound(cx, name, &item, body)?.unwrap_or(Value::Null));
            }
            Ok(Some(Value::Array(out.finish())))
        }
        Node::Filter { input, name, cond, limit } => filter(input, name, cond, limit.as_deref(), cx),
        Node::Reduce { input, initial, body } => {
            let Some(array) = array_input("$reduce", codes::LOCATION40080, input.eval(cx)?)? else {
                return Ok(Some(Value::Null));
            };
            let mut value = initial.eval(cx)?;
            for v in Doc::trusted(&array).values() {
                interrupt::check();
                let this = Some(Value::from(v));
                let outer = Bound { name: "this", value: &this, outer: cx.scope };
                let inner = Bound { name: "value", value: &value, outer: Some(&outer) };
                value = body.eval(&EvalContext { root: cx.root, scope: Some(&inner) })?;
            }
            Ok(value)
        }
        Node::Switch { branches, default } => {
            for (case, then) in branches {
                if case.eval_bool(cx)? {
                    return then.eval(cx);
                }
            }
            match default {
                Some(d) => d.eval(cx),
                None => bail!(
                    codes::LOCATION40066,
                    "$switch could not find a matching branch for an input, and no default was specified."
                ),
            }
        }
    }
}

fn evaluated(args: &[Expr], cx: &EvalContext<'_>) -> Result<Vec<Computed>> {
    let mut values = Vec::with_capacity(args.len());
    for a in args {
        values.push(a.eval(cx)?);
    }
    Ok(values)
}

fn object(fields: &[(String, Expr)], cx: &EvalContext<'_>) -> Result<Computed> {
    let mut out = DocWriter::new();
    for (name, e) in fields {
        if let Some(v) = e.eval(cx)? {
            out.put(name, &v);
        }
    }
    Ok(Some(Value::Document(out.finish())))
}

fn with_bound(
    vars: &[(String, Expr)],
    values: &[Computed],
    cx: &EvalContext<'_>,
    body: &Expr,
) -> Result<Computed> {
    match (vars.split_first(), values.split_first()) {
        (Some(((name, _), vars)), Some((value, values))) => {
            let b = Bound { name, value, outer: cx.scope };
            with_bound(vars, values, &EvalContext { root: cx.root, scope: Some(&b) }, body)
        }
        _ => body.eval(cx),
    }
}

fn bound(cx: &EvalContext<'_>, name: &str, value: &Computed, body: &Expr) -> Result<Computed> {
    let b = Bound { name, value, outer: cx.scope };
    body.eval(&EvalContext { root: cx.root, scope: Some(&b) })
}

/// The encoded array, `None` for null and missing.
fn array_input(op: &str, code: crate::Code, v: Computed) -> Result<Option<Vec<u8>>> {
    match v {
        Some(Value::Array(a)) => Ok(Some(a)),
        v if nullish(&v) => Ok(None),
        v if op == "$reduce" => {
            bail!(
                code,
                "$reduce requires that 'input' be an array, found: {}",
                super::render::value(v.as_ref())
            )
        }
        Some(v) => bail!(code, "input to {op} must be an array not {}", v.type_name()),
        None => Ok(None),
    }
}

fn filter(
    input: &Expr,
    name: &str,
    cond: &Expr,
    limit: Option<&Expr>,
    cx: &EvalContext<'_>,
) -> Result<Computed> {
    let input = input.eval(cx)?;
    let mut left = match limit.map(|l| l.eval(cx)).transpose()?.filter(|l| !nullish(l)) {
        Some(Some(v)) => filter_limit(&v)?,
        _ => usize::MAX,
    };
    let Some(array) = array_input("$filter", codes::LOCATION28651, input)? else {
        return Ok(Some(Value::Null));
    };
    let mut out = ArrayWriter::new();
    for v in Doc::trusted(&array).values() {
        if left == 0 {
            break;
        }
        interrupt::check();
        let item = Some(Value::from(v));
        if super::truthy(bound(cx, name, &item, cond)?.as_ref()) {
            out.push_val(v);
            left -= 1;
        }
    }
    Ok(Some(Value::Array(out.finish())))
}

fn filter_limit(v: &Value) -> Result<usize> {
    let Some(n) = super::ops::num::to_i32_exact(v) else {
        bail!(
            codes::LOCATION327391,
            "$filter: limit must be represented as a 32-bit integral value: {}",
            super::render::value(Some(v))
        )
    };
    match usize::try_from(n) {
        Ok(n) if n > 0 => Ok(n),
        _ => bail!(codes::LOCATION327392, "$filter: limit must be greater than 0: {n}"),
    }
}
