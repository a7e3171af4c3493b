//! `$dateAdd`, `$dateSubtract`, `$dateDiff`: calendar arithmetic.

use super::civil::{self, Civil};
use super::zone::Zone;
use super::{DAY, HOUR, MINUTE, SECOND, moment, zone_of};
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::ops::{is_null, null, num};
use crate::expr::{Computed, EvalContext, Expr, render};
use crate::value::Value;

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

impl Unit {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "year" => Unit::Year,
            "quarter" => Unit::Quarter,
            "month" => Unit::Month,
            "week" => Unit::Week,
            "day" => Unit::Day,
            "hour" => Unit::Hour,
            "minute" => Unit::Minute,
            "second" => Unit::Second,
            "millisecond" => Unit::Millisecond,
            _ => return None,
        })
    }

    /// Calendar months of the unit, for those that are made of months.
    pub(crate) fn months(self) -> Option<i64> {
        match self {
            Unit::Year => Some(12),
            Unit::Quarter => Some(3),
            Unit::Month => Some(1),
            _ => None,
        }
    }

    /// Milliseconds of the unit, for those of fixed length.
    pub(crate) fn millis(self) -> Option<i64> {
        match self {
            Unit::Week => Some(7 * DAY),
            Unit::Day => Some(DAY),
            Unit::Hour => Some(HOUR),
            Unit::Minute => Some(MINUTE),
            Unit::Second => Some(SECOND),
            Unit::Millisecond => Some(1),
            _ => None,
        }
    }
}

/// `ms` and `amount` units later, on the calendar of `zone`; `None` beyond what a date can hold.
pub(crate) fn add(ms: i64, unit: Unit, amount: i64, zone: Zone) -> Option<i64> {
    if let Some(months) = unit.months() {
        let c = Civil::of(zone.local(ms));
        let month =
            c.year.checked_mul(12)?.checked_add(c.month - 1)?.checked_add(amount.checked_mul(months)?)?;
        let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
        if year.abs() > 300_000_000 {
            return None;
        }
        let day = c.day.min(civil::month_length(year, month));
        return Some(zone.utc(Civil { year, month, day, ..c }.millis()?));
    }
    let step = amount.checked_mul(unit.millis()?)?;
    // Days keep the local time of day, shorter units count time as it passes.
    if matches!(unit, Unit::Day | Unit::Week) {
        return Some(zone.utc(zone.local(ms).checked_add(step)?));
    }
    ms.checked_add(step)
}

/// `[startDate, unit, amount, timezone]`
pub(in crate::expr) fn date_add(name: &'static str, args: &[Expr], cx: &EvalContext<'_>) -> Result<Computed> {
    let get = |i: usize| args.get(i).map(|e| e.eval(cx)).transpose().map(Option::flatten);
    let given_zone = args.get(3).is_some_and(Expr::is_given);
    let (start, unit, amount, zone) = (get(0)?, get(1)?, get(2)?, get(3)?);
    if is_null(start.as_ref()) || is_null(unit.as_ref()) || is_null(amount.as_ref()) {
        return null();
    }
    let unit_name = match &unit {
        Some(Value::String(s)) => s.as_str(),
        _ => bail!(codes::LOCATION5166404, "{name} expects string defining the time unit"),
    };
    let Some(unit) = Unit::named(unit_name) else {
        bail!(codes::FAILED_TO_PARSE, "unknown time unit value: {unit_name}")
    };
    let Some(zone) = zone_of(zone.as_ref(), given_zone)? else { return null() };
    let Some(ms) = start.as_ref().and_then(moment) else {
        bail!(codes::LOCATION5166403, "{name} requires startDate to be convertible to a date")
    };
    let Some(n) = amount.as_ref().and_then(num::to_i64_exact) else {
        bail!(codes::LOCATION5166405, "{name} expects integer amount of time units")
    };
    // Far beyond any date MongoDB can hold; keeps the arithmetic below from overflowing.
    let limit = match unit {
        Unit::Year => 584_942_417,
        Unit::Quarter => 4 * 584_942_417,
        Unit::Month => 12 * 584_942_417,
        Unit::Week => 30_500_568_905,
        Unit::Day => 213_503_982_335,
        Unit::Hour => 5_124_095_576_040,
        Unit::Minute => 307_445_734_562_400,
        Unit::Second => 18_446_744_073_744_000,
        Unit::Millisecond => i64::MAX,
    };
    if n.checked_abs().is_none_or(|n| n > limit) {
        bail!(codes::LOCATION5976500, "invalid {name} 'amount' parameter value: {n} {unit_name}");
    }
    let n = if name == "$dateSubtract" { -n } else { n };
    match add(ms, unit, n, zone) {
        Some(ms) => Ok(Some(Value::DateTime(ms))),
        None => bail!(codes::LOCATION5166406, "{name} overflowed"),
    }
}

