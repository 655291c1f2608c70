//! Vectors by text: rows of range aggregations, expressions, rows that come out.

use super::evaluate;
use crate::{
    ast::{Expr, RangeAggregation},
    parse,
};
use model::{Labels, TenantId};
use service_api::{ReadContext, Result};
use vectors::{Row, Rows, Steps, absent, is_absent};

const CASES: &str = include_str!("tests/cases.txt");

/// One expression, and the lines below it.
struct Case<'a> {
    line: usize,
    command: &'a str,
    expr: &'a str,
    expected: Vec<&'a str>,
}

type Loaded = Vec<(String, Row)>;

fn read_row(text: &str) -> (String, Row) {
    let (name, rest) = text.split_once('{').unwrap();
    let (labels, values) = rest.split_once('}').unwrap();
    let pairs = labels.split(',').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        (name, value.trim_matches('"'))
    });
    let value = |text: &str| if text == "_" { absent() } else { text.parse().unwrap() };
    let values = values.split_whitespace().map(value).collect();
    (name.to_owned(), Row::floats(Labels::from_pairs(pairs), values))
}

fn write_row(row: &Row) -> String {
    let values = row.values.iter().map(|v| if is_absent(*v) { "_".to_owned() } else { v.to_string() });
    format!("{} {}", row.labels, values.collect::<Vec<_>>().join(" "))
}

fn context() -> ReadContext {
    ReadContext::new(TenantId::new("t").unwrap(), 1 << 20)
}

/// The expression with a range aggregation for each `$name`.
fn with_leaves(text: &str) -> String {
    let mut parts = text.split('$');
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |query, part| {
        let end = part.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(part.len());
        match part.split_at(end) {
            ("", rest) => format!("{query}${rest}"),
            (name, rest) => format!("{query}count_over_time({{rows=\"{name}\"}}[1m]){rest}"),
        }
    })
}

fn run(ctx: &ReadContext, loaded: &Loaded, text: &str) -> Result<Rows> {
    let query = with_leaves(text);
    let expr = parse(&query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let Expr::Metric(expr) = expr else { panic!("{query} is for lines") };
    let mut leaf = |range: &RangeAggregation| {
        let name = &range.logs.query.matchers[0].value;
        let rows: Vec<Row> = loaded.iter().filter(|(n, _)| n == name).map(|(_, row)| row.clone()).collect();
        let held = ctx.budget.reserve(rows.iter().map(Row::bytes).sum())?;
        Ok(Rows { rows, held: vec![held] })
    };
    let count = loaded.first().map_or(1, |(_, row)| row.values.len());
    evaluate(&expr, Steps { start: 0, interval: 1, count }, ctx, &mut leaf)
}

fn check(loaded: &Loaded, case: &Case<'_>) {
    let Case { line, command, expr, expected } = case;
    let ctx = context();
    match run(&ctx, loaded, expr) {
        Err(error) if *command == "eval_fails" => {
            assert_eq!(error.message, expected[0], "line {line}: {expr}");
        }
        Err(error) => panic!("line {line}: {expr}: {error}"),
        Ok(rows) => {
            assert_ne!(*command, "eval_fails", "line {line}: {expr}");
            let needed: usize = rows.rows.iter().map(|row| size_of_val(&row.values[..])).sum();
            assert!(ctx.budget.used() as usize >= needed, "line {line}: {expr}: rows that are not counted");
            let mut found: Vec<String> = rows.rows.iter().map(write_row).collect();
            let mut expected: Vec<String> =
                expected.iter().map(|text| write_row(&read_row(text).1)).collect();
            if *command != "eval_ordered" {
                found.sort();
                expected.sort();
            }
            assert_eq!(found, expected, "line {line}: {expr}");
        }
    }
    assert_eq!(ctx.budget.used(), 0, "line {line}: {expr}: memory that is not given back");
}

#[test]
fn rows_come_out_as_listed() {
    let lines = CASES.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let mut cases: Vec<Case<'_>> = Vec::new();
    for (number, line) in lines {
        if let Some(row) = line.strip_prefix("  ") {
            cases.last_mut().unwrap().expected.push(row);
            continue;
        }
        let (command, expr) = line.split_once(' ').unwrap_or((line, ""));
        cases.push(Case { line: number + 1, command, expr, expected: Vec::new() });
    }
    let (mut loaded, mut checked) = (Vec::new(), 0);
    for case in &cases {
        match case.command {
            "load" => loaded = case.expected.iter().map(|row| read_row(row)).collect(),
            "eval" | "eval_ordered" | "eval_fails" => {
                check(&loaded, case);
                checked += 1;
            }
            other => panic!("line {}: {other} is no command", case.line),
        }
    }
    assert!(checked > 100, "only {checked} expressions were checked");
}

#[test]
fn rows_count_against_the_budget() {
    let loaded = vec![read_row(r#"a{app="x"} 1 2 3"#)];
    let ctx = ReadContext::new(TenantId::new("t").unwrap(), 60);
    for expr in ["vector(1)", "$a * $a", "sum($a)", "topk(1, $a)"] {
        let error = run(&ctx, &loaded, expr).unwrap_err();
        assert!(error.message.contains("limits.query_memory"), "{expr}: {error}");
        assert_eq!(ctx.budget.used(), 0);
    }
}

#[test]
fn a_query_that_is_ended_stops() {
    let ctx = context();
    ctx.cancel.cancel();
    let error = run(&ctx, &vec![read_row("a{} 1")], "sum($a)").unwrap_err();
    assert_eq!(error.code, service_api::Code::Canceled);
}
