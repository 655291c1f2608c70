//! The parser against texts: what is printed back, what is refused and how, and that
//! nothing anyone can write brings the process down.

// Tests may fail by panicking, and measure real time.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use promql::{MAX_DEPTH, ParseOptions, parse, parse_metric_selector, pretty, selects_something};
use proptest::prelude::*;
use std::io::Write;
use std::time::{Duration, Instant};

/// Cases of three lines: `> ` and a query, what is expected of it, nothing.
fn cases(text: &'static str) -> Vec<(&'static str, &'static str)> {
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len() % 3, 0, "each case has a query, an expectation and an empty line");
    lines.chunks(3).map(|case| (case[0].strip_prefix("> ").unwrap(), case[1])).collect()
}

#[test]
fn valid_queries_print_as_prometheus_prints_them() {
    for (query, printed) in cases(include_str!("parse/valid.txt")) {
        let expr = parse(query, ParseOptions::all_features()).unwrap_or_else(|e| panic!("{query}: {e}"));
        assert_eq!(expr.to_string(), printed, "{query}");
        let again = parse(printed, ParseOptions::all_features()).unwrap_or_else(|e| panic!("{printed}: {e}"));
        assert_eq!(again.to_string(), printed);
    }
}

#[test]
fn invalid_queries_are_refused_in_the_words_of_prometheus() {
    for (query, error) in cases(include_str!("parse/invalid.txt")) {
        match parse(query, ParseOptions::all_features()) {
            Ok(expr) => panic!("{query}: parsed as {expr}"),
            Err(e) => assert_eq!(e.to_string(), error, "{query}"),
        }
    }
}

#[test]
fn what_is_experimental_must_be_asked_for() {
    for (query, error) in [
        (
            "limitk(1, foo)",
            "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
        ),
        ("info(foo)", "1:1: parse error: function \"info\" is not enabled"),
        ("foo + fill(1) bar", "1:1: parse error: binop fill modifiers are experimental and not enabled"),
        ("foo[5m] anchored", "1:1: parse error: anchored modifier is experimental and not enabled"),
    ] {
        assert_eq!(parse(query, ParseOptions::default()).unwrap_err().to_string(), error);
    }
}

#[test]
fn durations_are_worked_out_unless_switched_off() {
    let off = ParseOptions { duration_expr: false, ..ParseOptions::default() };
    for (query, error) in [
        ("foo[1m + 1m]", "1:5: parse error: experimental duration expression is not enabled"),
        ("foo offset step()", "1:12: parse error: experimental duration expression is not enabled"),
    ] {
        assert!(parse(query, ParseOptions::default()).is_ok(), "{query}");
        assert_eq!(parse(query, off).unwrap_err().to_string(), error);
    }
}

#[test]
fn errors_tell_line_and_column() {
    let error = parse("sum(\n  rate(foo)\n)", ParseOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "2:8: parse error: expected type range vector in call to function \"rate\", got instant vector"
    );
}

#[test]
fn series_selectors_have_no_modifiers() {
    let matchers = parse_metric_selector("up{job=~\"a.*\"}").unwrap();
    assert_eq!(
        matchers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["job=~\"a.*\"", "__name__=\"up\""]
    );
    assert!(selects_something(&matchers));
    assert!(!selects_something(&parse_metric_selector("{job=~\".*\", a!=\"b\"}").unwrap()));
    assert!(!selects_something(&parse_metric_selector("{}").unwrap()));
    for (selector, error) in [
        ("", "unknown position: parse error: unexpected end of input"),
        ("up[5m]", "1:3: parse error: unexpected \"[\""),
        ("up offset 5m", "1:4: parse error: unexpected <offset>"),
        ("sum(up)", "1:4: parse error: unexpected \"(\""),
    ] {
        assert_eq!(parse_metric_selector(selector).unwrap_err().to_string(), error, "{selector}");
    }
}

#[test]
fn long_queries_are_broken_into_lines() {
    let short = "sum by (job) (rate(http_requests_total[5m]))";
    assert_eq!(pretty(&parse(short, ParseOptions::default()).unwrap()), short);
    let long = "sum by (job, instance) (rate(http_requests_total{status=~\"5..\", method=\"GET\"}[5m])) / \
                -(topk(5, foo_metric_with_a_long_name{job=\"api\"} offset 5m))";
    let expected = "  sum by (job, instance) (rate(http_requests_total{method=\"GET\",status=~\"5..\"}[5m]))\n\
                    /\n  -(topk(5, foo_metric_with_a_long_name{job=\"api\"} offset 5m))";
    assert_eq!(pretty(&parse(long, ParseOptions::default()).unwrap()), expected);
}

/// The scripts of Prometheus lie beside the project where they are at hand.
#[test]
fn every_query_of_the_compatibility_scripts_parses() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/compat/promqltest");
    let Ok(entries) = std::fs::read_dir(folder) else {
        // Past the test runner, which keeps what `eprintln!` prints to itself.
        let _ =
            writeln!(std::io::stderr(), "skipped: no compatibility scripts in ../shared/compat/promqltest");
        return;
    };
    let mut queries = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let script = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = script.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let Some(query) = script_query(line) else { continue };
            queries += 1;
            let may_fail = line.trim_start().starts_with("eval_fail")
                || lines.get(i + 1).is_some_and(|next| next.trim_start().starts_with("expect fail"))
                // Labels are UTF-8 here; Prometheus refuses this one when it evaluates it.
                || query.contains("\\xff");
            match parse(query, ParseOptions::all_features()) {
                Ok(expr) => {
                    let printed = expr.to_string();
                    let again = parse(&printed, ParseOptions::all_features())
                        .unwrap_or_else(|e| panic!("{printed}: {e}"));
                    assert_eq!(again.to_string(), printed, "{query}");
                }
                Err(_) if may_fail => {}
                Err(e) => panic!("{}:{}: {query}: {e}", path.display(), i + 1),
            }
        }
    }
    assert!(queries > 1500, "only {queries} queries found");
}

