//! Accumulators of `$group`, `$bucket`, `$setWindowFields` and the expressions of the same names (MongoDB manual,
//! "Accumulators").

mod parse;
pub(crate) mod percentile;
pub(crate) mod sum;

use crate::collation::Collation;
use crate::error::Result;
use crate::expr::{EvalContext, Expr, collated, count_of_n, merge_into, merged, nullish};
use crate::raw::Doc;
use crate::sort::{SortKey, SortSpec};
use crate::value::Value;
pub(crate) use parse::percentile_spec;
use percentile::Numbers;
use std::cmp::Ordering;
use std::collections::HashSet;
use sum::{Covariance, Deviation, Sum};

/// A parsed accumulator: what is computed, of which expression.
#[derive(Clone, Debug)]
pub(crate) struct Accumulator {
    kind: Kind,
    input: Expr,
    collation: Collation,
}

#[derive(Clone, Debug)]
enum Kind {
    Sum,
    Avg,
    Min,
    Max,
    First,
    Last,
    Push,
    AddToSet,
    Count,
    StdDev {
        sample: bool,
    },
    /// Of `[x, y]` pairs, in windows only.
    Covariance {
        sample: bool,
    },
    MergeObjects,
    /// `$firstN`, `$lastN`, `$minN`, `$maxN`
    Several {
        which: Which,
        n: Expr,
    },
    /// `$top`, `$bottom` (without `n`), `$topN`, `$bottomN`
    Ranked {
        by: SortSpec,
        bottom: bool,
        n: Option<Expr>,
    },
    Percentile {
        ps: Vec<f64>,
        median: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    First,
    Last,
    Min,
    Max,
}

/// What has been accumulated so far.
#[derive(Clone, Debug)]
pub(crate) enum State {
    Sum(Sum),
    Avg(Sum),
    Extreme { best: Option<Value>, keep: Ordering, collation: Collation },
    First(Option<Option<Value>>),
    Last(Option<Value>),
    Push(Vec<Value>),
    Set { seen: HashSet<Vec<u8>>, out: Vec<Value>, collation: Collation },
    Count(i64),
    Deviation { state: Deviation, sample: bool },
    Covariance { state: Covariance, sample: bool },
    Merge(Vec<(String, Value)>),
    Several { which: Which, n: usize, items: Vec<Value>, collation: Collation },
    Ranked { bottom: bool, n: usize, single: bool, items: Vec<(SortKey, Value)> },
    Percentile(Numbers),
}

impl Accumulator {
    /// It is `$sum`.
    pub(crate) fn is_sum(&self) -> bool {
        matches!(self.kind, Kind::Sum)
    }

    /// It is the same whatever the documents are: their number decides.
    pub(crate) fn counts(&self) -> bool {
        matches!(self.kind, Kind::Sum | Kind::Count) && self.input.as_constant().is_some()
    }

    /// The state before the first document of the group with this `_id`.
    ///
    /// # Errors
    /// When `n` is no positive whole number.
    pub(crate) fn start(&self, group: &EvalContext<'_>) -> Result<State> {
        let collation = || self.collation.clone();
        Ok(match &self.kind {
            Kind::Sum => State::Sum(Sum::default()),
            Kind::Avg => State::Avg(Sum::default()),
            Kind::Min => State::Extreme { best: None, keep: Ordering::Less, collation: collation() },
            Kind::Max => State::Extreme { best: None, keep: Ordering::Greater, collation: collation() },
            Kind::First => State::First(None),
            Kind::Last => State::Last(None),
            Kind::Push => State::Push(Vec::new()),
            Kind::AddToSet => State::Set { seen: HashSet::new(), out: Vec::new(), collation: collation() },
            Kind::Count => State::Count(0),
            Kind::StdDev { sample } => State::Deviation { state: Deviation::default(), sample: *sample },
            Kind::Covariance { sample } => {
                State::Covariance { state: Covariance::default(), sample: *sample }
            }
            Kind::MergeObjects => State::Merge(Vec::new()),
            Kind::Several { which, n } => State::Several {
                which: *which,
                n: count_of_n(n.eval(group)?.as_ref())?,
                items: Vec::new(),
                collation: collation(),
            },
            Kind::Ranked { bottom, n, .. } => State::Ranked {
                bottom: *bottom,
                n: match n {
                    Some(n) => count_of_n(n.eval(group)?.as_ref())?,
                    None => 1,
                },
                single: n.is_none(),
                items: Vec::new(),
            },
            Kind::Percentile { .. } => State::Percentile(Numbers::default()),
        })
    }

    /// Takes one document in; the answer is about how many bytes the state grew.
    ///
    /// # Errors
    /// Those of the expression, and of an accumulator that refuses the value.
    pub(crate) fn add(&self, state: &mut State, doc: Doc<'_>) -> Result<usize> {
        let v = self.input.eval(&EvalContext::new(doc))?;
        if let (State::Ranked { bottom, n, items, .. }, Kind::Ranked { by, .. }) = (&mut *state, &self.kind) {
            ranked(items, *n, *bottom, by.key(doc)?, v.unwrap_or(Value::Null));
            return Ok(0);
        }
        state.add(v)
    }

