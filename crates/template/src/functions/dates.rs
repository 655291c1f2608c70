//! Functions on times. The server's own zone is UTC.

use super::{Call, Function, Kind, str_arg};
use crate::{
    time::{self, Time, Zone},
    value::Value,
};

const TIME: &[Kind] = &[Kind::Time];
const TWO: &[Kind] = &[Kind::Str, Kind::Str];

pub const FUNCTIONS: &[Function] = &[
    Function::new("now", &[], |call, _| Ok(Value::Time(Time::from_nanos(call.env.now)))),
    Function::new("__timestamp__", &[], |call, _| Ok(Value::Time(Time::from_nanos(call.env.timestamp)))),
    Function::new("date", &[Kind::Str, Kind::Any], date),
    Function::new("toDate", TWO, |_, args| Ok(parsed(str_arg(args, 0), str_arg(args, 1), &Zone::Utc))),
    Function::new("toDateInZone", &[Kind::Str, Kind::Str, Kind::Str], |_, args| {
        let zone = Zone::load(str_arg(args, 1)).unwrap_or(Zone::Utc);
        Ok(parsed(str_arg(args, 0), str_arg(args, 2), &zone))
    }),
    Function::new("unixEpoch", TIME, |_, args| epoch(args, |time| time.seconds)),
    Function::new("unixEpochMillis", TIME, |_, args| epoch(args, Time::as_millis)),
    Function::new("unixEpochNanos", TIME, |_, args| epoch(args, Time::as_nanos)),
    Function::new("unixToTime", &[Kind::Str], unix_to_time),
];

/// Formats a time, or seconds since the epoch; what is neither is now.
fn date<'a>(call: &Call<'_, 'a>, args: &[Value<'a>]) -> Result<Value<'a>, String> {
    let layout = str_arg(args, 0);
    let time = match args.get(1) {
        Some(Value::Time(time)) => Time { zone: Zone::Utc, ..time.clone() },
        Some(Value::Int(seconds) | Value::Int64(seconds)) => Time::from_seconds(*seconds),
        _ => Time::from_nanos(call.env.now),
    };
    Ok(Value::str(time.format(layout)))
}

/// What cannot be read is Go's zero time.
fn parsed<'a>(layout: &str, text: &str, zone: &Zone) -> Value<'a> {
    Value::Time(time::parse(layout, text, zone).unwrap_or(Time::ZERO))
}

fn epoch<'a>(args: &[Value<'a>], unit: fn(&Time) -> i64) -> Result<Value<'a>, String> {
    match args.first() {
        Some(Value::Time(time)) => Ok(Value::str(unit(time).to_string())),
        _ => Ok(Value::str("")),
    }
}

/// Days, seconds, milli-, micro- or nanoseconds since the epoch, told by how long the text is.
fn unix_to_time<'a>(_: &Call<'_, 'a>, args: &[Value<'a>]) -> Result<Value<'a>, String> {
    let text = str_arg(args, 0);
    let failed = |reason: &str| format!("unable to parse time '{text}': {reason}");
    let reason = || {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let problem = if is_number { "value out of range" } else { "invalid syntax" };
        failed(&format!("strconv.ParseInt: parsing {}: {problem}", model::quote(text)))
    };
    let number: i64 = text.parse().map_err(|_| reason())?;
    let time = match text.len() {
        5 => Time::from_seconds(number * 86_400),
        10 => Time::from_seconds(number),
        13 => Time::from_nanos(number * 1_000_000),
        16 => Time::from_nanos(number * 1000),
        19 => Time::from_nanos(number),
        _ => return Err(failed("%!w(<nil>)")),
    };
    Ok(Value::Time(time))
}
