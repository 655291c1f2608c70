//! Prometheus's own examples of unit tests of rules: they pass, and fail, where promtool says so.
//!
//! `scripts/tools.sh` brings them; they are not in this repository.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use client_tools::{Outcome, TestOptions, test_rules};
use promql::Features;
use regex::Regex;
use runtime::ManualClock;
use std::{path::Path, sync::Arc};

/// A file, which of its tests are run, and whether they are good.
const EXAMPLES: &[(&str, Option<&str>, bool)] = &[
    ("unittest.yml", None, true),
    ("long-period.yml", None, true),
    ("at-modifier-test.yml", None, true),
    ("negative-offset-test.yml", None, true),
    ("no-test-group-interval.yml", None, true),
    ("start-time-test.yml", None, true),
    ("rules_run.yml", Some("^correct"), true),
    ("rules_run.yml", Some("^wrong"), false),
    ("rules_run.yml", None, false),
    ("rules_run_fuzzy.yml", Some("^correct"), true),
    ("rules_run_fuzzy.yml", Some("^wrong"), false),
    ("rules_run_no_fuzzy.yml", None, false),
    ("bad-input-series.yml", None, false),
    ("bad-promql.yml", None, false),
    ("bad-rules-syntax-test.yml", None, false),
    ("bad-rules-error-test.yml", None, false),
    ("failing.yml", None, false),
];

#[tokio::test]
async fn prometheus_own_examples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/prometheus-examples");
    if !folder.join("version").exists() {
        println!("skipped: {} is not there; scripts/tools.sh brings it", folder.display());
        return;
    }
    let mut wrong = String::new();
    for (file, run, is_good) in EXAMPLES {
        let options = TestOptions {
            files: vec![folder.join(file).display().to_string()],
            run: run.map(|run| Regex::new(run).unwrap()),
            diff: false,
            lang: None,
            features: Features::default(),
            clock: Arc::new(ManualClock::at(0)),
        };
        let mut out = Vec::new();
        let outcome = test_rules(&options, &mut out).await.unwrap();
        if (outcome == Outcome::Good) != *is_good {
            wrong += &format!("{file} {run:?}: {}\n", String::from_utf8_lossy(&out));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
