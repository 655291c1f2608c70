//! Broken and hostile pushes and queries for logs: the sender's error, never ours.

use super::fuzz::{MAX_GROWTH, alive_and_lean};
use integration_tests::{
    JSON, LogStream, Message, PROTOBUF, PUSH, Random, Settings, Yagura, form, mutate, now_ms, push_json,
    push_message, push_protobuf, snappy,
};
use std::io::Write;

const MUTATIONS: usize = 1000;

type Headers = &'static [(&'static str, &'static str)];

fn streams() -> Vec<LogStream> {
    let now = now_ms() * 1_000_000;
    let stream = |n: usize| {
        let (pod, text) = (format!("pod-{n}"), format!("level=info msg=\"über {n}\" took={n}ms"));
        let mut stream = LogStream::new(
            &[("app", "fuzz"), ("pod", &pod)],
            &[(now - 2, &text), (now - 1, ""), (now, "{}")],
        );
        stream.lines[0].metadata.insert("trace_id".to_owned(), "abc".to_owned());
        stream
    };
    (0..4).map(stream).collect()
}

/// opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest with one record.
fn otlp_logs() -> Vec<u8> {
    let value = |text: &str| Message::default().bytes(1, text.as_bytes());
    let attribute =
        |name: &str, text: &str| Message::default().bytes(1, name.as_bytes()).message(2, &value(text));
    let record = Message::default()
        .varint(2, 9)
        .bytes(3, b"INFO")
        .message(5, &value("a line"))
        .message(6, &attribute("user.id", "7"))
        .bytes(9, &[1; 16])
        .fixed64(11, now_ms() as u64 * 1_000_000);
    let scope = Message::default().message(1, &Message::default().bytes(1, b"scope")).message(2, &record);
    let resource = Message::default().message(1, &attribute("service.name", "fuzz"));
    Message::default().message(1, &Message::default().message(1, &resource).message(2, &scope)).0
}

/// opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest with one gauge.
fn otlp_metrics() -> Vec<u8> {
    let point = Message::default().double(4, 1.5).fixed64(3, now_ms() as u64 * 1_000_000);
    let gauge = Message::default().message(1, &point);
    let metric = Message::default().bytes(1, b"fuzz.gauge").bytes(3, b"s").message(5, &gauge);
    let scope = Message::default().message(2, &metric);
    Message::default().message(1, &Message::default().message(2, &scope)).0
}

const OTLP: &[(&str, &str)] = &[("content-type", "application/x-protobuf")];
const OTLP_JSON: &str = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"fuzz"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"1700000000000000000","body":{"stringValue":"a line"},"attributes":[{"key":"n","value":{"intValue":"7"}}]}]}]}]}"#;

#[tokio::test]
async fn mutated_pushes_are_never_our_error() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let mut random = Random::seeded(3);
    type Kind = (&'static str, Headers, Vec<u8>, fn(&[u8]) -> Vec<u8>);
    let plain: fn(&[u8]) -> Vec<u8> = <[u8]>::to_vec;
    let kinds: [Kind; 6] = [
        (PUSH, PROTOBUF, push_message(&streams()), snappy),
        (PUSH, PROTOBUF, push_protobuf(&streams()), plain),
        (PUSH, JSON, push_json(&streams()), plain),
        ("/otlp/v1/logs", OTLP, otlp_logs(), plain),
        ("/otlp/v1/logs", JSON, OTLP_JSON.as_bytes().to_vec(), plain),
        ("/otlp/v1/metrics", OTLP, otlp_metrics(), plain),
    ];
    for (path, headers, message, wrap) in kinds {
        // The first, unbroken one warms up what stays in memory.
        let good = yagura.post(path, headers, wrap(&message)).await;
        assert!(good.status / 100 == 2 || message == OTLP_JSON.as_bytes(), "{path}: {}", good.body);
        let before = yagura.process.resident_bytes();
        let mut refused = 0;
        for n in 0..MUTATIONS {
            let mut body = message.clone();
            mutate(&mut body, &mut random);
            let answer = yagura.post(path, headers, wrap(&body)).await;
            let fine = answer.status / 100 == 2 || answer.status / 100 == 4;
            assert!(fine, "{path} {headers:?}, mutation {n}: {} {} for {body:?}", answer.status, answer.body);
            refused += usize::from(answer.status / 100 == 4);
        }
        println!("{path} {headers:?}: {refused} of {MUTATIONS} mutations refused");
        assert!(refused > MUTATIONS / 10, "only {refused} of {MUTATIONS} mutations of {path} were refused");
        alive_and_lean(&yagura, before).await;
    }
}

