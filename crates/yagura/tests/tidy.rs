//! Rules about the sources themselves: which crate may use which, and how files look.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use serde_json::Value;
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A crate may use those on the floors below its own, never its neighbours.
const FLOORS: &[(&str, u32)] = &[
    ("model", 0),
    ("runtime", 0),
    ("service-api", 1),
    ("histogram", 1),
    ("chunk", 1),
    ("query-syntax", 1),
    ("tsdb", 2),
    ("hash-ring", 2),
    ("vectors", 2),
    ("template", 2),
    ("promql", 3),
    ("logql", 3),
    ("block-store", 3),
    ("self-scrape", 3),
    ("rpc", 4),
    ("removal", 4),
    ("rules", 4),
    ("notifier", 4),
    ("distributor", 5),
    ("ingester", 5),
    ("querier", 5),
    ("compactor", 5),
    ("ruler", 5),
    ("client-tools", 5),
    ("http-api", 5),
    ("bucket-tools", 5),
    ("yagura", 6),
    ("integration-tests", 7),
    ("simulation", 7),
];

/// From where a file should be taken apart, and from where it must.
const LONG: usize = 400;
const TOO_LONG: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn workspace_packages() -> Vec<Value> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

#[test]
fn dependencies_only_go_down() {
    let floors: BTreeMap<&str, u32> = FLOORS.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in workspace_packages() {
        let name = package["name"].as_str().unwrap();
        let Some(floor) = floors.get(name) else {
            wrong.push(format!("{name} stands on no floor: add it to the table of this test"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let (other, kind) = (dependency["name"].as_str().unwrap(), dependency["kind"].as_str());
            let below = floors.get(other).is_none_or(|other| other < floor);
            if kind != Some("dev") && !below {
                wrong.push(format!("{name} (floor {floor}) uses {other} (floor {})", floors[other]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn sources(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, out);
        } else if name.ends_with(".rs") {
            out.push(path);
        }
    }
}

fn project_sources() -> Vec<(PathBuf, String)> {
    let mut paths = Vec::new();
    for folder in ["crates", "integration-tests"] {
        sources(&root().join(folder), &mut paths);
    }
    assert!(paths.len() > 30, "the sources were not found");
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_file_says_what_it_is_for() {
    let bare: Vec<_> = project_sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert!(bare.is_empty(), "files without a //! line at the top:\n{}", bare.join("\n"));
}

#[test]
fn files_stay_short_enough_to_be_read() {
    let mut too_long = Vec::new();
    for (path, text) in project_sources() {
        let path = path.display().to_string();
        let is_test = path.contains("/tests") || path.contains("/benches/");
        let lines = text.lines().count();
        if lines > LONG && !is_test {
            println!("long: {path} has {lines} lines");
        }
        if lines > TOO_LONG && !is_test {
            too_long.push(format!("{path} has {lines} lines"));
        }
    }
    assert!(too_long.is_empty(), "{}", too_long.join("\n"));
}

#[test]
fn modules_stand_beside_their_folder() {
    let paths = project_sources().into_iter().map(|(path, _)| path);
    let wrong: Vec<_> = paths.filter(|p| p.ends_with("mod.rs")).collect();
    assert!(wrong.is_empty(), "foo.rs beside foo/, no mod.rs: {wrong:?}");
}

#[test]
fn no_path_of_one_machine_is_in_the_sources() {
    let words = [concat!("/wo", "rk/"), concat!("\"/ro", "ot/"), concat!("\"/t", "mp")];
    let mut found = Vec::new();
    for (path, text) in project_sources() {
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
