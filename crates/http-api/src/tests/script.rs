//! Scripts: each case is a name after `###`, a request, `=>` and the status, headers that the
//! answer must have, and after `--` its exact body, but for what a log query took.

use super::fixture::{Api, Fixture};
use crate::Multitenancy;
use axum::body::Body;
use http::{HeaderName, Request};

#[derive(Default)]
struct Case {
    name: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    status: u16,
    expected_headers: Vec<(String, String)>,
    expected_body: Option<String>,
}

/// Runs every case against a server of its own and shows all that differ.
pub async fn run(script: &str) {
    let cases: Vec<Case> = script.split("\n### ").skip(1).map(parse).collect();
    assert!(!cases.is_empty(), "the script has no cases");
    let mut failures = Vec::new();
    for case in &cases {
        failures.extend(check(case).await);
    }
    assert!(
        failures.is_empty(),
        "{} of {} cases failed\n\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n\n")
    );
}

fn parse(text: &str) -> Case {
    let mut case = Case::default();
    let (head, body) = match text.split_once("\n--\n") {
        Some((head, body)) => (head, Some(body)),
        None => (text, None),
    };
    case.expected_body = body.map(|b| b.trim_end().to_owned());
    let mut lines = head.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
    lines.next().expect("a name").clone_into(&mut case.name);
    let (method, path) = lines.next().and_then(|l| l.split_once(' ')).expect("a method and a path");
    (case.method, case.path) = (method.to_owned(), path.to_owned());
    let mut answered = false;
    for line in lines {
        if let Some(status) = line.strip_prefix("=> ") {
            case.status = status.parse().expect("a status");
            answered = true;
        } else if let Some(body) = line.strip_prefix("body: ") {
            // A line after a line.
            if !case.body.is_empty() {
                case.body.push('\n');
            }
            case.body.push_str(body);
        } else {
            let (name, value) =
                line.split_once(": ").unwrap_or_else(|| panic!("{}: not a header: {line}", case.name));
            let header = (name.to_owned(), value.to_owned());
            if answered { &mut case.expected_headers } else { &mut case.headers }.push(header);
        }
    }
    assert!(answered, "{}: no status", case.name);
    case
}

async fn check(case: &Case) -> Option<String> {
    let rules = case.headers.iter().find(|(n, _)| n == "Multitenancy").map(|(_, rules)| rules.as_str());
    let multitenancy = Multitenancy { enabled: rules.is_some(), federation: rules == Some("federation") };
    let api = Api::new(Fixture { multitenancy, ..Fixture::default() });
    let mut request = Request::builder().method(case.method.as_str()).uri(uri(&case.path));
    if !case.body.is_empty() {
        request = request.header("Content-Type", "application/x-www-form-urlencoded");
    }
    for (name, value) in case.headers.iter().filter(|(n, _)| n != "Multitenancy") {
        request = request.header(name.parse::<HeaderName>().unwrap(), value.as_str());
    }
    let answer = api.send(request.body(Body::from(case.body.clone())).unwrap()).await;
    let mut wrong = Vec::new();
    if answer.status.as_u16() != case.status {
        wrong.push(format!("status {}, expected {}", answer.status.as_u16(), case.status));
    }
    for (name, value) in &case.expected_headers {
        let got = answer.headers.get(name).map(|v| v.to_str().unwrap());
        if got != Some(value) {
            wrong.push(format!("header {name} is {got:?}, expected {value:?}"));
        }
    }
    let text = without_log_stats(answer.text());
    if case.expected_body.as_deref().is_some_and(|expected| expected != text.trim_end()) {
        wrong.push(format!("body\n  {text}\nexpected\n  {}", case.expected_body.as_deref().unwrap_or("")));
    }
    (!wrong.is_empty())
        .then(|| format!("### {}\n{} {}\n{}", case.name, case.method, case.path, wrong.join("\n")))
}

/// What a log query took is long, and the last thing in its answer's data.
fn without_log_stats(text: &str) -> String {
    match text.split_once(r#","stats":{"summary":"#) {
        Some((before, _)) => format!(r#"{before},"stats":…}}}}"#),
        None => text.to_owned(),
    }
}

/// Scripts are readable; what a URL cannot hold is percent-encoded.
fn uri(path: &str) -> String {
    let encode = |b: u8| match b {
        b'"' | b'{' | b'}' | b'<' | b'>' | b'^' | b'`' | b'|' | b'\\' => format!("%{b:02X}"),
        b if b.is_ascii_graphic() => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    path.bytes().map(encode).collect()
}
