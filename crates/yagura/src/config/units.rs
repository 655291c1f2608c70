//! Values with a unit: `15d` where seconds are counted, `64MiB` where bytes are.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain number, word or text.
    None,
    Seconds,
    Milliseconds,
    Bytes,
    /// Text that is never shown.
    Secret,
}

impl Unit {
    /// The number that a text with units stands for; `None` if it is not one.
    pub fn parse(self, text: &str) -> Option<u64> {
        match self {
            Unit::Seconds => duration_ms(text).filter(|ms| ms % 1000 == 0).map(|ms| ms / 1000),
            Unit::Milliseconds => duration_ms(text),
            Unit::Bytes => bytes(text),
            Unit::None | Unit::Secret => None,
        }
    }

    /// What a value of this unit looks like, for an error.
    pub fn example(self) -> Option<&'static str> {
        match self {
            Unit::Seconds => Some("a number of seconds or a duration such as 90s, 2h or 15d"),
            Unit::Milliseconds => Some("a number of milliseconds or a duration such as 250ms or 5s"),
            Unit::Bytes => Some("a number of bytes or a size such as 512KiB, 64MiB or 1GiB"),
            Unit::None | Unit::Secret => None,
        }
    }
}

/// As Prometheus writes durations: `1h30m`, largest unit first, each once.
fn duration_ms(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 7] = [
        ("y", 365 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let (mut rest, mut from, mut total) = (text.trim(), 0, 0u64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (count, after) = leading_number(rest)?;
        let name = &after[..after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len())];
        let at = UNITS.iter().position(|(unit, _)| *unit == name).filter(|at| *at >= from)?;
        total = total.checked_add(count.checked_mul(UNITS[at].1)?)?;
        (rest, from) = (&after[name.len()..], at + 1);
    }
    Some(total)
}

fn bytes(text: &str) -> Option<u64> {
    let (count, unit) = leading_number(text.trim())?;
    let scale = match unit.trim_start() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return None,
    };
    count.checked_mul(scale)
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_as_people_write_them() {
        assert_eq!(Unit::Seconds.parse("15d"), Some(15 * 86_400));
        assert_eq!(Unit::Seconds.parse("1h30m"), Some(5400));
        assert_eq!(Unit::Milliseconds.parse("1s500ms"), Some(1500));
        assert_eq!(Unit::Bytes.parse("64MiB"), Some(64 << 20));
        assert_eq!(Unit::Bytes.parse("2 GB"), Some(2_000_000_000));
    }

    #[test]
    fn what_is_not_a_value_with_a_unit_is_refused() {
        for text in ["", "h", "5", "1m1h", "1h1h", "-1h", "1.5h", "500ms", "5 h", "99999999999999y", "1é"] {
            assert_eq!(Unit::Seconds.parse(text), None, "{text:?}");
        }
        for text in ["", "64", "64mib", "MiB", "99999999999TiB", "1 MiB x"] {
            assert_eq!(Unit::Bytes.parse(text), None, "{text:?}");
        }
    }
}
