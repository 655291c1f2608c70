//! The runner itself: an expectation that is wrong fails, and says why.

use crate::{engine::Engine, run};

const DATA: &str = "
load 1m
  m{l=\"a\"} 1x20
  m{l=\"b\"} 2x20
  h {{schema:0 sum:1 count:1 buckets:[1]}}+{{schema:0 sum:1 count:1 buckets:[1]}}x20
  g {{schema:0 sum:1 count:1 buckets:[1] counter_reset_hint:gauge}}x20
  mixed 1 {{schema:0 sum:1 count:1 buckets:[1]}}

";

/// Runs one `eval` over these series; tells passed or why it failed.
fn verdict(eval: &str) -> String {
    let report = run::script("runner", &format!("{DATA}{eval}\n"), &Engine::of_prometheus(), 0).unwrap();
    match report.verdicts.as_slice() {
        [(_, run::Verdict::Passed)] => "passed".to_owned(),
        [(_, run::Verdict::Failed(why))] => why.clone(),
        verdicts => panic!("{} verdicts", verdicts.len()),
    }
}

fn assert_verdicts(cases: &[(String, &str)]) {
    for (eval, why) in cases {
        let verdict = verdict(eval);
        assert!(verdict.contains(why), "{eval}{verdict}");
    }
}

#[test]
fn a_wrong_expectation_fails() {
    let a = "m{l=\"a\"} 1\n";
    let b = "m{l=\"b\"} 2\n";
    let instant = "eval instant at 5m";
    assert_verdicts(&[
        (format!("{instant} m\n{a}{b}"), "passed"),
        (format!("{instant} m\n{a}m{{l=\"b\"}} 2.00001\n"), "came 2"),
        (format!("{instant} m\n{a}"), "unexpected"),
        (format!("{instant} m{{l=\"a\"}}\n{a}{b}"), "missing"),
        (format!("{instant} sort(m)\nexpect ordered\n{b}{a}"), "should be number"),
        (format!("{instant} m\nexpect fail\n"), "should fail"),
        (format!("{instant} m{{\n{a}"), "parse error"),
        (format!("{instant} m{{\nexpect fail msg: other\n"), "should fail with \"other\""),
        (format!("{instant} quantile(2, m)\nexpect no_warn\n{{}} Inf\n"), "unexpected warnings"),
        (format!("{instant} m\nexpect warn\n{a}{b}"), "no warning is anything"),
        (format!("{instant} 2\n3\n"), "expected 3, came 2"),
        (format!("{instant} 2\n{{}} 2\n"), "expected series"),
        (format!("{instant} vector(2)\n2\n"), "expected the scalar"),
        (format!("{instant} \"a\"\nexpect string \"b\"\n"), "expected the string"),
    ]);
}

#[test]
fn a_wrong_expectation_of_a_matrix_fails() {
    let range = "eval range from 0 to 1m step 1m";
    let histogram = "{{sum:1 count:1 buckets:[1]}}";
    assert_verdicts(&[
        (format!("{range} sum(m)\n{{}} 3 3\n"), "passed"),
        (format!("{range} sum(m)\n{{}} 3 4\n"), "expected [3 @0, 4 @60000], came [3 @0, 3 @60000]"),
        (format!("{range} sum(m)\n{{}} 3\n"), "expected [3 @0]"),
        (format!("{range} sum(m)\n{{}} 3 3 _\n"), "more than there are steps"),
        (format!("{range} mixed\nmixed 1 {histogram}\n"), "passed"),
        (format!("{range} mixed\nmixed 1 1\n"), "expected [1 @0, 1 @60000], came [1 @0, {{count:1 sum:1"),
        (format!("{range} mixed\nmixed 1 _\n"), "expected [1 @0], came"),
        (format!("{range} mixed\nmixed _ {histogram}\n"), "expected [{{count:1 sum:1"),
        (
            format!(
                "eval instant at 1m mixed[2m]\nexpect range vector from 0 to 1m step 1m\nmixed 1 {histogram}\n"
            ),
            "passed",
        ),
        (
            format!(
                "eval instant at 1m mixed[2m]\nexpect range vector from 0 to 1m step 1m\nmixed 1 {histogram} 1\n"
            ),
            "more than there are steps",
        ),
        (
            format!(
                "eval instant at 1m mixed[2m]\nexpect range vector from 1m to 2m step 1m\nmixed 1 {histogram}\n"
            ),
            "came",
        ),
    ]);
}

#[test]
fn a_wrong_expectation_of_a_histogram_fails() {
    let h = |fields: &str| format!("eval instant at 1m h\nh {{{{{fields}}}}}\n");
    let g = |fields: &str| format!("eval instant at 1m g\ng {{{{sum:1 count:1 buckets:[1] {fields}}}}}\n");
    assert_verdicts(&[
        (h("sum:2 count:2 buckets:[2]"), "passed"),
        (h("sum:2.000001 count:2 offset:-2 buckets:[0 0 2.000001 0]"), "passed"),
        (h("sum:2 count:2 buckets:[2] counter_reset_hint:not_reset"), "passed"),
        (
            h("sum:2 count:2 buckets:[2] counter_reset_hint:unknown"),
            "came {{count:2 sum:2 counter_reset_hint:not_reset",
        ),
        (
            h("sum:2 count:2 buckets:[2] counter_reset_hint:gauge"),
            "expected {{count:2 sum:2 counter_reset_hint:gauge",
        ),
        (h("sum:3 count:2 buckets:[2]"), "came"),
        (h("sum:2 count:3 buckets:[2]"), "came"),
        (h("sum:2 count:2 buckets:[1]"), "came"),
        (h("sum:2 count:2 buckets:[2] offset:1"), "came"),
        (h("sum:2 count:2 buckets:[2 1]"), "came"),
        (h("sum:2 count:2 buckets:[2] n_buckets:[1]"), "came"),
        (h("sum:2 count:2 buckets:[2] z_bucket:1"), "came"),
        (h("sum:2 count:2 buckets:[2] z_bucket_w:1"), "came"),
        (h("sum:2 count:2 buckets:[2] schema:1"), "came"),
        (g(""), "passed"),
        (g("counter_reset_hint:gauge"), "passed"),
        (g("counter_reset_hint:not_reset"), "came"),
        ("eval instant at 1m h\nh 2\n".to_owned(), "expected 2, came {{count:2"),
        ("eval instant at 1m m{l=\"a\"}\nm{l=\"a\"} {{}}\n".to_owned(), "expected {{}} (any hint), came 1"),
    ]);
}
