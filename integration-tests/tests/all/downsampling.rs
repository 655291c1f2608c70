//! Days that are long over are rolled up, and long queries read that in the place of samples: the answers stay the
//! same to the bit.

use integration_tests::{Settings, TimeSeries, Version, Yagura, form, now_ms};
use serde_json::Value;

const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;

/// Three days of a gauge that is no whole number and of a counter that falls now and then, up to midnight three days
/// ago; a sample a minute, on the minute.
async fn write(yagura: &Yagura, midnight: i64) {
    let end = midnight - 3 * DAY;
    for host in ["a", "b"] {
        let times = || ((end - 3 * DAY) / MINUTE..=end / MINUTE).map(|minute| minute * MINUTE);
        let gauge = |time: i64| ((time / MINUTE) as f64 / 7.0).sin() * 1e3 + 0.1;
        let counter = |time: i64| (time / MINUTE).rem_euclid(1_000 + host.len() as i64 * 7) as f64 * 1.1;
        let series = [
            ("temperature", times().map(|t| (t, gauge(t))).collect::<Vec<_>>()),
            ("requests_total", times().map(|t| (t, counter(t))).collect()),
        ];
        for (name, samples) in series {
            // A write has its bound.
            for samples in samples.chunks(2_000) {
                let one = TimeSeries::new(&[("__name__", name), ("host", host)], samples);
                let answer = yagura.write(Version::V2, &[one]).await;
                assert_eq!(answer.status / 100, 2, "{}", answer.body);
            }
        }
    }
    let flushed = yagura.post("/flush", &[], Vec::new()).await;
    assert_eq!(flushed.status / 100, 2, "{}", flushed.body);
}

async fn metric(yagura: &Yagura, name: &str) -> u64 {
    let text = yagura.get("/metrics").await.body;
    let line =
        text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_else(|| panic!("{name}"));
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn ask(yagura: &Yagura, query: &str, midnight: i64, mode: &str) -> Value {
    let (start, end) = (midnight - 6 * DAY + 3_600_000, midnight - 2 * DAY);
    let fields = [
        ("query", query),
        ("start", &(start / 1000).to_string()),
        ("end", &(end / 1000).to_string()),
        ("step", "3600"),
        ("downsampling", mode),
        ("explain", "true"),
    ];
    let answer = yagura.get(&format!("/api/v1/query_range?{}", form(&fields))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_queries_read_rollups_and_answer_the_same() {
    let settings = Settings::new(&[
        "limits.downsampling=true",
        "limits.out_of_order_window=14d",
        "compactor.interval=1s",
        "compactor.delay=0s",
        // Nothing is to be answered by what was answered before.
        "cache.results_bytes=0",
    ]);
    let yagura = settings.start().await;
    let midnight = now_ms().div_euclid(DAY) * DAY;
    write(&yagura, midnight).await;
    for looks in 0.. {
        if metric(&yagura, "yagura_compactor_rollups_total").await >= 3 {
            break;
        }
        assert!(looks < 600, "no rollups: {}", yagura.process.log());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    for query in [
        "max_over_time(temperature[2h])",
        "count_over_time(temperature[1h])",
        "last_over_time(temperature[3h])",
        "rate(requests_total[1h])",
        "sum(increase(requests_total[1d]))",
        "resets(requests_total[6h])",
        "temperature",
    ] {
        let (off, exact) =
            (ask(&yagura, query, midnight, "off").await, ask(&yagura, query, midnight, "exact").await);
        assert!(!off["data"]["result"].as_array().unwrap().is_empty(), "{query}");
        assert_eq!(off["data"]["result"], exact["data"]["result"], "{query}");
        assert!(exact.to_string().contains("rollups of"), "{query}: {exact}");
        assert!(!off.to_string().contains("rollups of"), "{query}: {off}");
        assert_eq!(exact.get("infos"), None, "{query}");
    }
    let allowed = ask(&yagura, "avg_over_time(temperature[2h])", midnight, "allowed").await;
    assert!(allowed["infos"].to_string().contains("last digits"), "{}", allowed["infos"]);
    // A sample that comes late has its day read from samples until that is rolled up again.
    let late =
        TimeSeries::new(&[("__name__", "temperature"), ("host", "a")], &[(midnight - 4 * DAY + 1, 1e9)]);
    assert_eq!(yagura.write(Version::V2, &[late]).await.status / 100, 2);
    let query = "max_over_time(temperature[2h])";
    for _ in 0..2 {
        let (off, exact) =
            (ask(&yagura, query, midnight, "off").await, ask(&yagura, query, midnight, "exact").await);
        assert_eq!(off["data"]["result"], exact["data"]["result"]);
        assert!(exact["data"]["result"].to_string().contains("1000000000"), "{exact}");
        assert_eq!(yagura.post("/flush", &[], Vec::new()).await.status / 100, 2);
    }
}
