//! Arrays.

use super::num::{self, Num};
use super::{any_nullish, arg, is_null, null};
use crate::bail;
use crate::codes;
use crate::collation::Collation;
use crate::error::Result;
use crate::expr::{Computed, nullish, render};
use crate::raw::{Doc, Val};
use crate::value::{ArrayWriter, Value};
use std::cmp::Ordering;

/// Largest number of elements `$range` makes, so that a constant can't take all memory (16 MiB of int32).
const MAX_RANGE: i64 = 2_000_000;

pub(super) fn list(v: &Value) -> Option<Vec<Value>> {
    v.as_array().map(|a| a.values().map(Value::from).collect())
}

pub(super) fn of(values: &[Value]) -> Computed {
    Some(Value::array_of(values))
}

pub(in crate::expr) fn make(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let items: Vec<Value> = args.iter().map(|a| a.clone().unwrap_or(Value::Null)).collect();
    Ok(of(&items))
}

pub(in crate::expr) fn is_array(_: &'static str, args: &[Computed]) -> Result<Computed> {
    Ok(Some(Value::Bool(matches!(arg(args, 0), Some(Value::Array(_))))))
}

pub(in crate::expr) fn size(_: &'static str, args: &[Computed]) -> Result<Computed> {
    match arg(args, 0).and_then(Value::as_array) {
        Some(a) => Ok(Some(Value::Int32(i32::try_from(a.values().count()).unwrap_or(i32::MAX)))),
        None => bail!(
            codes::LOCATION17124,
            "The argument to $size must be an array, but was of type: {}",
            render::type_of(arg(args, 0))
        ),
    }
}

fn at(a: Doc<'_>, i: i64) -> Computed {
    let n = if i >= 0 {
        usize::try_from(i).ok()
    } else {
        let len = i64::try_from(a.values().count()).unwrap_or(i64::MAX);
        usize::try_from(len + i).ok()
    };
    n.and_then(|n| a.values().nth(n)).map(Value::from)
}

pub(in crate::expr) fn elem_at(name: &'static str, args: &[Computed]) -> Result<Computed> {
    if any_nullish(args) {
        return null();
    }
    let (Some(v), Some(i)) = (arg(args, 0), arg(args, 1)) else { return null() };
    let Some(a) = v.as_array() else {
        bail!(codes::LOCATION28689, "{name}'s first argument must be an array, but is {}", v.type_name())
    };
    if Num::of(i).is_none() {
        bail!(
            codes::LOCATION28690,
            "{name}'s second argument must be a numeric value, but is {}",
            i.type_name()
        );
    }
    let Some(n) = num::to_i32_exact(i) else {
        bail!(
            codes::LOCATION28691,
            "{name}'s second argument must be representable as a 32-bit integer: {}",
            render::value(Some(i))
        )
    };
    Ok(at(a, i64::from(n)))
}

fn end(name: &str, args: &[Computed], i: i64) -> Result<Computed> {
    match arg(args, 0) {
        v if is_null(v) => null(),
        Some(Value::Array(a)) => Ok(at(Doc::trusted(a), i)),
        v => bail!(codes::LOCATION28689, "{name}'s argument must be an array, but is {}", render::type_of(v)),
    }
}

pub(in crate::expr) fn first(name: &'static str, args: &[Computed]) -> Result<Computed> {
    end(name, args, 0)
}

pub(in crate::expr) fn last(name: &'static str, args: &[Computed]) -> Result<Computed> {
    end(name, args, -1)
}

pub(in crate::expr) fn contains(
    _: &'static str,
    args: &[Computed],
    collation: &Collation,
) -> Result<Computed> {
    let Some(a) = arg(args, 1).and_then(Value::as_array) else {
        bail!(
            codes::LOCATION40081,
            "$in requires an array as a second argument, found: {}",
            render::type_of(arg(args, 1))
        )
    };
    let found = arg(args, 0).is_some_and(|v| {
        v.with_val(|v| a.values().any(|x| crate::compare::collated(x, v, collation) == Ordering::Equal))
    });
    Ok(Some(Value::Bool(found)))
}

