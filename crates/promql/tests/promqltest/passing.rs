//! All of Prometheus's evaluations pass, but for exceptions that are named here.

use crate::run::Report;

/// `file:line` of an evaluation that does not pass, and why that is right.
const EXCEPTIONS: [(&str, &str); 0] = [];

/// Every evaluation that should pass and does not is a line of the error, and every exception that there is
/// no need for.
pub fn check(reports: &[Report]) -> Result<(), String> {
    let failures = reports
        .iter()
        .flat_map(|report| report.failures().map(|(line, why)| (format!("{}:{line}", report.file), why)));
    let (excused, failed): (Vec<_>, Vec<_>) =
        failures.partition(|(place, _)| EXCEPTIONS.iter().any(|(excused, _)| place == excused));
    let failed = failed.iter().map(|(place, why)| format!("{place}: {why}"));
    let idle = EXCEPTIONS.iter().filter(|(place, _)| !excused.iter().any(|(excused, _)| place == excused));
    let idle = idle.map(|(place, why)| format!("{place} passes or is not there, but is excused: {why}"));
    let lines: Vec<_> = failed.chain(idle).collect();
    if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
}
