//! Whatever groups there are, they come back as they were from what is printed; and whatever text there is, it is
//! read or refused.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's way to fail")]

use proptest::prelude::*;
use rules::{Expression, Reading, Rule, RuleFile, RuleGroup, RuleKind};
use service_api::RuleLanguage;
use std::{collections::BTreeMap, time::Duration};

/// Texts that YAML could take for something else.
fn text() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "",
        "~",
        "null",
        "yes",
        "No",
        "1",
        "1.5",
        "0x1F",
        "1e3",
        "-",
        "- a",
        "a: b",
        "a:",
        ": a",
        "#",
        "a #b",
        "#a",
        "{a}",
        "[a]",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a`",
        "'a'",
        "\"a\"",
        "|",
        ">",
        "?",
        "? a",
        "---",
        "...",
        "a\nb",
        "a\n",
        "\na",
        "a\n\nb",
        "a\n\n",
        " a",
        "a ",
        "a\n b",
        " a\nb",
        "a \nb",
        "a\n ",
        "\t",
        "a\tb",
        "a\r\nb",
        "\r",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\0",
        "\u{7f}",
        "é",
        "日本",
        "😀",
        "\u{fffe}",
        "<<",
        "=",
        ".nan",
        ".inf",
        "nan",
        "inf",
        "1:30",
        "2024-01-01",
        "\\",
        "a\\nb",
        "on",
        "y",
        "_",
        "a,b",
        "a\u{a0}b",
        "\u{e000}",
    ]);
    let any = prop::collection::vec(any::<char>(), 0..12).prop_map(String::from_iter);
    let lines = "[ -~\n\t]{0,30}";
    prop_oneof![nasty.prop_map(str::to_owned), any, lines]
        .prop_filter("no template", |text| !text.contains("{{"))
}

fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    let name = text().prop_filter("a label's name", |name| !name.is_empty() && name != "__name__");
    prop::collection::btree_map(name, text(), 0..4)
}

fn name() -> impl Strategy<Value = String> {
    text().prop_filter("a name", |name| rules::check_name("group", name).is_ok())
}

fn lang() -> impl Strategy<Value = Option<RuleLanguage>> {
    prop::sample::select(vec![None, Some(RuleLanguage::Promql), Some(RuleLanguage::Logql)])
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(0), 0..100_000_u64, Just(86_400_000), any::<u32>().prop_map(u64::from)]
        .prop_map(Duration::from_millis)
}

fn rule() -> impl Strategy<Value = Rule> {
    let expr = prop::sample::select(vec![
        (RuleLanguage::Promql, "up"),
        (RuleLanguage::Promql, "sum(\n  rate(x[5m]) # why: because\n)\n"),
        (RuleLanguage::Promql, "  up  "),
        (RuleLanguage::Promql, "\nup == \"x\" or vector(NaN)".trim_end()),
        (RuleLanguage::Promql, "up > 1\n\n"),
        (RuleLanguage::Promql, "x{a=\"\\n: #\"} > 1"),
        (RuleLanguage::Logql, "sum(rate({a=\"b\"} |= `c` [5m]))"),
        (RuleLanguage::Logql, "sum(\n\trate({a=\"b\"} | json [5m])\r\n)"),
    ])
    .prop_filter_map("an expression", |(lang, text)| {
        Expression::parse(lang, text, promql::ParseOptions::default()).ok()
    });
    let named = || text().prop_filter("a name", |name| !name.is_empty() && !name.contains(['{', '}']));
    let kind = prop_oneof![
        named().prop_map(RuleKind::Record),
        (named(), duration(), duration(), labels()).prop_map(|(name, hold, keep_firing_for, annotations)| {
            RuleKind::Alert { name, hold, keep_firing_for, annotations }
        }),
    ];
    (kind, expr, labels(), any::<bool>()).prop_map(|(kind, expr, labels, says)| {
        let lang = says.then(|| expr.lang());
        Rule { kind, expr, labels, lang }
    })
}

prop_compose! {
    fn group()(
        name in name(),
        interval in prop::option::of(duration()),
        query_offset in prop::option::of(duration()),
        limit in 0..100_usize,
        labels in labels(),
        lang in lang(),
        mut rules in prop::collection::vec(rule(), 0..5),
    ) -> RuleGroup {
        for rule in &mut rules {
            if let Some(lang) = lang && rule.expr.lang() != lang {
                rule.lang = Some(rule.expr.lang());
            }
            let mut all = labels.clone();
            all.append(&mut rule.labels);
            rule.labels = all;
        }
        let interval = interval.filter(|interval| !interval.is_zero());
        RuleGroup { name, interval, query_offset, limit, labels, lang, rules, ignored: Vec::new() }
    }
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(first in group(), second in group(), namespace in name()) {
        let reading = Reading::default();
        let printed = rules::write_group(&first);
        prop_assert_eq!(rules::read_group(&printed, &reading), Ok(first.clone()), "{}", printed);
        let mut groups = vec![first, second];
        groups.dedup_by(|a, b| a.name == b.name);
        let file = RuleFile { namespace: Some(namespace.clone()), groups: groups.clone() };
        let printed = rules::write_rule_file(&file);
        prop_assert_eq!(rules::read_rule_file(&printed, &reading), Ok(file.clone()), "{}", printed);
        let namespaces = BTreeMap::from([(namespace, groups)]);
        let printed = rules::write_namespaces(&namespaces);
        prop_assert_eq!(rules::read_namespaces(&printed, &reading), Ok(namespaces.clone()), "{}", printed);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[ -~\n\t]{0,200}|.{0,200}") {
        let _ = rules::read_file(&text, &Reading::default());
        let _ = rules::read_group(&text, &Reading::default());
        let _ = rules::read_namespaces(&text, &Reading::default());
    }

    #[test]
    fn a_file_with_changed_bytes_is_read_or_refused(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..8)) {
        let mut bytes = include_str!("lints.txt").replace(">>>", "").into_bytes();
        bytes.truncate(3000);
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b" \n-:[{&*|>'\"#!<"[usize::from(byte) % 15]),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        for yaml in text.split("=== ").filter_map(|case| case.split_once('\n')).map(|(_, yaml)| yaml) {
            if let Ok(groups) = rules::read_file(yaml, &Reading::default()) {
                let printed = rules::write_rule_file(&RuleFile { namespace: None, groups: groups.clone() });
                prop_assert_eq!(rules::read_file(&printed, &Reading::default()), Ok(groups.clone()), "{}", printed);
                let groups: Vec<_> = groups.into_iter().map(|group| (String::new(), group)).collect();
                rules::lint(&groups);
            }
        }
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let rule = "  - {record: x, expr: up}\n";
    let many = format!("name: g\nrules:\n{}", rule.repeat(rules::MAX_RULES + 1));
    let problems = rules::read_group(&many, &Reading::default()).unwrap_err();
    assert_eq!(problems[0].to_string(), "there are 100001 rules, at most 100000 are allowed in one file");
    let most = format!("name: g\nrules:\n{}", rule.repeat(rules::MAX_RULES));
    assert_eq!(rules::read_group(&most, &Reading::default()).unwrap().rules.len(), rules::MAX_RULES);
    let long = format!("# {}", "x".repeat(rules::MAX_FILE_BYTES));
    let problems = rules::read_group(&long, &Reading::default()).unwrap_err();
    assert_eq!(problems[0].to_string(), "the file has 10485762 bytes, at most 10485760 are allowed");
}

#[test]
fn merges_that_would_take_forever_are_refused() {
    let keys: String = (0..2000).map(|i| format!("k{i}: v, ")).collect();
    let uses: String = (0..2000).map(|_| "  - {<<: *a}\n").collect();
    let problems =
        rules::read_file(&format!("a: &a {{{keys}}}\ngroups:\n{uses}"), &Reading::default()).unwrap_err();
    assert!(problems.iter().any(|problem| problem.message.contains("too large")), "{}", problems[0]);
}
