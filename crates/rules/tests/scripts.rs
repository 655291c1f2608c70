//! Runs the scripts beside this file, which show rule files and what comes of reading them.
//!
//! A case begins with `=== title`, then come settings in brackets (`[group]`, `[namespaces]`, `[logql]`, `[promql]`
//! or `[all-features]`; nothing for a file of groups), the YAML, a line `>>>`, and the answer: each problem, or the
//! rules with their language, what is printed of them (if it differs from what was read), and lints.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's way to fail")]

use rules::{Problem, Reading, RuleFile, RuleGroup, RuleKind};
use service_api::RuleLanguage;
use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

fn reading(settings: &str) -> Reading {
    let lang = match settings {
        _ if settings.contains("[logql]") => Some(RuleLanguage::Logql),
        _ if settings.contains("[promql]") => Some(RuleLanguage::Promql),
        _ => None,
    };
    let mut promql = promql::ParseOptions::default();
    if settings.contains("[all-features]") {
        promql = promql::ParseOptions::all_features();
    }
    Reading { lang, promql }
}

/// Groups by file or namespace, and how they are printed.
type Read = Result<(Vec<(String, RuleGroup)>, String), Vec<Problem>>;

fn read(settings: &str, yaml: &str) -> Read {
    let reading = reading(settings);
    if settings.contains("[group]") {
        let group = rules::read_group(yaml, &reading)?;
        let printed = rules::write_group(&group);
        assert_eq!(rules::read_group(&printed, &reading).as_ref(), Ok(&group), "{printed}");
        return Ok((vec![("namespace".into(), group)], printed));
    }
    if settings.contains("[namespaces]") {
        let namespaces = rules::read_namespaces(yaml, &reading)?;
        let printed = rules::write_namespaces(&namespaces);
        assert_eq!(rules::read_namespaces(&printed, &reading).as_ref(), Ok(&namespaces), "{printed}");
        let groups = namespaces
            .into_iter()
            .flat_map(|(namespace, groups)| groups.into_iter().map(move |group| (namespace.clone(), group)));
        return Ok((groups.collect(), printed));
    }
    let file = rules::read_rule_file(yaml, &reading)?;
    let printed = rules::write_rule_file(&file);
    assert_eq!(rules::read_rule_file(&printed, &reading).as_ref(), Ok(&file), "{printed}");
    let RuleFile { namespace, groups } = file;
    let namespace = namespace.unwrap_or_else(|| "file".into());
    Ok((groups.into_iter().map(|group| (namespace.clone(), group)).collect(), printed))
}

fn answer(settings: &str, yaml: &str) -> String {
    let mut out = String::new();
    let (groups, printed) = match read(settings, yaml) {
        Ok(read) => read,
        Err(problems) => {
            for problem in problems {
                writeln!(out, "{problem}").unwrap();
            }
            return out;
        }
    };
    for (namespace, group) in &groups {
        for rule in &group.rules {
            let kind = match &rule.kind {
                RuleKind::Record(_) => "record",
                RuleKind::Alert { .. } => "alert",
            };
            let labels: BTreeMap<_, _> = rule.labels.iter().collect();
            let (name, lang) = (rule.name(), rule.expr.lang().as_str());
            writeln!(out, "{namespace}/{}: {kind} {name}: {lang} {labels:?}", group.name).unwrap();
        }
    }
    if printed != yaml {
        writeln!(out, "printed:\n{}", printed.trim_end()).unwrap();
    }
    for lint in rules::lint(&groups) {
        writeln!(out, "{lint}").unwrap();
    }
    out
}

fn script(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    let text = fs::read_to_string(&path).unwrap();
    let (head, cases) = text.split_once("=== ").unwrap();
    let mut got = head.to_owned();
    let (mut count, mut failed) = (0, Vec::new());
    for case in cases.split("\n=== ") {
        let (title, rest) = case.split_once('\n').unwrap();
        let (yaml, expected) = rest.split_once(">>>\n").unwrap_or_else(|| panic!("{title}: no >>>"));
        let yaml = yaml.replace('⇥', "\t").replace('∅', "\0");
        let answer = answer(title, &yaml);
        count += 1;
        if answer.trim_end() != expected.trim_end() {
            failed.push(format!("{title}:\n{answer}"));
        }
        write!(got, "=== {title}\n{}>>>\n{answer}\n", yaml.replace('\t', "⇥").replace('\0', "∅")).unwrap();
    }
    let written = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&written, got).unwrap();
    let written = written.display();
    assert!(failed.is_empty(), "{} of {count}, all in {written}:\n{}", failed.len(), failed.join("\n"));
    assert!(count > 5, "only {count} cases were found");
}

#[test]
fn files_are_read_and_printed() {
    script("files.txt");
}

#[test]
fn all_that_is_wrong_with_a_file_is_told() {
    script("problems.txt");
}

#[test]
fn a_rule_that_does_not_say_its_language_is_taken_for_what_it_is() {
    script("languages.txt");
}

#[test]
fn what_is_likely_a_mistake_is_pointed_out() {
    script("lints.txt");
}
