//! The values of one output field for the rows of one partition.

use super::super::Run;
use super::bounds::{Bound, Bounds};
use super::{Function, Output, Row, Windows};
use crate::accumulator::Accumulator;
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::num::Num;
use crate::expr::{EvalContext, Expr, nullish};
use crate::raw::Doc;
use crate::value::Value;

type Column = Vec<Option<Value>>;

/// One value for each row; `None` leaves the field as it is.
pub(super) fn column(w: &Windows, o: &Output, rows: &[Row], cx: Run<'_>) -> Result<Column> {
    match &o.function {
        Function::Accumulate(a) => accumulate(w, a, &o.bounds, rows, cx),
        Function::Rank => Ok(ranks(rows, |n, _| n)),
        Function::DenseRank => Ok(ranks(rows, |_, groups| groups)),
        Function::DocumentNumber => Ok((1..=rows.len()).map(|n| Some(count(n))).collect()),
        Function::Shift { output, by, default } => {
            let values = inputs(output, rows)?;
            Ok((0i64..)
                .zip(rows)
                .map(|(i, _)| {
                    let from = usize::try_from(i + by).ok().and_then(|i| values.get(i));
                    Some(match from {
                        Some(v) => v.clone().unwrap_or(Value::Null),
                        None => default.clone(),
                    })
                })
                .collect())
        }
        Function::Derivative { input, unit } => derivative(w, input, *unit, &o.bounds, rows),
        Function::Integral { input, unit } => integral(w, input, *unit, &o.bounds, rows),
        Function::ExpMovingAvg { input, alpha } => moving_average(input, *alpha, rows),
        Function::Locf(input) => {
            let mut last = Value::Null;
            Ok(inputs(input, rows)?
                .into_iter()
                .map(|v| {
                    if !nullish(&v) {
                        last = v.unwrap_or(Value::Null);
                    }
                    Some(last.clone())
                })
                .collect())
        }
        Function::LinearFill(input) => linear(w, input, rows),
        Function::Constant(e) => {
            let mut out = Vec::with_capacity(rows.len());
            for row in rows {
                let d = Doc::trusted(&row.doc);
                let filled = !nullish(&o.path.get(d));
                out.push(if filled { None } else { e.eval(&EvalContext::new(d))? });
            }
            Ok(out)
        }
    }
}

fn count(n: usize) -> Value {
    i32::try_from(n).map_or_else(|_| Value::Int64(i64::try_from(n).unwrap_or(i64::MAX)), Value::Int32)
}

fn inputs(e: &Expr, rows: &[Row]) -> Result<Vec<Option<Value>>> {
    rows.iter().map(|r| e.eval(&EvalContext::new(Doc::trusted(&r.doc)))).collect()
}

/// Ranks: rows with equal sort keys share one.
fn ranks(rows: &[Row], pick: fn(usize, usize) -> usize) -> Column {
    let (mut out, mut first, mut groups) = (Vec::with_capacity(rows.len()), 1, 0);
    let mut before = None;
    for (i, row) in rows.iter().enumerate() {
        if before != Some(&row.key) {
            first = i + 1;
            groups += 1;
            before = Some(&row.key);
        }
        out.push(Some(count(pick(first, groups))));
    }
    out
}

fn accumulate(w: &Windows, a: &Accumulator, bounds: &Bounds, rows: &[Row], cx: Run<'_>) -> Result<Column> {
    let empty = EvalContext::new(Doc::EMPTY);
    let doc = |i: usize| rows.get(i).map_or(Doc::EMPTY, |r| Doc::trusted(&r.doc));
    // A window that only grows at its end is carried from row to row.
    let grows = match bounds {
        Bounds::Partition | Bounds::Documents(Bound::Unbounded, _) => true,
        Bounds::Range { low: Bound::Unbounded, .. } => true,
        Bounds::Documents(..) | Bounds::Range { .. } => false,
    };
    let mut out = Vec::with_capacity(rows.len());
    if grows {
        let mut state = a.start(&empty)?;
        let mut done = 0;
        let mut last: Option<(usize, Value)> = None;
        for i in 0..rows.len() {
            cx.host.check_interrupts()?;
            let end = bounds.rows(w, rows, i)?.end;
            while done < end {
                a.add(&mut state, doc(done))?;
                done += 1;
            }
            let v = match &last {
                Some((at, v)) if *at == end => v.clone(),
                _ => a.finish(state.clone()),
            };
            last = Some((end, v.clone()));
            out.push(Some(v));
        }
        return Ok(out);
    }
    for i in 0..rows.len() {
        cx.host.check_interrupts()?;
        let mut state = a.start(&empty)?;
        for at in bounds.rows(w, rows, i)? {
            a.add(&mut state, doc(at))?;
        }
        out.push(Some(a.finish(state)));
    }
    Ok(out)
}

/// The sort field as a number: milliseconds in units for dates.
fn position(w: &Windows, row: &Row, unit: Option<i64>, name: &str) -> Result<f64> {
    let v = w.sort_field.as_ref().and_then(|(p, _)| p.get(Doc::trusted(&row.doc)));
    match (&v, unit) {
        (Some(Value::DateTime(ms)), Some(unit)) => Ok(Num::Long(*ms).to_f64() / Num::Long(unit).to_f64()),
        (_, Some(_)) => {
            bail!(codes::LOCATION5423901, "{name} with 'unit' expects the sortBy field to be a Date")
        }
        (Some(v), None) => match Num::of(v) {
            Some(n) => Ok(n.to_f64()),
            None => bail!(
                codes::LOCATION5423902,
                "{name} (with no 'unit') expects the sortBy field to be numeric"
            ),
        },
        (None, None) => {
            bail!(codes::LOCATION5423902, "{name} (with no 'unit') expects the sortBy field to be numeric")
        }
    }
}

