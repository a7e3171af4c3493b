//! Which rows of its partition a row's window holds.

use super::{Row, Windows};
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::dates::{Unit, Zone, add};
use crate::expr::num::{self, Num};
use crate::expr::{Expr, ParseContext, compare_values, dec128, render};
use crate::raw::{Doc, Val};
use crate::value::Value;
use std::cmp::Ordering;
use std::ops::Range;

/// One end of a window.
#[derive(Clone, Debug)]
pub(in crate::stage) enum Bound {
    Unbounded,
    Current,
    /// Rows, or a distance in the sort field.
    By(Value),
}

/// A window.
#[derive(Clone, Debug)]
pub(in crate::stage) enum Bounds {
    /// The whole partition.
    Partition,
    Documents(Bound, Bound),
    Range {
        low: Bound,
        high: Bound,
        unit: Option<Unit>,
    },
}

impl Bounds {
    /// Parses `window`.
    pub(super) fn parse(v: Val<'_>, cx: &ParseContext) -> Result<Self> {
        let Some(d) = v.as_doc() else { bail!(codes::FAILED_TO_PARSE, "'window' field must be an object") };
        let (documents, range, unit) = (d.get("documents"), d.get("range"), d.get("unit"));
        if let Some(e) = d.iter().find(|e| !matches!(e.name(), "documents" | "range" | "unit")) {
            bail!(
                codes::FAILED_TO_PARSE,
                "'window' field can only contain 'documents' as the only argument or 'range' with an optional 'unit' field, but found '{}'",
                e.name()
            );
        }
        match (documents, range) {
            (Some(_), Some(_)) => bail!(
                codes::FAILED_TO_PARSE,
                "Window bounds can specify either 'documents' or 'unit', not both."
            ),
            (Some(_), None) if unit.is_some() => bail!(
                codes::FAILED_TO_PARSE,
                "Window bounds can only specify 'unit' with range-based bounds."
            ),
            (Some(v), None) => {
                let (low, high) = pair("documents", v, cx)?;
                for b in [&low, &high] {
                    if let Bound::By(n) = b
                        && num::to_i32_exact(n).is_none()
                    {
                        bail!(codes::FAILED_TO_PARSE, "Numeric document-based bounds must be an integer");
                    }
                }
                ordered(&low, &high, v)?;
                Ok(Bounds::Documents(low, high))
            }
            (None, Some(v)) => {
                let (low, high) = pair("range", v, cx)?;
                ordered(&low, &high, v)?;
                let unit = unit.map(|u| parse_unit(u)).transpose()?;
                for b in [&low, &high] {
                    if let Bound::By(n) = b
                        && unit.is_some()
                        && num::to_i64_exact(n).is_none()
                    {
                        bail!(codes::FAILED_TO_PARSE, "With 'unit', range-based bounds must be an integer");
                    }
                }
                Ok(Bounds::Range { low, high, unit })
            }
            (None, None) if unit.is_some() => bail!(
                codes::FAILED_TO_PARSE,
                "Window bounds can only specify 'unit' with range-based bounds."
            ),
            (None, None) => Ok(Bounds::Partition),
        }
    }

    /// The rows of the window around row `at`.
    pub(super) fn rows(&self, w: &Windows, rows: &[Row], at: usize) -> Result<Range<usize>> {
        match self {
            Bounds::Partition => Ok(0..rows.len()),
            Bounds::Documents(low, high) => {
                let place = |b: &Bound, end: i64, open: i64| match b {
                    Bound::Unbounded => open,
                    Bound::Current => i64::try_from(at).unwrap_or(0) + end,
                    Bound::By(n) => i64::try_from(at)
                        .unwrap_or(0)
                        .saturating_add(num::to_i64_exact(n).unwrap_or(0))
                        .saturating_add(end),
                };
                let len = i64::try_from(rows.len()).unwrap_or(i64::MAX);
                let (a, b) = (place(low, 0, 0).clamp(0, len), place(high, 1, len).clamp(0, len));
                let (a, b) = (usize::try_from(a).unwrap_or(0), usize::try_from(b).unwrap_or(0));
                Ok(a..b.max(a))
            }
            Bounds::Range { low, high, unit } => {
                let Some((path, _)) = &w.sort_field else { return Ok(0..rows.len()) };
                let value = |row: &Row| path.get(Doc::trusted(&row.doc)).unwrap_or(Value::Null);
                let here = rows.get(at).map_or(Value::Null, value);
                check(&here, unit.is_some())?;
                // Once every row is of the expected type, so are all that "unbounded" reaches; "current" is this
                // very row, not those of the same value.
                let a = match low {
                    Bound::Unbounded => 0,
                    Bound::Current => at,
                    Bound::By(n) => {
                        let from = moved(&here, n, *unit)?;
                        rows.partition_point(|r| compare_values(&value(r), &from) == Ordering::Less)
                    }
                };
                let b = match high {
                    Bound::Unbounded => rows.len(),
                    Bound::Current => at + 1,
                    Bound::By(n) => {
                        let to = moved(&here, n, *unit)?;
                        rows.partition_point(|r| compare_values(&value(r), &to) != Ordering::Greater)
                    }
                };
                Ok(a..b.max(a))
            }
        }
    }
}

