//! Calendar functions of a time in Unix seconds, in UTC.

/// Days in a cycle of 400 years, after which the calendar repeats.
const ERA_DAYS: u64 = 146_097;
/// Go counts from the first of March of a year this far back, so that every `int64` of
/// seconds is a positive number; like Go we wrap around where it is not.
const FIRST_YEAR: i64 = -292_277_022_400;
/// From that day to 1970-01-01, by way of 2000-03-01.
const DAYS_TO_EPOCH: u64 = (2000 - FIRST_YEAR) as u64 / 400 * ERA_DAYS - 11_017;
const DAY: u64 = 86_400;

/// The calendar function that `name` stands for.
pub fn calendar(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "minute" => |s| (since_first(s) % 3600 / 60) as f64,
        "hour" => |s| (since_first(s) % DAY / 3600) as f64,
        // 2000-03-01 was a Wednesday.
        "day_of_week" => |s| ((since_first(s) / DAY + 3) % 7) as f64,
        "day_of_month" => |s| date(s).day as f64,
        "day_of_year" => |s| date(s).day_of_year() as f64,
        "days_in_month" => |s| date(s).days_in_month() as f64,
        "month" => |s| date(s).month as f64,
        "year" => |s| date(s).year as f64,
        _ => return None,
    })
}

/// Seconds since the first day. NaN and what does not fit become the least `int64`, as Go's
/// conversion does on x86.
fn since_first(seconds: f64) -> u64 {
    let fits = seconds >= i64::MIN as f64 && seconds < i64::MAX as f64;
    let whole = if fits { seconds as i64 } else { i64::MIN };
    (whole as u64).wrapping_add(DAYS_TO_EPOCH * DAY)
}

struct Date {
    year: i64,
    /// From 1.
    month: u64,
    /// From 1.
    day: u64,
}

/// Years are counted from March, so that the leap day is the last of its year.
fn date(seconds: f64) -> Date {
    let days = since_first(seconds) / DAY;
    let (era, day) = (days / ERA_DAYS, days % ERA_DAYS);
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    Date {
        year: FIRST_YEAR + (era * 400 + year_of_era + u64::from(month <= 2)) as i64,
        month,
        day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
    }
}

impl Date {
    fn is_leap(&self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }

    fn days_in_month(&self) -> u64 {
        match self.month {
            2 => 28 + u64::from(self.is_leap()),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    fn day_of_year(&self) -> u64 {
        const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        BEFORE[self.month as usize - 1] + u64::from(self.month > 2 && self.is_leap()) + self.day
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ask(name: &str, seconds: f64) -> f64 {
        calendar(name).map_or(f64::NAN, |f| f(seconds))
    }

    #[track_caller]
    fn check(seconds: f64, expected: [f64; 8]) {
        let names = [
            "year",
            "month",
            "day_of_month",
            "hour",
            "minute",
            "day_of_week",
            "day_of_year",
            "days_in_month",
        ];
        assert_eq!(names.map(|n| ask(n, seconds)), expected, "{names:?} of {seconds}");
    }

    #[test]
    fn known_days() {
        check(0.0, [1970.0, 1.0, 1.0, 0.0, 0.0, 4.0, 1.0, 31.0]);
        // 2016-02-29T23:59:59Z, a Monday.
        check(1_456_790_399.9, [2016.0, 2.0, 29.0, 23.0, 59.0, 1.0, 60.0, 29.0]);
        // 2100 is no leap year: 2100-03-01T00:00:00Z, a Monday.
        check(4_107_542_400.0, [2100.0, 3.0, 1.0, 0.0, 0.0, 1.0, 60.0, 31.0]);
        // 2000-12-31T12:34:56Z, a Sunday.
        check(978_266_096.0, [2000.0, 12.0, 31.0, 12.0, 34.0, 0.0, 366.0, 31.0]);
    }

    #[test]
    fn before_1970_the_fraction_is_cut_towards_zero() {
        check(-1.0, [1969.0, 12.0, 31.0, 23.0, 59.0, 3.0, 365.0, 31.0]);
        assert_eq!(ask("year", -0.5), 1970.0);
        // The year 0 exists: 0000-03-01.
        assert_eq!([ask("year", -62_162_035_200.0), ask("month", -62_162_035_200.0)], [0.0, 3.0]);
    }

    #[test]
    fn no_number_is_too_odd() {
        for seconds in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -9.3e18, 9.2e18] {
            let month = ask("month", seconds);
            assert!((1.0..=12.0).contains(&month), "{seconds}: {month}");
            assert!((1.0..=366.0).contains(&ask("day_of_year", seconds)));
        }
    }

    proptest! {
        #[test]
        fn a_day_follows_the_day_before(day in -100_000_000i64..100_000_000) {
            let at = |name, day: i64| ask(name, day as f64 * 86_400.0);
            let date = |day| ["year", "month", "day_of_month"].map(|name| at(name, day));
            let [year, month, day_of_month] = date(day);
            let expected = if day_of_month < at("days_in_month", day) {
                [year, month, day_of_month + 1.0]
            } else if month < 12.0 {
                [year, month + 1.0, 1.0]
            } else {
                [year + 1.0, 1.0, 1.0]
            };
            prop_assert_eq!(date(day + 1), expected);
            prop_assert_eq!(at("day_of_week", day + 1), (at("day_of_week", day) + 1.0) % 7.0);
            let new_year = expected[1..] == [1.0, 1.0];
            prop_assert_eq!(at("day_of_year", day + 1), if new_year { 1.0 } else { at("day_of_year", day) + 1.0 });
        }
    }
}
