//! Reading times by a layout.

use super::{
    Time, Zone, days_in, days_to, is_leap,
    layout::{MONTHS, Offset, Part, WEEK_DAYS, next_part},
};

/// The time that `text` says in `layout`, in `zone` where it names none. `None` if the text
/// does not follow the layout.
pub fn parse(layout: &str, text: &str, zone: &Zone) -> Option<Time> {
    let mut reader = Reader { rest: text, ..Reader::default() };
    let mut layout = layout;
    loop {
        let (before, found) = next_part(layout);
        reader.skip(before)?;
        let Some((part, after)) = found else {
            return if reader.rest.is_empty() { reader.time(zone) } else { None };
        };
        layout = after;
        reader.part(part, layout)?;
    }
}

/// What has been read so far.
#[derive(Default)]
struct Reader<'t> {
    rest: &'t str,
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: u32,
    afternoon: Option<bool>,
    is_utc: bool,
    offset: Option<i32>,
    zone_name: &'t str,
}

impl<'t> Reader<'t> {
    /// Reads the text of a layout. Any number of spaces is as good as another.
    fn skip(&mut self, text: &str) -> Option<()> {
        let mut text = text;
        while let Some(c) = text.chars().next() {
            if c == ' ' {
                if !self.rest.is_empty() && !self.rest.starts_with(' ') {
                    return None;
                }
                text = text.trim_start_matches(' ');
                self.rest = self.rest.trim_start_matches(' ');
            } else {
                text = &text[c.len_utf8()..];
                self.rest = self.rest.strip_prefix(c)?;
            }
        }
        Some(())
    }

    fn part(&mut self, part: Part, layout: &str) -> Option<()> {
        match part {
            Part::Year => {
                let year = self.digits(2, 2)?;
                self.year = if year >= 69 { year + 1900 } else { year + 2000 };
            }
            Part::LongYear => self.year = self.digits(4, 4)?,
            Part::Month => self.month = Some(self.name(&MONTHS, 3)? + 1),
            Part::LongMonth => self.month = Some(self.name(&MONTHS, usize::MAX)? + 1),
            Part::NumMonth => self.month = Some(self.within(1, 1, 12)?),
            Part::ZeroMonth => self.month = Some(self.within(2, 1, 12)?),
            Part::WeekDay => drop(self.name(&WEEK_DAYS, 3)?),
            Part::LongWeekDay => drop(self.name(&WEEK_DAYS, usize::MAX)?),
            Part::Day => self.day = Some(self.digits(1, 2)?),
            Part::ZeroDay => self.day = Some(self.digits(2, 2)?),
            Part::SpaceDay => {
                self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
                self.day = Some(self.digits(1, 2)?);
            }
            Part::SpaceYearDay => {
                for _ in 0..2 {
                    self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
                }
                self.year_day = Some(self.digits(1, 3)?);
            }
            Part::ZeroYearDay => self.year_day = Some(self.digits(3, 3)?),
            Part::Hour => self.hour = self.within(1, 0, 23)?,
            Part::Hour12 => self.hour = self.within(1, 0, 12)?,
            Part::ZeroHour12 => self.hour = self.within(2, 0, 12)?,
            Part::Minute => self.minute = self.within(1, 0, 59)?,
            Part::ZeroMinute => self.minute = self.within(2, 0, 59)?,
            Part::Second | Part::ZeroSecond => {
                self.second = self.within(if part == Part::Second { 1 } else { 2 }, 0, 59)?;
                self.unasked_fraction(layout);
            }
            Part::Pm | Part::LowerPm => {
                let word = self.take(2)?;
                self.afternoon = Some(match (word, part) {
                    ("PM", Part::Pm) | ("pm", Part::LowerPm) => true,
                    ("AM", Part::Pm) | ("am", Part::LowerPm) => false,
                    _ => return None,
                });
            }
            Part::Fraction { digits, keeps_zeros: true, .. } => {
                self.rest = self.rest.strip_prefix(['.', ','])?;
                self.fraction(digits)?;
            }
            Part::Fraction { keeps_zeros: false, .. } => self.any_fraction(),
            Part::Offset(how) if how.z && self.rest.starts_with('Z') => {
                self.rest = &self.rest[1..];
                self.is_utc = true;
            }
            Part::Offset(how) => self.read_offset(how)?,
            Part::ZoneName if self.rest.starts_with("UTC") => {
                self.rest = &self.rest[3..];
                self.is_utc = true;
            }
            Part::ZoneName => self.zone_name = self.take(zone_name_length(self.rest)?)?,
        }
        Some(())
    }

    fn take(&mut self, length: usize) -> Option<&'t str> {
        let (text, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(text)
    }

    fn digit_count(&self) -> usize {
        self.rest.bytes().take_while(u8::is_ascii_digit).count()
    }

