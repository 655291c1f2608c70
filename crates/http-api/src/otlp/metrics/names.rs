//! Names of metrics and units as Prometheus writes those of OTLP, by its default strategy,
//! `UnderscoreEscapingWithSuffixes`.
//!
//! <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#otlp-metric-points-to-prometheus>

/// What the type of a metric adds to its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suffix {
    None,
    /// Monotonic sums.
    Total,
    /// Gauges, if their unit is 1.
    Ratio,
}

/// UCUM's words for units, and Prometheus's.
const UNITS: [(&str, &str); 27] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", ""),
    ("%", "percent"),
    ("", ""),
];

/// Units behind a stroke.
const PER_UNITS: [(&str, &str); 7] = [
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

/// A metric's name, or none if nothing can be made of it.
pub fn metric_name(name: &str, unit: &str, suffix: Suffix) -> Option<String> {
    let (main, per) = unit_words(unit);
    let mut words: Vec<&str> = name.split(|c| !is_name_char(c)).filter(|word| !word.is_empty()).collect();
    let per = if per == "per_" { "" } else { per.strip_suffix('_').unwrap_or(&per) };
    let mut main = main.as_str();
    let (has_main, has_per) = (words.contains(&main), words.contains(&per));
    if !per.is_empty() && !has_per {
        main = main.strip_suffix('_').unwrap_or(main);
    }
    if !has_main && !main.is_empty() {
        words.push(main);
    }
    if !has_per && !per.is_empty() {
        words.push(per);
    }
    let last = match suffix {
        Suffix::Total => Some("total"),
        Suffix::Ratio if unit == "1" => Some("ratio"),
        _ => None,
    };
    if let Some(last) = last {
        words.retain(|word| *word != last);
        words.push(last);
    }
    let mut out = words.join("_");
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert(0, '_');
    }
    (out == name || out.chars().any(|c| c != '_')).then_some(out).filter(|out| !out.is_empty())
}

/// A unit's name for a metric's metadata.
pub fn unit_name(unit: &str) -> String {
    let (main, per) = unit_words(unit);
    let both = if main.is_empty() || per.is_empty() { main + &per } else { main + "_" + &per };
    let out = both.strip_prefix('_').unwrap_or(&both);
    out.strip_suffix('_').unwrap_or(out).to_owned()
}

/// The unit, and `per_` and the unit behind the stroke. Units in braces say nothing.
fn unit_words(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let word = |unit: &str, known: &[(&'static str, &'static str)]| {
        let unit = unit.trim();
        if unit.contains(['{', '}']) {
            return String::new();
        }
        known.iter().find(|(ucum, _)| *ucum == unit).map_or(unit, |(_, word)| word).to_owned()
    };
    let per = word(per, &PER_UNITS);
    (clean(&word(main, &UNITS)), if per.is_empty() { per } else { clean(&format!("per_{per}")) })
}

/// Every other character becomes `_`, several of which become one and the first of all none.
fn clean(unit: &str) -> String {
    let mut out = String::with_capacity(unit.len());
    for c in unit.chars() {
        match c {
            c if is_name_char(c) => out.push(c),
            _ if out.ends_with('_') => {}
            _ => out.push('_'),
        }
    }
    out.strip_prefix('_').map(str::to_owned).unwrap_or(out)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == ':'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_prometheus() {
        for (name, unit, suffix, expected) in [
            ("http.server.duration", "s", Suffix::None, "http_server_duration_seconds"),
            ("requests", "1", Suffix::Total, "requests_total"),
            ("requests.total.count", "{request}", Suffix::Total, "requests_count_total"),
            ("memory.usage", "By", Suffix::Ratio, "memory_usage_bytes"),
            ("cpu.utilization", "1", Suffix::Ratio, "cpu_utilization_ratio"),
            ("io", "By/s", Suffix::None, "io_bytes_per_second"),
            ("io", "{packet}/s", Suffix::None, "io_per_second"),
            ("speed.bytes", "By/m", Suffix::None, "speed_bytes_per_minute"),
            ("odd", "foo bar", Suffix::None, "odd_foo_bar"),
            ("a__b..c", "", Suffix::None, "a_b_c"),
            ("9lives", "", Suffix::None, "_9lives"),
            ("up:down", "%", Suffix::None, "up:down_percent"),
        ] {
            assert_eq!(metric_name(name, unit, suffix).as_deref(), Some(expected));
        }
        assert_eq!(metric_name("...", "", Suffix::None), None);
        assert_eq!(metric_name("", "", Suffix::None), None);
        assert_eq!(unit_name("By/s"), "bytes_per_second");
        assert_eq!(unit_name("{x}/s"), "per_second");
        assert_eq!(unit_name("1"), "");
    }
}
