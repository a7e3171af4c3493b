//! Time zones: names of the IANA database and offsets.

use super::MINUTE;
use crate::bail;
use crate::codes;
use crate::error::Result;
use chrono::{DateTime, MappedLocalTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// A time zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Zone {
    /// Milliseconds east of UTC.
    Fixed(i64),
    Named(Tz),
}

impl Zone {
    pub(crate) const UTC: Zone = Zone::Fixed(0);

    /// `Europe/Paris`, `+02:00`, `+0200`, `+02`.
    pub(crate) fn named(name: &str) -> Result<Self> {
        if matches!(name, "UTC" | "GMT") {
            return Ok(Zone::UTC);
        }
        if let Some(minutes) = offset_minutes(name) {
            return Ok(Zone::Fixed(minutes * MINUTE));
        }
        match name.parse::<Tz>() {
            Ok(tz) => Ok(Zone::Named(tz)),
            Err(_) => bail!(codes::LOCATION40485, "unrecognized time zone identifier: \"{name}\""),
        }
    }

    /// Milliseconds east of UTC at a moment.
    pub(crate) fn offset(self, utc: i64) -> i64 {
        match self {
            Zone::Fixed(ms) => ms,
            Zone::Named(tz) => match DateTime::<Utc>::from_timestamp_millis(utc) {
                Some(d) => {
                    i64::from(tz.offset_from_utc_datetime(&d.naive_utc()).fix().local_minus_utc()) * 1000
                }
                None => 0,
            },
        }
    }

    /// Local milliseconds of a moment.
    pub(crate) fn local(self, utc: i64) -> i64 {
        utc.saturating_add(self.offset(utc))
    }

    /// The moment of local milliseconds. A local time that happens twice means the first; one that is skipped
    /// is read with the offset before the gap.
    pub(crate) fn utc(self, local: i64) -> i64 {
        match self {
            Zone::Fixed(ms) => local.saturating_sub(ms),
            Zone::Named(tz) => {
                let Some(d) = DateTime::<Utc>::from_timestamp_millis(local) else { return local };
                let offset = match tz.offset_from_local_datetime(&d.naive_utc()) {
                    MappedLocalTime::Single(o) | MappedLocalTime::Ambiguous(o, _) => {
                        i64::from(o.fix().local_minus_utc()) * 1000
                    }
                    MappedLocalTime::None => self.offset(local - super::DAY),
                };
                local - offset
            }
        }
    }
}

fn offset_minutes(name: &str) -> Option<i64> {
    let (sign, rest) = match name.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let digits: String = match rest.split_once(':') {
        Some((h, m)) if h.len() == 2 && m.len() == 2 => format!("{h}{m}"),
        Some(_) => return None,
        None => rest.to_owned(),
    };
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (h, m) = digits.split_at_checked(2)?;
    let minutes: i64 = if m.is_empty() { 0 } else { m.parse().ok()? };
    Some(sign * (h.parse::<i64>().ok()? * 60 + minutes))
}
