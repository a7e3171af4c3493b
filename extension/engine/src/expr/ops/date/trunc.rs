//! `$dateTrunc`.

use super::add::{Unit, unit_of, week_start};
use super::civil::{self, Civil};
use super::{DAY, moment, zone_of};
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::ops::{is_null, null, num};
use crate::expr::{Computed, EvalContext, Expr, render};
use crate::value::Value;

/// Bins are counted from 2000-01-01, which was a Saturday.
const REFERENCE_DAY: i64 = 10_957;

/// `[date, unit, binSize, timezone, startOfWeek]`
pub(in crate::expr) fn trunc(name: &'static str, args: &[Expr], cx: &EvalContext<'_>) -> Result<Computed> {
    let get = |i: usize| args.get(i).map(|e| e.eval(cx)).transpose().map(Option::flatten);
    let given = |i: usize| args.get(i).is_some_and(Expr::is_given);
    let date = get(0)?;
    if is_null(date.as_ref()) {
        return null();
    }
    let Some(unit) = unit_of(name, get(1)?.as_ref())? else { return null() };
    let size = match get(2)? {
        _ if !given(2) => 1,
        v if is_null(v.as_ref()) => return null(),
        v => bin_size(name, v.as_ref())?,
    };
    let Some(zone) = zone_of(get(3)?.as_ref(), given(3))? else { return null() };
    let week = if unit == Unit::Week { week_start(name, get(4)?.as_ref(), given(4))? } else { Some(7) };
    let Some(week) = week else { return null() };
    let Some(ms) = date.as_ref().and_then(moment) else {
        bail!(
            codes::LOCATION5439012,
            "{name} requires 'date' to be a date, but got {}",
            render::type_of(date.as_ref())
        )
    };
    let local = zone.local(ms);
    let truncated = if let Some(months) = unit.months() {
        let step = months.checked_mul(size);
        let c = Civil::of(local);
        let index = (c.year - 2000) * 12 + c.month - 1;
        step.map(|step| {
            let index = index.div_euclid(step) * step;
            civil::days(2000 + index.div_euclid(12), index.rem_euclid(12) + 1, 1) * DAY
        })
    } else if let Unit::Day | Unit::Week = unit {
        // The first wanted day of the week on or after the reference starts week 0.
        let first = if unit == Unit::Week { REFERENCE_DAY + (week - 6).rem_euclid(7) } else { REFERENCE_DAY };
        let step = size.checked_mul(if unit == Unit::Week { 7 } else { 1 });
        step.map(|step| (first + (local.div_euclid(DAY) - first).div_euclid(step) * step) * DAY)
    } else {
        // Shorter units run through changes of the offset: bins lie on UTC shifted by the offset of the moment.
        let step = unit.millis().and_then(|u| u.checked_mul(size));
        let origin = zone.utc(REFERENCE_DAY * DAY);
        return Ok(step.map(|step| Value::DateTime(origin + (ms - origin).div_euclid(step) * step)));
    };
    match truncated {
        Some(local) => Ok(Some(Value::DateTime(zone.utc(local)))),
        None => bail!(codes::LOCATION5439018, "{name} 'binSize' is too large: {size}"),
    }
}

fn bin_size(name: &str, v: Option<&Value>) -> Result<i64> {
    let Some(n) = v.and_then(num::to_i64_exact) else {
        bail!(
            codes::LOCATION5439017,
            "{name} requires 'binSize' to be a 64-bit integer, but got value '{}' of type {}",
            render::value(v),
            render::type_of(v)
        )
    };
    if n <= 0 {
        bail!(codes::LOCATION5439018, "{name} requires 'binSize' to be greater than 0, but got value {n}");
    }
    Ok(n)
}
