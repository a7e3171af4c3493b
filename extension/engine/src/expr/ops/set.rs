//! Sets: arrays without order and repetition.

use super::{arg, compare, null};
use crate::bail;
use crate::codes;
use crate::collation::Collation;
use crate::error::Result;
use crate::expr::{Computed, nullish, render, truthy};
use crate::value::Value;
use std::cmp::Ordering;

/// The elements, sorted, each once.
fn distinct(v: &Value, collation: &Collation) -> Option<Vec<Value>> {
    let mut items: Vec<Value> = v.as_array()?.values().map(Value::from).collect();
    items.sort_by(|a, b| compare::collated(a, b, collation));
    items.dedup_by(|a, b| compare::collated(a, b, collation) == Ordering::Equal);
    Some(items)
}

fn has(set: &[Value], v: &Value, collation: &Collation) -> bool {
    set.binary_search_by(|x| compare::collated(x, v, collation)).is_ok()
}

fn all_sets(
    name: &str,
    code: crate::Code,
    args: &[Computed],
    collation: &Collation,
) -> Result<Option<Vec<Vec<Value>>>> {
    let mut sets = Vec::new();
    for a in args {
        match a.as_ref().and_then(|v| distinct(v, collation)) {
            Some(s) => sets.push(s),
            None if nullish(a) => return Ok(None),
            None => bail!(
                code,
                "All operands of {name} must be arrays. One argument is of type: {}",
                render::type_of(a.as_ref())
            ),
        }
    }
    Ok(Some(sets))
}

pub(in crate::expr) fn union(
    name: &'static str,
    args: &[Computed],
    collation: &Collation,
) -> Result<Computed> {
    let Some(sets) = all_sets(name, codes::LOCATION17043, args, collation)? else { return null() };
    let mut all: Vec<Value> = sets.into_iter().flatten().collect();
    all.sort_by(|a, b| compare::collated(a, b, collation));
    all.dedup_by(|a, b| compare::collated(a, b, collation) == Ordering::Equal);
    Ok(Some(Value::array_of(&all)))
}

pub(in crate::expr) fn intersection(
    name: &'static str,
    args: &[Computed],
    collation: &Collation,
) -> Result<Computed> {
    let Some(sets) = all_sets(name, codes::LOCATION17047, args, collation)? else { return null() };
    let mut sets = sets.into_iter();
    let mut left = sets.next().unwrap_or_default();
    for s in sets {
        left.retain(|v| has(&s, v, collation));
    }
    Ok(Some(Value::array_of(&left)))
}

/// The two operands; the codes are for the first and the second.
fn two(
    name: &str,
    args: &[Computed],
    codes: [crate::Code; 2],
    collation: &Collation,
) -> Result<(Vec<Value>, Vec<Value>)> {
    let mut out = [Vec::new(), Vec::new()];
    for (i, (slot, code)) in out.iter_mut().zip(codes).enumerate() {
        let v = arg(args, i);
        match v.and_then(|v| distinct(v, collation)) {
            Some(s) => *slot = s,
            None => bail!(
                code,
                "both operands of {name} must be arrays. {} argument is of type: {}",
                if i == 0 { "First" } else { "Second" },
                render::type_of(v)
            ),
        }
    }
    let [a, b] = out;
    Ok((a, b))
}

/// Keeps the order of the first operand.
pub(in crate::expr) fn difference(
    name: &'static str,
    args: &[Computed],
    collation: &Collation,
) -> Result<Computed> {
    if super::any_nullish(args) {
        return null();
    }
    let (_, b) = two(name, args, [codes::LOCATION17048, codes::LOCATION17049], collation)?;
    let mut out: Vec<Value> = Vec::new();
    let mut seen: Vec<Value> = Vec::new();
    for v in arg(args, 0)
        .and_then(Value::as_array)
        .into_iter()
        .flat_map(|a| a.values().map(Value::from).collect::<Vec<_>>())
    {
        if let Err(at) = seen.binary_search_by(|x| compare::collated(x, &v, collation)) {
            seen.insert(at, v.clone());
            if !has(&b, &v, collation) {
                out.push(v);
            }
        }
    }
    Ok(Some(Value::array_of(&out)))
}

pub(in crate::expr) fn is_subset(
    name: &'static str,
    args: &[Computed],
    collation: &Collation,
) -> Result<Computed> {
    let first = if arg(args, 0).is_none() { codes::LOCATION17310 } else { codes::LOCATION17046 };
    let (a, b) = two(name, args, [first, codes::LOCATION17042], collation)?;
    Ok(Some(Value::Bool(a.iter().all(|v| has(&b, v, collation)))))
}

pub(in crate::expr) fn equals(_: &'static str, args: &[Computed], collation: &Collation) -> Result<Computed> {
    if args.len() < 2 {
        bail!(codes::LOCATION17045, "$setEquals needs at least two arguments had: {}", args.len());
    }
    let mut sets = Vec::new();
    for a in args {
        match a.as_ref().and_then(|v| distinct(v, collation)) {
            Some(s) => sets.push(s),
            None => bail!(
                codes::LOCATION17044,
                "All operands of $setEquals must be arrays. One argument is of type: {}",
                render::type_of(a.as_ref())
            ),
        }
    }
    let same = |a: &[Value], b: &[Value]| {
        a.len() == b.len()
            && a.iter().zip(b).all(|(x, y)| compare::collated(x, y, collation) == Ordering::Equal)
    };
    Ok(Some(Value::Bool(sets.windows(2).all(|w| matches!(w, [a, b] if same(a, b))))))
}

fn elements(name: &str, code: crate::Code, args: &[Computed]) -> Result<Vec<Value>> {
    match arg(args, 0).and_then(Value::as_array) {
        Some(a) => Ok(a.values().map(Value::from).collect()),
        None => bail!(code, "{name}'s argument must be an array, but is {}", render::type_of(arg(args, 0))),
    }
}

pub(in crate::expr) fn all_elements_true(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let items = elements(name, codes::LOCATION17040, args)?;
    Ok(Some(Value::Bool(items.iter().all(|v| truthy(Some(v))))))
}

pub(in crate::expr) fn any_element_true(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let items = elements(name, codes::LOCATION17041, args)?;
    Ok(Some(Value::Bool(items.iter().any(|v| truthy(Some(v))))))
}
