//! The proleptic Gregorian calendar over all int64 milliseconds.

use super::{DAY, HOUR, MINUTE, SECOND};

/// A moment taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub year: i64,
    /// 1 to 12
    pub month: i64,
    /// 1 to 31
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    pub ms: i64,
}

/// Days since 1970-01-01 of a date; months beyond the year are carried (month 0 is December of the year before).
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year + (month - 1).div_euclid(12);
    let month = (month - 1).rem_euclid(12) + 1;
    // Years that begin in March put the leap day at the end.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let shifted = (month + 9) % 12;
    let doy = (153 * shifted + 2) / 5;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468 + (day - 1)
}

/// Year, month and day of a day number.
pub(crate) fn date(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

/// Days of a month.
pub(crate) fn month_length(year: i64, month: i64) -> i64 {
    days(year, month + 1, 1) - days(year, month, 1)
}

impl Civil {
    /// Takes local milliseconds apart.
    pub(crate) fn of(ms: i64) -> Self {
        let (year, month, day) = date(ms.div_euclid(DAY));
        let t = ms.rem_euclid(DAY);
        Self {
            year,
            month,
            day,
            hour: t / HOUR,
            minute: t / MINUTE % 60,
            second: t / SECOND % 60,
            ms: t % SECOND,
        }
    }

    /// Local milliseconds; every part may lie outside of its usual range.
    pub(crate) fn millis(self) -> Option<i64> {
        let day = days(self.year, self.month, 1).checked_add(self.day - 1)?;
        day.checked_mul(DAY)?
            .checked_add(self.hour.checked_mul(HOUR)?)?
            .checked_add(self.minute.checked_mul(MINUTE)?)?
            .checked_add(self.second.checked_mul(SECOND)?)?
            .checked_add(self.ms)
    }

    pub(crate) fn day_number(self) -> i64 {
        days(self.year, self.month, self.day)
    }

    /// 1 to 366
    pub(crate) fn day_of_year(self) -> i64 {
        self.day_number() - days(self.year, 1, 1) + 1
    }

    /// 1 (Sunday) to 7
    pub(crate) fn day_of_week(self) -> i64 {
        (self.day_number() + 4).rem_euclid(7) + 1
    }

    /// 1 (Monday) to 7
    pub(crate) fn iso_day(self) -> i64 {
        (self.day_number() + 3).rem_euclid(7) + 1
    }

    /// Weeks begin on Sunday; days before the first one are week 0.
    pub(crate) fn week(self) -> i64 {
        (self.day_of_year() - self.day_of_week() + 7) / 7
    }

    /// Year and number of the ISO 8601 week.
    pub(crate) fn iso_week(self) -> (i64, i64) {
        // A week belongs to the year of its Thursday.
        let thursday = self.day_number() - self.iso_day() + 4;
        let (year, ..) = date(thursday);
        (year, (thursday - days(year, 1, 1)) / 7 + 1)
    }
}

/// Day number of a day of an ISO week.
pub(crate) fn iso_days(year: i64, week: i64, day: i64) -> i64 {
    let jan4 = days(year, 1, 4);
    let monday = jan4 - (jan4 + 3).rem_euclid(7);
    monday + (week - 1) * 7 + (day - 1)
}
