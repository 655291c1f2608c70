//! Layouts: how Go's reference time, 01/02 03:04:05PM '06 -0700, would be written.

use super::{Civil, Time};
use std::fmt::Write;

/// A part of a layout that stands for a part of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekDay,
    WeekDay,
    Day,
    SpaceDay,
    ZeroDay,
    SpaceYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    Pm,
    LowerPm,
    ZoneName,
    Offset(Offset),
    /// Digits and the character before them; those that are zero at the end are kept or not.
    Fraction {
        digits: usize,
        separator: char,
        keeps_zeros: bool,
    },
}

/// How an offset from UTC is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// Zero is written `Z`.
    pub z: bool,
    pub minutes: bool,
    pub seconds: bool,
    pub colons: bool,
}

pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub const WEEK_DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Parts that are told by their text alone, longer ones first.
const FIXED: [(&str, Part); 23] = [
    ("January", Part::LongMonth),
    ("Monday", Part::LongWeekDay),
    ("MST", Part::ZoneName),
    ("002", Part::ZeroYearDay),
    ("01", Part::ZeroMonth),
    ("02", Part::ZeroDay),
    ("03", Part::ZeroHour12),
    ("04", Part::ZeroMinute),
    ("05", Part::ZeroSecond),
    ("06", Part::Year),
    ("15", Part::Hour),
    ("1", Part::NumMonth),
    ("2006", Part::LongYear),
    ("2", Part::Day),
    ("__2", Part::SpaceYearDay),
    ("_2", Part::SpaceDay),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
    ("PM", Part::Pm),
    ("pm", Part::LowerPm),
    ("Jan", Part::Month),
    ("Mon", Part::WeekDay),
];

/// What follows the sign or the `Z` of an offset.
const OFFSETS: [(&str, bool, bool, bool); 5] = [
    ("070000", true, true, false),
    ("07:00:00", true, true, true),
    ("0700", true, false, false),
    ("07:00", true, false, true),
    ("07", false, false, false),
];

/// The text before the next part, the part, and the layout after it.
pub fn next_part(layout: &str) -> (&str, Option<(Part, &str)>) {
    for (at, c) in layout.char_indices() {
        let rest = &layout[at..];
        // In `_2006` the underscore is text.
        if rest.starts_with("_2006") {
            let at = at + 1;
            return (&layout[..at], Some((Part::LongYear, &layout[at + 4..])));
        }
        let found = match c {
            '-' | 'Z' => offset(rest, c == 'Z'),
            '.' | ',' => fraction(rest, c),
            _ => fixed(rest),
        };
        if let Some((part, length)) = found {
            return (&layout[..at], Some((part, &rest[length..])));
        }
    }
    (layout, None)
}

fn fixed(rest: &str) -> Option<(Part, usize)> {
    let (text, part) = FIXED.iter().find(|(text, _)| rest.starts_with(text))?;
    // `Month` is no `Mon`.
    let is_word = matches!(part, Part::Month | Part::WeekDay)
        && rest[text.len()..].starts_with(|c: char| c.is_ascii_lowercase());
    (!is_word).then_some((*part, text.len()))
}

fn offset(rest: &str, z: bool) -> Option<(Part, usize)> {
    let (text, minutes, seconds, colons) =
        OFFSETS.iter().find(|(text, ..)| rest[1..].starts_with(text)).copied()?;
    Some((Part::Offset(Offset { z, minutes, seconds, colons }), 1 + text.len()))
}

fn fraction(rest: &str, separator: char) -> Option<(Part, usize)> {
    let digit = rest[1..].chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let after = rest[1..].trim_start_matches(digit);
    let digits = rest.len() - 1 - after.len();
    let part = Part::Fraction { digits, separator, keeps_zeros: digit == '0' };
    (!after.starts_with(|c: char| c.is_ascii_digit())).then_some((part, 1 + digits))
}