/// Days of the week by name, Monday = 1.
pub(super) fn weekday(name: &str) -> Option<i64> {
    const NAMES: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let lower = name.to_ascii_lowercase();
    let at = NAMES.iter().position(|n| *n == lower || (lower.len() == 3 && n.starts_with(&lower)))?;
    i64::try_from(at).ok().map(|d| d + 1)
}

/// The `unit`, `startOfWeek` and zone that `$dateDiff` and `$dateTrunc` share.
pub(super) fn unit_of(name: &str, v: Option<&Value>) -> Result<Option<Unit>> {
    match v {
        v if is_null(v) => Ok(None),
        Some(Value::String(s)) => match Unit::named(s) {
            Some(u) => Ok(Some(u)),
            None => bail!(
                codes::LOCATION5439014,
                "{name} parameter 'unit' value cannot be recognized as a time unit: {s}"
            ),
        },
        v => bail!(
            codes::LOCATION5439013,
            "{name} requires 'unit' to be a string, but got {}",
            render::type_of(v)
        ),
    }
}

/// `startOfWeek`, Monday = 1; Sunday when not given, `None` for null.
pub(super) fn week_start(name: &str, v: Option<&Value>, given: bool) -> Result<Option<i64>> {
    match v {
        None if !given => Ok(Some(7)),
        v if is_null(v) => Ok(None),
        Some(Value::String(s)) => match weekday(s) {
            Some(d) => Ok(Some(d)),
            None => bail!(
                codes::LOCATION5439016,
                "{name} parameter 'startOfWeek' value cannot be recognized as a day of a week: {s}"
            ),
        },
        v => bail!(
            codes::LOCATION5439015,
            "{name} requires 'startOfWeek' to be a string, but got {}",
            render::type_of(v)
        ),
    }
}

/// `[startDate, endDate, unit, timezone, startOfWeek]`: boundaries of the unit between the two.
pub(in crate::expr) fn diff(name: &'static str, args: &[Expr], cx: &EvalContext<'_>) -> Result<Computed> {
    let get = |i: usize| args.get(i).map(|e| e.eval(cx)).transpose().map(Option::flatten);
    let given = |i: usize| args.get(i).is_some_and(Expr::is_given);
    let (start, end) = (get(0)?, get(1)?);
    if is_null(start.as_ref()) || is_null(end.as_ref()) {
        return null();
    }
    let Some(unit) = unit_of(name, get(2)?.as_ref())? else { return null() };
    let Some(zone) = zone_of(get(3)?.as_ref(), given(3))? else { return null() };
    let week = if unit == Unit::Week { week_start(name, get(4)?.as_ref(), given(4))? } else { Some(7) };
    let Some(week) = week else { return null() };
    let date = |which: &str, v: Option<&Value>| -> Result<i64> {
        match v.and_then(moment) {
            Some(ms) => Ok(ms),
            None => bail!(
                codes::LOCATION5166307,
                "{name} requires '{which}' to be a date, but got {}",
                render::type_of(v)
            ),
        }
    };
    let (a, b) = (date("startDate", start.as_ref())?, date("endDate", end.as_ref())?);
    let (la, lb) = (zone.local(a), zone.local(b));
    let n = match unit {
        Unit::Year | Unit::Quarter | Unit::Month => {
            let step = unit.months().unwrap_or(1);
            let index = |ms: i64| {
                let c = Civil::of(ms);
                (c.year * 12 + c.month - 1).div_euclid(step)
            };
            index(lb) - index(la)
        }
        Unit::Week => {
            // Day 0 was a Thursday: shift so that weeks begin on the wanted day.
            let index = |ms: i64| (ms.div_euclid(DAY) + 4 - week).div_euclid(7);
            index(lb) - index(la)
        }
        Unit::Day => lb.div_euclid(DAY) - la.div_euclid(DAY),
        Unit::Hour | Unit::Minute | Unit::Second | Unit::Millisecond => {
            let step = unit.millis().unwrap_or(1);
            // Offsets that are no whole hours move the boundaries of hours.
            lb.div_euclid(step) - la.div_euclid(step) - (zone.offset(b) - zone.offset(a)) / step
        }
    };
    Ok(Some(Value::Int64(n)))
}
