//! Arrays by their order: `$sortArray`, `$firstN`, `$lastN`, `$minN`, `$maxN`.

use super::num::{self, Num};
use super::{
    arg,
    array::{list, of},
    compare, is_null, null,
};
use crate::bail;
use crate::codes;
use crate::collation::Collation;
use crate::error::Result;
use crate::expr::{Computed, render};
use crate::raw::{Doc, Val};
use crate::value::Value;
use std::cmp::Ordering;

/// The `n` of `$firstN` and its kin.
pub(crate) fn count_of_n(v: Option<&Value>) -> Result<usize> {
    let Some(n) = v.and_then(Num::of) else {
        bail!(
            codes::LOCATION5787902,
            "Value for 'n' must be of integral type, but found {}",
            render::value(v)
        )
    };
    let Some(n) = n.to_i64_exact() else {
        bail!(
            codes::LOCATION5787903,
            "Value for 'n' must be of integral type, but found {}",
            render::value(v)
        )
    };
    match usize::try_from(n) {
        Ok(n) if n > 0 => Ok(n),
        _ => bail!(codes::LOCATION5787908, "'n' must be greater than 0, found {n}"),
    }
}

fn n_input(args: &[Computed]) -> Result<(Vec<Value>, usize)> {
    let n = count_of_n(arg(args, 1))?;
    match arg(args, 0).and_then(list) {
        Some(items) => Ok((items, n)),
        None => bail!(codes::LOCATION5788200, "Input must be an array"),
    }
}

pub(in crate::expr) fn first_n(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let (mut items, n) = n_input(args)?;
    items.truncate(n);
    Ok(of(&items))
}

pub(in crate::expr) fn last_n(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let (items, n) = n_input(args)?;
    Ok(of(items.get(items.len().saturating_sub(n)..).unwrap_or(&[])))
}

fn extreme_n(args: &[Computed], largest: bool, collation: &Collation) -> Result<Computed> {
    let (mut items, n) = n_input(args)?;
    items.retain(|v| !matches!(v, Value::Null | Value::Undefined));
    items.sort_by(|a, b| {
        if largest { compare::collated(b, a, collation) } else { compare::collated(a, b, collation) }
    });
    items.truncate(n);
    Ok(of(&items))
}

pub(in crate::expr) fn min_n(_: &'static str, args: &[Computed], collation: &Collation) -> Result<Computed> {
    extreme_n(args, false, collation)
}

pub(in crate::expr) fn max_n(_: &'static str, args: &[Computed], collation: &Collation) -> Result<Computed> {
    extreme_n(args, true, collation)
}

/// Checks the order of `$sortArray`, which is that of `$push`, too.
pub(crate) fn check_sort_by(by: Val<'_>) -> Result<()> {
    if let Some(d) = by.as_doc() {
        if d.is_empty() {
            bail!(codes::BAD_VALUE, "The $sort pattern is empty when it should be a set of fields.");
        }
        for e in d {
            if !is_direction(e.val) {
                bail!(codes::BAD_VALUE, "The $sort element value must be either 1 or -1");
            }
            if e.name().is_empty() {
                bail!(codes::BAD_VALUE, "The $sort field cannot be empty");
            }
            if e.name().split('.').any(str::is_empty) {
                bail!(
                    codes::BAD_VALUE,
                    "The $sort field is a dotted field but has an empty part: {}",
                    e.name()
                );
            }
        }
        return Ok(());
    }
    if !by.is_number() {
        bail!(
            codes::BAD_VALUE,
            "The $sort is invalid: use 1/-1 to sort the whole element, or {{field:1/-1}} to sort embedded fields"
        );
    }
    if !is_direction(by) {
        bail!(codes::BAD_VALUE, "The $sort element value must be either 1 or -1");
    }
    Ok(())
}

fn is_direction(v: Val<'_>) -> bool {
    matches!(num::to_i32_exact(&Value::from(v)), Some(1 | -1))
}

fn descending(v: Val<'_>) -> bool {
    num::to_i32_exact(&Value::from(v)) == Some(-1)
}

pub(in crate::expr) fn sort(_: &'static str, args: &[Computed], collation: &Collation) -> Result<Computed> {
    let v = arg(args, 0);
    if is_null(v) {
        return null();
    }
    let Some(mut items) = v.and_then(list) else {
        bail!(
            codes::LOCATION2942504,
            "The input argument to $sortArray must be an array, but was of type: {}",
            render::type_of(v)
        )
    };
    match arg(args, 1) {
        Some(Value::Document(by)) => {
            let by = Doc::trusted(by);
            items.sort_by(|a, b| a.with_val(|a| b.with_val(|b| by_fields(by, a, b, collation))));
        }
        Some(by) => {
            let down = by.with_val(descending);
            items.sort_by(|a, b| {
                let o = compare::collated(a, b, collation);
                if down { o.reverse() } else { o }
            });
        }
        None => {}
    }
    Ok(of(&items))
}

/// Orders two elements by fields; an element that is no document sorts like one without the field.
fn by_fields(by: Doc<'_>, a: Val<'_>, b: Val<'_>, collation: &Collation) -> Ordering {
    for e in by {
        let down = descending(e.val);
        let order = crate::compare::collated(at_path(a, e.name()), at_path(b, e.name()), collation);
        if order != Ordering::Equal {
            return if down { order.reverse() } else { order };
        }
    }
    Ordering::Equal
}

/// The value below a dotted path, null for nothing. Unlike in `$sort` arrays are not looked into: a component may be
/// a position, and an array at the end compares as a whole.
fn at_path<'a>(v: Val<'a>, path: &str) -> Val<'a> {
    let below = |v: Val<'a>, name: &str| v.as_doc().or_else(|| v.as_array()).and_then(|d| d.get(name));
    if v.as_doc().is_none() {
        return Val::NULL;
    }
    path.split('.').try_fold(v, below).unwrap_or(Val::NULL)
}
