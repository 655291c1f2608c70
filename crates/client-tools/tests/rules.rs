//! Unit tests of rules: those that must pass, and those that must fail with what they say.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use client_tools::{CheckOptions, Outcome, TestOptions, check_rules, test_rules};
use promql::Features;
use regex::Regex;
use runtime::ManualClock;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules").join(name)
}

fn tests_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with(".test.yaml"));
    found.sort();
    assert!(!found.is_empty());
    found
}

fn options(files: &[&Path]) -> TestOptions {
    TestOptions {
        files: files.iter().map(|path| path.display().to_string()).collect(),
        run: None,
        diff: false,
        lang: None,
        features: Features::default(),
        clock: Arc::new(ManualClock::at(0)),
    }
}

/// What is printed, without where this folder is.
async fn run(options: &TestOptions) -> (Outcome, String) {
    let mut out = Vec::new();
    let outcome = test_rules(options, &mut out).await.unwrap();
    (outcome, here(out))
}

fn here(out: Vec<u8>) -> String {
    String::from_utf8(out)
        .unwrap()
        .replace(&format!("{}/", folder("").display().to_string().trim_end_matches('/')), "")
}

#[tokio::test]
async fn all_tests_pass() {
    let (mut tests, mut failed) = (0, String::new());
    let success = Regex::new(r"SUCCESS: (\d+) test").unwrap();
    for path in tests_in(&folder("")) {
        let (outcome, text) = run(&options(&[&path])).await;
        if outcome != Outcome::Good || text.contains("warning") {
            failed += &text;
        }
        let passed = success.captures(&text).map(|found| found[1].to_owned());
        tests += passed.map_or(0, |passed| passed.parse::<usize>().unwrap());
    }
    assert!(failed.is_empty(), "{failed}");
    assert!(tests >= 60, "there are only {tests} tests");
}

#[tokio::test]
async fn wrong_expectations_fail_with_what_is_wrong() {
    let mut wrong = String::new();
    for path in tests_in(&folder("failing")) {
        let (outcome, plain) = run(&options(&[&path])).await;
        assert_eq!(outcome, Outcome::Bad, "{plain}");
        let (_, diff) = run(&TestOptions { diff: true, ..options(&[&path]) }).await;
        let text = if plain == diff { plain } else { format!("{plain}\n--diff\n{diff}") };
        compare(&path.with_extension("out"), &text, &mut wrong);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test]
async fn every_test_that_should_fail_does_alone() {
    let path = folder("failing/expectations.test.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let names = text.lines().filter_map(|line| line.strip_prefix("  - name: "));
    let mut failed = 0;
    for name in names {
        let run_only = Some(Regex::new(&format!("^{name}$")).unwrap());
        let (outcome, out) = run(&TestOptions { run: run_only, ..options(&[&path]) }).await;
        assert!(out.contains("not asked for"), "{out}");
        assert_eq!(outcome == Outcome::Good, name == "this one is right", "{out}");
        failed += usize::from(outcome == Outcome::Bad);
    }
    assert!(failed >= 12, "only {failed} tests failed");
}

#[test]
fn files_are_checked() {
    let mut wrong = String::new();
    for (file, lint_fatal, expected) in [
        ("good.yaml", true, Outcome::Good),
        ("bad.yaml", false, Outcome::Bad),
        ("duplicates.yaml", true, Outcome::Doubtful),
        ("duplicates.yaml", false, Outcome::Good),
        ("none.yaml", false, Outcome::Bad),
        (".", false, Outcome::Bad),
    ] {
        let path = folder("check").join(file);
        let files = vec![path.display().to_string()];
        let mut out = Vec::new();
        let options = CheckOptions { files, lang: None, features: Features::default(), lint_fatal };
        let outcome = check_rules(&options, &mut out).unwrap();
        let text = here(out);
        assert_eq!(outcome, expected, "{text}");
        if file != "." {
            compare(&path.with_extension("out"), &text, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// With `UPDATE_EXPECTED` set what is printed becomes what is expected.
fn compare(expected: &Path, text: &str, wrong: &mut String) {
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(expected, text).unwrap();
    }
    let wanted = fs::read_to_string(expected).unwrap_or_default();
    if wanted != text {
        *wrong += &format!("{} should be\n{wanted}\nand is\n{text}\n", expected.display());
    }
}
