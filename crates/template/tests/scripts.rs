//! Runs the scripts beside this file. Their answers are those of Go's text/template with
//! Loki's functions.
//!
//! `data {…}` sets the data: a map of strings, or after `any` a map of anything. Each other
//! line is a template, and below it stands what it writes (`> `) or how it fails (`! `).
//! `⏎`, `⇥` and `␍` stand for the characters they show.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's way to fail")]

use serde_json::Value as Json;
use std::{borrow::Cow, fs, path::Path};
use template::{Data, Env, Functions, MissingKey, Options, Template, Value};

struct Map {
    entries: serde_json::Map<String, Json>,
    is_any: bool,
}

impl Data for Map {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        self.entries.get(name).map(value)
    }

    fn entries(&self) -> Vec<(Cow<'_, str>, Value<'_>)> {
        self.entries.iter().map(|(key, json)| (Cow::Borrowed(key.as_str()), value(json))).collect()
    }

    fn holds_strings(&self) -> bool {
        !self.is_any
    }
}

fn value(json: &Json) -> Value<'_> {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(number) => Value::Float(number.as_f64().unwrap()),
        Json::String(text) => Value::str(text.as_str()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(entries) => {
            Value::Map(entries.iter().map(|(k, v)| (k.clone(), value(v))).collect::<template::Map>().into())
        }
    }
}

fn run(text: &str, data: &Map) -> String {
    let functions = Functions::for_logs();
    let missing_key = if data.is_any { MissingKey::NoValue } else { MissingKey::Zero };
    let options = Options { name: "line", missing_key, ..Options::default() };
    let template = match Template::parse_with(text, &functions, &options) {
        Ok(template) => template,
        Err(error) => return format!("! {error}"),
    };
    let now = 1_700_000_000_123_456_789;
    let env = Env { now, line: "the line", timestamp: now, ..Env::default() };
    let mut out = String::new();
    match template.execute(data, &env, &mut out) {
        Ok(()) => format!("> {out}"),
        Err(error) => format!("! {error}"),
    }
}

fn script(name: &str, failures: &mut Vec<String>) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    let text = fs::read_to_string(&path).unwrap();
    let mut data = Map { entries: serde_json::Map::new(), is_any: false };
    let mut cases = 0;
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        if line.is_empty() || line.starts_with("# ") {
            continue;
        }
        if let Some(json) = line.strip_prefix("data ") {
            let (json, is_any) = json.strip_prefix("any ").map_or((json, false), |json| (json, true));
            data = Map { entries: serde_json::from_str(json).unwrap(), is_any };
            continue;
        }
        let (_, expected) = lines.next().unwrap();
        let template = line.replace('⏎', "\n").replace('⇥', "\t");
        let got = run(&template, &data).replace('\r', "␍").replace('\n', "⏎").replace('\t', "⇥");
        cases += 1;
        if got != expected {
            failures.push(format!("{name}:{}: {line}\n  expected {expected}\n       got {got}", number + 1));
        }
    }
    cases
}

#[test]
fn templates_do_as_in_go() {
    let mut failures = Vec::new();
    let cases: usize = ["actions.txt", "format.txt", "functions.txt", "errors.txt"]
        .iter()
        .map(|name| script(name, &mut failures))
        .sum();
    assert!(failures.is_empty(), "{} of {cases}:\n{}", failures.len(), failures.join("\n"));
    assert!(cases >= 250, "only {cases} cases were found");
}
