//! Row 22: rulers are killed, stopped, stand still and are cut off, and alerts go on.

use integration_tests::{Cluster, Http, Inbox, Layout, Query, Random, Role, now_ms, soak, tell};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::sleep;

const GROUPS: usize = 8;
const INTERVAL_MS: i64 = 12_000;

fn layout(inbox: &Inbox) -> Layout {
    let alertmanager = format!("ruler.alertmanager_url={}", inbox.url());
    let set = ["ruler.claim_timeout=4s", "ruler.resend_delay=12s", &alertmanager];
    Layout::default().distributors(1).queriers(1).rulers(3).set(&set)
}

/// Each group records a series, and has an alert over it that always fires.
async fn post_groups(http: &Http, base: &str) {
    for group in 0..GROUPS {
        let yaml = format!(
            "name: group/{group}\ninterval: 12s\nrules:\n- record: recorded\n  expr: vector({group})\n  labels: {{group: \
             '{group}'}}\n- alert: Always\n  expr: recorded{{group=\"{group}\"}} >= 0\n  for: 15s\n"
        );
        let url = format!("{base}/api/v1/rules/some%2Fspace");
        let answer =
            http.send("POST", &url, &[("content-type", "application/yaml")], yaml.into_bytes()).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, 202, "{}", answer.body);
    }
}

/// Alerts as the Alertmanager had them: whether one ended, or began anew.
fn check_alerts(inbox: &Inbox) -> usize {
    let mut firing: BTreeMap<String, (String, i64)> = BTreeMap::new();
    let mut told = 0;
    for posted in inbox.posted() {
        assert_eq!(posted.path, "/api/v2/alerts");
        for alert in posted.body.as_array().unwrap() {
            told += 1;
            let group = alert["labels"]["group"].as_str().unwrap().to_owned();
            let (starts, ends) = (alert["startsAt"].as_str().unwrap(), alert["endsAt"].as_str().unwrap());
            let ends = ends.parse::<jiff::Timestamp>().unwrap().as_millisecond();
            assert!(ends > posted.at_ms, "a false resolve: {alert}");
            if let Some((began, until)) = firing.insert(group, (starts.to_owned(), ends)) {
                assert_eq!(began, starts, "an alert that fires began anew: {alert}");
                assert!(until > posted.at_ms, "an alert had ended for want of news: {alert}");
            }
        }
    }
    assert_eq!(firing.len(), GROUPS, "alerts of all groups fire");
    let now = now_ms();
    assert!(firing.values().all(|(_, until)| *until > now), "an alert has ended for want of news");
    told
}

/// Evaluations of each group that are not there, of those between its first and its last.
async fn missed(query: &Query, from_ms: i64) -> Vec<i64> {
    let now = now_ms();
    let series = query.series(&format!("recorded[{}ms]", now - from_ms), now).await;
    assert_eq!(series.len(), GROUPS);
    series
        .iter()
        .map(|series| {
            let times: Vec<i64> = series.points.iter().map(|point| point.0).collect();
            assert!(times.windows(2).all(|pair| (pair[1] - pair[0]) % INTERVAL_MS == 0), "{times:?}");
            (times[times.len() - 1] - times[0]) / INTERVAL_MS + 1 - times.len() as i64
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_22_rulers_are_killed_stopped_and_stand_still() {
    let inbox = Inbox::start().await;
    let mut cluster = Cluster::start(layout(&inbox)).await;
    let (http, base) = (cluster.http.clone(), cluster.bases(Role::Querier)[0].clone());
    post_groups(&http, &base).await;
    let query = Query::new(http.clone(), &base);
    sleep(Duration::from_secs(40)).await;
    let from = now_ms() - 12_000;
    let (rounds, mut random) = (if soak() { 30 } else { 4 }, Random::seeded(22));
    let rulers = cluster.of(Role::Ruler);
    for round in 0..rounds {
        let victim = rulers[round % rulers.len()].clone();
        sleep(Duration::from_millis(random.below(12_000) as u64)).await;
        match round % 3 {
            0 => {
                cluster.kill(&victim);
                sleep(Duration::from_secs(14)).await;
                cluster.run(&[&victim]).await;
            }
            1 => {
                cluster.stop(&victim).await;
                sleep(Duration::from_secs(6)).await;
                cluster.run(&[&victim]).await;
            }
            _ => {
                cluster.member_mut(&victim).process().signal("STOP");
                sleep(Duration::from_secs(14)).await;
                cluster.member_mut(&victim).process().signal("CONT");
            }
        }
        sleep(Duration::from_secs(14)).await;
        let missed = missed(&query, from).await;
        assert!(
            missed.iter().all(|missed| *missed <= round as i64 + 1),
            "after {} faults: {missed:?}",
            round + 1
        );
    }
    let (missed, told) = (missed(&query, from).await, check_alerts(&inbox));
    // As the API shows them, whoever runs them.
    let answer = http.get(&format!("{base}/api/v1/rules")).await.unwrap();
    let rules: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let groups = rules["data"]["groups"].as_array().unwrap();
    assert_eq!(groups.len(), GROUPS, "{}", answer.body);
    let is_well = |rule: &serde_json::Value| rule["health"] == "ok";
    assert!(groups.iter().flat_map(|g| g["rules"].as_array().unwrap()).all(is_well), "{}", answer.body);
    tell(&format!(
        "row 22: {rounds} faults, missed evaluations of {GROUPS} groups: {missed:?}; {told} alerts sent"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_go_on_while_etcd_is_away() {
    let inbox = Inbox::start().await;
    let mut cluster = Cluster::start(layout(&inbox)).await;
    let (http, base) = (cluster.http.clone(), cluster.bases(Role::Querier)[0].clone());
    post_groups(&http, &base).await;
    let query = Query::new(http, &base);
    sleep(Duration::from_secs(40)).await;
    let from = now_ms() - 12_000;
    cluster.etcd.go_away();
    sleep(Duration::from_secs(if soak() { 600 } else { 40 })).await;
    cluster.etcd.come_back().await;
    sleep(Duration::from_secs(20)).await;
    let missed = missed(&query, from).await;
    assert!(missed.iter().all(|missed| *missed == 0), "{missed:?}");
    check_alerts(&inbox);
}
