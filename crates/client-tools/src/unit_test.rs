//! `yagura rules test`: unit tests of rules, evaluated by the code that evaluates them in earnest.

mod check;
mod expected;
mod file;
mod input;
mod run;

use crate::{Outcome, files, report::Report};
use anyhow::Result;
use file::TestFile;
use promql::Features;
use regex::Regex;
use rules::{Reading, RuleGroup};
use runtime::Clock;
use service_api::RuleLanguage;
use std::{io::Write, path::Path, sync::Arc};

pub struct TestOptions {
    pub files: Vec<String>,
    /// Only tests whose name it is found in.
    pub run: Option<Regex>,
    /// Differences are shown line by line.
    pub diff: bool,
    /// What rules are in that do not say so.
    pub lang: Option<RuleLanguage>,
    pub features: Features,
    pub clock: Arc<dyn Clock>,
}

/// A group, and the file that it is from.
type FileGroup = (String, RuleGroup);

/// Runs the tests of all files and says how each file fared.
///
/// # Errors
/// `out` cannot be written to. What is wrong with a file is printed.
pub async fn test_rules(options: &TestOptions, out: &mut dyn Write) -> Result<Outcome> {
    let mut outcome = Outcome::Good;
    for file in &options.files {
        writeln!(out, "Testing {file}")?;
        let mut report = Report::default();
        match read(file, options, &mut report) {
            Ok((tests, groups)) => all(options, &tests, &groups, &mut report).await,
            Err(problems) => report.fail_all(problems),
        }
        report.print(options.diff, out)?;
        if report.has_failed() {
            outcome = Outcome::Bad;
        }
    }
    Ok(outcome)
}

async fn all(options: &TestOptions, tests: &TestFile, groups: &[FileGroup], report: &mut Report) {
    for (at, case) in tests.tests.iter().enumerate() {
        let name = if case.name.is_empty() { format!("unnamed#{at}") } else { case.name.clone() };
        if options.run.as_ref().is_some_and(|run| !run.is_match(&case.name)) {
            report.skipped += 1;
            continue;
        }
        let failures = run::test(options, tests, case, groups).await;
        report.test(name, failures);
    }
}

/// The file with the tests, and the rules that they are about.
fn read(
    file: &str,
    options: &TestOptions,
    report: &mut Report,
) -> Result<(TestFile, Vec<FileGroup>), Vec<String>> {
    let text = files::read_text(Path::new(file)).map_err(|e| vec![e])?;
    let tests = file::read(&text).map_err(|e| vec![format!("{file}: {e}")])?;
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let reading = Reading { lang: options.lang, promql: options.features.parse_options() };
    let (mut groups, mut problems) = (Vec::new(), Vec::new());
    for pattern in &tests.rule_files {
        let paths = files::matching(folder, pattern).map_err(|e| vec![e])?;
        if paths.is_empty() {
            report.warnings.push(format!("no file is named {pattern}"));
        }
        for path in paths {
            let name = path.display().to_string();
            let found = files::read_text(&path).map_err(|e| vec![e])?;
            match rules::read_file(&found, &reading) {
                Ok(found) => groups.extend(found.into_iter().map(|group| (name.clone(), group))),
                Err(found) => problems.extend(found.iter().map(|problem| files::with_place(&name, problem))),
            }
        }
    }
    order(&tests.group_eval_order, &mut groups, report)?;
    if problems.is_empty() { Ok((tests, groups)) } else { Err(problems) }
}

/// Puts groups in the order that is asked for; those that it does not name are as those that it names first.
fn order(names: &[String], groups: &mut [FileGroup], report: &mut Report) -> Result<(), Vec<String>> {
    for (at, name) in names.iter().enumerate() {
        if names.iter().take(at).any(|earlier| earlier == name) {
            return Err(vec![format!("group_eval_order names the group {name} twice")]);
        }
        if !groups.iter().any(|(_, group)| group.name == *name) {
            report.warnings.push(format!("group_eval_order names the group {name}, which no rule file has"));
        }
    }
    groups.sort_by_key(|(_, group)| names.iter().position(|name| *name == group.name).unwrap_or(0));
    Ok(())
}
