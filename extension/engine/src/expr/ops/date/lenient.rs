//! Dates in strings without a format, beyond ISO 8601: the notations that MongoDB's date library reads.

use super::read::{Read, digits, month_at, zone_at};

/// Reads all of `text`; `None` for what is no date.
///
/// `20240229`, `2024/02/29`, `02/29/2024`, `29.02.2024`, `29-02-2024`, `29 Feb 2024`, `February 29, 2024`, `2024-W09-4`,
/// `2024-02`, a day of the week in front, and a time behind with seconds, fractions, am or pm, and a zone.
pub(super) fn parse(text: &str) -> Option<Read> {
    let mut rest = text.trim();
    let mut read = Read::default();
    skip_day_name(&mut rest);
    date(&mut rest, &mut read)?;
    let behind = rest;
    rest = rest.trim_start_matches([' ', '\t', ',']);
    if let Some(tail) = rest.strip_prefix(['T', 't']) {
        rest = tail;
        time(&mut rest, &mut read)?;
    } else if rest.starts_with(|c: char| c.is_ascii_digit()) {
        // A time touches the date only behind a `T`.
        if rest.len() == behind.len() {
            return None;
        }
        time(&mut rest, &mut read)?;
    }
    rest = rest.trim_start();
    if !rest.is_empty() {
        read.zone = Some(zone_at(&mut rest)?);
    }
    rest.trim_start().is_empty().then_some(read)
}

fn skip_day_name(rest: &mut &str) {
    let len = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let Some((word, tail)) = rest.split_at_checked(len) else { return };
    let days = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
    let lower = word.to_ascii_lowercase();
    if lower.len() >= 3 && days.iter().any(|d| *d == lower || d.get(..3) == Some(lower.as_str())) {
        *rest = tail.trim_start_matches([' ', '\t', ',', '.']);
    }
}

fn date(rest: &mut &str, read: &mut Read) -> Option<()> {
    if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
        read.month = Some(month_at(rest)?);
        *rest = rest.trim_start_matches([' ', '\t', '.', '-']);
        read.day = Some(digits(rest, 2)?);
        let before = rest.len();
        *rest = ordinal(rest).trim_start_matches([' ', '\t', ',', '.', '-']);
        read.year = Some(year(rest).filter(|_| rest.len() < before)?);
        return Some(());
    }
    let run = rest.bytes().take_while(u8::is_ascii_digit).count();
    match run {
        8 => {
            read.year = Some(digits(rest, 4)?);
            read.month = Some(digits(rest, 2)?);
            read.day = Some(digits(rest, 2)?);
            Some(())
        }
        4 => {
            let y = digits(rest, 4)?;
            if let Some(tail) = rest.strip_prefix("-W").or_else(|| rest.strip_prefix('W')) {
                *rest = tail;
                read.iso_year = Some(y);
                read.iso_week = Some(exactly(rest, 2)?);
                *rest = rest.strip_prefix('-').unwrap_or(rest);
                read.iso_day = digits(rest, 1);
                return Some(());
            }
            let separator = rest.chars().next().filter(|c| matches!(c, '-' | '/'))?;
            *rest = rest.get(1..)?;
            read.year = Some(y);
            read.month = Some(digits(rest, 2)?);
            match rest.strip_prefix(separator) {
                Some(tail) => {
                    *rest = tail;
                    read.day = Some(digits(rest, 2)?);
                }
                None if separator == '-' => read.day = Some(1),
                None => return None,
            }
            Some(())
        }
        1 | 2 => {
            let first = digits(rest, 2)?;
            if let Some(tail) = rest.strip_prefix('/') {
                *rest = tail;
                read.month = Some(first);
                read.day = Some(digits(rest, 2)?);
                *rest = rest.strip_prefix('/')?;
                read.year = Some(year(rest)?);
                return Some(());
            }
            read.day = Some(first);
            *rest = ordinal(rest);
            let named = rest.trim_start_matches([' ', '\t', '.', '-']);
            if named.starts_with(|c: char| c.is_ascii_alphabetic()) {
                *rest = named;
                read.month = Some(month_at(rest)?);
                *rest = rest.trim_start_matches([' ', '\t', '.', ',', '-']);
            } else {
                *rest = rest.strip_prefix(['.', '-'])?;
                read.month = Some(digits(rest, 2)?);
                *rest = rest.strip_prefix(['.', '-'])?;
            }
            read.year = Some(year(rest)?);
            Some(())
        }
        _ => None,
    }
}

fn ordinal(rest: &str) -> &str {
    ["st", "nd", "rd", "th"].iter().find_map(|s| rest.strip_prefix(s)).unwrap_or(rest)
}

fn exactly(rest: &mut &str, n: usize) -> Option<i64> {
    let before = rest.len();
    digits(rest, n).filter(|_| before - rest.len() == n)
}

fn year(rest: &mut &str) -> Option<i64> {
    exactly(rest, 4)
}

fn time(rest: &mut &str, read: &mut Read) -> Option<()> {
    let run = rest.bytes().take_while(u8::is_ascii_digit).count();
    if matches!(run, 4 | 6) {
        (read.hour, read.minute) = (digits(rest, 2)?, digits(rest, 2)?);
        read.second = if run == 6 { digits(rest, 2)? } else { 0 };
    } else {
        read.hour = digits(rest, 2)?;
        if let Some(tail) = rest.strip_prefix(':') {
            *rest = tail;
            read.minute = digits(rest, 2)?;
            if let Some(tail) = rest.strip_prefix(':') {
                *rest = tail;
                read.second = digits(rest, 2)?;
            }
        } else if half(rest).is_none() {
            return None;
        }
    }
    if let Some(tail) = rest.strip_prefix(['.', ',']) {
        *rest = tail;
        let before = rest.len();
        let n = digits(rest, 3)?;
        read.ms = n * [0, 100, 10, 1].get(before - rest.len()).copied().unwrap_or(1);
        *rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    if let Some((afternoon, tail)) = half(rest) {
        if !(1..=12).contains(&read.hour) {
            return None;
        }
        *rest = tail;
        read.hour = read.hour % 12 + if afternoon { 12 } else { 0 };
    }
    Some(())
}

/// am or pm.
fn half(rest: &str) -> Option<(bool, &str)> {
    let rest = rest.trim_start();
    let lower = rest.get(..2)?.to_ascii_lowercase();
    let tail = rest.get(2..)?;
    if tail.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    match lower.as_str() {
        "am" => Some((false, tail)),
        "pm" => Some((true, tail)),
        _ => None,
    }
}