/// Queries over every part of the language.
const QUERIES: [&str; 12] = [
    r#"{app="fuzz", pod=~"pod-.*"} |= "info" != "x" |~ "a|b" !~ "c+" |> "<_> msg=<_>""#,
    r#"{app="fuzz"} | logfmt --strict | level="info" and took > 1ms or pod!="a" | line_format "{{.msg}} {{.took | ToUpper}}""#,
    r#"{app="fuzz"} | json a="b.c[0]" | label_format x=a, y="{{ .x | trunc 3 }}" | drop a, b="c" | keep x"#,
    r#"{app="fuzz"} | pattern "<level> msg=<msg>" | regexp "(?P<n>[0-9]+)" | unpack | decolorize"#,
    r#"sum by (pod) (rate({app="fuzz"} |= "info" [5m] offset 1m)) / on(pod) group_left(x) count_over_time({app="fuzz"}[1m])"#,
    r#"quantile_over_time(0.99, {app="fuzz"} | logfmt | unwrap duration(took) | __error__="" [1m]) by (pod)"#,
    r#"topk(3, sum without (pod) (bytes_rate({app="fuzz"}[1m]))) or vector(1) unless bool_thing"#,
    r#"label_replace(rate({app="fuzz"}[1m]), "a", "$1", "pod", "pod-(.*)") > bool 1e3 ^ 2"#,
    r#"sort_desc(absent_over_time({app="none"}[1h])) + -1.5 % 0x1f"#,
    r#"{app="fuzz"} | addr = ip("10.0.0.0/8") or size >= 5KiB |= ip("1.2.3.4-1.2.3.9") # comment"#,
    r#"{app="fuzz"} | line_format "{{ if eq .level `info` }}{{ range $i, $e := fromJson .x }}{{ $e }}{{ end }}{{ end }}""#,
    r#"approx_topk(5, sum by (level) (count_over_time({app="fuzz"} | logfmt [5m])))"#,
];

#[tokio::test]
async fn mutated_queries_are_never_our_error() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    assert_eq!(yagura.post(PUSH, PROTOBUF, push_protobuf(&streams())).await.status, 204);
    let mut random = Random::seeded(4);
    let before = yagura.process.resident_bytes();
    let mut refused = 0;
    for n in 0..2 * MUTATIONS {
        let mut query = QUERIES[n % QUERIES.len()].as_bytes().to_vec();
        if n >= QUERIES.len() {
            mutate(&mut query, &mut random);
        }
        let query = String::from_utf8_lossy(&query).into_owned();
        let endpoint = ["query_range", "query", "format_query", "detected_fields"][n / QUERIES.len() % 4];
        let url = yagura.url(&format!("/loki/api/v1/{endpoint}?{}", form(&[("query", &query)])));
        let answer = yagura.http.get(&url).await.unwrap();
        assert!(
            [200, 400, 422].contains(&answer.status),
            "{endpoint} {query}: {} {}",
            answer.status,
            answer.body
        );
        assert!(answer.status == 200 || !answer.body.trim().is_empty(), "{query}: no reason is given");
        refused += usize::from(answer.status != 200);
    }
    println!("{refused} of {} mutated queries refused", 2 * MUTATIONS);
    assert!(refused > MUTATIONS / 2);
    alive_and_lean(&yagura, before).await;
}

