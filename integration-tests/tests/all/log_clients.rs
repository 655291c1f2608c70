//! Clients as others wrote them push what we have to take: OpenTelemetry's SDK, and libraries
//! that push to Loki as protobuf and as JSON.

use integration_tests::{LogStream, Settings, Yagura, client, now_ms};
use std::{collections::BTreeMap, process::Command, time::Duration};
use tracing_subscriber::layer::SubscriberExt;

const HOUR: i64 = 3_600_000_000_000;

async fn run(mut command: Command) {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    assert!(said.is_empty(), "a client complained: {}", String::from_utf8_lossy(&said));
}

async fn lines(yagura: &Yagura, selector: &str) -> Vec<LogStream> {
    let now = now_ms() * 1_000_000;
    yagura.logs().lines(selector, now - HOUR, now + HOUR).await
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_opentelemetrys_sdk_exports_is_read_back() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let start = now_ms() * 1_000_000;
    let mut exporter = client("otel.py");
    exporter.arg(yagura.base()).arg(start.to_string());
    run(exporter).await;

    let found = lines(&yagura, "{service_name=\"checkout\"}").await;
    assert_eq!(found.len(), 1, "{found:?}");
    let stream =
        [("service_instance_id", "one"), ("service_name", "checkout"), ("service_namespace", "shop")];
    assert_eq!(found[0].labels, labels(&stream));
    assert_eq!(found[0].lines.len(), 100);
    for (n, line) in found[0].lines.iter().enumerate() {
        assert_eq!(line.nanos, start + n as i64);
        assert_eq!(line.text, format!("cart {n} is empty: über \"quoted\" \\ {{}}"));
        let number = n.to_string();
        for (name, value) in [
            ("cart_id", number.as_str()),
            ("cart_items", "[\"a\",\"b\"]"),
            ("scope_name", "cart"),
            ("scope_version", "1.2.3"),
            ("severity_text", "WARN"),
            ("severity_number", "13"),
            ("team_lead", "Ann"),
        ] {
            assert_eq!(line.metadata.get(name).map(String::as_str), Some(value), "{name} of {line:?}");
        }
    }

    let now = now_ms() + 1000;
    for (expr, values) in [
        ("cart_checkouts_total{kind=\"card\"}", vec![7.0]),
        ("cart_open", vec![-2.0]),
        ("cart_temperature_celsius", vec![21.5]),
        ("cart_duration_seconds_count", vec![3.0]),
        ("cart_duration_seconds_sum", vec![5.55]),
        ("sort(cart_duration_seconds_bucket)", vec![1.0, 2.0, 3.0]),
        ("target_info{team_lead=\"Ann\"}", vec![1.0]),
    ] {
        let found = yagura.query().series(expr, now).await;
        let got: Vec<f64> = found.iter().map(|series| series.points[0].1).collect();
        assert_eq!(got, values, "{expr}: {found:?}");
        for series in &found {
            assert_eq!(series.labels["job"], "shop/checkout", "{expr}");
            assert_eq!(series.labels["instance"], "one", "{expr}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_library_pushes_as_json_is_read_back() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let mut logger = client("loki_json.py");
    logger.arg(yagura.base());
    run(logger).await;

    let found = lines(&yagura, "{application=\"python\"}").await;
    assert_eq!(found.len(), 2, "{found:?}");
    for (number, stream) in found.iter().enumerate() {
        let want = [
            ("application", "python"),
            ("logger", "client"),
            ("number", &number.to_string()),
            ("service_name", "python"),
            ("severity", "warning"),
        ];
        assert_eq!(stream.labels, labels(&want));
        let text: Vec<&str> = stream.lines.iter().map(|line| line.text.as_str()).collect();
        let want: Vec<String> =
            (number..20).step_by(2).map(|n| format!("line {n} of über \"quoted\" \\ text")).collect();
        assert_eq!(text, want);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_library_pushes_as_protobuf_is_read_back() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let (layer, controller, task) = tracing_loki::builder()
        .label("host", "mine")
        .unwrap()
        .extra_field("pid", "7")
        .unwrap()
        .build_controller_url(yagura.base().parse().unwrap())
        .unwrap();
    let sending = tokio::spawn(task);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for n in 0..50 {
            tracing::info!(target: "client", number = n, "line of \u{fc}ber \"quoted\" \\ text");
        }
        tracing::error!(target: "client", "the end");
    });
    controller.shutdown().await;
    tokio::time::timeout(Duration::from_secs(20), sending).await.unwrap().unwrap();

    let found = lines(&yagura, "{host=\"mine\"}").await;
    let by_level: BTreeMap<&str, &LogStream> =
        found.iter().map(|stream| (stream.labels["level"].as_str(), stream)).collect();
    let info: Vec<serde_json::Value> =
        by_level["info"].lines.iter().map(|line| serde_json::from_str(&line.text).unwrap()).collect();
    assert_eq!(info.len(), 50);
    for (n, line) in info.iter().enumerate() {
        assert_eq!((&line["number"], &line["pid"]), (&serde_json::json!(n), &serde_json::json!("7")));
        assert_eq!(line["message"], "line of über \"quoted\" \\ text");
    }
    assert_eq!(by_level["error"].lines.len(), 1);
}