    /// A number of so many digits.
    fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let count = self.digit_count().min(most);
        if count < least { None } else { self.take(count)?.parse().ok() }
    }

    /// A number of two digits, or of one if that is enough.
    fn within(&mut self, least: usize, low: i64, high: i64) -> Option<i64> {
        self.digits(least, 2).filter(|number| (low..=high).contains(number))
    }

    /// A name's place among others, by its first letters in any case.
    fn name(&mut self, names: &[&str], letters: usize) -> Option<i64> {
        let index = names.iter().position(|name| {
            let name = &name[..letters.min(name.len())];
            self.rest.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name))
        })?;
        self.take(letters.min(names.get(index)?.len()))?;
        i64::try_from(index).ok()
    }

    /// A fraction after the seconds is read even if the layout has none.
    fn unasked_fraction(&mut self, layout: &str) {
        let asked = matches!(next_part(layout).1, Some((Part::Fraction { .. }, _)));
        if !asked {
            self.any_fraction();
        }
    }

    fn any_fraction(&mut self) {
        if let Some(rest) = self.rest.strip_prefix(['.', ','])
            && rest.starts_with(|c: char| c.is_ascii_digit())
        {
            self.rest = rest;
            // There is a digit.
            self.fraction(self.digit_count());
        }
    }

    fn fraction(&mut self, digits: usize) -> Option<()> {
        if self.digit_count() < digits {
            return None;
        }
        let text = self.take(digits)?;
        // Digits beyond nanoseconds are cut.
        let text = &text[..text.len().min(9)];
        self.nanos = format!("{text:0<9}").parse().ok()?;
        Some(())
    }

    fn read_offset(&mut self, how: Offset) -> Option<()> {
        let sign = match self.take(1)? {
            "+" => 1,
            "-" => -1,
            _ => return None,
        };
        let hours = self.digits(2, 2).filter(|hours| *hours <= 24)?;
        let mut rest = [0; 2];
        for (value, wanted) in rest.iter_mut().zip([how.minutes, how.seconds]) {
            if wanted {
                if how.colons {
                    self.rest = self.rest.strip_prefix(':')?;
                }
                *value = self.digits(2, 2).filter(|value| *value <= 60)?;
            }
        }
        let seconds = (hours * 60 + rest[0]) * 60 + rest[1];
        self.offset = Some(sign * i32::try_from(seconds).ok()?);
        Some(())
    }

    fn time(self, zone: &Zone) -> Option<Time> {
        let (month, day) = self.month_and_day()?;
        let hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let clock = (hour * 60 + self.minute) * 60 + self.second;
        let local = days_to(self.year, month, day) * super::DAY + clock;
        let (seconds, zone) = self.in_zone(local, zone);
        Some(Time { seconds, nanos: self.nanos, zone })
    }

    fn month_and_day(&self) -> Option<(i64, i64)> {
        let Some(year_day) = self.year_day else {
            let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
            return (1..=days_in(month, self.year)).contains(&day).then_some((month, day));
        };
        if !(1..=365 + i64::from(is_leap(self.year))).contains(&year_day) {
            return None;
        }
        let civil = super::civil((days_to(self.year, 1, 1) + year_day - 1) * super::DAY);
        let fits = self.month.is_none_or(|month| month == civil.month)
            && self.day.is_none_or(|day| day == civil.day);
        fits.then_some((civil.month, civil.day))
    }

    /// The instant of a local time, and its zone.
    fn in_zone(&self, local: i64, zone: &Zone) -> (i64, Zone) {
        if self.is_utc {
            return (local, Zone::Utc);
        }
        if let Some(offset) = self.offset {
            let seconds = local - i64::from(offset);
            let (known, name) = zone.at(seconds);
            let same = known == offset && (self.zone_name.is_empty() || name == self.zone_name);
            let zone = if same { zone.clone() } else { Zone::Fixed(offset, self.zone_name.into()) };
            return (seconds, zone);
        }
        if !self.zone_name.is_empty() {
            if let Some(offset) = zone.offset_named(self.zone_name, local) {
                return (local - i64::from(offset), zone.clone());
            }
            let hours = self.zone_name.strip_prefix("GMT").and_then(|hours| hours.parse::<i32>().ok());
            let offset = hours.unwrap_or(0) * 3600;
            return (local, Zone::Fixed(offset, self.zone_name.into()));
        }
        // Of the two offsets around a change, that which holds at the time it gives.
        let (guess, _) = zone.at(local);
        let (offset, _) = zone.at(local - i64::from(guess));
        (local - i64::from(offset), zone.clone())
    }
}

/// How long the name of a zone is: three or four capitals, or `GMT+3`, or `-03`.
fn zone_name_length(text: &str) -> Option<usize> {
    if text.starts_with("ChST") || text.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix("GMT") {
        return Some(3 + signed_offset_length(rest).unwrap_or(0));
    }
    if text.starts_with(['+', '-']) {
        return signed_offset_length(text);
    }
    let capitals = text.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
    match capitals {
        5 if text[4..].starts_with('T') => Some(5),
        4 if text[3..].starts_with('T') || text.starts_with("WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

fn signed_offset_length(text: &str) -> Option<usize> {
    let digits = text.strip_prefix(['+', '-'])?;
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    let hours: u32 = digits[..count].parse().ok()?;
    (hours <= 23).then_some(1 + count)
}
