//! Parser and printer, by scripts: what is a query, what it prints as, what is wrong with it.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use logql::{ParseError, ast::Expr, parse, parse::MAX_DEPTH, parse_matchers, pretty};
use proptest::prelude::*;
use std::{fmt::Write, fs, path::Path, thread};

/// A case of a script: lines that begin with `> ` are the query. Behind them stand
///
/// - `= text`: what it prints as; `=` alone where that is the query itself
/// - `~ line`, as often as there are lines: what it prints as when broken into lines
/// - `! line:column message`: the error
struct Case {
    query: String,
    expected: Vec<(char, String)>,
}

fn cases(script: &str) -> Vec<Case> {
    let text: Vec<_> = script.lines().filter(|line| !line.starts_with("##")).collect();
    let blocks = text.split(|line| line.is_empty()).filter(|block| !block.is_empty());
    blocks
        .map(|block| {
            let marked = |line: &str| {
                line.strip_prefix('>').map(|rest| rest.strip_prefix(' ').unwrap_or(rest).to_owned())
            };
            let query: Vec<_> = block.iter().filter_map(|line| marked(line)).collect();
            let rest = block.iter().filter(|line| !line.starts_with('>'));
            let expected =
                rest.map(|line| (line.chars().next().unwrap(), line.get(2..).unwrap_or("").to_owned()));
            Case { query: query.join("\n"), expected: expected.collect() }
        })
        .collect()
}

fn shown(error: &ParseError) -> String {
    assert!(error.to_string().starts_with("parse error at line "), "{error}");
    format!("{}:{} {}", error.line, error.column, error.message)
}

/// The tree without the places where its parts stand.
fn tree(expr: &Expr) -> String {
    let text = format!("{expr:?}");
    let mut parts = text.split("span: ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.'))
}

/// What the script should say of the query.
fn answer(case: &Case) -> Vec<(char, String)> {
    let expr = match parse(&case.query) {
        Ok(expr) => expr,
        Err(error) => return vec![('!', shown(&error))],
    };
    let (line, lines) = (expr.to_string(), pretty(&expr));
    for printed in [&line, &lines] {
        let again = parse(printed).unwrap_or_else(|e| panic!("{} printed as\n{printed}\n{e}", case.query));
        assert_eq!(tree(&again), tree(&expr), "{} printed as\n{printed}", case.query);
    }
    let mut out = Vec::new();
    if case.expected.iter().any(|(mark, _)| *mark == '=') || case.expected.is_empty() {
        out.push(('=', if line == case.query { String::new() } else { line }));
    }
    if case.expected.iter().any(|(mark, _)| *mark == '~') {
        out.extend(lines.lines().map(|line| ('~', line.to_owned())));
    }
    out
}

fn run(script: &str) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/syntax").join(script);
    let cases = cases(&fs::read_to_string(path).unwrap());
    let mut wrong = String::new();
    for case in &cases {
        let answer = answer(case);
        if answer != case.expected {
            let lines = |list: &[(char, String)]| {
                list.iter().map(|(mark, text)| format!("{mark} {text}\n")).collect::<String>()
            };
            let _ = writeln!(
                wrong,
                "> {}\nexpected:\n{}got:\n{}",
                case.query,
                lines(&case.expected),
                lines(&answer)
            );
        }
    }
    assert!(wrong.is_empty(), "{script}:\n{wrong}");
    cases.len()
}

#[test]
fn log_queries() {
    assert!(run("logs.txt") > 80);
}

#[test]
fn metric_queries() {
    assert!(run("metrics.txt") > 60);
}

#[test]
fn errors() {
    assert!(run("errors.txt") > 80);
}

#[test]
fn broken_lines() {
    assert!(run("pretty.txt") > 10);
}

