//! Scripts and what is read of them.

use super::*;

fn load(text: &str) -> Result<Load, String> {
    match parse(&format!("load 1m\n{text}"))?.pop() {
        Some(Command::Load(load)) => Ok(load),
        _ => panic!("no load"),
    }
}

fn eval(text: &str) -> Result<Eval, String> {
    match parse(text)?.pop() {
        Some(Command::Eval(eval)) => Ok(*eval),
        _ => panic!("no eval"),
    }
}

#[test]
fn start_timestamps_lie_before_or_after_their_samples() {
    let load = load("m{a=\"b\"}@st _ 1ms -30s-1mx2 +1m 0 _x2 -1sx1 0+2sx1\nm{a=\"b\"} 1x12\nn 1\n").unwrap();
    let expected = [&[1, -30_000, -90_000, -150_000, 60_000, 0][..], &[-1000, -1000, 0, 2000]];
    let [first, second] = expected.map(|offsets| offsets.iter().copied().map(Some).collect::<Vec<_>>());
    assert_eq!(load.series[0].starts, [vec![None], first, vec![None, None], second].concat());
    assert!(load.series[1].starts.is_empty());
}

#[test]
fn start_timestamps_belong_to_the_samples_below() {
    for text in [
        "m@st 0\nn 1\n",
        "m@st 0 0\nm 1\n",
        "m@st 0\n",
        "m@st 0\nm@st 0\nm 1\n",
        "m@st 5\nm 1\n",
        "m@st 1m+1m\nm 1 2\n",
        "m@st 1h30m\nm 1\n",
        "m@st _x0\nm 1\n",
    ] {
        assert!(load(text).is_err(), "{text}");
    }
}

#[test]
fn evaluations_say_when_and_what() {
    let range = eval("eval range from 1m to 2m step 30s m{}\n  m 1 _ 3\n").unwrap();
    assert_eq!(range.steps(), (60_000, 120_000, 30_000));
    assert_eq!((range.line, range.expr.as_str(), range.expect.series.len()), (1, "m{}", 1));
    let vector =
        eval("eval instant at 1m m[1m]\nexpect range vector from 10s to 1m step 10s\nm 1 2\n").unwrap();
    assert_eq!(vector.steps(), (10_000, 60_000, 10_000));
    assert!(!vector.has_range_form("m") && range.has_range_form("m") && !range.has_range_form("start() + m"));
    let legacy = eval("eval_fail instant at 1m m\nexpected_fail_message it  failed\n").unwrap();
    assert!(legacy.expect.fail.is_some_and(|p| p.matches("it  failed") && !p.matches("another")));
    let warned = eval("eval_warn instant at 1m m\nexpect warn msg: w\nexpect info regex: i.*\n").unwrap();
    assert!(warned.expect.warn.len() == 1 && warned.expect.warn[0].matches("w"));
    assert!(warned.expect.info[0].matches("info") && !warned.expect.warn[0].matches("v"));
}

#[test]
fn contradictions_are_refused() {
    for text in [
        "eval instant at 1m m\nm 1 2\n",
        "eval instant at 1m m\nexpect warn\nexpect no_warn\n",
        "eval instant at 1m m\nexpect no_info\nexpect info msg: i\n",
        "eval instant at 1m m\nexpect fail\nexpect fail\n",
        "eval instant at 1m m\nexpect success\n",
        "eval range from 2m to 1m step 1m m\n",
        "evaluate m\n",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}
