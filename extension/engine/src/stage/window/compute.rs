//! The values of one output field for the rows of one partition.

use super::super::Run;
use super::bounds::{Bound, Bounds};
use super::{Function, Output, Row, Windows};
use crate::accumulator::Accumulator;
use crate::accumulator::sum::Sum;
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::num::{self, Num};
use crate::expr::{Computed, EvalContext, Expr, arithmetic, compare_values, dec128, nullish, render};
use crate::raw::Doc;
use crate::value::Value;
use std::cmp::Ordering;

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
        // A sum that loses documents at its start forgets how wide its integers were.
        out.push(Some(match a.finish(state) {
            Value::Int64(n) if a.is_sum() => num::int_or_long(n).value(),
            v => v,
        }));
    }
    Ok(out)
}

/// The value of the sort field.
fn position(w: &Windows, row: &Row) -> Computed {
    w.sort_field.as_ref().and_then(|(p, _)| p.get(Doc::trusted(&row.doc)))
}

fn is_number(v: &Computed) -> bool {
    v.as_ref().and_then(Num::of).is_some()
}

fn is_date(v: &Computed) -> bool {
    matches!(v, Some(Value::DateTime(_)))
}

fn minus(a: &Computed, b: &Computed) -> Result<Computed> {
    arithmetic::subtract("$subtract", &[a.clone(), b.clone()])
}

fn times(a: Computed, b: Computed) -> Result<Computed> {
    arithmetic::multiply("$multiply", &[a, b])
}

fn by(a: Computed, b: Computed) -> Result<Computed> {
    arithmetic::divide("$divide", &[a, b])
}

/// Rise by run between the ends of the window, scaled from milliseconds to the unit.
fn derivative(w: &Windows, input: &Expr, unit: Option<i64>, bounds: &Bounds, rows: &[Row]) -> Result<Column> {
    let values = inputs(input, rows)?;
    let mut out = Vec::with_capacity(rows.len());
    for i in 0..rows.len() {
        let window = bounds.rows(w, rows, i)?;
        let (first, last) = (window.start, window.end.saturating_sub(1));
        let (false, Some(a), Some(b)) = (window.is_empty(), rows.get(first), rows.get(last)) else {
            out.push(Some(Value::Null));
            continue;
        };
        let (x0, x1) = (position(w, a), position(w, b));
        match unit {
            Some(_) if !is_date(&x0) || !is_date(&x1) => {
                bail!(codes::LOCATION5624900, "$derivative with 'unit' expects the sortBy field to be a Date")
            }
            None if is_date(&x0) || is_date(&x1) => {
                bail!(codes::LOCATION5624901, "$derivative where the sortBy is a Date requires an 'unit'")
            }
            None if !is_number(&x0) || !is_number(&x1) => {
                bail!(
                    codes::LOCATION5624902,
                    "$derivative (with no 'unit') expects the sortBy field to be numeric"
                )
            }
            _ => {}
        }
        let run = minus(&x1, &x0)?;
        let rise = minus(values.get(last).unwrap_or(&None), values.get(first).unwrap_or(&None))?;
        if nullish(&rise) {
            bail!(codes::LOCATION5624903, "$derivative input must not be null or missing");
        }
        out.push(match (by(rise, run), unit) {
            // A window of one point has no slope.
            (Err(e), _) if e.code == codes::BAD_VALUE => Some(Value::Null),
            (slope, Some(unit)) => times(slope?, Some(Value::Int64(unit)))?,
            (slope, None) => slope?,
        });
    }
    Ok(out)
}

/// Trapezoids between the window's points.
fn integral(w: &Windows, input: &Expr, unit: Option<i64>, bounds: &Bounds, rows: &[Row]) -> Result<Column> {
    let values = inputs(input, rows)?;
    let mut points = Vec::with_capacity(rows.len());
    for (row, y) in rows.iter().zip(values) {
        let x = position(w, row);
        if !is_number(&y) || !(is_number(&x) || is_date(&x)) {
            bail!(
                codes::LOCATION5423900,
                "The input value of $integral window function must be a vector of 2 value, the first value must be numeric or date type and the second must be numeric."
            );
        }
        match unit {
            Some(_) if !is_date(&x) => {
                bail!(codes::LOCATION5423901, "$integral with 'unit' expects the sortBy field to be a Date")
            }
            None if is_date(&x) => bail!(
                codes::LOCATION5423902,
                "$integral (with no 'unit') expects the sortBy field to be numeric"
            ),
            _ => points.push((x, y)),
        }
    }
    let is_nan = |v: &Computed| v.as_ref().and_then(Num::of).is_some_and(Num::is_nan);
    let mut out = Vec::with_capacity(rows.len());
    // What is summed up so far, and from which to which point.
    let (mut sum, mut summed) = (Sum::default(), 0..0);
    for i in 0..rows.len() {
        let window = bounds.rows(w, rows, i)?;
        let Some(inside) = points.get(window.clone()).filter(|p| !p.is_empty()) else {
            out.push(Some(Value::Null));
            continue;
        };
        if inside.iter().any(|(x, y)| is_nan(x) || is_nan(y)) {
            out.push(Some(Value::Double(f64::NAN)));
            continue;
        }
        if summed.start != window.start || summed.end > window.end || summed.is_empty() {
            (sum, summed) = (Sum::default(), window.start..window.start + 1);
        }
        for at in summed.end..window.end {
            if let (Some((x0, y0)), Some((x1, y1))) = (points.get(at - 1), points.get(at)) {
                let heights = arithmetic::add("$add", &[y1.clone(), y0.clone()])?;
                let area = by(times(heights, minus(x1, x0)?)?, Some(Value::Double(2.0)))?;
                if let Some(area) = &area {
                    sum.add(area);
                }
            }
        }
        summed.end = window.end;
        let total = Some(sum.total());
        out.push(match unit {
            Some(unit) => by(total, Some(Value::Int64(unit)))?,
            None => total,
        });
    }
    Ok(out)
}