/// The value at a distance of the sort field.
fn moved(here: &Value, by: &Value, unit: Option<Unit>) -> Result<Value> {
    match (here, unit) {
        (Value::DateTime(ms), Some(unit)) => {
            match num::to_i64_exact(by).and_then(|n| add(*ms, unit, n, Zone::UTC)) {
                Some(ms) => Ok(Value::DateTime(ms)),
                None => bail!(codes::OVERFLOW, "a range of dates overflowed"),
            }
        }
        (v, _) => match (Num::of(v), Num::of(by)) {
            // The edge is only compared, so widening does no harm.
            (Some(a), Some(b)) => {
                let mut sum = a.to_decimal();
                dec128::standard().add(&mut sum, &b.to_decimal());
                Ok(Num::Decimal(sum).value())
            }
            _ => check(v, unit.is_some()).map(|()| v.clone()),
        },
    }
}

/// The sort field of a row with a range around it.
fn check(v: &Value, unit: bool) -> Result<()> {
    match v {
        Value::DateTime(_) if unit => Ok(()),
        v if unit => bail!(
            codes::LOCATION5429513,
            "Invalid range: Expected the sortBy field to be a Date, but it was {}",
            v.type_name()
        ),
        Value::DateTime(_) => bail!(
            codes::LOCATION5429413,
            "Invalid range: For windows that involve date or time ranges, a unit must be provided."
        ),
        v if Num::of(v).is_none() => bail!(
            codes::LOCATION5429414,
            "Invalid range: Expected the sortBy field to be a number, but it was {}",
            v.type_name()
        ),
        _ => Ok(()),
    }
}

pub(super) fn parse_unit(v: Val<'_>) -> Result<Unit> {
    let Some(name) = v.as_str() else { bail!(codes::FAILED_TO_PARSE, "'unit' must be a string") };
    match Unit::named(name) {
        Some(u) => Ok(u),
        None => bail!(codes::FAILED_TO_PARSE, "unknown time unit value: {name}"),
    }
}

fn pair(kind: &str, v: Val<'_>, cx: &ParseContext) -> Result<(Bound, Bound)> {
    let items: Vec<Val<'_>> = v.as_array().into_iter().flat_map(Doc::values).collect();
    let [low, high] = items.as_slice() else {
        bail!(codes::FAILED_TO_PARSE, "Window bounds must be a 2-element array: {kind}: {}", render::val(v))
    };
    Ok((bound(kind, *low, cx)?, bound(kind, *high, cx)?))
}

fn bound(kind: &str, v: Val<'_>, cx: &ParseContext) -> Result<Bound> {
    match v.as_str() {
        Some("unbounded") => return Ok(Bound::Unbounded),
        Some("current") => return Ok(Bound::Current),
        Some(_) => {
            bail!(codes::FAILED_TO_PARSE, "Window bounds must be 'unbounded', 'current', or a number.")
        }
        None => {}
    }
    let e = Expr::parse(v, cx)?;
    match e.as_constant() {
        Some(Some(n)) if Num::of(n).is_some() => Ok(Bound::By(n.clone())),
        Some(_) if kind == "documents" => {
            bail!(codes::FAILED_TO_PARSE, "Numeric document-based bounds must be an integer")
        }
        Some(_) => bail!(codes::FAILED_TO_PARSE, "Range-based bounds expression must be a number"),
        None => bail!(codes::FAILED_TO_PARSE, "Window bounds expression must be a constant."),
    }
}

fn ordered(low: &Bound, high: &Bound, shown: Val<'_>) -> Result<()> {
    let at = |b: &Bound| match b {
        Bound::Unbounded => None,
        Bound::Current => Some(0.0),
        Bound::By(n) => Num::of(n).map(Num::to_f64),
    };
    if let (Some(a), Some(b)) = (at(low), at(high))
        && a > b
    {
        bail!(codes::LOCATION5339900, "Lower bound must not exceed upper bound: {}", render::val(shown));
    }
    Ok(())
}