    /// The result.
    pub(crate) fn finish(&self, state: State) -> Value {
        match (&self.kind, state) {
            (Kind::Percentile { ps, median }, State::Percentile(numbers)) => {
                let values = numbers.at(ps);
                if *median {
                    values.into_iter().next().unwrap_or(Value::Null)
                } else {
                    Value::array_of(&values)
                }
            }
            (_, state) => state.finish(),
        }
    }
}

fn ranked(items: &mut Vec<(SortKey, Value)>, n: usize, bottom: bool, key: SortKey, v: Value) {
    // Kept in order; equal keys in order of arrival.
    let at = items.partition_point(|(k, _)| *k <= key);
    if !bottom && at >= n {
        return;
    }
    items.insert(at, (key, v));
    if items.len() > n {
        if bottom {
            items.remove(0);
        } else {
            items.truncate(n);
        }
    }
}

/// Bytes a kept value takes, about.
fn held(v: &Value) -> usize {
    size_of::<Value>()
        + match v {
            Value::Document(b) | Value::Array(b) | Value::Binary { bytes: b, .. } => b.len(),
            Value::String(s) => s.len(),
            _ => 0,
        }
}

/// Bytes that equal values share and different ones don't; they order as the values do.
pub(crate) fn identity(v: &Value, collation: &Collation) -> Vec<u8> {
    let mut out = Vec::new();
    v.with_val(|v| crate::key::encode_by(&mut out, v, collation));
    out
}

impl State {
    /// Takes one value in.
    pub(crate) fn add(&mut self, v: Option<Value>) -> Result<usize> {
        match (self, v) {
            (State::Count(n), _) => *n += 1,
            (State::First(first @ None), v) => *first = Some(v),
            (State::First(Some(_)), _) => {}
            (State::Last(last), v) => *last = v,
            (State::Several { which, n, items, collation }, v) => several(*which, *n, items, v, collation),
            (State::Merge(fields), v) => merge_into(fields, &v)?,
            (_, None) => {}
            (State::Sum(s) | State::Avg(s), Some(v)) => s.add(&v),
            (State::Extreme { best, keep, collation }, Some(v)) => {
                if !matches!(v, Value::Null | Value::Undefined)
                    && best.as_ref().is_none_or(|b| collated(&v, b, collation) == *keep)
                {
                    *best = Some(v);
                }
            }
            (State::Push(out), Some(v)) => {
                let size = held(&v);
                out.push(v);
                return Ok(size);
            }
            (State::Set { seen, out, collation }, Some(v)) => {
                let key = identity(&v, collation);
                let size = key.len();
                if seen.insert(key) {
                    out.push(v);
                    return Ok(size * 2);
                }
            }
            (State::Deviation { state, .. }, Some(v)) => state.add(&v),
            (State::Covariance { state, .. }, Some(v)) => state.add(&v),
            (State::Percentile(numbers), Some(v)) => {
                numbers.add(&v);
                return Ok(size_of::<f64>());
            }
            (State::Ranked { .. }, Some(_)) => {}
        }
        Ok(0)
    }

    /// The result; of percentiles the accumulator makes it.
    pub(crate) fn finish(self) -> Value {
        match self {
            State::Sum(s) => s.total(),
            State::Avg(s) => s.mean(),
            State::Extreme { best, .. } => best.unwrap_or(Value::Null),
            State::First(v) => v.flatten().unwrap_or(Value::Null),
            State::Last(v) => v.unwrap_or(Value::Null),
            State::Push(out) | State::Set { out, .. } => Value::array_of(&out),
            State::Count(n) => i32::try_from(n).map_or(Value::Int64(n), Value::Int32),
            State::Deviation { state, sample } => state.result(sample),
            State::Covariance { state, sample } => state.result(sample),
            State::Merge(fields) => merged(&fields).unwrap_or(Value::Null),
            State::Several { items, .. } => Value::array_of(&items),
            State::Ranked { single: true, items, .. } => {
                items.into_iter().next().map_or(Value::Null, |(_, v)| v)
            }
            State::Ranked { items, .. } => Value::array_of(items.iter().map(|(_, v)| v)),
            State::Percentile(_) => Value::Null,
        }
    }
}

fn several(which: Which, n: usize, items: &mut Vec<Value>, v: Option<Value>, collation: &Collation) {
    match which {
        Which::First => {
            if items.len() < n {
                items.push(v.unwrap_or(Value::Null));
            }
        }
        Which::Last => {
            items.push(v.unwrap_or(Value::Null));
            if items.len() > n {
                items.remove(0);
            }
        }
        Which::Min | Which::Max => {
            let Some(v) = v.filter(|v| !nullish(&Some(v.clone()))) else { return };
            let at = items.partition_point(|x| {
                let order = collated(x, &v, collation);
                if which == Which::Min { order != Ordering::Greater } else { order != Ordering::Less }
            });
            if at < n {
                items.insert(at, v);
                items.truncate(n);
            }
        }
    }
}
