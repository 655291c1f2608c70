//! PromQL by scripts: Prometheus's own, where they are at hand, and ours beside this folder.

// All of it is a test, helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod compare;
mod consistency;
mod engine;
mod passing;
mod pinned;
mod run;
mod script;
mod series;
mod skip;
mod storage;

use engine::Engine;
use run::Report;
use std::path::{Path, PathBuf};

fn in_crate(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The scripts of a folder: name and text, sorted.
fn scripts(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "test"));
    paths.sort();
    let read = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (file, std::fs::read_to_string(path).unwrap())
    };
    paths.iter().map(read).collect()
}

/// Says something that is to be seen though the test passes: the test runner keeps what
/// `println!` prints to itself.
fn tell(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Runs every script of a folder; prints how each went and what failed.
fn run_folder(folder: &Path, seed: u64) -> Vec<Report> {
    let engine = Engine::new();
    let mut reports = Vec::new();
    for (file, text) in scripts(folder) {
        let report = run::script(&file, &text, &engine, seed).unwrap_or_else(|e| panic!("{e}"));
        for (line, why) in report.failures() {
            println!("{file}:{line}: {why}");
        }
        reports.push(report);
    }
    let total: usize = reports.iter().map(|r| r.verdicts.len()).sum();
    let passed: usize = reports.iter().map(Report::passed).sum();
    let skipped: usize = reports.iter().flat_map(|r| r.skipped().into_values()).sum();
    let lines = reports.iter().map(|report| format!("{report}\n")).collect::<String>();
    tell(&format!(
        "{lines}{}: {passed} of {total} ({skipped} skipped)",
        folder.file_name().unwrap().display()
    ));
    reports
}

fn prometheus_scripts() -> Option<PathBuf> {
    let folder = in_crate("../../../shared/compat/promqltest");
    if folder.is_dir() {
        return Some(folder);
    }
    tell("skipped: Prometheus's scripts are not at ../shared/compat/promqltest");
    None
}

#[test]
fn what_passes_of_prometheus_scripts_is_what_is_listed() {
    let Some(folder) = prometheus_scripts() else { return };
    let reports = run_folder(&folder, 0);
    if let Err(differences) = passing::check(&in_crate("tests/promqltest/passing.txt"), &reports) {
        panic!("{differences}");
    }
}

#[test]
fn our_own_scripts_pass_wholly_however_data_is_cut_into_chunks() {
    for seed in [1, 2, 3] {
        for report in run_folder(&in_crate("tests/scripts"), seed) {
            assert!(!report.verdicts.is_empty(), "{} evaluates nothing", report.file);
            assert_eq!(report.passed(), report.verdicts.len(), "{report}");
        }
    }
}

#[test]
fn range_queries_answer_as_instant_queries_do() {
    let engine = Engine::new();
    let folders = [Some(in_crate("tests/scripts")), prometheus_scripts()];
    let (mut compared, mut differences) = (0, Vec::new());
    for (file, text) in folders.iter().flatten().flat_map(|folder| scripts(folder)) {
        let (count, found) = consistency::check(&text, &engine, 4).unwrap_or_else(|e| panic!("{file}: {e}"));
        compared += count;
        differences.extend(found.into_iter().map(|difference| format!("{file}: {difference}")));
    }
    println!("{compared} expressions compared");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(compared > 200, "only {compared} expressions were compared");
}

const DATA: &str = "load 1m\n  m{l=\"a\"} 1x20\n  m{l=\"b\"} 2x20\n  h {{schema:0 sum:1 count:1}}x20\n\n";

/// Runs one `eval` over three series; tells passed, skipped or why it failed.
fn verdict(eval: &str) -> String {
    let report = run::script("runner", &format!("{DATA}{eval}\n"), &Engine::new(), 0).unwrap();
    match report.verdicts.as_slice() {
        [(_, run::Verdict::Passed)] => "passed".to_owned(),
        [(_, run::Verdict::Skipped(reason))] => format!("skipped: {reason}"),
        [(_, run::Verdict::Failed(why))] => why.clone(),
        verdicts => panic!("{} verdicts", verdicts.len()),
    }
}

#[test]
fn a_wrong_expectation_fails() {
    let a = "m{l=\"a\"} 1\n";
    let b = "m{l=\"b\"} 2\n";
    let instant = "eval instant at 5m";
    assert_eq!(verdict(&format!("{instant} m\n{a}{b}")), "passed");
    for (eval, why) in [
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
        ("eval range from 0 to 1m step 1m sum(m)\n{} 3 4\n".to_owned(), "expected [(0, 3.0), (60000, 4.0)]"),
        ("eval range from 0 to 1m step 1m sum(m)\n{} 3\n".to_owned(), "expected [(0, 3.0)]"),
    ] {
        let verdict = verdict(&eval);
        assert!(verdict.contains(why), "{eval}{verdict}");
    }
}

#[test]
fn only_what_is_not_built_yet_is_skipped() {
    let skipped = |eval: &str| verdict(&format!("eval instant at 5m {eval}"));
    assert_eq!(skipped("h\n"), "skipped: native histogram");
    assert_eq!(skipped("count({__name__=~\"h|m\"})\n{} 3\n"), "skipped: native histogram");
    assert_eq!(skipped("m\nm {{}}\n"), "skipped: native histogram");
    assert_eq!(skipped("m smoothed\nm 7\n"), "skipped: experimental");
    assert_eq!(skipped("limitk(1, m)\nm 7\n"), "skipped: experimental");
    assert_eq!(skipped("sum_over_time(m[1m + 1m])\nm 7\n"), "skipped: experimental");
}