/// A start or end position of `$indexOf…`.
pub(super) fn position(name: &str, which: &str, v: Option<&Value>) -> Result<Option<usize>> {
    let Some(v) = v else { return Ok(None) };
    let Some(i) = num::to_i32_exact(v) else {
        let word = if which == "start" { "starting" } else { "ending" };
        bail!(
            codes::LOCATION40096,
            "{name} requires an integral {word} index, found a value of type: {}, with value: {}",
            v.type_name(),
            render::value(Some(v))
        )
    };
    match usize::try_from(i) {
        Ok(i) => Ok(Some(i)),
        Err(_) => {
            let word = if which == "start" { "starting" } else { "ending" };
            bail!(codes::LOCATION40097, "{name} requires a nonnegative {word} index, found: {i}")
        }
    }
}

pub(in crate::expr) fn index_of(
    name: &'static str,
    args: &[Computed],
    collation: &Collation,
) -> Result<Computed> {
    let v = arg(args, 0);
    if is_null(v) {
        return null();
    }
    let Some(a) = v.and_then(Value::as_array) else {
        bail!(
            codes::LOCATION40090,
            "$indexOfArray requires an array as a first argument, found: {}",
            render::type_of(v)
        )
    };
    let start = position(name, "start", arg(args, 2))?.unwrap_or(0);
    let end = position(name, "end", arg(args, 3))?.unwrap_or(usize::MAX);
    let Some(wanted) = arg(args, 1) else { return Ok(Some(Value::Int32(-1))) };
    let found = wanted.with_val(|w| {
        a.values()
            .enumerate()
            .take(end)
            .skip(start)
            .find(|(_, x)| crate::compare::collated(*x, w, collation) == Ordering::Equal)
            .map(|(i, _)| i)
    });
    let i = found.and_then(|i| i32::try_from(i).ok()).unwrap_or(-1);
    Ok(Some(Value::Int32(i)))
}

pub(in crate::expr) fn concat(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let mut out = ArrayWriter::new();
    let mut has_null = false;
    for a in args {
        match a {
            Some(Value::Array(a)) => Doc::trusted(a).values().for_each(|v| {
                out.push_val(v);
            }),
            a if nullish(a) => has_null = true,
            a => bail!(
                codes::LOCATION28664,
                "$concatArrays only supports arrays, not {}",
                render::type_of(a.as_ref())
            ),
        }
        if has_null {
            return null();
        }
    }
    Ok(Some(Value::Array(out.finish())))
}

pub(in crate::expr) fn reverse(_: &'static str, args: &[Computed]) -> Result<Computed> {
    match arg(args, 0) {
        v if is_null(v) => null(),
        Some(Value::Array(a)) => {
            let items: Vec<Val<'_>> = Doc::trusted(a).values().collect();
            let mut out = ArrayWriter::new();
            for v in items.into_iter().rev() {
                out.push_val(v);
            }
            Ok(Some(Value::Array(out.finish())))
        }
        v => bail!(
            codes::LOCATION34435,
            "The argument to $reverseArray must be an array, but was of type: {}",
            render::type_of(v)
        ),
    }
}

