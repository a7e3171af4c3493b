//! Dates as text.

use chrono::{DateTime, Utc};

/// `2024-02-29T10:20:30.123Z`
pub(crate) fn iso(ms: i64) -> String {
    match DateTime::<Utc>::from_timestamp_millis(ms) {
        Some(d) => d.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        None => ms.to_string(),
    }
}

/// `Jan 01 00:00:01:002`: MongoDB's text of a timestamp.
pub(crate) fn timestamp_text(t: u32, i: u32) -> String {
    match DateTime::<Utc>::from_timestamp(i64::from(t), 0) {
        Some(d) => format!("{}:{i:03}", d.format("%b %d %H:%M:%S")),
        None => format!("{t}:{i}"),
    }
}
