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

fn n_input(args: &[Computed], null_is_null: bool) -> Result<Option<(Vec<Value>, usize)>> {
    let n = count_of_n(arg(args, 1))?;
    let v = arg(args, 0);
    if null_is_null && is_null(v) {
        return Ok(None);
    }
    match v.and_then(list) {
        Some(items) => Ok(Some((items, n))),
        None => bail!(codes::LOCATION5788200, "Input must be an array"),
    }
}

pub(in crate::expr) fn first_n(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let Some((mut items, n)) = n_input(args, false)? else { return null() };
    items.truncate(n);
    Ok(of(&items))
}

pub(in crate::expr) fn last_n(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let Some((items, n)) = n_input(args, false)? else { return null() };
    Ok(of(items.get(items.len().saturating_sub(n)..).unwrap_or(&[])))
}

fn extreme_n(args: &[Computed], largest: bool, collation: &Collation) -> Result<Computed> {
    if let Some(n) = arg(args, 1)
        && Num::of(n).is_some()
        && num::to_i64_exact(n).is_none()
    {
        bail!(codes::LOCATION31109, "Can't coerce out of range value {} to long", render::value(Some(n)));
    }
    let Some((mut items, n)) = n_input(args, true)? else { return null() };
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

/// Checks `sortBy` of `$sortArray`.
pub(in crate::expr) fn check_sort_by(by: Val<'_>) -> Result<()> {
    if let Some(d) = by.as_doc() {
        if d.is_empty() {
            bail!(codes::BAD_VALUE, "The $sort pattern is empty when it should be a set of fields.");
        }
        for e in d {
            if !is_direction(e.val) {
                bail!(codes::BAD_VALUE, "The $sort element value must be either 1 or -1");
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
        let Ok(path) = crate::expr::FieldPath::parse(e.name()) else { continue };
        let down = descending(e.val);
        let key = |v: Val<'_>| sort_key(v.as_doc().and_then(|d| path.get(d)), down, collation);
        let order = compare::collated(&key(a), &key(b), collation);
        if order != Ordering::Equal {
            return if down { order.reverse() } else { order };
        }
    }
    Ordering::Equal
}

/// The value a sort compares: of an array its smallest (or largest) element, for nothing null.
fn sort_key(v: Option<Value>, down: bool, collation: &Collation) -> Value {
    match v {
        None => Value::Null,
        Some(Value::Array(a)) => {
            let elements = Doc::trusted(&a).values().map(Value::from);
            let by = |a: &Value, b: &Value| compare::collated(a, b, collation);
            let pick = if down { elements.max_by(by) } else { elements.min_by(by) };
            pick.unwrap_or(Value::Undefined)
        }
        Some(v) => v,
    }
}
