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
mod storage;
mod wrong;

use engine::Engine;
use promql::Features;
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

/// Runs every script of a folder; prints how each went.
fn run_folder(folder: &Path, engine: &Engine, seed: u64) -> Vec<Report> {
    let mut reports = Vec::new();
    for (file, text) in scripts(folder) {
        let report = run::script(&file, &text, engine, seed).unwrap_or_else(|e| panic!("{e}"));
        let evaluations = text.lines().filter(|line| line.trim_start().starts_with("eval")).count();
        assert_eq!(report.verdicts.len(), evaluations, "{file}: not every evaluation was judged");
        reports.push(report);
    }
    let total: usize = reports.iter().map(|r| r.verdicts.len()).sum();
    let passed: usize = reports.iter().map(Report::passed).sum();
    let lines = reports.iter().map(|report| format!("{report}\n")).collect::<String>();
    tell(&format!("{lines}{}: {passed} of {total}", folder.file_name().unwrap().display()));
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
fn prometheus_scripts_pass() {
    let Some(folder) = prometheus_scripts() else { return };
    if let Err(failures) = passing::check(&run_folder(&folder, &Engine::of_prometheus(), 0)) {
        panic!("{failures}");
    }
}

#[test]
fn our_own_scripts_pass_wholly_however_data_is_cut_into_chunks() {
    let engine = Engine::new(Features::default());
    for seed in [1, 2, 3] {
        for report in run_folder(&in_crate("tests/scripts"), &engine, seed) {
            assert!(!report.verdicts.is_empty(), "{} evaluates nothing", report.file);
            let failures = report.failures().map(|(line, why)| format!("{}:{line}: {why}", report.file));
            let failures = failures.collect::<Vec<_>>();
            assert!(failures.is_empty(), "{}", failures.join("\n"));
        }
    }
}

#[test]
fn range_queries_answer_as_instant_queries_do() {
    let ours = (in_crate("tests/scripts"), Engine::new(Features::default()));
    let prometheus = prometheus_scripts().map(|folder| (folder, Engine::of_prometheus()));
    let (mut compared, mut differences) = (0, Vec::new());
    for (folder, engine) in prometheus.iter().chain([&ours]) {
        for (file, text) in scripts(folder) {
            let (count, found) =
                consistency::check(&text, engine, 4).unwrap_or_else(|e| panic!("{file}: {e}"));
            compared += count;
            differences.extend(found.into_iter().map(|difference| format!("{file}: {difference}")));
        }
    }
    println!("{compared} expressions compared");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(compared > 200, "only {compared} expressions were compared");
}