fn number(v: &Option<Value>, name: &str) -> Result<f64> {
    match v.as_ref().and_then(Num::of) {
        Some(n) => Ok(n.to_f64()),
        None => bail!(
            codes::LOCATION5423900,
            "The input value of {name} window function must be a vector of 2 value, the first value must be numeric or date type and the second must be numeric."
        ),
    }
}

fn derivative(w: &Windows, input: &Expr, unit: Option<i64>, bounds: &Bounds, rows: &[Row]) -> Result<Column> {
    let values = inputs(input, rows)?;
    let mut out = Vec::with_capacity(rows.len());
    for i in 0..rows.len() {
        let window = bounds.rows(w, rows, i)?;
        let (first, last) = (window.start, window.end.saturating_sub(1));
        let (Some(a), Some(b)) = (rows.get(first), rows.get(last)) else {
            out.push(Some(Value::Null));
            continue;
        };
        let y0 = number(values.get(first).unwrap_or(&None), "$derivative")?;
        let y1 = number(values.get(last).unwrap_or(&None), "$derivative")?;
        let (x0, x1) = (position(w, a, unit, "$derivative")?, position(w, b, unit, "$derivative")?);
        out.push(Some(if first >= last || x0 == x1 {
            Value::Null
        } else {
            Value::Double((y1 - y0) / (x1 - x0))
        }));
    }
    Ok(out)
}

/// Trapezoids between the window's points.
fn integral(w: &Windows, input: &Expr, unit: Option<i64>, bounds: &Bounds, rows: &[Row]) -> Result<Column> {
    let values = inputs(input, rows)?;
    let mut points = Vec::with_capacity(rows.len());
    for (row, v) in rows.iter().zip(&values) {
        points.push((position(w, row, unit, "$integral")?, number(v, "$integral")?));
    }
    let mut out = Vec::with_capacity(rows.len());
    for i in 0..rows.len() {
        let window = points.get(bounds.rows(w, rows, i)?).unwrap_or(&[]);
        let area = window.windows(2).map(|p| match p {
            [(x0, y0), (x1, y1)] => (y0 + y1) * (x1 - x0) / 2.0,
            _ => 0.0,
        });
        out.push(Some(if window.is_empty() { Value::Null } else { Value::Double(area.sum()) }));
    }
    Ok(out)
}

fn moving_average(input: &Expr, alpha: f64, rows: &[Row]) -> Result<Column> {
    let mut average: Option<f64> = None;
    let mut out = Vec::with_capacity(rows.len());
    for v in inputs(input, rows)? {
        let Some(n) = v.as_ref().and_then(Num::of) else {
            out.push(Some(Value::Null));
            continue;
        };
        let x = n.to_f64();
        let next = match average {
            None => x,
            Some(a) => x * alpha + a * (1.0 - alpha),
        };
        average = Some(next);
        // Whole results of integers stay integers, as the first one is.
        let whole =
            matches!(n, Num::Int(_) | Num::Long(_)).then(|| Num::Double(next).to_i64_exact()).flatten();
        out.push(Some(whole.map_or(Value::Double(next), |i| crate::expr::num::int_or_long(i).value())));
    }
    Ok(out)
}

/// Values between two known ones, by the distance in the sort field.
fn linear(w: &Windows, input: &Expr, rows: &[Row]) -> Result<Column> {
    let values = inputs(input, rows)?;
    let mut out: Column = Vec::with_capacity(rows.len());
    for (i, v) in values.iter().enumerate() {
        if !nullish(v) {
            if v.as_ref().and_then(Num::of).is_none() {
                bail!(codes::TYPE_MISMATCH, "Value to be filled must be numeric or nullish");
            }
            out.push(v.clone());
            continue;
        }
        let known = |v: &Option<Value>| v.as_ref().and_then(Num::of).map(Num::to_f64);
        let left = (0..i).rev().find_map(|j| Some((j, known(values.get(j)?)?)));
        let right = (i + 1..rows.len()).find_map(|j| Some((j, known(values.get(j)?)?)));
        out.push(Some(match (left, right) {
            (Some((a, y0)), Some((b, y1))) => {
                let x = |at: usize| match rows.get(at) {
                    Some(row) => sort_number(w, row),
                    None => Ok(0.0),
                };
                let (x0, x1, here) = (x(a)?, x(b)?, x(i)?);
                if x0 == x1 {
                    Value::Double(y0)
                } else {
                    Value::Double(y0 + (y1 - y0) * (here - x0) / (x1 - x0))
                }
            }
            _ => Value::Null,
        }));
    }
    Ok(out)
}

fn sort_number(w: &Windows, row: &Row) -> Result<f64> {
    let v = w.sort_field.as_ref().and_then(|(p, _)| p.get(Doc::trusted(&row.doc)));
    match &v {
        Some(Value::DateTime(ms)) => Ok(Num::Long(*ms).to_f64()),
        v => match v.as_ref().and_then(Num::of) {
            Some(n) => Ok(n.to_f64()),
            None => bail!(codes::TYPE_MISMATCH, "the sortBy field of $linearFill must be numeric or a date"),
        },
    }
}
