//! How parameters are read.

use super::{
    time::{duration_nanos, timestamp},
    *,
};

fn params(encoded: &str) -> Params {
    let mut params = Params::default();
    params.add(encoded.as_bytes()).unwrap();
    params
}

#[test]
fn forms_are_decoded() {
    let p = params("a=1+2&b=%2B%c3%a9&a=second&&c&d=x=y");
    assert_eq!((p.get("a"), p.get("b"), p.get("c"), p.get("d"), p.get("e")), ("1 2", "+é", "", "x=y", ""));
    assert_eq!(p.all("a").collect::<Vec<_>>(), ["1 2", "second"]);
}

#[test]
fn broken_encoding_is_named() {
    for (bad, shown) in [("a=%", "%"), ("a=%2", "%2"), ("a=%g0b", "%g0"), ("%zz=1", "%zz")] {
        let error = Params::default().add(bad.as_bytes()).unwrap_err();
        assert_eq!(error.message, format!("error parsing form values: invalid URL escape \"{shown}\""));
    }
}

#[test]
fn times_are_seconds_or_rfc_3339() {
    for (text, ms) in [
        ("0", 0),
        ("123", 123_000),
        ("123.123", 123_123),
        ("-1.5", -1_500),
        ("1543578564.705", 1_543_578_564_705),
        ("1e3", 1_000_000),
        ("1582468023986", 1_582_468_023_986_000),
        ("2015-06-03T13:21:58.555Z", 1_433_337_718_555),
        ("2015-06-03T14:21:58.555+01:00", 1_433_337_718_555),
        ("-292273086-05-16T16:47:06Z", MIN_TIME),
        ("292277025-08-18T07:12:54.999999999Z", MAX_TIME),
    ] {
        assert_eq!(timestamp(text), Ok(ms), "{text}");
    }
    for text in ["", "abc", "30s", "NaN", "Inf", "1e300", "2015-06-03", "2015-06-03T13:21"] {
        let why = format!("cannot parse {} to a valid timestamp", quote(text));
        assert_eq!(timestamp(text), Err(why), "{text}");
    }
}

#[test]
fn durations_are_seconds_or_notation() {
    const S: i64 = 1_000_000_000;
    for (text, nanos) in [
        ("123", 123 * S),
        ("123.333", 123 * S + 333_000_000),
        ("-1", -S),
        ("0", 0),
        ("15s", 15 * S),
        ("5m", 300 * S),
        ("1h30m5s7ms", 5405 * S + 7_000_000),
        ("1d", 86_400 * S),
    ] {
        assert_eq!(duration_nanos(text), Ok(nanos), "{text}");
    }
    for text in ["", "abc", "1m1h", "s", "-5m", "2015-06-03T13:21:58.555Z", "NaN", "99999999999999y"] {
        let why = format!("cannot parse {} to a valid duration", quote(text));
        assert_eq!(duration_nanos(text), Err(why), "{text}");
    }
    for text in ["148966367200.372", "-148966367200.372", "Inf"] {
        let why = format!("cannot parse {} to a valid duration. It overflows int64", quote(text));
        assert_eq!(duration_nanos(text), Err(why), "{text}");
    }
}

#[test]
fn a_lookback_of_nothing_is_the_default() {
    for text in ["", "lookback_delta=0", "lookback_delta=-5"] {
        assert_eq!(params(text).lookback_delta(), Ok(None));
    }
    assert_eq!(params("lookback_delta=1m").lookback_delta(), Ok(Some(Duration::from_secs(60))));
}

#[test]
fn parameters_are_counted() {
    let mut params = Params::default();
    params.add("a&".repeat(MAX_PAIRS).as_bytes()).unwrap();
    assert_eq!(params.add(b"b=1").unwrap_err().message, "more than 10000 parameters");
}
