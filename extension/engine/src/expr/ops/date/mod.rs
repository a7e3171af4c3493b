//! Dates: milliseconds since 1970 seen as a calendar in a time zone.

pub(in crate::expr) mod add;
pub(in crate::expr) mod civil;
pub(in crate::expr) mod format;
mod lenient;
pub(in crate::expr) mod parts;
pub(in crate::expr) mod read;
pub(in crate::expr) mod trunc;
pub(in crate::expr) mod zone;

use super::is_null;
use crate::bail;
use crate::codes;
use crate::error::Result;
use crate::expr::render;
use crate::value::Value;
use civil::Civil;
use zone::Zone;

/// Milliseconds of a second, minute, hour and day.
pub(super) const SECOND: i64 = 1000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// `2024-02-29T10:20:30.123Z`
pub(crate) fn iso(ms: i64) -> String {
    let c = Civil::of(ms);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        c.year, c.month, c.day, c.hour, c.minute, c.second, c.ms
    )
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Jan 01 00:00:01:002`: MongoDB's text of a timestamp.
pub(crate) fn timestamp_text(t: u32, i: u32) -> String {
    let c = Civil::of(i64::from(t) * SECOND);
    let month = usize::try_from(c.month - 1).ok().and_then(|m| MONTHS.get(m)).unwrap_or(&"");
    format!("{month} {:02} {:02}:{:02}:{:02}:{i:03}", c.day, c.hour, c.minute, c.second)
}

/// The moment a value stands for: a date, a timestamp, an ObjectId's time.
pub(super) fn moment(v: &Value) -> Option<i64> {
    Some(match v {
        Value::DateTime(ms) => *ms,
        Value::Timestamp { t, .. } => i64::from(*t) * SECOND,
        Value::ObjectId([a, b, c, d, ..]) => i64::from(u32::from_be_bytes([*a, *b, *c, *d])) * SECOND,
        _ => return None,
    })
}

/// As [`moment`], refusing everything else; `None` for null and missing.
pub(super) fn required(v: Option<&Value>) -> Result<Option<i64>> {
    match v {
        v if is_null(v) => Ok(None),
        Some(x) => match moment(x) {
            Some(ms) => Ok(Some(ms)),
            None => bail!(codes::LOCATION16006, "can't convert from BSON type {} to Date", x.type_name()),
        },
        None => Ok(None),
    }
}

/// The zone of an argument: UTC when not given, `None` for null.
pub(super) fn zone_of(v: Option<&Value>, given: bool) -> Result<Option<Zone>> {
    match v {
        None if !given => Ok(Some(Zone::UTC)),
        v if is_null(v) => Ok(None),
        Some(Value::String(s)) => Zone::named(s).map(Some),
        v => bail!(codes::LOCATION40517, "timezone must evaluate to a string, found {}", render::type_of(v)),
    }
}

#[cfg(test)]
mod tests;
