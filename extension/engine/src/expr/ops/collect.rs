//! Accumulators as expressions: over the elements of one array, or over the arguments.

use crate::accumulator::sum::{Deviation, Sum};
use crate::collation::Collation;
use crate::error::Result;
use crate::expr::ops::compare;
use crate::expr::{Computed, EvalContext, Expr};
use crate::raw::Doc;
use crate::value::Value;
use std::cmp::Ordering;

/// The values: of a single argument that is an array its elements.
fn values(args: &[Expr], cx: &EvalContext<'_>) -> Result<Vec<Value>> {
    if let [one] = args {
        return Ok(match one.eval(cx)? {
            Some(Value::Array(a)) => Doc::trusted(&a).values().map(Value::from).collect(),
            Some(v) => vec![v],
            None => Vec::new(),
        });
    }
    let mut out = Vec::new();
    for a in args {
        out.extend(a.eval(cx)?);
    }
    Ok(out)
}

pub(in crate::expr) fn collect(
    name: &'static str,
    args: &[Expr],
    cx: &EvalContext<'_>,
    collation: &Collation,
) -> Result<Computed> {
    let values = values(args, cx)?;
    Ok(Some(match name {
        "$sum" | "$avg" => {
            let mut sum = Sum::default();
            values.iter().for_each(|v| sum.add(v));
            if name == "$sum" { sum.total() } else { sum.mean() }
        }
        "$stdDevPop" | "$stdDevSamp" => {
            let mut d = Deviation::default();
            values.iter().for_each(|v| d.add(v));
            d.result(name == "$stdDevSamp")
        }
        _ => {
            let keep = if name == "$min" { Ordering::Less } else { Ordering::Greater };
            let mut best: Option<Value> = None;
            for v in values {
                let null = matches!(v, Value::Null | Value::Undefined);
                if !null && best.as_ref().is_none_or(|b| compare::collated(&v, b, collation) == keep) {
                    best = Some(v);
                }
            }
            best.unwrap_or(Value::Null)
        }
    }))
}
