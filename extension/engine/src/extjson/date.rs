//! Dates of Extended JSON: ISO 8601 with milliseconds, proleptic Gregorian calendar.

/// Days from 1970-01-01 to a date (the era arithmetic of the proleptic Gregorian calendar).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

fn month_len(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn digits(text: &str, from: usize, to: usize) -> Option<i64> {
    text.get(from..to).filter(|d| d.bytes().all(|c| c.is_ascii_digit()))?.parse().ok()
}

/// Milliseconds of `YYYY-MM-DDTHH:MM[:SS[.fff]](Z|±HH[:]MM|±HH)`.
pub(super) fn parse(text: &str) -> Option<i64> {
    let sep = |at: usize, c: char| text.get(at..)?.starts_with(c).then_some(());
    let (year, month, day) = (digits(text, 0, 4)?, digits(text, 5, 7)?, digits(text, 8, 10)?);
    let (hour, minute) = (digits(text, 11, 13)?, digits(text, 14, 16)?);
    sep(4, '-').and_then(|()| sep(7, '-')).and_then(|()| sep(10, 'T')).and_then(|()| sep(13, ':'))?;
    let mut rest = text.get(16..)?;
    let mut second = 0;
    let mut millis = 0;
    if let Some(after) = rest.strip_prefix(':') {
        second = digits(after, 0, 2)?;
        rest = after.get(2..)?;
        if let Some(after) = rest.strip_prefix('.') {
            let n = after.bytes().take_while(u8::is_ascii_digit).count();
            let padded = format!("{:0<3}", after.get(..n).filter(|f| !f.is_empty())?);
            millis = digits(&padded, 0, 3)?;
            rest = after.get(n..)?;
        }
    }
    let calendar = (1..=12).contains(&month) && (1..=month_len(year, month)).contains(&day);
    if !calendar || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset(rest)?;
    Some(seconds * 1000 + millis)
}

/// Seconds east of Greenwich.
fn offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = digits(text, 1, 3)?;
    let minutes = match text.get(3..)? {
        "" => 0,
        m => {
            let m = m.strip_prefix(':').unwrap_or(m);
            if m.len() != 2 {
                return None;
            }
            digits(m, 0, 2)?
        }
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// The relaxed form, for the years 1970 to 9999; `None` for other times.
pub(super) fn format(ms: i64) -> Option<String> {
    let (seconds, millis) = (ms.div_euclid(1000), ms.rem_euclid(1000));
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    if !(1970..=9999).contains(&year) {
        return None;
    }
    let s = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (s / 3600, s / 60 % 60, s % 60);
    let fraction = if millis == 0 { String::new() } else { format!(".{millis:03}") };
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_both_ways() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:34:56.789Z", 951_827_696_789),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            assert_eq!(parse(text), Some(ms));
            assert_eq!(format(ms).as_deref(), Some(text));
        }
        assert_eq!(parse("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(parse("1969-12-31T23:30-0030"), Some(0));
        assert_eq!(format(-1), None);
        for bad in ["1970-02-30T00:00:00Z", "1970-01-01", "1970-01-01T24:00:00Z", "1970-01-01T00:00:00", ""] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
