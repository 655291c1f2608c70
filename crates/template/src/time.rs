//! Times as Go has them: an instant, and the zone in which it is shown.

mod layout;
mod parse;

use jiff::{Timestamp, tz::TimeZone, tz::TimeZoneDatabase};
use std::{fmt, sync::Arc};

pub use parse::parse;

const DAY: i64 = 86_400;

#[derive(Clone)]
pub struct Time {
    /// Seconds since the Unix epoch.
    pub seconds: i64,
    /// Below a second.
    pub nanos: u32,
    pub zone: Zone,
}

/// The server's own zone is UTC.
#[derive(Clone)]
pub enum Zone {
    Utc,
    /// Seconds east of UTC, and a name, which may be empty.
    Fixed(i32, Arc<str>),
    Named(TimeZone),
}

/// A time taken apart as calendars and clocks do.
#[derive(Clone, Copy, Debug)]
pub struct Civil {
    pub year: i64,
    /// From 1.
    pub month: i64,
    /// From 1.
    pub day: i64,
    /// From 1.
    pub year_day: i64,
    /// From Sunday, which is 0.
    pub week_day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
}

impl Time {
    /// Go's zero: the first second of the year 1.
    pub const ZERO: Self = Self { seconds: -62_135_596_800, nanos: 0, zone: Zone::Utc };

    pub fn from_nanos(nanos: i64) -> Self {
        let below = nanos.rem_euclid(1_000_000_000);
        Self {
            seconds: nanos.div_euclid(1_000_000_000),
            nanos: u32::try_from(below).unwrap_or(0),
            zone: Zone::Utc,
        }
    }

    pub fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanos: 0, zone: Zone::Utc }
    }

    /// Nanoseconds since the Unix epoch; as in Go, they wrap around outside of 1678 to 2262.
    pub fn as_nanos(&self) -> i64 {
        self.seconds.wrapping_mul(1_000_000_000).wrapping_add(i64::from(self.nanos))
    }

    pub fn as_millis(&self) -> i64 {
        self.seconds.wrapping_mul(1000).wrapping_add(i64::from(self.nanos / 1_000_000))
    }

    /// Writes the time in a layout, which is how Go's reference time would be written.
    pub fn format(&self, layout: &str) -> String {
        layout::format(self, layout)
    }

    fn civil(&self) -> (Civil, i32, String) {
        let (offset, name) = self.zone.at(self.seconds);
        (civil(self.seconds.saturating_add(i64::from(offset))), offset, name)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}

impl Zone {
    /// A zone of the IANA database; `UTC` and `Local` are the server's.
    pub fn load(name: &str) -> Option<Self> {
        if matches!(name, "" | "UTC" | "Local") {
            return Some(Self::Utc);
        }
        let zone = TimeZoneDatabase::bundled().get(name).ok()?;
        // Go finds zones by file name, in which case counts.
        (zone.iana_name() == Some(name)).then_some(Self::Named(zone))
    }

    /// The offset in seconds and the short name at an instant.
    fn at(&self, seconds: i64) -> (i32, String) {
        match self {
            Self::Utc => (0, "UTC".to_owned()),
            Self::Fixed(offset, name) => (*offset, name.to_string()),
            Self::Named(zone) => {
                let at = Timestamp::from_second(seconds).unwrap_or_default();
                let info = zone.to_offset_info(at);
                (info.offset().seconds(), info.abbreviation().to_owned())
            }
        }
    }

    /// The offset that goes with a short name such as `CEST`, near an instant.
    fn offset_named(&self, name: &str, seconds: i64) -> Option<i32> {
        // Seasons are a few months long.
        [0, 60, -60, 120, -120, 182, -182]
            .into_iter()
            .map(|days| self.at(seconds.saturating_add(days * DAY)))
            .find_map(|(offset, known)| (known == name).then_some(offset))
    }
}

/// The calendar day and time of day of seconds since the epoch, in UTC.
fn civil(seconds: i64) -> Civil {
    let (days, clock) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    // Years that begin in March have their odd day at the end.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Civil {
        year,
        month,
        day,
        year_day: days - days_to(year, 1, 1) + 1,
        week_day: (days + 4).rem_euclid(7),
        hour: clock / 3600,
        minute: clock / 60 % 60,
        second: clock % 60,
    }
}

/// Days from the epoch to a day of the calendar.
fn days_to(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(month: i64, year: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}
