//! Tests of runs: scripts, in the language of `script.rs`, and what holds for all of them.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod handover;
mod script;
mod templates;
mod world;

use std::{fs, path::Path};

/// Set it to have the scripts say what comes of them, and read the differences.
const UPDATE: &str = "UPDATE_SCRIPTS";

#[tokio::test]
async fn scripts_say_what_comes_of_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/run/tests/scripts");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 5, "the scripts were not found");
    let mut wrong = Vec::new();
    for path in paths {
        let expected = fs::read_to_string(&path).unwrap();
        let actual = script::run(&expected).await;
        if actual != expected {
            if std::env::var_os(UPDATE).is_some() {
                fs::write(&path, &actual).unwrap();
            }
            wrong.push(format!("{}:\n{}", path.display(), difference(&expected, &actual)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The first lines that differ.
fn difference(expected: &str, actual: &str) -> String {
    let (expected, actual): (Vec<_>, Vec<_>) = (expected.lines().collect(), actual.lines().collect());
    let same = expected.iter().zip(&actual).take_while(|(e, a)| e == a).count();
    let from = same.saturating_sub(6);
    let show = |lines: &[&str]| lines.iter().skip(from).take(16).copied().collect::<Vec<_>>().join("\n");
    format!("line {}, expected\n{}\n---- but it is\n{}\n", same + 1, show(&expected), show(&actual))
}
