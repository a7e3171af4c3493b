//! `$bucket`, `$bucketAuto`.

use super::granularity::Series;
use super::group::{Running, field};
use super::{Budget, Docs, ParseContext, Run, Stage, blocking};
use crate::accumulator::Accumulator;
use crate::collation::Collation;
use crate::compare::bracket;
use crate::error::Result;
use crate::expr::{EvalContext, Expr, collated, compare_values, num, render};
use crate::raw::{Doc, Val};
use crate::value::{DocWriter, Value};
use crate::{bail, codes};
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::rc::Rc;

type Fields = Vec<(String, Accumulator)>;

#[derive(Debug)]
struct Bucket {
    by: Expr,
    boundaries: Vec<Value>,
    default: Option<Value>,
    fields: Fields,
    collation: Collation,
}

impl Stage for Bucket {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        blocking(move || {
            let mut budget = Budget::new("$bucket", cx);
            // One slot for each bucket, and a last one for the default.
            let slots = self.boundaries.len();
            let mut running: Vec<Option<Running>> = (0..slots).map(|_| None).collect();
            for doc in input {
                let doc = doc?;
                let d = Doc::trusted(&doc);
                let v = self.by.eval(&EvalContext::new(d))?.unwrap_or(Value::Null);
                let (slot, id) = self.slot(&v)?;
                let Some(place) = running.get_mut(slot) else { continue };
                let r = match place {
                    Some(r) => r,
                    None => place.insert(Running::start(id, &self.fields)?),
                };
                budget.take(r.add(&self.fields, d)?)?;
            }
            let defaulted = running.last().is_some_and(Option::is_some);
            let ids = self.boundaries.iter().take(slots - 1).chain(self.default.as_ref());
            let mut out: VecDeque<Vec<u8>> = running
                .into_iter()
                .zip(ids)
                .filter_map(|(r, id)| r.map(|r| r.finish(id, &self.fields)))
                .collect();
            // In the order of the ids, which may have the default before all others.
            if defaulted && self.default_comes_first() {
                out.rotate_right(1);
            }
            Ok(out)
        })
    }
}

impl Bucket {
    fn default_comes_first(&self) -> bool {
        match (&self.default, self.boundaries.first()) {
            (Some(d), Some(low)) => collated(d, low, &self.collation) == Ordering::Less,
            _ => false,
        }
    }

    fn slot(&self, v: &Value) -> Result<(usize, &Value)> {
        let after = self.boundaries.partition_point(|b| collated(b, v, &self.collation) != Ordering::Greater);
        let last = self.boundaries.len() - 1;
        if after > 0
            && after <= last
            && let Some(id) = self.boundaries.get(after - 1)
        {
            return Ok((after - 1, id));
        }
        match &self.default {
            Some(d) => Ok((last, d)),
            None => bail!(
                codes::LOCATION40066,
                "$switch could not find a matching branch for an input, and no default was specified."
            ),
        }
    }
}

/// `output`, or a count.
fn outputs(v: Option<Val<'_>>, name: &str, cx: &crate::expr::ParseContext) -> Result<Fields> {
    let Some(v) = v else {
        let one = Value::Int32(1).with_val(|one| Accumulator::parse("$sum", one, cx))?;
        return Ok(vec![("count".to_owned(), one)]);
    };
    let Some(d) = v.as_doc() else {
        bail!(
            if name == "$bucket" { codes::LOCATION40196 } else { codes::LOCATION40244 },
            "The {name} 'output' field must be an object, but found type: {}",
            v.type_name()
        )
    };
    d.iter().map(|e| Ok((e.name().to_owned(), field(e.name(), e.val, cx)?))).collect()
}

fn is_expression(v: Val<'_>) -> bool {
    v.as_str().is_some_and(|s| s.starts_with('$'))
        || v.as_doc().is_some_and(|d| d.first().is_some_and(|e| e.name().starts_with('$')))
}