/// The query of an `eval instant at 5m query` or `eval range from 0 to 10m step 5m query` line.
fn script_query(line: &str) -> Option<&str> {
    let mut rest = line.trim();
    let mut word = || {
        let (word, after) = rest.split_once(char::is_whitespace)?;
        rest = after.trim_start();
        Some(word)
    };
    if !word()?.starts_with("eval") {
        return None;
    }
    let skip = match word()? {
        "instant" => 2,
        "range" => 6,
        _ => return None,
    };
    for _ in 0..skip {
        word()?;
    }
    Some(rest)
}

/// Parses, prints and drops on a small stack.
fn survive(query: String) -> Result<(), String> {
    let start = Instant::now();
    let work = move || match parse(&query, ParseOptions::all_features()) {
        Ok(expr) => {
            let copy = expr.clone();
            assert!(!pretty(&expr).is_empty() && copy == expr);
            Ok(())
        }
        Err(e) => Err(e.to_string()),
    };
    let result = std::thread::Builder::new().stack_size(1 << 20).spawn(work).unwrap().join().unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "took {:?}", start.elapsed());
    result
}

#[test]
fn deep_queries_are_errors_and_never_overflow_the_stack() {
    let n = 10_000;
    for query in [
        "(".repeat(n),
        format!("{}1{}", "(".repeat(n), ")".repeat(n)),
        format!("{}foo", "-".repeat(n)),
        format!("{}foo{}", "abs(".repeat(n), ")".repeat(n)),
        format!("{}foo{}", "sum(".repeat(n), ")".repeat(n)),
        format!("foo{}", "[1h:]".repeat(n)),
        format!("foo{}", "^foo".repeat(n)),
        format!("foo{}", " + foo".repeat(40_000)),
        format!("1{}", "+1".repeat(100_000)),
        format!("foo[{}1s{}]", "(".repeat(n), ")".repeat(n)),
        format!("foo[1s{}]", "+1s".repeat(50_000)),
        format!("foo[{}1s]", "-".repeat(n)),
        format!("foo[1s{}]", "^1".repeat(n)),
    ] {
        let error = survive(query.clone()).unwrap_err();
        assert!(error.contains("nested too deeply") || error.contains("unclosed"), "{query:.20}: {error}");
    }
}

#[test]
fn queries_just_within_the_depth_work_on_a_small_stack() {
    let n = MAX_DEPTH - 2;
    for query in [
        format!("{}1{}", "(".repeat(n), ")".repeat(n)),
        format!("{}foo", "-".repeat(n)),
        format!("{}foo{}", "abs(".repeat(n), ")".repeat(n)),
        format!("{}foo{}", "sum by (a) (".repeat(n), ")".repeat(n)),
        format!("foo{}", " or foo".repeat(n)),
        format!("foo{}", "^foo".repeat(n)),
        format!("foo[1s{}]", "+1s".repeat(n)),
        format!("foo[{}1s{}]", "min_of(1s,".repeat(n), ")".repeat(n)),
    ] {
        survive(query.clone()).unwrap_or_else(|e| panic!("{query:.20}: {e}"));
    }
}

#[test]
fn long_queries_are_refused_unread() {
    let error = survive("a".repeat((256 << 10) + 1)).unwrap_err();
    assert_eq!(error, "1:1: parse error: query is too long: 262145 bytes, at most 262144 are allowed");
    survive(format!("label_join(foo, \"a\", \"b\"{})", ",\"\"".repeat(80_000))).unwrap();
}

fn soup() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "foo",
        "sum",
        "by",
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        "5m",
        "1",
        "\"a\"",
        "'",
        "+",
        "-",
        "^",
        "==",
        "and",
        "bool",
        "on",
        "group_left",
        "fill",
        "offset",
        "@",
        "start()",
        "step",
        "max_of(",
        "anchored",
        ",",
        ":",
        "=",
        "=~",
        "rate(",
        "topk(",
        "a:b",
        "inf",
        "without",
        "</",
        "#\n",
        "é",
        "\\",
        "{a=\"b\"}",
        "[5m]",
        "info(",
        "\u{fffd}",
        "0x",
        "1e",
        "\n",
    ]);
    (prop::collection::vec(token, 0..12), prop::bool::ANY)
        .prop_map(|(tokens, spaced)| tokens.join(if spaced { " " } else { "" }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn token_soup_is_parsed_or_refused(query in soup()) {
        if let Ok(expr) = parse(&query, ParseOptions::all_features()) {
            let printed = expr.to_string();
            let again = parse(&printed, ParseOptions::all_features());
            prop_assert_eq!(again.map(|e| e.to_string()), Ok(printed));
        }
        let _ = parse_metric_selector(&query);
    }

    #[test]
    fn any_text_is_parsed_or_refused(query in "\\PC{0,30}|[\\x00-\\x7f]{0,30}") {
        let _ = parse(&query, ParseOptions::all_features()).map(|expr| pretty(&expr));
        let _ = parse_metric_selector(&query);
    }
}
