//! `yagura rules check`: what is wrong with rule files, and what should be another way.

use crate::{Outcome, documents, files};
use anyhow::Result;
use promql::Features;
use rules::{Lint, Reading, RuleGroup, Severity};
use service_api::RuleLanguage;
use std::{io::Write, path::Path};

pub struct CheckOptions {
    /// Files and folders; `-` is standard input.
    pub files: Vec<String>,
    /// What rules are in that do not say so.
    pub lang: Option<RuleLanguage>,
    pub features: Features,
    /// What is only not as it should be is to be told by the exit code.
    pub lint_fatal: bool,
}

/// Says of each file whether it is good.
///
/// # Errors
/// `out` cannot be written to. What is wrong with a file is printed.
pub fn check_rules(options: &CheckOptions, out: &mut dyn Write) -> Result<Outcome> {
    let names = files::rule_files(&options.files).map_err(anyhow::Error::msg)?;
    let reading = Reading { lang: options.lang, promql: options.features.parse_options() };
    let (mut outcome, mut all) = (Outcome::Good, Vec::new());
    for name in &names {
        let shown = if name == "-" { "standard input" } else { name };
        writeln!(out, "Checking {shown}")?;
        match read(name, shown, &reading) {
            Ok(groups) => {
                let rules: usize = groups.iter().map(|group| group.rules.len()).sum();
                writeln!(out, "  SUCCESS: {rules} rules found")?;
                all.extend(groups.into_iter().map(|group| (shown.to_owned(), group)));
            }
            Err(problems) => {
                writeln!(out, "  FAILED:")?;
                problems.iter().try_for_each(|problem| writeln!(out, "    {problem}"))?;
                outcome = Outcome::Bad;
            }
        }
    }
    let lints = rules::lint(&all);
    print(&lints, out)?;
    if outcome == Outcome::Good && lints.iter().any(|lint| lint.severity == Severity::Error) {
        outcome = Outcome::Bad;
    } else if outcome == Outcome::Good
        && options.lint_fatal
        && lints.iter().any(|lint| lint.severity == Severity::Warning)
    {
        outcome = Outcome::Doubtful;
    }
    Ok(outcome)
}

fn read(name: &str, shown: &str, reading: &Reading) -> Result<Vec<RuleGroup>, Vec<String>> {
    let text = if name == "-" {
        files::read_all(std::io::stdin(), shown)
    } else {
        files::read_text(Path::new(name))
    };
    let documents = documents::read(name, &text.map_err(|e| vec![e])?, reading)?;
    Ok(documents.into_iter().flat_map(|document| document.groups).collect())
}

fn print(lints: &[Lint], out: &mut dyn Write) -> Result<()> {
    if !lints.is_empty() {
        writeln!(out)?;
    }
    for lint in lints {
        writeln!(out, "{lint}")?;
    }
    Ok(())
}
