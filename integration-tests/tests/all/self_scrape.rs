//! `monitoring.self_scrape`: a process that is looked at with nothing but itself.

use integration_tests::{
    Http, LogQuery, Process, Query, Settings, Tool, Version, Yagura, free_port, now_ms, tool,
};
use std::{collections::BTreeSet, fs, process::Command, time::Duration};

const ON: [&str; 3] =
    ["monitoring.self_scrape.enabled=true", "monitoring.self_scrape.interval=1s", "ring.instance_id=tested"];

fn settings(more: &[&str]) -> Settings {
    Settings::new(&[&ON[..], more].concat())
}

fn own(yagura: &Yagura) -> Query {
    Query::new(Http::of_tenant("yagura"), yagura.base())
}

async fn count(query: &Query, expr: &str) -> f64 {
    query.series(expr, now_ms()).await.first().map_or(0.0, |series| series.points[0].1)
}

/// Waits until an expression is larger than 0.
async fn until(query: &Query, expr: &str) -> f64 {
    for _ in 0..150 {
        let value = count(query, expr).await;
        if value > 0.0 {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{expr} gave nothing within half a minute");
}

/// The texts of the lines of a minute, each with its stream's level.
async fn lines(yagura: &Yagura, tenant: &str, query: &str) -> Vec<(String, String)> {
    let now = now_ms();
    let logs = LogQuery::new(Http::of_tenant(tenant), yagura.base());
    let streams = logs.lines(query, (now - 60_000) * 1_000_000, (now + 1000) * 1_000_000).await;
    let of = |stream: integration_tests::LogStream| {
        assert_eq!((&*stream.labels["job"], &*stream.labels["instance"]), ("yagura", "tested"));
        let level = stream.labels["level"].clone();
        stream.lines.into_iter().map(move |line| (level.clone(), line.text))
    };
    streams.into_iter().flat_map(of).collect()
}

/// The lines of the tenant when there are so many.
async fn lines_once(yagura: &Yagura, query: &str, count: usize) -> Vec<(String, String)> {
    for _ in 0..100 {
        let found = lines(yagura, "yagura", query).await;
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("there were not {count} lines within 20 seconds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_shows_its_metrics_and_its_log_to_whoever_names_the_tenant() {
    let settings = settings(&["monitoring.self_scrape.labels=zone=a"]);
    let yagura = settings.start().await;
    let query = own(&yagura);
    until(&query, r#"up{job="yagura", instance="tested", zone="a"}"#).await;
    // Two of them make a rate.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let quantile = r#"histogram_quantile(0.9, sum by (le) (rate(yagura_http_request_duration_seconds_bucket{job="yagura"}[10s])))"#;
    until(&query, quantile).await;
    until(&query, "process_resident_memory_bytes > 1e6").await;
    until(&query, "scrape_samples_scraped > 100").await;
    assert!(count(&query, "sum(scrape_series_added)").await < 100.0, "the same series come again");

    let metadata = query_metadata(&yagura, "yagura_http_requests_total").await;
    assert!(metadata.contains(r#""type":"counter""#), "{metadata}");

    // That was logged before anything could be written.
    let found = lines_once(&yagura, r#"{job="yagura"} |= "listening""#, 1).await;
    let (level, text) = &found[0];
    assert!(level == "info" && text.contains(r#""message":"listening""#), "{text}");
    assert!(yagura.process.log().lines().any(|line| line.contains(r#""message":"listening""#)));

    // Nobody else sees it, and nobody writes to it.
    let everybody = yagura.query();
    assert_eq!(count(&everybody, r#"count({job="yagura"})"#).await, 0.0);
    assert!(lines(&yagura, "anonymous", r#"{job="yagura"}"#).await.is_empty());
    assert_eq!(count(&Query::new(Http::of_tenant("other"), yagura.base()), "count(up)").await, 0.0);
    let headers = [Version::V1.headers(), &[("x-scope-orgid", "yagura")]].concat();
    let answer = yagura.post("/api/v1/write", &headers, Version::V1.body(&[])).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert!(answer.body.contains("monitoring.self_scrape"), "{}", answer.body);
}

async fn query_metadata(yagura: &Yagura, metric: &str) -> String {
    let url = yagura.url(&format!("/api/v1/metadata?metric={metric}"));
    Http::of_tenant("yagura").get(&url).await.unwrap().body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_goes_on_where_it_was_and_a_stopped_one_ends_its_series() {
    let settings = settings(&[]);
    let mut yagura = settings.start().await;
    until(&own(&yagura), "up").await;
    let listening = r#"{job="yagura"} |= "listening""#;
    let starts = lines_once(&yagura, listening, 1).await;
    let before = now_ms();
    yagura.process.kill();

    let yagura = settings.start().await;
    let query = own(&yagura);
    until(&query, &format!("up and timestamp(up) > {}", before / 1000 + 1)).await;
    let series = query.series("up[1m]", now_ms()).await;
    assert_eq!(series.len(), 1, "{series:?}");
    assert!(
        series[0].points.iter().any(|point| point.0 < before),
        "what was written before the kill is there"
    );
    let again = lines_once(&yagura, listening, starts.len() + 1).await;
    assert!(again.contains(&starts[0]), "{again:?}");

    let stopped = now_ms();
    assert!(yagura.stop().await.success());
    // Without self_scrape the tenant is as all others, which nobody can name.
    let without = Settings::new(&[]).with_data_dir(settings.data_dir());
    let yagura = without.start().await;
    assert_eq!(count(&own(&yagura), "count_over_time(up[5m])").await, 0.0);
    drop(yagura);
    let multitenant = Settings::new(&["multitenancy.enabled=true"]).with_data_dir(settings.data_dir());
    let yagura = multitenant.start().await;
    let query = own(&yagura);
    assert!(count(&query, "count_over_time(up[5m])").await > 1.0);
    assert_eq!(count(&query, "up").await, 0.0, "the series has ended");
    let drained = lines(&yagura, "yagura", r#"{job="yagura"} |= "draining""#).await;
    assert_eq!(drained.len(), 1, "{drained:?}");
    let after = query.series("up[5m]", now_ms()).await[0]
        .points
        .iter()
        .filter(|point| point.0 > stopped + 10_000)
        .count();
    assert_eq!(after, 0);
}

#[tokio::test]
async fn without_the_setting_nothing_is_written() {
    let settings = Settings::new(&["multitenancy.enabled=true"]);
    let yagura = settings.start().await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(count(&own(&yagura), r#"count({__name__=~".+"})"#).await, 0.0);
    assert!(lines(&yagura, "yagura", r#"{job=~".+"}"#).await.is_empty());
    assert!(!yagura.get("/metrics").await.body.contains("self_scrape"));
}

/// With everything logged that there is: what writing lines logs must not grow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_everything_does_not_feed_itself() {
    let settings = settings(&["log.level=trace"]);
    let yagura = settings.start().await;
    let query = own(&yagura);
    until(&query, "up").await;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let written = lines(&yagura, "yagura", r#"{job="yagura"}"#).await.len();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let more = lines(&yagura, "yagura", r#"{job="yagura"}"#).await.len() - written;
    println!("{more} lines in ten seconds of doing nothing");
    assert!(more < 1000, "{more} lines in ten seconds of doing nothing");
    assert_eq!(count(&query, "yagura_self_scrape_dropped_lines_total").await, 0.0);
}

/// Prometheus scrapes the process: the two have the same series.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_series_are_those_that_prometheus_scrapes() {
    let settings = settings(&[]);
    let yagura = settings.start().await;
    let port = free_port();
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: yagura
    static_configs: [{{targets: ['{}'], labels: {{instance: tested}}}}]
",
        yagura.base().trim_start_matches("http://")
    );
    let file = settings.folder().join("prometheus.yml");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(tool(Tool::Prometheus));
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.tsdb.path={}", settings.folder().join("prometheus").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let _prometheus = Process::start(command, &settings.folder().join("prometheus.log"));
    let prometheus = Query::new(Http::default(), &format!("http://127.0.0.1:{port}"));
    for _ in 0..150 {
        if Http::default()
            .get(&format!("http://127.0.0.1:{port}/-/ready"))
            .await
            .is_ok_and(|a| a.status == 200)
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    until(&prometheus, "up == 1").await;
    let own = own(&yagura);
    let names = async |query: &Query| -> BTreeSet<String> {
        // Prometheus 2 leaves bounds as they are written, and 3 writes them as Yagura does.
        let series = query.series(r#"{job="yagura"}"#, now_ms()).await;
        let bound =
            |value: &str| value.parse::<f64>().map_or_else(|_| value.to_owned(), |bound| bound.to_string());
        let labels = series.into_iter().map(|mut series| {
            for value in series.labels.iter_mut().filter(|(name, _)| *name == "le").map(|(_, value)| value) {
                *value = bound(value);
            }
            format!("{:?}", series.labels)
        });
        labels.collect()
    };
    // Metrics appear as routes are used; then they are the same.
    let mut differences = Vec::new();
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let (scraped, written) = (names(&prometheus).await, names(&own).await);
        differences = scraped.symmetric_difference(&written).cloned().collect();
        if differences.is_empty() {
            assert!(written.len() > 100, "{}", written.len());
            return;
        }
    }
    panic!("only one of the two has {differences:#?}");
}