/// In decimals, whatever comes in; what is no number leaves the average as it is.
fn moving_average(input: &Expr, alpha: dec128::D, rows: &[Row]) -> Result<Column> {
    let mut cx = dec128::standard();
    let mut rest = dec128::from_i64(1);
    cx.sub(&mut rest, &alpha);
    let mut average: Option<dec128::D> = None;
    let mut decimal = false;
    let mut out = Vec::with_capacity(rows.len());
    for v in inputs(input, rows)? {
        if let Some(n) = v.as_ref().and_then(Num::of) {
            decimal |= matches!(n, Num::Decimal(_));
            let mut next = n.to_decimal();
            if let Some(mut before) = average {
                cx.mul(&mut next, &alpha);
                cx.mul(&mut before, &rest);
                cx.add(&mut next, &before);
            }
            average = Some(next);
        }
        out.push(Some(match average {
            None => Value::Null,
            Some(d) if decimal => Num::Decimal(d).value(),
            Some(d) => Value::Double(dec128::to_f64(&d)),
        }));
    }
    Ok(out)
}

/// Values between two known ones, by the distance in the sort field.
fn linear(w: &Windows, input: &Expr, rows: &[Row]) -> Result<Column> {
    let values = inputs(input, rows)?;
    let mut places: Vec<Computed> = Vec::with_capacity(rows.len());
    for (row, v) in rows.iter().zip(&values) {
        if !nullish(v) && !is_number(v) {
            bail!(
                codes::TYPE_MISMATCH,
                "Value to be filled must be numeric or nullish, but found {}",
                render::type_of(v.as_ref())
            );
        }
        let place = position(w, row);
        if !is_number(&place) && !is_date(&place) {
            bail!(
                codes::TYPE_MISMATCH,
                "Value of the sortBy field must be numeric or a date, but found {}",
                render::type_of(place.as_ref())
            );
        }
        if let (Some(Some(before)), Some(here)) = (places.last(), &place) {
            if compare_values(before, here) == Ordering::Equal {
                bail!(codes::LOCATION6050106, "There can be no repeated values in the sort field");
            }
            if is_date(&place) != matches!(before, Value::DateTime(_)) {
                bail!(
                    codes::TYPE_MISMATCH,
                    "Conflicting sort value types, previously received type {}, but found {}",
                    before.type_name(),
                    here.type_name()
                );
            }
        }
        places.push(place);
    }
    let mut out: Column = Vec::with_capacity(rows.len());
    let known = |at: &usize| values.get(*at).is_some_and(|v| !nullish(v));
    let (mut left, mut right) = (None, None);
    for (i, v) in values.iter().enumerate() {
        if !nullish(v) {
            left = Some(i);
            out.push(v.clone());
            continue;
        }
        if right.is_none_or(|r| r < i) {
            // None ahead stays so: the scan is not repeated.
            right = Some((i + 1..rows.len()).find(known).unwrap_or(rows.len()));
        }
        let at = |list: &[Computed], i: Option<usize>| i.and_then(|i| list.get(i)).cloned().flatten();
        let (x1, x2, here) = (at(&places, left), at(&places, right), at(&places, Some(i)));
        let (y1, y2) = (at(&values, left), at(&values, right));
        out.push(if left.is_none() || y2.is_none() {
            Some(Value::Null)
        } else {
            let slope = by(minus(&y2, &y1)?, minus(&x2, &x1)?)?;
            arithmetic::add("$add", &[y1, times(minus(&here, &x1)?, slope)?])?
        });
    }
    Ok(out)
}
