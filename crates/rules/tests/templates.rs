//! Runs `templates.txt`, whose answers are those of Prometheus.
//!
//! `labels {…}`, `external {…}`, `value …`, `at <ms>`, `url …` and `query <expression> => [samples]` set what a
//! template is expanded with. Each other line is a template, and below it stands what it becomes (`> `) or how it
//! fails (`! `; columns count from the template's own begin). `⏎`, `⇥` and `␍` stand for the characters they show.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's way to fail")]

use model::Labels;
use rules::{AlertTemplate, Expansion, TemplateQuerier};
use serde_json::Value as Json;
use std::collections::BTreeMap;

#[derive(Default)]
struct Queries(BTreeMap<String, Vec<(Labels, f64)>>);

impl TemplateQuerier for Queries {
    fn query(&self, expr: &str) -> Result<Vec<(Labels, f64)>, String> {
        self.0.get(expr).cloned().ok_or_else(|| format!("unknown query {expr}"))
    }
}

struct World {
    labels: Labels,
    external: Labels,
    value: f64,
    at: i64,
    url: String,
    queries: Queries,
}

fn labels(json: &Json) -> Labels {
    Labels::from_pairs(json.as_object().unwrap().iter().map(|(name, value)| (name, value.as_str().unwrap())))
}

impl World {
    /// Whether the line sets something.
    fn set(&mut self, line: &str) -> bool {
        let Some((word, rest)) = line.split_once(' ') else { return false };
        match word {
            "labels" => self.labels = labels(&serde_json::from_str(rest).unwrap()),
            "external" => self.external = labels(&serde_json::from_str(rest).unwrap()),
            "value" => self.value = rest.parse().unwrap(),
            "at" => self.at = rest.parse().unwrap(),
            "url" => rest.clone_into(&mut self.url),
            "query" => {
                let (expr, samples) = rest.split_once(" => ").unwrap();
                let samples: Vec<Json> = serde_json::from_str(samples).unwrap();
                let samples = samples.iter().map(|s| (labels(&s["Labels"]), s["Value"].as_f64().unwrap()));
                self.queries.0.insert(expr.to_owned(), samples.collect());
            }
            _ => return false,
        }
        true
    }

    fn run(&self, text: &str) -> Result<String, String> {
        AlertTemplate::parse("alert", text)?.expand(&Expansion {
            labels: &self.labels,
            value: self.value,
            external_labels: &self.external,
            external_url: &self.url,
            at: self.at,
            querier: Some(&self.queries),
        })
    }
}

#[test]
fn templates_become_what_prometheus_makes_of_them() {
    let empty = Labels::empty;
    let (queries, url) = (Queries::default(), String::new());
    let mut world = World { labels: empty(), external: empty(), value: 0.0, at: 0, url, queries };
    let (mut cases, mut failures) = (0, Vec::new());
    let mut lines = include_str!("templates.txt").lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.is_empty() || line.starts_with("# ") || world.set(line) {
            continue;
        }
        let (_, expected) = lines.next().unwrap();
        let got = match world.run(&line.replace('⏎', "\n").replace('⇥', "\t")) {
            Ok(text) => format!("> {text}"),
            Err(error) => format!("! {error}"),
        };
        let got = got.replace('\r', "␍").replace('\n', "⏎").replace('\t', "⇥");
        cases += 1;
        if got != expected {
            failures.push(format!("line {}: {line}\n  expected {expected}\n       got {got}", number + 1));
        }
    }
    assert!(failures.is_empty(), "{} of {cases}:\n{}", failures.len(), failures.join("\n"));
    assert!(cases > 500, "only {cases} cases were found");
}

#[test]
fn what_a_template_needs_is_known_without_expanding_it() {
    let parse = |text| AlertTemplate::parse("alert", text).unwrap();
    assert!(parse("no action").is_plain());
    assert!(!parse("{{ $value }}").is_plain());
    assert!(parse(r#"{{ if true }}{{ range query "up" }}{{ end }}{{ end }}"#).queries());
    assert!(parse(r#"{{ (query "up" | first).Value }}"#).queries());
    assert!(!parse("query {{ $labels.query }}").queries());
    let template =
        parse("{{ $labels.a }}{{ with .Labels.b }}{{ .c }}{{ end }}{{ $x := $labels }}{{ $.Labels.d }}");
    assert_eq!(template.labels_read(), ["a", "b"]);
}

#[test]
fn without_a_querier_a_query_fails_and_says_so() {
    let labels = Labels::empty();
    let with = Expansion {
        labels: &labels,
        value: 0.0,
        external_labels: &labels,
        external_url: "",
        at: 0,
        querier: None,
    };
    let error = AlertTemplate::parse("alert", r#"{{ query "up" }}"#).unwrap().expand(&with).unwrap_err();
    assert!(error.contains("no queries can be made here"), "{error}");
}