pub(in crate::expr) fn slice(_: &'static str, args: &[Computed]) -> Result<Computed> {
    if any_nullish(args) {
        return null();
    }
    let Some(v) = arg(args, 0) else { return null() };
    let Some(items) = list(v) else {
        bail!(
            codes::LOCATION28724,
            "First argument to $slice must be an array, but is of type: {}",
            v.type_name()
        )
    };
    let whole = |i: usize, word: &str, numeric, exact| -> Result<i64> {
        let v = arg(args, i);
        if v.and_then(Num::of).is_none() {
            bail!(
                numeric,
                "{word} argument to $slice must be numeric, but is of type: {}",
                render::type_of(v)
            );
        }
        match v.and_then(num::to_i32_exact) {
            Some(n) => Ok(i64::from(n)),
            None => bail!(
                exact,
                "{word} argument to $slice can't be represented as a 32-bit integer: {}",
                render::value(v)
            ),
        }
    };
    let len = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let n = whole(1, "Second", codes::LOCATION28725, codes::LOCATION28726)?;
    let (start, count) = if args.len() > 2 {
        let count = whole(2, "Third", codes::LOCATION28727, codes::LOCATION28728)?;
        if count <= 0 {
            bail!(codes::LOCATION28729, "Third argument to $slice must be positive: {count}");
        }
        (if n < 0 { (len + n).max(0) } else { n.min(len) }, count)
    } else if n < 0 {
        ((len + n).max(0), len)
    } else {
        (0, n)
    };
    let start = usize::try_from(start).unwrap_or(0);
    let end = usize::try_from(count).map_or(start, |c| start.saturating_add(c)).min(items.len());
    Ok(of(items.get(start..end).unwrap_or(&[])))
}

pub(in crate::expr) fn range(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let whole = |i: usize, word: &str, numeric, exact| -> Result<i64> {
        let v = arg(args, i);
        if v.and_then(Num::of).is_none() {
            bail!(
                numeric,
                "$range requires a numeric {word} value, found value of type: {}",
                render::type_of(v)
            );
        }
        match v.and_then(num::to_i32_exact) {
            Some(n) => Ok(i64::from(n)),
            None => bail!(
                exact,
                "$range requires a {word} value that can be represented as a 32-bit integer, found value: {}",
                render::value(v)
            ),
        }
    };
    let start = whole(0, "starting", codes::LOCATION34443, codes::LOCATION34444)?;
    let end = whole(1, "ending", codes::LOCATION34445, codes::LOCATION34446)?;
    let step = if args.len() > 2 { whole(2, "step", codes::LOCATION34447, codes::LOCATION34448)? } else { 1 };
    if step == 0 {
        bail!(codes::LOCATION34449, "$range requires a non-zero step value");
    }
    if ((end - start) / step) > MAX_RANGE {
        bail!(
            codes::EXCEEDED_MEMORY_LIMIT,
            "$range would use too much memory: more than {MAX_RANGE} elements"
        );
    }
    let mut out = ArrayWriter::new();
    let mut i = start;
    while (step > 0 && i < end) || (step < 0 && i > end) {
        out.push(&Value::Int32(i32::try_from(i).unwrap_or(0)));
        i += step;
    }
    Ok(Some(Value::Array(out.finish())))
}

pub(in crate::expr) fn zip(_: &'static str, args: &[Computed]) -> Result<Computed> {
    let Some((longest, rest)) = args.split_first() else { return null() };
    let longest = matches!(longest, Some(Value::Bool(true)));
    let (inputs, defaults) = rest.split_at(rest.len() / 2);
    let mut arrays = Vec::new();
    for i in inputs {
        match i {
            i if nullish(i) => return null(),
            Some(v) => match list(v) {
                Some(items) => arrays.push(items),
                None => bail!(
                    codes::LOCATION34468,
                    "$zip found a non-array expression in input: {}",
                    render::value(Some(v))
                ),
            },
            None => return null(),
        }
    }
    let lengths = arrays.iter().map(Vec::len);
    let n = if longest { lengths.max() } else { lengths.min() }.unwrap_or(0);
    let mut out = ArrayWriter::new();
    for row in 0..n {
        let mut w = ArrayWriter::new();
        for (column, items) in arrays.iter().enumerate() {
            match items.get(row) {
                Some(v) => w.push(v),
                None => w.push(arg(defaults, column).unwrap_or(&Value::Null)),
            };
        }
        out.push(&Value::Array(w.finish()));
    }
    Ok(Some(Value::Array(out.finish())))
}
