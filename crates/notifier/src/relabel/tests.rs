//! Runs the script of relabelling rules.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;

#[test]
fn rules_do_what_the_script_says() {
    let (mut rules, mut cases) = (Relabel::default(), 0);
    let script = include_str!("rules.txt");
    let mut lines = script.lines().filter(|line| !line.starts_with('#')).peekable();
    while let Some(line) = lines.next() {
        if line == "rules:" {
            let mut yaml = String::new();
            while let Some(next) = lines.next_if(|next| next.starts_with(' ')) {
                yaml.push_str(next);
                yaml.push('\n');
            }
            rules = Relabel::new(serde_saphyr::from_str(&yaml).unwrap()).unwrap();
        } else if let Some((before, after)) = line.split_once(" => ") {
            let done = rules.apply(&labels(before)).map_or("dropped".to_owned(), |labels| labels.to_string());
            assert_eq!(done, after.trim(), "{line}");
            cases += 1;
        } else if let Some((yaml, message)) = line.split_once(" !! ") {
            let refused = Relabel::new(serde_saphyr::from_str(yaml).unwrap()).unwrap_err();
            assert!(refused.contains(message), "{line}\n{refused}");
            cases += 1;
        } else {
            assert!(line.trim().is_empty(), "{line}");
        }
    }
    assert!(cases > 30, "the script was not read");
}

/// `{a="b", c="d"}` without anything odd.
fn labels(text: &str) -> Labels {
    let inner = text.trim().trim_start_matches('{').trim_end_matches('}');
    let pairs = inner.split(", ").filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap());
    Labels::from_pairs(pairs.map(|(name, value)| (name, value.trim_matches('"'))))
}
