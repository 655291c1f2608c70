//! Start timestamps from a sender's request to the answer: out of the head, the log and a block.

use integration_tests::{Message, Settings, Version, Yagura, now_ms, snappy};

const RESTARTED: &str = "restarted_total";
const CREATED: &str = "created_total";
const UNKNOWN: &str = "unknown_total";
const HISTOGRAM: &str = "histogram_seconds";

fn sample(t: i64, value: f64, start: i64) -> Message {
    let sample = Message::default().double(1, value).varint(2, t as u64);
    if start == 0 { sample } else { sample.varint(3, start as u64) }
}

fn histogram(t: i64, start: i64) -> Message {
    // One observation, in the zero bucket.
    let histogram = Message::default().varint(1, 1).double(3, 0.0).double(5, 0.001).varint(6, 1);
    histogram.varint(15, t as u64).varint(17, start as u64)
}

/// io.prometheus.write.v2.Request of series that have nothing but a name.
fn body(series: impl IntoIterator<Item = (&'static str, Message)>) -> Vec<u8> {
    let (mut symbols, mut bodies) = (Message::default().bytes(4, b"").bytes(4, b"__name__"), Vec::new());
    for (n, (name, message)) in series.into_iter().enumerate() {
        symbols = symbols.bytes(4, name.as_bytes());
        let mut body = Message::default().packed(1, [1, 2 + n as u64]);
        body.0.extend(message.0);
        bodies.push(body);
    }
    snappy(&bodies.into_iter().fold(symbols, |request, body| request.message(5, &body)).0)
}

async fn write(yagura: &Yagura, now: i64) {
    let first = body([
        (RESTARTED, Message::default().message(2, &sample(now - 60_000, 5.0, now - 600_000))),
        // As senders of an earlier draft have it, for all samples of the series.
        (
            CREATED,
            Message::default().message(2, &sample(now - 60_000, 1.0, 0)).varint(6, (now - 700_000) as u64),
        ),
        (UNKNOWN, Message::default().message(2, &sample(now - 60_000, 1.0, 0))),
        (HISTOGRAM, Message::default().message(3, &histogram(now - 60_000, now - 800_000))),
    ]);
    let second = body([
        // More than before, so that nothing but its start tells that the counter began anew.
        (RESTARTED, Message::default().message(2, &sample(now, 20.0, now - 30_000))),
        // A start after its own sample is as good as none.
        (UNKNOWN, Message::default().message(2, &sample(now, 2.0, now + 1_000))),
    ]);
    // One that comes late has a start of its own, too.
    let late = body([(RESTARTED, Message::default().message(2, &sample(now - 40_000, 7.0, now - 650_000)))]);
    for body in [first, second, late] {
        let written = yagura.post("/api/v1/write", Version::V2.headers(), body).await;
        assert_eq!(written.status / 100, 2, "{}", written.body);
    }
}

async fn value(yagura: &Yagura, expr: &str, time_ms: i64) -> Option<f64> {
    let series = yagura.query().series(expr, time_ms).await;
    assert!(series.len() <= 1, "{expr}: {series:?}");
    series.first().map(|one| one.points[0].1)
}

async fn check(yagura: &Yagura, now: i64, place: &str) {
    for (name, time, expected) in [
        (RESTARTED, now - 60_000, now - 600_000),
        (RESTARTED, now - 40_000, now - 650_000),
        (RESTARTED, now, now - 30_000),
        (CREATED, now, now - 700_000),
        (HISTOGRAM, now, now - 800_000),
    ] {
        let found = value(yagura, &format!("start_timestamp({name})"), time).await;
        assert_eq!(found, Some(expected as f64 / 1_000.0), "{name} at {time} in the {place}");
    }
    let unknown = value(yagura, &format!("start_timestamp({UNKNOWN})"), now).await;
    assert!(unknown.is_none_or(|start| start == 0.0), "{unknown:?} in the {place}");
    let resets = value(yagura, &format!("resets({RESTARTED}[45s])"), now).await;
    assert_eq!(resets, Some(1.0), "the restart in the {place}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn start_timestamps_are_kept_from_the_head_to_the_block() {
    let settings = Settings::new(&["query.features=promql-experimental-functions,use-start-timestamps"]);
    let now = now_ms() / 1_000 * 1_000;
    let mut yagura = settings.start().await;
    write(&yagura, now).await;
    check(&yagura, now, "head").await;
    yagura.process.kill();

    let yagura = settings.start().await;
    check(&yagura, now, "log").await;
    assert_eq!(yagura.post("/flush", &[], Vec::new()).await.status / 100, 2);
    check(&yagura, now, "block").await;
    assert!(yagura.stop().await.success());

    let yagura = settings.start().await;
    check(&yagura, now, "block alone").await;
}
