//! Groups over HTTP, under the paths of all who have such, with any names; and what is refused.

use super::{evaluated, groups, post, take, until};
use integration_tests::{Settings, Yagura, form};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A path goes over the wire as it is, where clients would resolve `..` in it.
async fn raw(yagura: &Yagura, method: &str, path: &str, body: &str) -> (u16, String) {
    claiming(yagura, method, path, body.len(), body).await
}

/// As `raw`, with a length that may be more than the body's.
async fn claiming(yagura: &Yagura, method: &str, path: &str, length: usize, body: &str) -> (u16, String) {
    let address = yagura.base().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

/// As a segment of a path: all but letters and digits in percents.
fn encoded(name: &str) -> String {
    form(&[("", name)]).trim_start_matches('=').replace('.', "%2E")
}

const PREFIXES: [&str; 5] = [
    "/api/v1/rules",
    "/api/prom/rules",
    "/loki/api/v1/rules",
    "/config/v1/rules",
    "/prometheus/config/v1/rules",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_are_taken_under_the_paths_of_all_and_shown_as_prometheus_does() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let metrics = "name: g\ninterval: 1s\nrules:\n- record: seven\n  expr: vector(7)\n  labels: {way: WAY}\n- alert: \
                   Seven\n  expr: seven{way=\"WAY\"} > 6\n  labels: {severity: page}\n  annotations: {summary: '{{ \
                   $value }} of {{ $labels.way }}'}\n";
    // No line is like that, so it is a number without a metric's name in either language.
    let logs = "name: g\ninterval: 1s\nrules:\n- record: lines\n  expr: count_over_time({way=\"x\"}[5m])\n";
    for (at, prefix) in PREFIXES.iter().enumerate() {
        let group = if prefix.starts_with("/loki") {
            logs.to_owned()
        } else {
            metrics.replace("WAY", &at.to_string())
        };
        take(&yagura, &format!("{prefix}/way{at}"), &group).await;
    }
    for (at, prefix) in PREFIXES.iter().enumerate() {
        let group = evaluated(&yagura, &format!("way{at}"), "g").await;
        assert_eq!(group["interval"], 1, "{group}");
        let rules = group["rules"].as_array().unwrap();
        if prefix.starts_with("/loki") {
            assert_eq!((&rules[0]["lang"], &rules[0]["type"]), (&json!("logql"), &json!("recording")));
            continue;
        }
        let (recording, alerting) = (&rules[0], &rules[1]);
        assert_eq!((&recording["name"], &recording["query"]), (&json!("seven"), &json!("vector(7)")));
        assert_eq!(recording["lang"], json!(null), "PromQL is not said");
        assert_eq!((&alerting["state"], &alerting["duration"]), (&json!("firing"), &json!(0)), "{alerting}");
        let [alert] = alerting["alerts"].as_array().unwrap().as_slice() else { panic!("{alerting}") };
        assert_eq!(alert["value"], "7e+00");
        assert_eq!(alert["annotations"]["summary"], format!("7 of {at}"));
        assert_eq!(alert["labels"], json!({"alertname": "Seven", "severity": "page", "way": at.to_string()}));
        assert_ne!(alerting["lastEvaluation"], "0001-01-01T00:00:00Z");
    }
    // Each path shows what came by any, and deletes it.
    for (at, prefix) in PREFIXES.iter().enumerate() {
        let other = (at + 1) % PREFIXES.len();
        let url = yagura.url(&format!("{prefix}/way{other}/g"));
        let shown = yagura.http.get(&url).await.unwrap();
        assert_eq!(shown.status, 200, "{}", shown.body);
        assert!(shown.body.starts_with("name: g\n"), "{}", shown.body);
        let gone = yagura.http.send("DELETE", &url, &[], Vec::new()).await.unwrap();
        assert_eq!(gone.status, 202, "{}", gone.body);
        assert_eq!(yagura.http.get(&url).await.unwrap().status, 404);
        let again = yagura.http.send("DELETE", &url, &[], Vec::new()).await.unwrap();
        assert_eq!(again.status, 404, "{}", again.body);
    }
    assert_eq!(yagura.get("/config/v1/rules").await.status, 404, "no groups are left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_may_be_anything_but_control_characters() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let names =
        ["a/b", "..", ".", "ü%2F", "two words", "a+b", "a?b#c", "%", "\"'", "../../x", "日本", "@rules"];
    for name in names {
        let group = format!("name: {}\ninterval: 1s\nrules: [{{record: one, expr: '1'}}]\n", json!(name));
        let (status, body) =
            raw(&yagura, "POST", &format!("/config/v1/rules/{}", encoded(name)), &group).await;
        assert_eq!(status, 202, "{name}: {body}");
    }
    // They are found again after a restart, as they were.
    assert!(yagura.stop().await.success());
    let yagura = settings.start().await;
    for name in names {
        evaluated(&yagura, name, name).await;
        let path = format!("/config/v1/rules/{}/{}", encoded(name), encoded(name));
        let (status, body) = raw(&yagura, "GET", &path, "").await;
        assert!(status == 200 && body.contains("record: one"), "{name}: {status} {body}");
    }
    assert_eq!(groups(&yagura).await.len(), names.len());
    for name in names {
        let path = format!("/config/v1/rules/{}/{}", encoded(name), encoded(name));
        assert_eq!(raw(&yagura, "DELETE", &path, "").await.0, 202, "{name}");
        assert_eq!(raw(&yagura, "GET", &path, "").await.0, 404, "{name}");
    }
    until("no rule is run any more", async || groups(&yagura).await.is_empty().then_some(())).await;
    for (what, name) in [("a control character", "a\nb".to_owned()), ("too long", "x".repeat(181))] {
        let path = format!("/config/v1/rules/{}", encoded(&name));
        let (status, body) = raw(&yagura, "POST", &path, "name: g\nrules: [{record: one, expr: '1'}]").await;
        assert_eq!(status, 400, "{what}: {body}");
    }
}

/// All rules but the second are wrong.
const BAD: &str = r#"name: g
rules:
- {record: a, alert: b, expr: '1'}
- {record: good, expr: '1'}
- {alert: A, expr: 'sum(('}
- {alert: B, expr: up, annotations: {summary: '{{ $labels.x'}}
- {record: lines, expr: '{a="b"} |= "c"'}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_refused_and_all_of_it_is_said() {
    let settings = Settings::new(&["limits.max_rules_per_group=2", "limits.max_rule_groups=2"]);
    let yagura = settings.start().await;
    let refused = post(&yagura, "/api/v1/rules/ns", BAD).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    for said in ["line 3", "line 5: group \"g\", rule \"A\"", "line 6", "line 7", "a query for numbers"] {
        assert!(refused.body.contains(said), "{said} is not in:\n{}", refused.body);
    }
    assert_eq!(refused.body.trim().lines().count(), 4, "{}", refused.body);
    for (what, body) in [("no YAML", "{"), ("nothing", ""), ("no name", "rules: []"), ("no text", "\u{0}")] {
        let refused = post(&yagura, "/api/v1/rules/ns", body).await;
        assert_eq!(refused.status, 400, "{what}: {}", refused.body);
    }
    // It is refused before any of it is read, so none is sent.
    let (status, said) = claiming(&yagura, "POST", "/api/v1/rules/ns", (1 << 20) + 1, "").await;
    assert_eq!(status, 413, "{said}");

    let rules = |name: &str, count: usize| {
        format!("name: {name}\ninterval: 1s\nrules:\n{}", "- {record: one, expr: '1'}\n".repeat(count))
    };
    let refused = post(&yagura, "/api/v1/rules/ns", &rules("g", 3)).await;
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("limits.max_rules_per_group"), "{}", refused.body);
    let numbered = |n: usize| format!("name: g{n}\ninterval: 1s\nrules: [{{record: one, expr: '{n}'}}]\n");
    for n in 0..2 {
        take(&yagura, "/api/v1/rules/ns", &numbered(n)).await;
    }
    let refused = post(&yagura, "/api/v1/rules/ns", &numbered(2)).await;
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("limits.max_rule_groups"), "{}", refused.body);
    // One that is there may be changed, and what was refused harms nobody.
    take(&yagura, "/api/v1/rules/ns", &numbered(1).replace("1s", "2s")).await;
    evaluated(&yagura, "ns", "g0").await;
    assert_eq!(groups(&yagura).await.len(), 2);
}
