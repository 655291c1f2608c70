//! The list of evaluations that pass. It may only grow.

use crate::run::{Report, Verdict};
use std::{collections::BTreeSet, path::Path};

/// The variable that makes a run rewrite the list.
pub const UPDATE: &str = "YAGURA_UPDATE_PASSING";

/// Compares what passed with the list; every difference is a line of the error.
pub fn check(list: &Path, reports: &[Report]) -> Result<(), String> {
    let evaluations = |wanted: fn(&Verdict) -> bool| -> BTreeSet<(String, usize)> {
        let all =
            reports.iter().flat_map(|r| r.verdicts.iter().map(move |(line, v)| (r.file.clone(), *line, v)));
        all.filter(|(_, _, v)| wanted(v)).map(|(file, line, _)| (file, line)).collect()
    };
    let passed = evaluations(|v| matches!(v, Verdict::Passed));
    if std::env::var(UPDATE).is_ok_and(|v| v == "1") {
        return std::fs::write(list, render(&passed)).map_err(|e| e.to_string());
    }
    let listed = read(&std::fs::read_to_string(list).map_err(|e| format!("{}: {e}", list.display()))?);
    let lost =
        listed.difference(&passed).map(|(file, line)| format!("{file}:{line} is listed but does not pass"));
    let new =
        passed.difference(&listed).map(|(file, line)| format!("{file}:{line} passes but is not listed"));
    let differences: Vec<_> = lost.chain(new).collect();
    if differences.is_empty() {
        return Ok(());
    }
    Err(format!("{}\nrun with {UPDATE}=1 once this is as it should be", differences.join("\n")))
}

/// `file:line`, one a line, so that a change shows what it won or lost.
fn render(passed: &BTreeSet<(String, usize)>) -> String {
    passed.iter().map(|(file, line)| format!("{file}:{line}\n")).collect()
}

fn read(text: &str) -> BTreeSet<(String, usize)> {
    let entry = |line: &str| {
        let (file, number) = line.rsplit_once(':')?;
        Some((file.to_owned(), number.parse().ok()?))
    };
    text.lines().filter_map(entry).collect()
}
