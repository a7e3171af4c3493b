//! Values from text: each parser says in a few words what it expected.
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::{Address, RunAsUser, TlsMode};

/// What a text should have been.
pub(super) type Expected = &'static str;

const DURATION: Expected = "expected a time above zero such as 500ms, 5s, 10m or 1h";
const ADDRESS: Expected = "expected host:port, :port or [ipv6]:port";

/// `500ms`, `5s`, `10m`, `1h`; a day at most.
pub(super) fn duration(text: &str) -> Result<Duration, Expected> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits).ok_or(DURATION)?;
    let number: u64 = number.parse().map_err(|_| DURATION)?;
    let millis = match unit.trim() {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err(DURATION),
    };
    match number.checked_mul(millis) {
        Some(millis @ 1..=86_400_000) => Ok(Duration::from_millis(millis)),
        Some(0) => Err(DURATION),
        _ => Err("is longer than a day"),
    }
}

/// As [`duration`]; None for `-`.
pub(super) fn duration_or_off(text: &str) -> Result<Option<Duration>, Expected> {
    if text == "-" { Ok(None) } else { duration(text).map(Some) }
}

/// A whole number from 1 to a million.
pub(super) fn count(text: &str) -> Result<NonZeroUsize, Expected> {
    match text.parse() {
        Ok(number @ 1..=1_000_000) => NonZeroUsize::new(number).ok_or("expected a number above zero"),
        _ => Err("expected a whole number from 1 to 1000000"),
    }
}

/// The words that usual configuration languages have for true and false.
pub(super) fn boolean(text: &str) -> Result<bool, Expected> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "t" | "yes" | "y" | "on" => Ok(true),
        "false" | "0" | "f" | "no" | "n" | "off" => Ok(false),
        _ => Err("expected true or false"),
    }
}

/// As whom statements of users run.
pub(super) fn run_as_user(text: &str) -> Result<RunAsUser, Expected> {
    match text {
        "auto" => Ok(RunAsUser::Auto),
        "required" => Ok(RunAsUser::Required),
        "off" => Ok(RunAsUser::Off),
        _ => Err("expected auto, required or off"),
    }
}

/// MongoDB's names for what a port speaks. A server that opens no connections prefers nothing.
pub(super) fn tls_mode(text: &str) -> Result<TlsMode, Expected> {
    match text {
        "disabled" => Ok(TlsMode::Off),
        "allowTLS" | "preferTLS" => Ok(TlsMode::Accepted),
        "requireTLS" => Ok(TlsMode::Required),
        _ => Err("expected disabled, allowTLS or requireTLS"),
    }
}

/// `host:port`; None for `-`, which turns a listener off.
pub(super) fn tcp_address(text: &str) -> Result<Option<Address>, Expected> {
    if text == "-" {
        return Ok(None);
    }
    let (host, port) = text.rsplit_once(':').ok_or(ADDRESS)?;
    let port = port.parse().map_err(|_| ADDRESS)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').filter(|host| host.contains(':')).ok_or(ADDRESS)?,
        None if host.contains([':', ' ', '/']) => return Err(ADDRESS),
        None => host,
    };
    Ok(Some(Address::Tcp { host: host.to_owned(), port }))
}

/// The address of a service that speaks HTTP; None for `-`.
pub(super) fn http_url(text: &str) -> Result<Option<String>, Expected> {
    const URL: Expected = "expected http://host:port/path or https://host:port/path";
    if text == "-" {
        return Ok(None);
    }
    let uri: hyper::Uri = text.parse().map_err(|_| URL)?;
    let good =
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty());
    // Credentials belong in a header: here they would get into logs.
    if good && !text.contains('@') { Ok(Some(text.to_owned())) } else { Err(URL) }
}

/// A path; None for `-`.
pub(super) fn unix_address(text: &str) -> Result<Option<Address>, Expected> {
    match text {
        "-" => Ok(None),
        // The kernel's sockaddr_un has 108 bytes with the NUL.
        long if long.len() > 107 => Err("is longer than the 107 bytes that a Unix socket's path may have"),
        path => Ok(Some(Address::Unix(PathBuf::from(path)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for good in ["http://collector:4318/v1/traces", "https://c.example", "http://[::1]:4318/v1/metrics"] {
            assert_eq!(http_url(good), Ok(Some(good.to_owned())));
        }
        for bad in ["collector:4318", "ftp://a/b", "http://", "/v1/traces", "http://user:word@host/", ""] {
            assert!(http_url(bad).is_err(), "{bad}");
        }
        assert_eq!(http_url("-"), Ok(None));
    }

    #[test]
    fn durations() {
        for (text, millis) in
            [("500ms", 500), ("5s", 5000), ("10m", 600_000), ("24h", 86_400_000), ("1 s", 1000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["", "5", "s", "0s", "-1s", "1.5s", "5d", "25h", "99999999999999999999s", "999999999999999999h"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts() {
        assert_eq!(count("17").map(NonZeroUsize::get), Ok(17));
        for text in ["", "0", "-1", "1000001", "x", "1 "] {
            assert!(count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn booleans() {
        assert_eq!(["true", "1", "Yes", "on"].map(boolean), [Ok(true); 4]);
        assert_eq!(["false", "0", "NO", "off"].map(boolean), [Ok(false); 4]);
        assert!(boolean("maybe").is_err());
    }

    #[test]
    fn addresses() {
        let tcp = |host: &str, port| Ok(Some(Address::Tcp { host: host.to_owned(), port }));
        assert_eq!(tcp_address("127.0.0.1:27017"), tcp("127.0.0.1", 27017));
        assert_eq!(tcp_address(":27017"), tcp("", 27017));
        assert_eq!(tcp_address("[::1]:0"), tcp("::1", 0));
        assert_eq!(tcp_address("db.example:1"), tcp("db.example", 1));
        assert_eq!(tcp_address("-"), Ok(None));
        for text in
            ["", "host", "27017", "host:", "host:x", "host:65536", "::1:27017", "[::1]", "[x]:1", "a b:1"]
        {
            assert!(tcp_address(text).is_err(), "{text}");
        }
        assert_eq!(unix_address("-"), Ok(None));
        assert!(matches!(unix_address("/run/ermine.sock"), Ok(Some(Address::Unix(_)))));
        assert!(unix_address(&"x".repeat(108)).is_err());
    }

    #[test]
    fn addresses_are_shown_as_they_are_written() {
        for text in ["127.0.0.1:27017", ":27017", "[::1]:27018"] {
            assert_eq!(tcp_address(text).unwrap().unwrap().to_string(), text);
        }
    }
}
