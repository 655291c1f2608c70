//! Alerts arrive at Alertmanagers, with the right texts, once each, whoever of all is killed.

use super::{PATIENCE, data, evaluated, take, until};
use integration_tests::{
    Alertmanager, Inbox, LogStream, Notified, PROTOBUF, PUSH, Settings, TimeSeries, Version, Webhook, Yagura,
    now_ms, push_protobuf,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::sleep;

/// What LogQL records, and an alert in PromQL over it.
const CHECKOUT: &str = r#"
name: checkout
interval: 1s
rules:
- record: app:errors:count1h
  expr: sum by (namespace, app) (count_over_time({namespace=~"shop|bank"} |= "error" [1h]))
- alert: ErrorsAndLatency
  expr: app:errors:count1h > 10 and on (app) latency_seconds > 0.5
  for: 2s
  labels: {severity: page, team: '{{ $labels.namespace }}-team'}
  annotations:
    summary: '{{ $labels.app }}: {{ $value | humanize }} errors in {{ $externalLabels.region }}'
    latency: '{{ with printf "latency_seconds{app=%q}" $labels.app | query }}{{ . | first | value | humanizeDuration }}{{ end }}'
"#;

async fn latency(yagura: &Yagura, app: &str, at: i64, seconds: f64) {
    let series = TimeSeries::new(&[("__name__", "latency_seconds"), ("app", app)], &[(at, seconds)]);
    assert_eq!(yagura.write(Version::V2, &[series]).await.status, 204);
}

async fn errors(yagura: &Yagura, namespace: &str, app: &str, count: i64) {
    let start = (now_ms() - 60_000) * 1_000_000;
    let lines: Vec<_> = (0..count).map(|n| (start + n * 1_000_000, "level=error no answer")).collect();
    let stream = LogStream::new(&[("namespace", namespace), ("app", app)], &lines);
    let pushed = yagura.post(PUSH, PROTOBUF, push_protobuf(&[stream])).await;
    assert_eq!(pushed.status, 204, "{}", pushed.body);
}

/// The last that one has told of a team's alerts: which app, and how it fares.
fn last(notified: &[Notified], path: &str, team: &str) -> BTreeSet<String> {
    let of_team = |n: &&Notified| n.path == path && n.group["team"] == team;
    let told = notified.iter().rfind(of_team).map(|n| n.alerts.as_slice()).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    told.iter().map(|a| format!("{} {}", text(&a["labels"]["app"]), text(&a["status"]))).collect()
}

fn tells<'a>(path: &'a str, team: &'a str, expected: &'a [&'a str]) -> impl Fn(&[Notified]) -> bool + 'a {
    let expected: BTreeSet<String> = expected.iter().map(|text| (*text).to_owned()).collect();
    move |notified| last(notified, path, team) == expected
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_lines_become_alerts_that_people_are_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let webhook = Webhook::start().await;
    let start = async |name: &str| {
        Alertmanager::start(&folder.path().join(name), "team", &webhook.url(&format!("/{name}"))).await
    };
    let (mut first, second) = (start("first").await, start("second").await);
    let urls = format!("ruler.alertmanager_url={},{}", first.base(), second.base());
    let settings = Settings::new(&[
        &urls,
        "ruler.resend_delay=1s",
        "ruler.external_url=http://yagura.example/base",
        "ruler.external_labels=region=east",
    ]);
    let yagura = settings.start().await;
    for (namespace, app, count) in
        [("shop", "api", 1200), ("shop", "cart", 12), ("shop", "web", 3), ("bank", "login", 40)]
    {
        errors(&yagura, namespace, app, count).await;
        let seconds = if app == "login" { 0.1 } else { 0.75 };
        latency(&yagura, app, now_ms() - 5_000, seconds).await;
    }
    take(&yagura, "/api/v1/rules/shop", CHECKOUT).await;

    for path in ["/first", "/second"] {
        let both = tells(path, "shop-team", &["api firing", "cart firing"]);
        webhook.until("two fire, as one group", PATIENCE, both).await;
    }
    check_texts(&webhook.notified());
    check_series(&yagura).await;

    // While one is away an alert ends and another begins.
    first.kill();
    let away_from = webhook.notified().len();
    latency(&yagura, "cart", now_ms(), 0.1).await;
    latency(&yagura, "login", now_ms(), 61.0).await;
    let resolved = tells("/second", "shop-team", &["api firing", "cart resolved"]);
    // What is resolved is told once and then forgotten.
    webhook.until("one is resolved", PATIENCE, |n| (1..=n.len()).any(|to| resolved(&n[..to]))).await;
    webhook.until("one fires", PATIENCE, tells("/second", "bank-team", &["login firing"])).await;
    first.restart().await;
    webhook.until("the first hears of it", PATIENCE, tells("/first", "bank-team", &["login firing"])).await;
    let goes_on = |n: &[Notified]| last(&n[away_from..], "/first", "shop-team").contains("api firing");
    webhook.until("and of what still fires", PATIENCE, goes_on).await;
    let told = webhook.notified();
    let is_old = |n: &&Notified| n.path == "/first" && n.alerts.iter().any(|a| a["labels"]["app"] == "cart");
    let stale = told[away_from..].iter().filter(is_old).flat_map(|n| &n.alerts);
    assert!(stale.filter(|a| a["labels"]["app"] == "cart").all(|a| a["status"] == "resolved"), "{told:#?}");

    latency(&yagura, "api", now_ms(), 0.1).await;
    latency(&yagura, "login", now_ms(), 0.1).await;
    for path in ["/first", "/second"] {
        let is_over = |n: &[Notified]| {
            last(n, path, "shop-team").contains("api resolved")
                && last(n, path, "bank-team").contains("login resolved")
        };
        webhook.until("all is well", PATIENCE, is_over).await;
    }
    let alerts = data(&yagura, "/api/v1/alerts").await;
    assert_eq!(alerts["alerts"], json!([]));
    assert!(yagura.stop().await.success());
}

fn check_texts(notified: &[Notified]) {
    for path in ["/first", "/second"] {
        let told = notified.iter().rfind(|n| n.path == path).unwrap();
        let of = |app: &str| told.alerts.iter().find(|a| a["labels"]["app"] == app).unwrap();
        assert_eq!(
            of("api")["labels"],
            json!({"alertname": "ErrorsAndLatency", "app": "api", "namespace": "shop", "region": "east",
                "severity": "page", "team": "shop-team"})
        );
        assert_eq!(
            of("api")["annotations"],
            json!({"latency": "750ms", "summary": "api: 1.2k errors in east"})
        );
        assert_eq!(of("cart")["annotations"]["summary"], "cart: 12 errors in east");
        let link = of("cart")["generatorURL"].as_str().unwrap();
        assert!(link.starts_with("http://yagura.example/base/"), "{link}");
    }
}

/// What the rules have written is there for queries.
async fn check_series(yagura: &Yagura) {
    let query = yagura.query();
    let recorded = query.series("app:errors:count1h", now_ms()).await;
    let mut recorded: Vec<_> = recorded.iter().map(|s| (s.labels["app"].as_str(), s.points[0].1)).collect();
    recorded.sort_by_key(|(app, _)| *app);
    assert_eq!(recorded, [("api", 1200.0), ("cart", 12.0), ("login", 40.0), ("web", 3.0)]);
    let firing = query.series("ALERTS{alertstate=\"firing\", app=\"api\"}", now_ms()).await;
    let [firing] = firing.as_slice() else { panic!("{firing:?}") };
    assert_eq!(firing.labels["alertname"], "ErrorsAndLatency");
    assert!(!firing.labels.contains_key("region"), "labels of others are for others: {firing:?}");
    let pending = query.series("ALERTS{alertstate=\"pending\", app=\"api\"}[1m]", now_ms()).await;
    assert!((1..=3).contains(&pending[0].points.len()), "two seconds at one a second: {pending:?}");
    assert_eq!(query.series("ALERTS{alertstate=\"pending\"}", now_ms()).await, [], "not pending any more");
    let since = query.series("ALERTS_FOR_STATE{app=\"api\"}", now_ms()).await;
    let age = now_ms() as f64 / 1000.0 - since[0].points[0].1;
    assert!((2.0..30.0).contains(&age), "{since:?}");
}

/// What an Alertmanager has heard of one alert: when it came, began and is to end.
fn heard(inbox: &Inbox, name: &str) -> Vec<(i64, String, i64)> {
    let mut heard = Vec::new();
    for posted in inbox.posted() {
        assert_eq!(posted.path, "/api/v2/alerts");
        for alert in posted.body.as_array().unwrap().iter().filter(|a| a["labels"]["alertname"] == name) {
            let ends = alert["endsAt"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
            let starts = alert["startsAt"].as_str().unwrap().to_owned();
            heard.push((posted.at_ms, starts, ends.as_millisecond()));
        }
    }
    heard
}

/// Since when alerts are active, and how they fare.
async fn active(yagura: &Yagura) -> Vec<[String; 3]> {
    let alerts = data(yagura, "/api/v1/alerts").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |a: &Value| [text(&a["labels"]["alertname"]), text(&a["state"]), text(&a["activeAt"])];
    let mut all: Vec<_> = alerts["alerts"].as_array().unwrap().iter().map(one).collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_go_on_over_a_kill() {
    let inbox = Inbox::start().await;
    let url = format!("ruler.alertmanager_url={}", inbox.url());
    let settings = Settings::new(&[&url, "ruler.resend_delay=3s"]);
    let mut yagura = settings.start().await;
    let group = "name: g\ninterval: 1s\nrules:\n- {alert: Fires, expr: vector(7), for: 4s}\n- {alert: Waits, expr: \
                 vector(7), for: 1h}\n";
    take(&yagura, "/api/v1/rules/kept", group).await;
    until("the alert has fired for a while", async || (heard(&inbox, "Fires").len() > 1).then_some(())).await;
    let before = active(&yagura).await;
    assert_eq!(before.iter().map(|a| a[1].as_str()).collect::<Vec<_>>(), ["firing", "pending"]);
    yagura.process.kill();
    let killed_at = now_ms();
    sleep(Duration::from_secs(1)).await;
    let yagura = settings.start().await;
    let is_back = || heard(&inbox, "Fires").iter().filter(|(at, ..)| *at > killed_at).count() > 1;
    until("it is sent again", async || is_back().then_some(())).await;
    evaluated(&yagura, "kept", "g").await;

    assert_eq!(active(&yagura).await, before);
    let fires = heard(&inbox, "Fires");
    for pair in fires.windows(2) {
        let [(_, began, until), (at, begins, _)] = pair else { unreachable!() };
        assert_eq!(began, begins, "the alert began anew");
        assert!(until > at, "it had ended for want of news: {fires:?}");
    }
    assert!(fires.iter().all(|(at, _, until)| until > at), "a false resolve: {fires:?}");
    assert_eq!(heard(&inbox, "Waits"), [], "what waits is not told");

    // When the rule goes, its alert ends.
    let gone = yagura.http.send("DELETE", &yagura.url("/api/v1/rules/kept"), &[], Vec::new()).await.unwrap();
    assert_eq!(gone.status, 202, "{}", gone.body);
    let is_over = |(at, _, until): &(i64, String, i64)| until <= at;
    until("it ends with its rule", async || heard(&inbox, "Fires").last().filter(|l| is_over(l)).map(|_| ()))
        .await;
    assert_eq!(active(&yagura).await, Vec::<[String; 3]>::new());
}