pub(super) fn bucket(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(spec) = v.as_doc() else {
        bail!(
            codes::LOCATION40201,
            "Argument to $bucket stage must be an object, but found type: {}",
            v.type_name()
        )
    };
    let cx = cx.expr();
    let (mut by, mut boundaries, mut default, mut output) = (None, None, None, None);
    for e in spec {
        match e.name() {
            "groupBy" => {
                if !is_expression(e.val) {
                    bail!(
                        codes::LOCATION40202,
                        "The $bucket 'groupBy' field must be defined as a $-prefixed path or an expression. But found: {}",
                        e.val.type_name()
                    );
                }
                by = Some(Expr::parse(e.val, &cx)?);
            }
            "boundaries" => boundaries = Some(limits(e.val, &cx)?),
            "default" => match Expr::parse(e.val, &cx)?.as_constant() {
                Some(v) => default = Some(v.clone().unwrap_or(Value::Null)),
                None => bail!(
                    codes::LOCATION40195,
                    "The $bucket 'default' field must be a constant expression, but found: {}",
                    render::val(e.val)
                ),
            },
            "output" => output = Some(e.val),
            other => bail!(codes::LOCATION40197, "Unrecognized option to $bucket: {other}"),
        }
    }
    let (Some(by), Some(boundaries)) = (by, boundaries) else {
        bail!(codes::LOCATION40198, "$bucket requires 'groupBy' and 'boundaries' to be specified.")
    };
    if let (Some(d), Some(low), Some(high)) = (&default, boundaries.first(), boundaries.last()) {
        let same = bracket(d.ty()) == bracket(low.ty());
        if same
            && collated(d, low, &cx.collation) != Ordering::Less
            && collated(d, high, &cx.collation) == Ordering::Less
        {
            bail!(
                codes::LOCATION40199,
                "The $bucket 'default' field must be less than the lowest boundary or greater than or equal to the highest boundary."
            );
        }
    }
    let fields = outputs(output, "$bucket", &cx)?;
    Ok(Rc::new(Bucket { by, boundaries, default, fields, collation: cx.collation }))
}

fn limits(v: Val<'_>, cx: &crate::expr::ParseContext) -> Result<Vec<Value>> {
    let Some(list) = v.as_array() else {
        bail!(
            codes::LOCATION40200,
            "The $bucket 'boundaries' field must be an array, but found type: {}",
            v.type_name()
        )
    };
    let mut out: Vec<Value> = Vec::new();
    for b in list.values() {
        let Some(v) = Expr::parse(b, cx)?.as_constant().cloned() else {
            bail!(
                codes::LOCATION40191,
                "The $bucket 'boundaries' field must be an array of constant values, but found value: {}",
                render::val(b)
            )
        };
        out.push(v.unwrap_or(Value::Null));
    }
    if out.len() < 2 {
        bail!(
            codes::LOCATION40192,
            "The $bucket 'boundaries' field must have at least 2 values, but found: {}",
            out.len()
        );
    }
    for w in out.windows(2) {
        let [a, b] = w else { continue };
        if bracket(a.ty()) != bracket(b.ty()) {
            bail!(
                codes::LOCATION40193,
                "The $bucket 'boundaries' field must be an array of values of the same type. Found different types: {} and {}",
                a.type_name(),
                b.type_name()
            );
        }
        if collated(a, b, &cx.collation) != Ordering::Less {
            bail!(
                codes::LOCATION40194,
                "The $bucket 'boundaries' field must be an array of values in ascending order."
            );
        }
    }
    Ok(out)
}

#[derive(Debug)]
struct BucketAuto {
    by: Expr,
    buckets: usize,
    series: Option<Series>,
    fields: Fields,
    collation: Collation,
}

pub(super) fn bucket_auto(v: Val<'_>, cx: &ParseContext) -> Result<Rc<dyn Stage>> {
    let Some(spec) = v.as_doc() else {
        bail!(
            codes::LOCATION40240,
            "The argument to $bucketAuto must be an object, but found type: {}",
            v.type_name()
        )
    };
    let cx = cx.expr();
    let (mut by, mut buckets, mut output, mut series) = (None, None, None, None);
    for e in spec {
        match e.name() {
            "groupBy" => {
                if !is_expression(e.val) {
                    bail!(
                        codes::LOCATION40239,
                        "The $bucketAuto 'groupBy' field must be defined as a $-prefixed path or an expression object, but found: {}",
                        render::val(e.val)
                    );
                }
                by = Some(Expr::parse(e.val, &cx)?);
            }
            "buckets" => buckets = Some(bucket_count(e.val)?),
            "output" => output = Some(e.val),
            "granularity" => match e.val.as_str() {
                Some(name) => series = Some(Series::named(name)?),
                None => bail!(
                    codes::LOCATION40261,
                    "The $bucketAuto 'granularity' field must be a string, but found type: {}",
                    e.val.type_name()
                ),
            },
            other => bail!(codes::LOCATION40245, "Unrecognized option to $bucketAuto: {other}"),
        }
    }
    let (Some(by), Some(buckets)) = (by, buckets) else {
        bail!(codes::LOCATION40246, "$bucketAuto requires 'groupBy' and 'buckets' to be specified.")
    };
    let fields = outputs(output, "$bucketAuto", &cx)?;
    Ok(Rc::new(BucketAuto { by, buckets, series, fields, collation: cx.collation }))
}