#[test]
fn a_selector_alone_may_select_everything() {
    for (text, printed) in [
        ("{}", vec![]),
        (r#"({a="b", c!~"d.*"}) # comment"#, vec![r#"a="b""#, r#"c!~"d.*""#]),
        (r#"{a=~".*"}"#, vec![r#"a=~".*""#]),
    ] {
        let matchers: Vec<_> = parse_matchers(text).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(matchers, printed, "{text}");
    }
    for (text, error) in [
        ("", r#"1:1 unexpected end of input, expected "{""#),
        (r#"{a="b"} |= "c""#, "1:9 only label matchers are supported"),
        (r#"({a="b"}"#, r#"1:9 unexpected end of input, expected ")""#),
        (r#"{a="b""#, r#"1:7 unexpected end of input, expected "}" or ",""#),
        (r#"{a=~"("}"#, "1:2 error parsing regexp: missing closing ): `(`"),
    ] {
        assert_eq!(shown(&parse_matchers(text).unwrap_err()), error, "{text}");
    }
}

/// Queries that nest in every way there is.
fn nested(depth: usize) -> Vec<String> {
    let wrap = |open: &str, inner: &str, close: &str| open.repeat(depth) + inner + &close.repeat(depth);
    let rate = r#"rate({a="b"}[1m])"#;
    vec![
        wrap("(", rate, ")"),
        wrap("sum(", rate, ")"),
        wrap("1 ^ ", rate, ""),
        wrap("", rate, " + 1"),
        wrap("label_replace(", rate, r#", "a", "b", "c", "d")"#),
        format!("rate({}[1m])", wrap("(", r#"{a="b"}"#, ")")),
        format!(r#"{{a="b"}} | {}"#, wrap("(", "c = 1", ")")),
        format!(r#"{{a="b"}} | {}"#, wrap("c = 1,", "c = 1", "")),
        format!(r#"{{a="b"}} | {}"#, wrap("c = 1 ", "c = 1", "")),
        format!(r#"{{a="b"}} | {}"#, wrap("c = 1 or ", "c = 1", "")),
        format!(r#"{{a="b"}} | {}"#, wrap("c = 1 and ", "c = 1", "")),
    ]
}

#[test]
fn nesting_is_bounded_and_fits_a_small_stack() {
    let check = || {
        for query in nested(MAX_DEPTH - 6) {
            let expr = parse(&query).unwrap();
            assert!(pretty(&expr).len() >= expr.to_string().len() / 2);
        }
        for query in nested(2_000) {
            let error = parse(&query).unwrap_err().message;
            assert_eq!(error, format!("query is nested too deeply, more than {MAX_DEPTH} levels"));
        }
    };
    thread::Builder::new().stack_size(1 << 20).spawn(check).unwrap().join().unwrap();
}

#[test]
fn length_is_bounded() {
    let query = format!(r#"{{a="b"}} |= "{}""#, "x".repeat(200_000));
    assert_eq!(shown(&parse(&query).unwrap_err()), "1:1 input size too long (200013 > 131072)");
}

const WORDS: &str = r#"{ } ( ) [ ] , = == != =~ !~ |= |~ |> !> > >= < <= | + - * / % ^ a sum by without topk
rate count_over_time quantile_over_time bool on ignoring group_left group_right and or unless offset unwrap bytes
duration json logfmt regexp pattern unpack decolorize line_format label_format drop keep ip label_replace vector
--strict --keep-empty "b" `c.+` "<d> <_>" "10.0.0.0/8" "(?P<e>.)" 1 0.5 1e9 5m 1h30m -10s 5KB [5m] [1d {a="b"} # é µ \ ' 💥"#;

fn query() -> impl Strategy<Value = String> {
    let words: Vec<_> = WORDS.split_whitespace().collect();
    let soup = proptest::collection::vec((proptest::sample::select(words), any::<bool>()), 0..24).prop_map(
        |words| {
            words.iter().map(|(word, space)| format!("{word}{}", if *space { " " } else { "" })).collect()
        },
    );
    let valid: Vec<String> = ["logs.txt", "metrics.txt", "pretty.txt"]
        .iter()
        .flat_map(|script| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/syntax").join(script);
            cases(&fs::read_to_string(path).unwrap())
        })
        .map(|case| case.query)
        .collect();
    let words: Vec<_> = WORDS.split_whitespace().collect();
    let mutated = (proptest::sample::select(valid), any::<(u16, u8)>(), proptest::sample::select(words))
        .prop_map(|(query, (at, cut), word)| {
            let chars: Vec<_> = query.chars().collect();
            let at = usize::from(at) % (chars.len() + 1);
            let end = (at + usize::from(cut % 8)).min(chars.len());
            chars[..at].iter().collect::<String>() + word + &chars[end..].iter().collect::<String>()
        });
    prop_oneof![soup, mutated, "\\PC{0,40}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn any_text_is_read_or_refused(text in query()) {
        let Ok(expr) = parse(&text) else { return Ok(()) };
        let printed = expr.to_string();
        // Numbers that only come of computing have no literal.
        if !printed.contains("NaN") && !printed.contains("Inf") {
            let again = parse(&printed);
            prop_assert_eq!(again.as_ref().map(tree), Ok(tree(&expr)), "{} as {}", text, printed);
            let again = parse(&pretty(&expr));
            prop_assert_eq!(again.as_ref().map(tree), Ok(tree(&expr)), "{} as {}", text, pretty(&expr));
        }
    }
}
