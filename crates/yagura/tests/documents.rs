//! What the documentation refers to is there: settings, files, headings.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All pages, each with its text. The chart's README is about values, which have the names of settings now and then.
fn pages() -> Vec<(PathBuf, String)> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let others = ["README.md", "deploy/README.md", "helm/README.md"].map(|page| root().join(page));
    let all = docs.filter(|path| path.extension().is_some_and(|kind| kind == "md")).chain(others);
    let pages: Vec<_> = all.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    assert!(pages.len() > 20, "the documentation was not found");
    pages
}

/// The text outside of fenced blocks.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Texts between single backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn settings_that_pages_name_exist() {
    let reference = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let rows = reference.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut known: BTreeSet<&str> = rows.collect();
    assert!(known.len() > 100, "the settings were not found");
    let sections: BTreeSet<&str> = known.iter().filter_map(|key| Some(key.split_once('.')?.0)).collect();
    // Part of a name stands for all that begin so.
    let all: Vec<&str> = known.iter().copied().collect();
    known.extend(all.iter().flat_map(|key| key.match_indices('.').map(|(at, _)| &key[..at])));
    let mut wrong = Vec::new();
    for (path, text) in pages().iter().filter(|(path, _)| !path.ends_with("helm/README.md")) {
        for span in quoted(&prose(text)) {
            let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c);
            let name = span.split(|c| !is_part(c)).next().unwrap_or("").trim_end_matches('.');
            let behind = span[name.len()..].trim_start_matches('.');
            let is_name = behind.is_empty() || behind.starts_with([':', '=', ' ']);
            let section = name.split_once('.').map(|(section, _)| section);
            if is_name
                && !name.ends_with(".rs")
                && section.is_some_and(|section| sections.contains(section))
                && !known.contains(name)
            {
                wrong.push(format!("{}: there is no setting {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn links_between_pages_lead_somewhere() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (path, text) in pages() {
        let prose = prose(&text);
        let targets = prose.split("](").skip(1).filter_map(|behind| behind.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            seen += 1;
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let to = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            if !to.exists() {
                wrong.push(format!("{}: {target}: there is no such file", path.display()));
            } else if !heading.is_empty() && !anchors(&fs::read_to_string(&to).unwrap()).contains(heading) {
                wrong.push(format!("{}: {target}: there is no such heading", path.display()));
            }
        }
    }
    assert!(seen > 50, "{seen} links are too few: are they written in another way now?");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What links to headings are called, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}
