//! `$dateFromString`, and dates in strings elsewhere.

use super::civil::{self, Civil};
use super::format::MONTHS;
use super::lenient;
use super::zone::Zone;
use super::{MINUTE, zone_of};
use crate::bail;
use crate::codes;
use crate::error::{Error, Result};
use crate::expr::ops::is_null;
use crate::expr::{Computed, EvalContext, Expr, render};
use crate::value::Value;

/// `[dateString, format, timezone, onError, onNull]`
pub(in crate::expr) fn from_string(_: &'static str, args: &[Expr], cx: &EvalContext<'_>) -> Result<Computed> {
    let get = |i: usize| args.get(i).map(|e| e.eval(cx)).transpose().map(Option::flatten);
    let given = |i: usize| args.get(i).is_some_and(Expr::is_given);
    let text = get(0)?;
    if is_null(text.as_ref()) {
        return if given(4) { get(4) } else { Ok(Some(Value::Null)) };
    }
    let format = get(1)?;
    let format = match &format {
        _ if !given(1) => None,
        v if is_null(v.as_ref()) => return Ok(Some(Value::Null)),
        Some(Value::String(s)) => Some(s.as_str()),
        v => bail!(
            codes::LOCATION40684,
            "$dateFromString requires that 'format' be a string, found: {} with value {}",
            render::type_of(v.as_ref()),
            render::value(v.as_ref())
        ),
    };
    let Some(zone) = zone_of(get(2)?.as_ref(), given(2))? else { return Ok(Some(Value::Null)) };
    let result = match &text {
        Some(Value::String(s)) => parse(s, format, zone, given(2)),
        v => Err(Error::new(
            codes::CONVERSION_FAILURE,
            format!(
                "$dateFromString requires that 'dateString' be a string, found: {} with value {}",
                render::type_of(v.as_ref()),
                render::value(v.as_ref())
            ),
        )),
    };
    match result {
        Ok(ms) => Ok(Some(Value::DateTime(ms))),
        Err(_) if given(3) => get(3),
        Err(e) => Err(e),
    }
}

/// What has been read so far.
#[derive(Default)]
pub(super) struct Read {
    pub year: Option<i64>,
    pub month: Option<i64>,
    pub day: Option<i64>,
    pub day_of_year: Option<i64>,
    pub iso_year: Option<i64>,
    pub iso_week: Option<i64>,
    pub iso_day: Option<i64>,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub ms: i64,
    pub zone: Option<Zone>,
}

fn failed<T>(text: &str, why: &str) -> Result<T> {
    bail!(codes::CONVERSION_FAILURE, "Error parsing date string '{text}'{why}")
}

const SHORT: &str = ": Not enough data available to satisfy format";

/// The moment a text stands for. Without a format it is ISO 8601 with what MongoDB tolerates around it.
pub(crate) fn parse(text: &str, format: Option<&str>, zone: Zone, zone_given: bool) -> Result<i64> {
    let mut rest = text;
    let mut read = Read::default();
    match format {
        Some(f) => {
            by_format(text, &mut rest, f, &mut read)?;
            if let Some(c) = rest.chars().next() {
                return failed(text, &format!(". Trailing data '{c}'"));
            }
        }
        None => {
            if let Err(e) = free_form(text, &mut read) {
                read = lenient::parse(text).ok_or(e)?;
            }
        }
    }
    if zone_given && read.zone.is_some() {
        bail!(
            codes::CONVERSION_FAILURE,
            "you cannot pass in a date/time string with time zone information ('{text}') together with a timezone argument"
        );
    }
    let day_number = match (read.iso_year, read.year) {
        (Some(y), None) => iso_day_number(text, y, &read)?,
        (None, Some(y)) => match (read.day_of_year, read.month, read.day) {
            (Some(d), ..) => civil::days(y, 1, 1) + d - 1,
            (None, Some(m), Some(d)) => {
                if !(1..=12).contains(&m) || !(1..=civil::month_length(y, m)).contains(&d) {
                    return failed(text, ": the day does not exist");
                }
                civil::days(y, m, d)
            }
            _ => return incomplete(text),
        },
        _ => return incomplete(text),
    };
    if read.hour > 23 || read.minute > 59 || read.second > 59 {
        return failed(text, SHORT);
    }
    let (year, month, day) = civil::date(day_number);
    let civil =
        Civil { year, month, day, hour: read.hour, minute: read.minute, second: read.second, ms: read.ms };
    match civil.millis() {
        Some(local) => Ok(read.zone.unwrap_or(zone).utc(local)),
        None => failed(text, ": out of range"),
    }
}

fn incomplete<T>(text: &str) -> Result<T> {
    bail!(
        codes::CONVERSION_FAILURE,
        "an incomplete date/time string has been found, with elements missing: '{text}'"
    )
}

fn iso_day_number(text: &str, year: i64, read: &Read) -> Result<i64> {
    match (read.iso_week, read.iso_day) {
        (Some(w), d) if (1..=53).contains(&w) => Ok(civil::iso_days(year, w, d.unwrap_or(1))),
        _ => incomplete(text),
    }
}

/// Up to `max` digits.
pub(super) fn digits(rest: &mut &str, max: usize) -> Option<i64> {
    let n = rest.bytes().take(max).take_while(u8::is_ascii_digit).count();
    let (head, tail) = rest.split_at_checked(n)?;
    let v = head.parse().ok()?;
    *rest = tail;
    Some(v)
}

