//! Numbers and times for people to read, as Prometheus writes them in alerts.

use super::{Call, Function, Kind, cast};
use crate::{format, time::Time, value::Value};
use query_syntax::{go_seconds, parse_duration};

const ANY: &[Kind] = &[Kind::Any];

const LARGE: [&str; 8] = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
const LARGE_BINARY: [&str; 8] = ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"];
const SMALL: [&str; 8] = ["m", "u", "n", "p", "f", "a", "z", "y"];

pub const FUNCTIONS: &[Function] = &[
    Function::new("humanize", ANY, |_, args| number(args).map(|v| Value::str(humanize(v)))),
    Function::new("humanize1024", ANY, |_, args| number(args).map(|v| Value::str(humanize_binary(v)))),
    Function::new("humanizePercentage", ANY, |_, args| {
        number(args).map(|v| Value::str(format!("{}%", short(v * 100.0))))
    }),
    Function::new("humanizeDuration", ANY, |_, args| number(args).map(|v| Value::str(humanize_seconds(v)))),
    Function::new("humanizeTimestamp", ANY, |_, args| {
        let value = number(args)?;
        Ok(Value::str(if value.is_finite() { time(value)?.to_string() } else { short(value) }))
    }),
    Function::new("toTime", ANY, |_, args| {
        let value = number(args)?;
        if value.is_finite() { time(value).map(Value::Time) } else { Err("value is NaN or Inf".to_owned()) }
    }),
    Function::new("toDuration", ANY, |_, args| {
        number(args).map(|v| Value::Duration(cast::float_to_int(v * 1e9)))
    }),
    Function::new("now", &[], |call, _| Ok(Value::Float(now(call)))),
    Function::new("parseDuration", &[Kind::Str], |_, args| {
        let text = super::str_arg(args, 0);
        let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let ms = parse_duration(rest).map_err(|error| error.to_string())?;
        Ok(Value::Float(go_seconds(sign * ms.saturating_mul(1_000_000))))
    }),
];

/// Seconds, of which milliseconds count.
fn now(call: &Call<'_, '_>) -> f64 {
    call.env.now.div_euclid(1_000_000) as f64 / 1000.0
}

fn number(args: &[Value<'_>]) -> Result<f64, String> {
    match args.first() {
        Some(Value::Float(value)) => Ok(*value),
        Some(Value::Int(value) | Value::Int64(value)) => Ok(*value as f64),
        Some(Value::Str(text)) => cast::parse_go_float(text),
        Some(Value::NoValue | Value::Nil) | None => Err("can't convert <nil> to float".to_owned()),
        Some(Value::Time(_)) => Err("can't convert *time.Time to float".to_owned()),
        Some(Value::Duration(_)) => Err("can't convert *time.Duration to float".to_owned()),
        Some(other) => Err(format!("can't convert {} to float", other.type_name())),
    }
}

/// Four digits that count.
fn short(value: f64) -> String {
    format::printf("%.4g", &[Value::Float(value)], 100)
}

fn humanize(mut value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return short(value);
    }
    if value.abs() < 1.0 {
        return humanize_small(value);
    }
    let prefix = shrink(&mut value, 1000.0, &LARGE);
    format!("{}{prefix}", short(value))
}

fn humanize_small(mut value: f64) -> String {
    let mut prefix = "";
    for larger in SMALL {
        if value.abs() >= 1.0 {
            break;
        }
        (prefix, value) = (larger, value * 1000.0);
    }
    format!("{}{prefix}", short(value))
}

fn humanize_binary(mut value: f64) -> String {
    if value.abs() <= 1.0 || !value.is_finite() {
        return short(value);
    }
    let prefix = shrink(&mut value, 1024.0, &LARGE_BINARY);
    format!("{}{prefix}", short(value))
}

fn shrink(value: &mut f64, by: f64, prefixes: &[&'static str]) -> &'static str {
    let mut prefix = "";
    for larger in prefixes {
        if value.abs() < by {
            break;
        }
        (prefix, *value) = (larger, *value / by);
    }
    prefix
}

fn humanize_seconds(value: f64) -> String {
    if !value.is_finite() {
        return short(value);
    }
    if value == 0.0 {
        return format!("{}s", short(value));
    }
    if value.abs() < 1.0 {
        return format!("{}s", humanize_small(value));
    }
    let (sign, value) = (if value < 0.0 { "-" } else { "" }, value.abs());
    let whole = cast::float_to_int(value);
    let (days, hours, minutes, seconds) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{sign}{}s", short(value)),
        (0, 0, _) => format!("{sign}{minutes}m {seconds}s"),
        (0, ..) => format!("{sign}{hours}h {minutes}m {seconds}s"),
        _ => format!("{sign}{days}d {hours}h {minutes}m {seconds}s"),
    }
}

/// Milliseconds count.
fn time(seconds: f64) -> Result<Time, String> {
    let nanos = seconds * 1e9;
    if nanos.abs() > i64::MAX as f64 {
        let shown = format::printf("%v", &[Value::Float(seconds)], 100);
        return Err(format!(
            "{shown} cannot be represented as a nanoseconds timestamp since it overflows int64"
        ));
    }
    let ms = cast::float_to_int(nanos) / 1_000_000;
    Ok(Time::from_nanos(ms.saturating_mul(1_000_000)))
}
