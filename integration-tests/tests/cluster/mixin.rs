//! Dashboards and alerts ask for metrics that there are, and every query of theirs gives data: from one process, and
//! from a small cluster.

mod dashboards;
mod scraper;

use dashboards::{folder, metrics, questions};
use integration_tests::{
    Cluster, Http, Inbox, JSON, Layout, Load, LogStream, PUSH, Role, Settings, TimeSeries, Traffic, Version,
    Yagura, now_ms, push_json, tell,
};
use scraper::{Scraper, Target, push_logs};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path, time::Duration};
use tokio::time::sleep;

/// One rule of each kind that works, one that does not, and an alert that fires, so that rulers have work.
const RULES: &str = r#"
groups:
- name: work
  interval: 1s
  rules:
  - {record: scraped, expr: count(up)}
  - {record: lines, lang: logql, expr: 'sum(count_over_time({job=~".+"}[1m]))'}
  - {record: broken, expr: 'vector(1) + on () group_left () (up or label_replace(up, "x", "y", "", ""))'}
  - {alert: Always, expr: vector(1)}
"#;

/// What all processes need, so that there is something to see within seconds.
fn settings(folder: &Path, inbox: &Inbox) -> Vec<String> {
    let rules = folder.join("rules");
    fs::create_dir(&rules).unwrap();
    fs::write(rules.join("work.yaml"), RULES).unwrap();
    fs::write(folder.join("overrides.yaml"), "").unwrap();
    vec![
        format!("ruler.rules_dir={}", rules.display()),
        format!("ruler.alertmanager_url={}", inbox.url()),
        format!("limits.overrides_file={}", folder.join("overrides.yaml").display()),
        "ruler.poll_interval=1s".to_owned(),
        "ruler.resend_delay=2s".to_owned(),
        "ruler.evaluation_interval=2s".to_owned(),
        "ingester.flush_interval=1s".to_owned(),
        "compactor.interval=1s".to_owned(),
        "cache.disk_bytes=16MiB".to_owned(),
    ]
}

/// Entries that are refused, and queries of both signals, good and bad ones.
async fn ask_and_be_refused(http: &Http, write: &str, read: &str) {
    let now = now_ms();
    let series = |at, value| vec![TimeSeries::new(&[("__name__", "odd")], &[(at, value)])];
    for (at, value) in [(1, 1.0), (now, 1.0), (now, 2.0)] {
        let body = Version::V1.body(&series(at, value));
        http.send("POST", &format!("{write}/api/v1/write"), Version::V1.headers(), body).await.unwrap();
    }
    let lines = push_json(&[LogStream::new(&[("app", "odd")], &[(1, "too old"), (now * 1_000_000, "good")])]);
    http.send("POST", &format!("{write}{PUSH}"), JSON, lines).await.unwrap();
    for path in [
        "/api/v1/query?query=up",
        "/api/v1/query?query=%7B",
        "/api/v1/labels",
        "/prometheus/api/v1/query_range?query=up&start=1&end=2&step=1",
        "/loki/api/v1/query_range?query=%7Bapp%3D%22odd%22%7D",
        "/loki/api/v1/labels",
    ] {
        http.get(&format!("{read}{path}")).await.unwrap();
    }
}

/// Work of every kind for a while, and an ingester that is away for a part of it.
async fn load(cluster: &mut Cluster, one: &Yagura) {
    let http = one.http.clone();
    let traffic =
        Traffic::start(cluster, Load { pause: Duration::from_millis(200), ..Load::default() }).await;
    let (write, read) =
        (cluster.bases(Role::Distributor)[0].clone(), cluster.bases(Role::Querier)[0].clone());
    let victim = cluster.of(Role::Ingester)[0].clone();
    for second in 0..40 {
        ask_and_be_refused(&http, &write, &read).await;
        ask_and_be_refused(&http, one.base(), one.base()).await;
        match second {
            5 => cluster.kill(&victim),
            12 => {
                cluster.run(&[&victim]).await;
            }
            20 => {
                cluster.flush_all().await;
                one.post("/flush", &[], Vec::new()).await;
            }
            _ => {}
        }
        sleep(Duration::from_millis(700)).await;
    }
    push_logs(cluster, one).await;
    traffic.finish(cluster, "the mixin's load").await.nothing_was_wrong();
}

