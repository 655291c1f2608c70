//! The methods of times and durations that take nothing, as in `(toTime $value).Year`.

use crate::{time::Time, value::Value};
use query_syntax::{format_go_duration, go_seconds};

/// What the method gives; `None` if there is none of the name.
pub fn call(of: &Value<'_>, name: &str) -> Option<Value<'static>> {
    match of {
        Value::Time(time) => of_time(time, name),
        Value::Duration(nanos) => of_duration(*nanos, name),
        _ => None,
    }
}

fn of_time(time: &Time, name: &str) -> Option<Value<'static>> {
    let part = |layout| time.format(layout).parse().ok().map(Value::Int);
    match name {
        "Year" => part("2006"),
        "Month" => Some(Value::str(time.format("January"))),
        "Day" => part("2"),
        "YearDay" => part("002"),
        "Weekday" => Some(Value::str(time.format("Monday"))),
        "Hour" => part("15"),
        "Minute" => part("4"),
        "Second" => part("5"),
        "Nanosecond" => Some(Value::Int(i64::from(time.nanos))),
        "Unix" => Some(Value::Int64(time.seconds)),
        "UnixMilli" => Some(Value::Int64(time.as_millis())),
        "UnixNano" => Some(Value::Int64(time.as_nanos())),
        "UTC" => Some(Value::Time(Time { zone: crate::Zone::Utc, ..time.clone() })),
        "String" => Some(Value::str(time.to_string())),
        _ => None,
    }
}

fn of_duration(nanos: i64, name: &str) -> Option<Value<'static>> {
    let seconds = go_seconds(nanos);
    match name {
        "Hours" => Some(Value::Float(seconds / 3600.0)),
        "Minutes" => Some(Value::Float(seconds / 60.0)),
        "Seconds" => Some(Value::Float(seconds)),
        "Milliseconds" => Some(Value::Int64(nanos / 1_000_000)),
        "Microseconds" => Some(Value::Int64(nanos / 1000)),
        "Nanoseconds" => Some(Value::Int64(nanos)),
        "String" => Some(Value::str(format_go_duration(nanos))),
        _ => None,
    }
}
