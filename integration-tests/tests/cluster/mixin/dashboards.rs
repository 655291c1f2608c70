//! Dashboards as Grafana has them: their queries, with the variables filled in.

use integration_tests::{Yagura, form};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::PathBuf};

/// As Grafana takes them for scrapes a second apart.
const VARIABLES: [(&str, &str); 3] = [("$__rate_interval", "10s"), ("$__interval", "2s"), ("$__range", "1m")];

pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/mixin"))
}

/// One query of a panel.
#[derive(Clone, Debug)]
pub struct Question {
    /// The dashboard and the panel.
    pub place: String,
    /// Whether it stands above the first heading, where it says whether all is well.
    pub is_first: bool,
    kind: String,
    expr: String,
    of_logs: bool,
    is_instant: bool,
}

/// All queries of all dashboards.
pub fn questions() -> Vec<Question> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder().join("dashboards")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        let mut is_first = true;
        for panel in dashboard["panels"].as_array().unwrap() {
            is_first &= panel["type"] != "row";
            for target in panel["targets"].as_array().into_iter().flatten() {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                found.push(Question {
                    place: format!("{}, {}", text(&dashboard["title"]), text(&panel["title"])),
                    is_first,
                    kind: text(&panel["type"]),
                    expr: text(&target["expr"]),
                    of_logs: target["datasource"]["type"] == "loki",
                    is_instant: target["instant"] == true,
                });
            }
        }
    }
    assert!(found.len() > 150, "only {} queries are found", found.len());
    found
}

/// Names of our metrics in queries or rules.
pub fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = words.filter(|word| word.starts_with("yagura_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

impl Question {
    /// Of metrics, what it asks for.
    pub fn metrics(&self) -> BTreeSet<String> {
        if self.of_logs { BTreeSet::new() } else { metrics(&self.expr) }
    }

    fn filled(&self, job: &str, instance: &str) -> String {
        let mut expr = self.expr.replace("$job", job).replace("$instance", instance);
        for (name, value) in VARIABLES {
            expr = expr.replace(name, value);
        }
        assert!(!expr.contains('$'), "{}: a variable is left in {expr}", self.place);
        expr
    }

    /// What is wrong with the answer to it, if anything is. `now` is in milliseconds.
    pub async fn problem(&self, at: &Yagura, (job, instance): (&str, &str), now: i64) -> Option<String> {
        let expr = self.filled(job, instance);
        let seconds = |ms: i64| format!("{}.{:03}", ms / 1000, ms % 1000);
        let start = now - 60_000;
        let path = match (self.of_logs, self.is_instant) {
            (true, _) => format!(
                "/loki/api/v1/query_range?{}",
                form(&[
                    ("query", &expr),
                    ("start", &format!("{start}000000")),
                    ("end", &format!("{now}000000"))
                ])
            ),
            (false, true) => {
                format!("/prometheus/api/v1/query?{}", form(&[("query", &expr), ("time", &seconds(now))]))
            }
            (false, false) => format!(
                "/prometheus/api/v1/query_range?{}",
                form(&[("query", &expr), ("start", &seconds(start)), ("end", &seconds(now)), ("step", "2")])
            ),
        };
        let answer = at.get(&path).await;
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let result = body["data"]["result"].as_array();
        let has_data = result.is_some_and(|series| series.iter().any(|one| self.has_data(one)));
        let problem = match answer.status {
            200 if has_data => return None,
            200 => "gives nothing",
            _ => answer.body.as_str(),
        };
        Some(format!("{} ({}): {expr}: {problem}", self.place, self.kind))
    }

    fn has_data(&self, series: &Value) -> bool {
        if self.of_logs {
            return series["values"].as_array().is_some_and(|lines| !lines.is_empty());
        }
        let is_number = |point: &Value| point[1].as_str().is_some_and(|value| value != "NaN");
        let mut points = series["values"].as_array().into_iter().flatten();
        points.any(is_number) || is_number(&series["value"])
    }
}