fn by_format(text: &str, rest: &mut &str, format: &str, read: &mut Read) -> Result<()> {
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            match rest.strip_prefix(c) {
                Some(tail) => *rest = tail,
                None => match rest.chars().next() {
                    Some(found) if rest.len() > 1 || found != c => {
                        return failed(text, &format!(". Format literal not found '{found}'"));
                    }
                    _ => return failed(text, SHORT),
                },
            }
            continue;
        }
        let Some(spec) = chars.next() else {
            bail!(codes::LOCATION18535, "Unmatched '%' at end of format string")
        };
        if spec == '%' {
            match rest.strip_prefix('%') {
                Some(tail) => *rest = tail,
                None => return failed(text, SHORT),
            }
            continue;
        }
        if matches!(spec, 'z' | 'Z') {
            match zone_at(rest) {
                Some(z) => read.zone = Some(z),
                None => return failed(text, SHORT),
            }
            continue;
        }
        if matches!(spec, 'b' | 'B') {
            match month_at(rest) {
                Some(m) => read.month = Some(m),
                None => return failed(text, SHORT),
            }
            continue;
        }
        let max = match spec {
            'Y' | 'G' => 4,
            'j' | 'L' => 3,
            'd' | 'm' | 'H' | 'M' | 'S' | 'V' => 2,
            'u' => 1,
            other => bail!(codes::LOCATION18536, "Invalid format character '%{other}' in format string"),
        };
        let before = rest.len();
        let Some(n) = digits(rest, max) else { return failed(text, SHORT) };
        match spec {
            'Y' => read.year = Some(n),
            'G' => read.iso_year = Some(n),
            'j' => read.day_of_year = Some(n),
            'd' => read.day = Some(n),
            'm' => read.month = Some(n),
            'H' => read.hour = n,
            'M' => read.minute = n,
            'S' => read.second = n,
            'V' => read.iso_week = Some(n),
            'u' => read.iso_day = Some(n),
            // Fewer digits are tenths or hundredths.
            _ => read.ms = n * [0, 100, 10, 1].get(before - rest.len()).copied().unwrap_or(1),
        }
    }
    Ok(())
}

/// The name of a month or its first three letters (`Sept` too) at the start of `rest`, in any case.
pub(super) fn month_at(rest: &mut &str) -> Option<i64> {
    let len = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (word, tail) = rest.split_at_checked(len)?;
    let is = |name: &str| {
        word.eq_ignore_ascii_case(name)
            || name.get(..3).is_some_and(|short| word.eq_ignore_ascii_case(short))
            || (name == "September" && word.eq_ignore_ascii_case("sept"))
    };
    let at = MONTHS.iter().position(|name| is(name))?;
    *rest = tail;
    i64::try_from(at + 1).ok()
}

/// `Z`, `+0200`, `+02:00`, `-480` minutes, or a name, at the start of `rest`.
pub(super) fn zone_at(rest: &mut &str) -> Option<Zone> {
    if let Some(tail) = rest.strip_prefix(['Z', 'z']) {
        *rest = tail;
        return Some(Zone::UTC);
    }
    if rest.starts_with(['+', '-']) {
        for len in [6, 5, 3] {
            if let Some((head, tail)) = rest.split_at_checked(len)
                && let Ok(z @ Zone::Fixed(_)) = Zone::named(head)
            {
                *rest = tail;
                return Some(z);
            }
        }
        return None;
    }
    let len = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_')).count();
    let (name, tail) = rest.split_at_checked(len)?;
    let zone = abbreviation(name).or_else(|| Zone::named(name).ok())?;
    *rest = tail;
    Some(zone)
}

/// Abbreviations that the zone database has no zone of fixed offset for.
fn abbreviation(name: &str) -> Option<Zone> {
    let hours = match name {
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        "CET" => 1,
        "CEST" => 2,
        _ => return None,
    };
    Some(Zone::Fixed(hours * 60 * MINUTE))
}

/// `YYYY-MM-DD`, then optionally `T` or a space, `HH:MM[:SS[.mmm]]`, then optionally a zone.
fn free_form(text: &str, read: &mut Read) -> Result<()> {
    let mut rest = text;
    let literal = |rest: &mut &str, c: char| -> Result<()> {
        match rest.strip_prefix(c) {
            Some(tail) => {
                *rest = tail;
                Ok(())
            }
            None => match rest.chars().next() {
                Some(found) => failed(text, &format!(". Format literal not found '{found}'")),
                None => failed(text, SHORT),
            },
        }
    };
    let number = |rest: &mut &str, max: usize| digits(rest, max).map_or_else(|| failed(text, SHORT), Ok);
    read.year = Some(number(&mut rest, 4)?);
    literal(&mut rest, '-')?;
    read.month = Some(number(&mut rest, 2)?);
    literal(&mut rest, '-')?;
    read.day = Some(number(&mut rest, 2)?);
    if rest.is_empty() {
        return Ok(());
    }
    if let Some(tail) = rest.strip_prefix(['T', 't', ' ']) {
        rest = tail;
        read.hour = number(&mut rest, 2)?;
        literal(&mut rest, ':')?;
        read.minute = number(&mut rest, 2)?;
        if let Some(tail) = rest.strip_prefix(':') {
            rest = tail;
            read.second = number(&mut rest, 2)?;
            if let Some(tail) = rest.strip_prefix('.') {
                rest = tail;
                let before = rest.len();
                let n = number(&mut rest, 3)?;
                read.ms = n * [0, 100, 10, 1].get(before - rest.len()).copied().unwrap_or(1);
                // Digits beyond the milliseconds are dropped.
                rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            }
        }
    }
    rest = rest.trim_start();
    if !rest.is_empty() {
        match zone_at(&mut rest) {
            Some(z) if rest.is_empty() => read.zone = Some(z),
            _ => return failed(text, &format!(". Trailing data '{}'", rest.chars().next().unwrap_or(' '))),
        }
    }
    Ok(())
}