pub fn format(time: &Time, layout: &str) -> String {
    let mut out = String::with_capacity(layout.len() + 10);
    let mut rest = layout;
    let (civil, offset, zone) = time.civil();
    loop {
        let (text, found) = next_part(rest);
        out.push_str(text);
        let Some((part, after)) = found else { return out };
        // Writing to a String cannot fail.
        let _ = write_part(&mut out, (&civil, offset, &zone), time.nanos, part);
        rest = after;
    }
}

fn write_part(
    out: &mut String,
    (civil, offset, zone): (&Civil, i32, &str),
    nanos: u32,
    part: Part,
) -> std::fmt::Result {
    let name = |names: &[&'static str], index: i64| {
        usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
    };
    let hour12 = if civil.hour % 12 == 0 { 12 } else { civil.hour % 12 };
    match part {
        Part::LongMonth => write!(out, "{}", name(&MONTHS, civil.month - 1)),
        Part::Month => write!(out, "{:.3}", name(&MONTHS, civil.month - 1)),
        Part::NumMonth => write!(out, "{}", civil.month),
        Part::ZeroMonth => write!(out, "{:02}", civil.month),
        Part::LongWeekDay => write!(out, "{}", name(&WEEK_DAYS, civil.week_day)),
        Part::WeekDay => write!(out, "{:.3}", name(&WEEK_DAYS, civil.week_day)),
        Part::Day => write!(out, "{}", civil.day),
        Part::SpaceDay => write!(out, "{:2}", civil.day),
        Part::ZeroDay => write!(out, "{:02}", civil.day),
        Part::SpaceYearDay => write!(out, "{:3}", civil.year_day),
        Part::ZeroYearDay => write!(out, "{:03}", civil.year_day),
        Part::Hour => write!(out, "{:02}", civil.hour),
        Part::Hour12 => write!(out, "{hour12}"),
        Part::ZeroHour12 => write!(out, "{hour12:02}"),
        Part::Minute => write!(out, "{}", civil.minute),
        Part::ZeroMinute => write!(out, "{:02}", civil.minute),
        Part::Second => write!(out, "{}", civil.second),
        Part::ZeroSecond => write!(out, "{:02}", civil.second),
        Part::LongYear if civil.year < 0 => write!(out, "-{:04}", -civil.year),
        Part::LongYear => write!(out, "{:04}", civil.year),
        Part::Year => write!(out, "{:02}", civil.year.abs() % 100),
        Part::Pm => write!(out, "{}", if civil.hour >= 12 { "PM" } else { "AM" }),
        Part::LowerPm => write!(out, "{}", if civil.hour >= 12 { "pm" } else { "am" }),
        Part::ZoneName if zone.is_empty() => {
            let how = Offset { z: false, minutes: true, seconds: false, colons: false };
            write_offset(out, offset, how)
        }
        Part::ZoneName => write!(out, "{zone}"),
        Part::Offset(how) if how.z && offset == 0 => write!(out, "Z"),
        Part::Offset(how) => write_offset(out, offset, how),
        Part::Fraction { digits, separator, keeps_zeros } => {
            let nanos = format!("{nanos:09}");
            let shown = &nanos[..digits.min(9)];
            let shown = if keeps_zeros { shown } else { shown.trim_end_matches('0') };
            if shown.is_empty() { Ok(()) } else { write!(out, "{separator}{shown}") }
        }
    }
}

fn write_offset(out: &mut String, offset: i32, how: Offset) -> std::fmt::Result {
    let colon = if how.colons { ":" } else { "" };
    let total = offset.unsigned_abs();
    // The sign is that of whole minutes.
    let sign = if offset <= -60 { '-' } else { '+' };
    write!(out, "{sign}{:02}", total / 3600)?;
    if how.minutes {
        write!(out, "{colon}{:02}", total / 60 % 60)?;
    }
    if how.seconds {
        write!(out, "{colon}{:02}", total % 60)?;
    }
    Ok(())
}
