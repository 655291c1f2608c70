//! What the roles agree on: rates of all distributors together, one of a pair of senders, whose ingesters
//! a tenant's data goes to, and that old blocks go.

use integration_tests::{Cluster, Layout, Role, TimeSeries, Version, form, now, now_ms, tell};
use serde_json::Value;
use std::time::Duration;
use tokio::time::sleep;

/// Remote-writes to one of the distributors. The status and the text.
async fn write(cluster: &Cluster, distributor: usize, series: &[TimeSeries]) -> (u16, String) {
    let url = format!("{}/api/v1/write", cluster.bases(Role::Distributor)[distributor]);
    let answer =
        cluster.http.send("POST", &url, Version::V1.headers(), Version::V1.body(series)).await.unwrap();
    (answer.status, answer.body)
}

/// The result of an instant query: labels and value of each series.
async fn ask(cluster: &Cluster, query: &str) -> Vec<(Value, String)> {
    let base = &cluster.bases(Role::Querier)[0];
    let answer =
        cluster.http.get(&format!("{base}/api/v1/query?{}", form(&[("query", query)]))).await.unwrap();
    assert_eq!(answer.status, 200, "{query}: {}", answer.body);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let result = body["data"]["result"].as_array().unwrap().iter();
    result.map(|one| (one["metric"].clone(), one["value"][1].as_str().unwrap().to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_holds_across_distributors() {
    const RATE: usize = 2000;
    const BURST: usize = 1000;
    let set = [format!("limits.ingestion_rate={RATE}"), format!("limits.ingestion_burst={BURST}")];
    let cluster = Cluster::start(Layout::default().set(&[&set[0], &set[1]])).await;
    let (start, mut taken, mut refused, mut request) = (now(), 0, 0, 0);
    // Several times what is allowed, to both by turns.
    while start.elapsed() < Duration::from_secs(5) {
        let (time, name) = (now_ms(), request.to_string());
        let samples = Vec::from_iter((0..100).map(|n| (time - n, 1.0)));
        let one = TimeSeries::new(&[("__name__", "rated"), ("request", &name)], &samples);
        match write(&cluster, request % 2, &[one]).await {
            (200 | 204, _) => taken += 100,
            (429, said) => {
                assert!(said.contains("ingestion rate limit"), "{said}");
                refused += 100;
            }
            (status, said) => panic!("{status} {said}"),
        }
        request += 1;
        sleep(Duration::from_millis(5)).await;
    }
    let seconds = start.elapsed().as_secs_f64();
    tell(&format!(
        "of a rate of {RATE} a second over two distributors {taken} came in in {seconds:.1} s, {refused} did not"
    ));
    let allowed = RATE as f64 * seconds + BURST as f64;
    assert!(f64::from(taken) <= allowed * 1.05, "{taken} samples were taken, {allowed} are allowed");
    assert!(f64::from(taken) >= allowed * 0.7, "{taken} samples were taken of {allowed} that are allowed");
    assert!(refused > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_pair_of_senders_one_is_listened_to() {
    let set =
        ["limits.ha_dedup=true", "distributor.ha_failover_timeout=3s", "distributor.ha_update_timeout=1s"];
    let cluster = Cluster::start(Layout::default().set(&set)).await;
    let sample = |replica: &str, value: f64| {
        let labels = [("__name__", "paired"), ("__replica__", replica), ("cluster", "one")];
        [TimeSeries::new(&labels, &[(now_ms(), value)])]
    };
    // Each sends to a distributor of its own.
    for _ in 0..20 {
        assert_eq!(write(&cluster, 0, &sample("a", 1.0)).await.0 / 100, 2);
        let (status, said) = write(&cluster, 1, &sample("b", 2.0)).await;
        assert_eq!(status, 202, "{said}");
        sleep(Duration::from_millis(100)).await;
    }
    let start = now();
    let found = ask(&cluster, "count_over_time(paired[1m])").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].1, "20", "{found:?}");
    assert!(found[0].0.get("__replica__").is_none(), "{found:?}");
    // The elected one is silent.
    while write(&cluster, 1, &sample("b", 2.0)).await.0 == 202 {
        assert!(start.elapsed() < Duration::from_secs(15), "nobody else was elected");
        sleep(Duration::from_millis(100)).await;
    }
    // Three seconds after its record changed for the last time, which it does once a second.
    assert!(start.elapsed() > Duration::from_secs(1), "elected after {:?}", start.elapsed());
    let start = now();
    while write(&cluster, 0, &sample("a", 1.0)).await.0 != 202 {
        assert!(start.elapsed() < Duration::from_secs(5), "the other distributor does not hear of it");
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(write(&cluster, 1, &sample("b", 3.0)).await.0 / 100, 2);
    assert_eq!(ask(&cluster, "last_over_time(paired[1m])").await[0].1, "3");
}

/// The ingesters that have taken in any sample.
async fn holders_of_samples(cluster: &Cluster) -> Vec<String> {
    let mut holders = Vec::new();
    for ingester in cluster.of(Role::Ingester) {
        let url = format!("{}/metrics", cluster.member(&ingester).base());
        let metrics = cluster.http.get(&url).await.unwrap().body;
        let line = metrics.lines().find(|line| line.starts_with("yagura_ingester_samples_total"));
        if line.is_some_and(|line| !line.ends_with(" 0")) {
            holders.push(ingester);
        }
    }
    holders
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_of_a_shard_is_on_its_ingesters_alone() {
    let layout = Layout::default().ingesters(6).set(&["limits.ingestion_shard_size=3"]);
    let mut cluster = Cluster::start(layout).await;
    let series = Vec::from_iter((0..200).map(|n| {
        TimeSeries::new(&[("__name__", "sharded"), ("series", &format!("{n:03}"))], &[(now_ms(), 1.0)])
    }));
    assert_eq!(write(&cluster, 0, &series).await.0 / 100, 2);
    // The third replica gets it behind the answer.
    let start = now();
    let mut holders = Vec::new();
    while holders.len() < 3 && start.elapsed() < Duration::from_secs(20) {
        sleep(Duration::from_millis(500)).await;
        holders = holders_of_samples(&cluster).await;
    }
    assert_eq!(holders.len(), 3, "{holders:?}");
    // Any one of them may go.
    cluster.kill(&holders[0]);
    assert_eq!(ask(&cluster, "count(sharded)").await[0].1, "200");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compactor_removes_what_is_older_than_it_may_be() {
    let layout = Layout::default().set(&[
        "limits.retention=1h",
        "limits.max_sample_age=30d",
        "ingester.block_duration=10m",
    ]);
    let mut cluster = Cluster::start(layout).await;
    let ages = [("old", 3 * 3600), ("new", 60)];
    for (age, seconds) in ages {
        let one = TimeSeries::new(&[("__name__", "aged"), ("age", age)], &[(now_ms() - seconds * 1000, 1.0)]);
        assert_eq!(write(&cluster, 0, &[one]).await.0 / 100, 2);
    }
    cluster.flush_all().await;
    let count = "sum by (age) (count_over_time(aged[6h]))";
    let compactor = cluster.add(Role::Compactor).await;
    let start = now();
    loop {
        let found = ask(&cluster, count).await;
        assert!(found.iter().any(|(labels, _)| labels["age"] == "new"), "{found:?}");
        if found.len() == 1 {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(90), "the old block is still there: {found:?}");
        sleep(Duration::from_millis(500)).await;
    }
    cluster.stop(&compactor).await;
}
