//! Calendar and zones.

use super::civil::{Civil, date, days, iso_days};
use super::zone::Zone;
use super::{DAY, iso};

#[test]
fn days_and_dates_are_inverse() {
    for n in (-1_000_000..1_000_000).step_by(37) {
        let (y, m, d) = date(n);
        assert_eq!(days(y, m, d), n);
    }
    assert_eq!(date(0), (1970, 1, 1));
    assert_eq!(days(2000, 3, 1) - days(2000, 2, 28), 2);
    assert_eq!(days(1900, 3, 1) - days(1900, 2, 28), 1);
}

#[test]
fn weeks_of_both_kinds() {
    // 2021-01-03 was a Sunday: the first week by Sundays, the last of 2020 by ISO 8601.
    let c = Civil::of(days(2021, 1, 3) * DAY);
    assert_eq!((c.day_of_week(), c.week(), c.iso_day(), c.iso_week()), (1, 1, 7, (2020, 53)));
    assert_eq!(iso_days(2020, 53, 7), days(2021, 1, 3));
}

#[test]
fn skipped_and_repeated_local_times() {
    let zone = Zone::named("America/New_York").expect("a zone");
    let local = |y, m, d, h: i64, min: i64| (days(y, m, d) * 24 * 60 + h * 60 + min) * 60_000;
    // 02:30 does not exist on the day the clocks go forward: it is 03:30 by the new offset.
    assert_eq!(iso(zone.utc(local(2024, 3, 10, 2, 30))), "2024-03-10T07:30:00.000Z");
    // 01:30 comes twice when they go back: the first is meant.
    assert_eq!(iso(zone.utc(local(2024, 11, 3, 1, 30))), "2024-11-03T05:30:00.000Z");
    for bad in ["Nowhere", "+1", "+25:6", "5", ""] {
        assert!(Zone::named(bad).is_err(), "{bad}");
    }
    assert_eq!(Zone::named("-0330"), Ok(Zone::Fixed(-210 * 60_000)));
}
