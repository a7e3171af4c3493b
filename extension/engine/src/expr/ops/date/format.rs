//! `$dateToString`.

use super::civil::Civil;
use super::zone::Zone;
use super::{MINUTE, required, zone_of};
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::ops::is_null;
use crate::expr::{Computed, EvalContext, Expr, render};
use crate::value::Value;
use std::fmt::Write;

/// Checks a format string for `$dateToString`.
pub(in crate::expr) fn check(format: &str) -> Result<()> {
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            continue;
        }
        match chars.next() {
            None => bail!(codes::LOCATION18535, "Unmatched '%' at end of format string"),
            Some(c) if "bBdGHjLmMSuUVwYzZ%".contains(c) => {}
            Some(c) => bail!(codes::LOCATION18536, "Invalid format character '%{c}' in format string"),
        }
    }
    Ok(())
}

/// `[date, format, timezone, onNull]`
pub(in crate::expr) fn to_string(_: &'static str, args: &[Expr], cx: &EvalContext<'_>) -> Result<Computed> {
    let get = |i: usize| args.get(i).map(|e| e.eval(cx)).transpose().map(Option::flatten);
    let given = |i: usize| args.get(i).is_some_and(Expr::is_given);
    let on_null = || if given(3) { get(3) } else { Ok(Some(Value::Null)) };
    let date = get(0)?;
    let format = get(1)?;
    let format = match &format {
        _ if !given(1) => None,
        Some(Value::String(s)) => {
            check(s)?;
            Some(s.as_str())
        }
        v if is_null(v.as_ref()) => return on_null(),
        v => bail!(
            codes::LOCATION18533,
            "$dateToString requires that 'format' be a string, found: {} with value {}",
            render::type_of(v.as_ref()),
            render::value(v.as_ref())
        ),
    };
    let Some(zone) = zone_of(get(2)?.as_ref(), given(2))? else { return on_null() };
    let Some(ms) = required(date.as_ref())? else { return on_null() };
    let default = if zone == Zone::UTC { "%Y-%m-%dT%H:%M:%S.%LZ" } else { "%Y-%m-%dT%H:%M:%S.%L%z" };
    written(ms, format.unwrap_or(default), zone).map(|s| Some(Value::String(s)))
}

/// English names of the months, January first.
pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

fn month_name(month: i64) -> &'static str {
    usize::try_from(month - 1).ok().and_then(|i| MONTHS.get(i)).copied().unwrap_or("")
}

fn written(ms: i64, format: &str, zone: Zone) -> Result<String> {
    let c = Civil::of(zone.local(ms));
    let minutes = zone.offset(ms) / MINUTE;
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(ch) = chars.next() {
        if ch != '%' {
            out.push(ch);
            continue;
        }
        let _ = match chars.next() {
            Some('b') => write!(out, "{}", month_name(c.month).get(..3).unwrap_or("")),
            Some('B') => write!(out, "{}", month_name(c.month)),
            Some('d') => write!(out, "{:02}", c.day),
            Some('G') => write!(out, "{:04}", c.iso_week().0),
            Some('H') => write!(out, "{:02}", c.hour),
            Some('j') => write!(out, "{:03}", c.day_of_year()),
            Some('L') => write!(out, "{:03}", c.ms),
            Some('m') => write!(out, "{:02}", c.month),
            Some('M') => write!(out, "{:02}", c.minute),
            Some('S') => write!(out, "{:02}", c.second),
            Some('u') => write!(out, "{}", c.iso_day()),
            Some('U') => write!(out, "{:02}", c.week()),
            Some('V') => write!(out, "{:02}", c.iso_week().1),
            Some('w') => write!(out, "{}", c.day_of_week()),
            Some('Y') => {
                if !(0..=9999).contains(&c.year) {
                    bail!(
                        codes::LOCATION18537,
                        "$dateToString is only defined on year 0-9999, tried to use year {}",
                        c.year
                    );
                }
                write!(out, "{:04}", c.year)
            }
            Some('z') => {
                let sign = if minutes < 0 { '-' } else { '+' };
                write!(out, "{sign}{:02}{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
            Some('Z') => write!(out, "{minutes}"),
            Some(other) => write!(out, "{other}"),
            None => Ok(()),
        };
    }
    Ok(out)
}
