//! Boolean and conditional operators.

use super::{arg, is_null};
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::{Computed, EvalContext, Expr, truthy};
use crate::value::Value;

/// For table entries whose parser makes a node of its own.
pub(in crate::expr) fn unreachable_form(name: &'static str, _: &[Computed]) -> Result<Computed> {
    bail!(codes::INTERNAL_ERROR, "{name} has no function")
}

pub(in crate::expr) fn and(_: &'static str, args: &[Expr], cx: &EvalContext<'_>) -> Result<Computed> {
    for a in args {
        if !a.eval_bool(cx)? {
            return Ok(Some(Value::Bool(false)));
        }
    }
    Ok(Some(Value::Bool(true)))
}

pub(in crate::expr) fn or(_: &'static str, args: &[Expr], cx: &EvalContext<'_>) -> Result<Computed> {
    for a in args {
        if a.eval_bool(cx)? {
            return Ok(Some(Value::Bool(true)));
        }
    }
    Ok(Some(Value::Bool(false)))
}

pub(in crate::expr) fn not(_: &'static str, args: &[Computed]) -> Result<Computed> {
    Ok(Some(Value::Bool(!truthy(arg(args, 0)))))
}

pub(in crate::expr) fn cond(_: &'static str, args: &[Expr], cx: &EvalContext<'_>) -> Result<Computed> {
    match args {
        [test, then, other] => {
            if test.eval_bool(cx)? {
                then.eval(cx)
            } else {
                other.eval(cx)
            }
        }
        _ => bail!(codes::INTERNAL_ERROR, "$cond without its three arguments"),
    }
}

/// The first argument that is neither null nor missing, else the last whatever it is.
pub(in crate::expr) fn if_null(_: &'static str, args: &[Expr], cx: &EvalContext<'_>) -> Result<Computed> {
    let mut last = None;
    for a in args {
        last = a.eval(cx)?;
        if !is_null(last.as_ref()) {
            break;
        }
    }
    Ok(last)
}
