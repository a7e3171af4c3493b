//! Taking dates apart and putting them together: `$year` and its kin, `$dateToParts`, `$dateFromParts`.

use super::civil::{Civil, iso_days};
use super::zone::Zone;
use super::{DAY, required, zone_of};
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::ops::{arg, is_null, null, num};
use crate::expr::{Computed, EvalContext, Expr, render};
use crate::value::{DocWriter, Value};

/// `$year` … `$millisecond`: `[date, timezone]`.
pub(in crate::expr) fn part(name: &'static str, args: &[Computed]) -> Result<Computed> {
    let zone = match arg(args, 1) {
        _ if args.len() < 2 => Zone::UTC,
        v if is_null(v) => return null(),
        Some(Value::String(s)) => Zone::named(s)?,
        v => bail!(
            codes::LOCATION40533,
            "{name} requires a string for the timezone argument, but was given a {} ({})",
            render::type_of(v),
            render::value(v)
        ),
    };
    let Some(ms) = required(arg(args, 0))? else { return null() };
    let c = Civil::of(zone.local(ms));
    let n = match name {
        "$year" => c.year,
        "$month" => c.month,
        "$dayOfMonth" => c.day,
        "$hour" => c.hour,
        "$minute" => c.minute,
        "$second" => c.second,
        "$millisecond" => c.ms,
        "$dayOfYear" => c.day_of_year(),
        "$dayOfWeek" => c.day_of_week(),
        "$week" => c.week(),
        "$isoDayOfWeek" => c.iso_day(),
        "$isoWeek" => c.iso_week().1,
        "$isoWeekYear" => return Ok(Some(Value::Int64(c.iso_week().0))),
        _ => bail!(codes::INTERNAL_ERROR, "{name} is no part of a date"),
    };
    Ok(Some(i32::try_from(n).map_or(Value::Int64(n), Value::Int32)))
}

/// `$dateToParts`: `[date, timezone, iso8601]`.
pub(in crate::expr) fn to_parts(_: &'static str, args: &[Expr], cx: &EvalContext<'_>) -> Result<Computed> {
    let get = |i: usize| args.get(i).map(|e| e.eval(cx)).transpose().map(Option::flatten);
    let given = |i: usize| args.get(i).is_some_and(Expr::is_given);
    let iso = match get(2)? {
        _ if !given(2) => false,
        Some(Value::Bool(b)) => b,
        v if is_null(v.as_ref()) => return null(),
        v => bail!(
            codes::LOCATION40521,
            "iso8601 must evaluate to a bool, found {}",
            render::type_of(v.as_ref())
        ),
    };
    let Some(zone) = zone_of(get(1)?.as_ref(), given(1))? else { return null() };
    let Some(ms) = required(get(0)?.as_ref())? else { return null() };
    let c = Civil::of(zone.local(ms));
    let mut out = DocWriter::new();
    let mut put = |name: &str, n: i64| {
        out.put(name, &i32::try_from(n).map_or(Value::Int64(n), Value::Int32));
    };
    if iso {
        let (year, week) = c.iso_week();
        put("isoWeekYear", year);
        put("isoWeek", week);
        put("isoDayOfWeek", c.iso_day());
    } else {
        put("year", c.year);
        put("month", c.month);
        put("day", c.day);
    }
    put("hour", c.hour);
    put("minute", c.minute);
    put("second", c.second);
    put("millisecond", c.ms);
    Ok(Some(Value::Document(out.finish())))
}

/// The parameters of `$dateFromParts`, in the order of its arguments.
pub(in crate::expr) const PARTS: &[&str] = &[
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "millisecond",
    "isoWeekYear",
    "isoWeek",
    "isoDayOfWeek",
    "timezone",
];

pub(in crate::expr) fn from_parts(_: &'static str, args: &[Expr], cx: &EvalContext<'_>) -> Result<Computed> {
    let mut n = [None::<i64>; 10];
    for (i, (slot, name)) in n.iter_mut().zip(PARTS).enumerate() {
        let Some(e) = args.get(i).filter(|e| e.is_given()) else { continue };
        let v = e.eval(cx)?;
        if is_null(v.as_ref()) {
            return null();
        }
        *slot = Some(whole(name, v.as_ref())?);
    }
    let zone_expr = args.get(10);
    let zone = zone_expr.map(|e| e.eval(cx)).transpose()?.flatten();
    let Some(zone) = zone_of(zone.as_ref(), zone_expr.is_some_and(Expr::is_given))? else { return null() };
    let [year, month, day, hour, minute, second, ms, iso_year, iso_week, iso_day] = n;
    let day_number = if let Some(y) = iso_year {
        year_in_range("isoWeekYear", y)?;
        iso_days(y, iso_week.unwrap_or(1), iso_day.unwrap_or(1))
    } else {
        let y = year.unwrap_or(1970);
        year_in_range("year", y)?;
        super::civil::days(y, month.unwrap_or(1), 1) + day.unwrap_or(1) - 1
    };
    let (y, m, d) = super::civil::date(day_number);
    let civil = Civil {
        year: y,
        month: m,
        day: d,
        hour: hour.unwrap_or(0),
        minute: minute.unwrap_or(0),
        second: second.unwrap_or(0),
        ms: ms.unwrap_or(0),
    };
    match civil.millis() {
        Some(local) => Ok(Some(Value::DateTime(zone.utc(local)))),
        None => bail!(codes::DURATION_OVERFLOW, "Overflow when computing {DAY} days"),
    }
}

fn year_in_range(name: &str, y: i64) -> Result<()> {
    if !(1..=9999).contains(&y) {
        let code = if name == "year" { codes::LOCATION40523 } else { codes::LOCATION31095 };
        bail!(code, "'{name}' must evaluate to an integer in the range 1 to 9999, found {y}");
    }
    Ok(())
}

fn whole(name: &str, v: Option<&Value>) -> Result<i64> {
    let Some(n) = v.and_then(num::to_i64_exact) else {
        bail!(
            codes::LOCATION40515,
            "'{name}' must evaluate to an integer, found {} with value :{}",
            render::type_of(v),
            render::value(v)
        )
    };
    let limited = !matches!(name, "year" | "isoWeekYear" | "second" | "millisecond");
    if limited && i16::try_from(n).is_err() {
        bail!(
            codes::LOCATION31034,
            "'{name}' must evaluate to a value in the range [-32768, 32767]; value {n} is not in range"
        );
    }
    Ok(n)
}
