//! Accumulators as expressions: over the elements of one array, or over the arguments.

use crate::accumulator::percentile::Numbers;
use crate::accumulator::sum::{Deviation, Sum};
use crate::collation::Collation;
use crate::error::Result;
use crate::expr::ops::{arg, compare};
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

/// Of the numbers of an array, or of one number; `[input, percentiles]`.
pub(in crate::expr) fn percentile(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let mut numbers = Numbers::default();
    match arg(args, 0) {
        Some(Value::Array(a)) => Doc::trusted(a).values().for_each(|v| numbers.add(&Value::from(v))),
        Some(v) => numbers.add(v),
        None => {}
    }
    let ps: Vec<f64> = arg(args, 1)
        .and_then(Value::as_array)
        .into_iter()
        .flat_map(|a| a.values().map(crate::number::to_f64).collect::<Vec<_>>())
        .collect();
    let mut found = numbers.at(&ps);
    Ok(Some(match name {
        "$median" => found.pop().unwrap_or(Value::Null),
        _ => Value::array_of(&found),
    }))
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
