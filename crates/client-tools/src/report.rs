//! How the tests of a file fared, for people.

use crate::diff;
use std::io::{self, Write};

/// Lines of what was expected, or came, that are shown.
const MAX_LINES: usize = 200;

/// What is not as expected.
#[derive(Debug)]
pub struct Failure {
    what: String,
    /// What was expected, and what came instead.
    difference: Option<(Vec<String>, Vec<String>)>,
}

impl Failure {
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), difference: None }
    }

    pub fn differs(what: impl Into<String>, expected: Vec<String>, got: Vec<String>) -> Self {
        Self { what: what.into(), difference: Some((expected, got)) }
    }

    fn print(&self, diff: bool, out: &mut dyn Write) -> io::Result<()> {
        let Some((expected, got)) = &self.difference else { return writeln!(out, "    {}", self.what) };
        writeln!(out, "    {}", self.what)?;
        if diff {
            let (expected, got) = (expected.join("\n"), got.join("\n"));
            return write!(out, "{}", diff::print(&expected, &got, MAX_LINES, "      "));
        }
        for (title, lines) in [("expected", expected), ("got", got)] {
            if lines.is_empty() {
                writeln!(out, "      {title}: nothing")?;
                continue;
            }
            writeln!(out, "      {title}:")?;
            for line in lines.iter().take(MAX_LINES) {
                writeln!(out, "        {line}")?;
            }
            if lines.len() > MAX_LINES {
                writeln!(out, "        … and {} more lines", lines.len() - MAX_LINES)?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
pub struct Report {
    pub warnings: Vec<String>,
    /// Tests that were not asked for.
    pub skipped: usize,
    passed: usize,
    /// Of each test that failed its name and why.
    failed: Vec<(String, Vec<Failure>)>,
    /// Why no test could be run.
    broken: Vec<String>,
}

impl Report {
    pub fn test(&mut self, name: String, failures: Vec<Failure>) {
        if failures.is_empty() {
            self.passed += 1;
        } else {
            self.failed.push((name, failures));
        }
    }

    pub fn fail_all(&mut self, problems: Vec<String>) {
        self.broken.extend(problems);
    }

    pub fn has_failed(&self) -> bool {
        !self.failed.is_empty() || !self.broken.is_empty()
    }

    pub fn print(&self, diff: bool, out: &mut dyn Write) -> io::Result<()> {
        for warning in &self.warnings {
            writeln!(out, "  warning: {warning}")?;
        }
        if !self.broken.is_empty() {
            writeln!(out, "  FAILED:")?;
            return self.broken.iter().try_for_each(|problem| writeln!(out, "    {}", problem.trim_end()));
        }
        let tests = self.passed + self.failed.len();
        let skipped =
            if self.skipped > 0 { format!(", {} not asked for", self.skipped) } else { String::new() };
        if self.failed.is_empty() {
            return writeln!(out, "  SUCCESS: {}{skipped}", many(tests));
        }
        writeln!(out, "  FAILED: {} of {}{skipped}", self.failed.len(), many(tests))?;
        for (name, failures) in &self.failed {
            writeln!(out, "  test {name}:")?;
            failures.iter().try_for_each(|failure| failure.print(diff, out))?;
        }
        Ok(())
    }
}

fn many(tests: usize) -> String {
    format!("{tests} test{}", if tests == 1 { "" } else { "s" })
}