fn bucket_count(v: Val<'_>) -> Result<usize> {
    if !v.is_number() {
        bail!(
            codes::LOCATION40241,
            "The $bucketAuto 'buckets' field must be a numeric value, but found type: {}",
            v.type_name()
        );
    }
    let Some(n) = num::to_i32_exact(&Value::from(v)) else {
        bail!(
            codes::LOCATION40242,
            "The $bucketAuto 'buckets' field must be representable as a 32-bit integer, but found {}",
            render::val(v)
        )
    };
    match usize::try_from(n) {
        Ok(n) if n > 0 => Ok(n),
        _ => bail!(
            codes::LOCATION40243,
            "The $bucketAuto 'buckets' field must be greater than 0, but found: {n}"
        ),
    }
}

impl Stage for BucketAuto {
    fn run<'h>(self: Rc<Self>, input: Docs<'h>, cx: Run<'h>) -> Docs<'h> {
        blocking(move || {
            let mut budget = Budget::new("$bucketAuto", cx);
            let mut rows: Vec<(Value, Vec<u8>)> = Vec::new();
            for doc in input {
                let doc = doc?;
                budget.take(doc.len())?;
                let v = self.by.eval(&EvalContext::new(Doc::trusted(&doc)))?.unwrap_or(Value::Null);
                if self.series.is_some() {
                    check_numeric(&v)?;
                }
                rows.push((v, doc));
            }
            rows.sort_by(|a, b| collated(&a.0, &b.0, &self.collation));
            self.divide(&rows).map(Into::into)
        })
    }
}

fn check_numeric(v: &Value) -> Result<()> {
    let Some(n) = num::Num::of(v) else {
        bail!(
            codes::LOCATION40258,
            "$bucketAuto can specify a 'granularity' with numeric boundaries only, but found a value with type: {}",
            v.type_name()
        )
    };
    let x = n.to_f64();
    if x.is_nan() {
        bail!(
            codes::LOCATION40259,
            "$bucketAuto can specify a 'granularity' with numeric boundaries only, but found a NaN"
        );
    }
    if x < 0.0 {
        bail!(
            codes::LOCATION40260,
            "$bucketAuto can specify a 'granularity' with non-negative numbers only, but found a negative number"
        );
    }
    Ok(())
}

impl BucketAuto {
    /// Buckets of about equal size, of which the last takes what is left; equal values are never parted. A bucket
    /// ends where the next begins, the last at its largest value, or where the series of preferred numbers says.
    fn divide(&self, rows: &[(Value, Vec<u8>)]) -> Result<Vec<Vec<u8>>> {
        let mut out = Vec::new();
        let mut at = 0;
        let mut lower: Option<Value> = None;
        let size = round_share(rows.len(), self.buckets);
        let equal = |a: &Value, b: &Value| collated(a, b, &self.collation) == Ordering::Equal;
        while let (Some((first, _)), true) = (rows.get(at), out.len() < self.buckets) {
            let is_last = out.len() + 1 == self.buckets;
            let mut end = if is_last { rows.len() } else { (at + size).min(rows.len()) };
            let last = rows.get(end - 1).map_or(first, |r| &r.0);
            let edge = self.series.as_ref().map(|s| s.round_up(last));
            let below_edge = |v: &Value| match &edge {
                Some(edge) => compare_values(v, edge) == Ordering::Less,
                None => false,
            };
            while rows.get(end).is_some_and(|(v, _)| equal(v, last) || below_edge(v)) {
                end += 1;
            }
            let next = rows.get(end).map(|r| &r.0);
            let (min, max) = match (&self.series, edge) {
                (Some(s), Some(edge)) => {
                    let min = lower.take().unwrap_or_else(|| s.round_down(first));
                    // Nothing is above zero in the series: the bucket of zeros ends where the next begins.
                    let max = match next {
                        Some(next) if num::Num::of(&edge).is_some_and(num::Num::is_zero) => {
                            s.round_down(next)
                        }
                        _ => edge,
                    };
                    lower = Some(max.clone());
                    (min, max)
                }
                _ => (first.clone(), next.or(rows.last().map(|r| &r.0)).unwrap_or(first).clone()),
            };
            let mut id = DocWriter::new();
            id.put("min", &min).put("max", &max);
            let id = Value::Document(id.finish());
            let mut running = Running::start(&id, &self.fields)?;
            for (_, doc) in rows.get(at..end).unwrap_or(&[]) {
                running.add(&self.fields, Doc::trusted(doc))?;
            }
            out.push(running.finish(&id, &self.fields));
            at = end;
        }
        Ok(out)
    }
}

/// MongoDB rounds the share of one bucket to the nearest whole number.
fn round_share(n: usize, buckets: usize) -> usize {
    ((2 * n + buckets) / (2 * buckets)).max(1)
}