/// The problems of all those queries that are `wanted`.
async fn ask(
    at: &Yagura,
    chosen: (&str, &str),
    wanted: impl Fn(&dashboards::Question) -> bool,
) -> Vec<String> {
    let (now, mut problems) = (now_ms(), Vec::new());
    for question in questions().iter().filter(|question| wanted(question)) {
        problems.extend(question.problem(at, chosen, now).await);
    }
    problems
}

/// Nothing was broken for long, so no alert fires; and each can be evaluated.
async fn alerts_are_quiet(at: &Yagura) {
    let answer = at.get("/api/v1/rules?type=alert").await;
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    let groups = answer["data"]["groups"].as_array().unwrap();
    let ours = Vec::from_iter(groups.iter().filter(|group| group["file"] == "alerts.yaml"));
    let rules = Vec::from_iter(ours.iter().flat_map(|group| group["rules"].as_array().unwrap()));
    assert!(rules.len() > 30, "only {} alerts are evaluated", rules.len());
    let bad = rules.iter().filter(|rule| rule["health"] != "ok" || rule["state"] == "firing");
    let bad =
        Vec::from_iter(bad.map(|rule| format!("{}: {} {}", rule["name"], rule["state"], rule["lastError"])));
    assert!(bad.is_empty(), "of a cluster that is well: {bad:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dashboards_and_alerts_ask_for_what_there_is() {
    let (folder_one, folder_cluster) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let inbox = Inbox::start().await;
    let mut set = settings(folder_one.path(), &inbox);
    set.push(format!("cache.disk_dir={}", folder_one.path().join("cache").display()));
    fs::copy(folder().join("alerts/yagura.yaml"), folder_one.path().join("rules/alerts.yaml")).unwrap();
    let settings_one = Settings::new(&Vec::from_iter(set.iter().map(String::as_str)));
    let one = settings_one.start().await;
    let set = settings(folder_cluster.path(), &inbox);
    let layout = Layout::default().distributors(1).compactors(1).rulers(1).zones(&["a", "b", "c"]);
    let mut cluster = Cluster::start(layout.set(&Vec::from_iter(set.iter().map(String::as_str)))).await;

    let of_cluster =
        |name: &String| Target { job: "cluster", instance: name.clone(), base: cluster.member(name).base() };
    let mut targets = Vec::from_iter(cluster.names().iter().map(of_cluster));
    targets.push(Target { job: "one", instance: "one".to_owned(), base: one.base().to_owned() });
    let scraper = Scraper::start(targets, &one);
    load(&mut cluster, &one).await;

    let (of_one, of_cluster) = (scraper.seen("one"), scraper.seen("cluster"));
    let there: BTreeSet<String> = of_one.union(&of_cluster).cloned().collect();
    let of_alerts = metrics(&fs::read_to_string(folder().join("alerts/yagura.yaml")).unwrap());
    let of_dashboards: BTreeSet<String> =
        questions().iter().flat_map(dashboards::Question::metrics).collect();
    let asked: BTreeSet<String> = of_alerts.union(&of_dashboards).cloned().collect();
    let missing = Vec::from_iter(asked.difference(&there));
    assert!(missing.is_empty(), "no process has these metrics: {missing:#?}");

    let mut problems = ask(&one, (".+", ".+"), |_| true).await;
    // With one process chosen, as Grafana writes a single choice, all that says whether it is well is there.
    problems.extend(ask(&one, ("one", "one"), |question| question.is_first).await);
    problems.extend(ask(&one, ("(cluster|other)", ".+"), |question| question.is_first).await);
    assert!(problems.is_empty(), "{} queries:\n{}", problems.len(), problems.join("\n"));
    alerts_are_quiet(&one).await;

    let parts = ["_bucket", "_count", "_sum"];
    let used = |name: &&String| asked.contains(*name) || parts.iter().any(|part| name.ends_with(part));
    let unused = Vec::from_iter(there.iter().filter(|name| !used(name)));
    tell(&format!("{} queries give data; no dashboard shows {unused:?}", questions().len()));
}