#[tokio::test]
async fn log_bombs_are_refused_in_little_memory() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let mut before = yagura.process.resident_bytes();
    let deep = format!(r#"{{"streams":{}"#, "[".repeat(1 << 20));
    let many_streams = [0x0a, 0x00].repeat(15 << 20);
    let many_entries = snappy(&Message::default().bytes(1, &[0x12, 0x00].repeat(7 << 20)).0);
    let zeros = gzip_of_spaces(1 << 10);
    let nested = "(".repeat(100_000);
    let gzipped: Headers = &[("content-type", "application/json"), ("content-encoding", "gzip")];
    let bombs: [(&str, &str, Headers, Vec<u8>); 8] = [
        ("deep JSON", PUSH, JSON, deep.clone().into_bytes()),
        ("1 GiB of spaces", PUSH, gzipped, zeros.clone()),
        ("15 million empty streams", PUSH, PROTOBUF, snappy(&many_streams)),
        ("7 million empty entries", PUSH, PROTOBUF, many_entries),
        ("deep OTLP JSON", "/otlp/v1/logs", JSON, deep.into_bytes()),
        ("1 GiB of spaces as OTLP", "/otlp/v1/logs", gzipped, zeros.clone()),
        ("1 GiB of spaces as metrics", "/otlp/v1/metrics", gzipped, zeros),
        ("a body over the limit", PUSH, JSON, vec![b' '; 20 << 20]),
    ];
    // Each by itself, and then all of them once more against what the allocator has kept of the first round.
    let mut resident = before;
    for round in 0..2 {
        if round == 1 {
            before = yagura.process.resident_bytes();
        }
        for (name, path, headers, body) in &bombs {
            let sent = yagura.http.send("POST", &yagura.url(path), headers, body.clone()).await;
            let status = sent.map_or(413, |answer| answer.status);
            assert!((400..500).contains(&status), "{name}: {status}");
            let now = yagura.process.resident_bytes();
            let growth = now.saturating_sub(resident);
            println!("{name}: {status}, {} MiB more than before it", growth >> 20);
            assert!(growth < MAX_GROWTH, "{name}: memory grew by {} MiB", growth >> 20);
            resident = now;
        }
        let url = yagura.url("/loki/api/v1/query");
        let answer = yagura.http.post_form(&url, &[("query", &nested)]).await.unwrap();
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    alive_and_lean(&yagura, before).await;
}

/// So many MiB of spaces.
fn gzip_of_spaces(mebibytes: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..mebibytes {
        encoder.write_all(&[b' '; 1 << 20]).unwrap();
    }
    encoder.finish().unwrap()
}

#[tokio::test]
async fn every_log_endpoint_takes_nonsense_for_the_senders_error() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    for endpoint in ENDPOINTS {
        for (name, value) in [
            ("query", "{"),
            ("start", "yesterday"),
            ("end", "1e999"),
            ("since", "-"),
            ("limit", "-1"),
            ("step", "0"),
            ("direction", "sideways"),
            ("match[]", "{app="),
        ] {
            // Each of them with all others right.
            let mut fields = vec![("query", "{app=\"a\"}"), (name, value)];
            if name == "query" {
                fields.remove(0);
            }
            check_nonsense(&yagura, endpoint, &fields).await;
        }
    }
}

const ENDPOINTS: [&str; 13] = [
    "query",
    "query_range",
    "labels",
    "label/app/values",
    "series",
    "index/stats",
    "index/volume",
    "index/volume_range",
    "detected_labels",
    "detected_fields",
    "detected_field/a/values",
    "patterns",
    "format_query",
];

async fn check_nonsense(yagura: &Yagura, endpoint: &str, fields: &[(&str, &str)]) {
    let answer = yagura.get(&format!("/loki/api/v1/{endpoint}?{}", form(fields))).await;
    // What an endpoint does not look at does it no harm.
    assert!([200, 400].contains(&answer.status), "{endpoint} {fields:?}: {} {}", answer.status, answer.body);
}
