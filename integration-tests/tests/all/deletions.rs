//! Requests to delete: what they name is hidden at once, whether it lies in heads or in blocks, and is there again
//! when they are cancelled.

use integration_tests::{
    Answer, LogStream, PROTOBUF, PUSH, Settings, TimeSeries, Version, Yagura, form, now_ms, push_protobuf,
};
use serde_json::{Value, json};

const SERIES: &str = "/prometheus/api/v1/admin/tsdb/delete_series";
const CANCEL_SERIES: &str = "/prometheus/api/v1/admin/tsdb/cancel_delete_request";
const LINES: &str = "/loki/api/v1/delete";

const STEP: i64 = 15_000;
const COUNT: i64 = 40;

/// Two series and two streams, an entry of each every 15 s from `start` on.
async fn write(yagura: &Yagura, start: i64) {
    let times = || (0..COUNT).map(|n| start + n * STEP);
    let samples: Vec<_> = times().map(|time| (time, 1.0)).collect();
    let series =
        ["a", "b"].map(|job| TimeSeries::new(&[("__name__", "requests"), ("job", job)], &samples)).to_vec();
    assert_eq!(yagura.write(Version::V2, &series).await.status, 204);
    let text = |n: i64| if n % 2 == 0 { "level=debug even" } else { "level=info odd" };
    let lines: Vec<_> = (0..).zip(times()).map(|(n, time)| (time * 1_000_000, text(n))).collect();
    let streams = ["a", "b"].map(|app| LogStream::new(&[("app", app)], &lines));
    let pushed = yagura.post(PUSH, PROTOBUF, push_protobuf(&streams)).await;
    assert_eq!(pushed.status, 204, "{}", pushed.body);
}

async fn send(yagura: &Yagura, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let url = yagura.url(&format!("{path}?{}", form(fields)));
    yagura.http.send(method, &url, &[], Vec::new()).await.unwrap()
}

/// The id of a request that must be taken.
async fn ask(yagura: &Yagura, path: &str, fields: &[(&str, &str)]) -> String {
    let answer = send(yagura, "POST", path, fields).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    answer.headers["x-delete-request-id"].to_str().unwrap().to_owned()
}

async fn json(yagura: &Yagura, path: &str) -> Value {
    let answer = yagura.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// How many entries each series has, and each stream; of lines those of `level=debug` and the others.
async fn counts(yagura: &Yagura, start: i64) -> [usize; 6] {
    let end = start + COUNT * STEP;
    let mut counts = [0; 6];
    for (at, job) in ["a", "b"].iter().enumerate() {
        let found = yagura.query().series(&format!("requests{{job=\"{job}\"}}[1h]"), end).await;
        counts[at] = found.iter().map(|series| series.points.len()).sum();
    }
    for (at, (app, level)) in
        [("a", "debug"), ("a", "info"), ("b", "debug"), ("b", "info")].iter().enumerate()
    {
        let query = format!("{{app=\"{app}\"}} |= \"level={level}\"");
        let found = yagura.logs().lines(&query, start * 1_000_000, end * 1_000_000).await;
        counts[2 + at] = found.iter().map(|stream| stream.lines.len()).sum();
    }
    counts
}

#[derive(Debug, PartialEq, Eq)]
struct Asked {
    series: String,
    lines: String,
}

/// Half of the time of one of the series, and of one stream the lines of one level; asked twice, as a client does
/// that has not heard of the answer.
async fn delete(yagura: &Yagura, start: i64) -> Asked {
    let asked = delete_once(yagura, start).await;
    assert_eq!(delete_once(yagura, start).await, asked);
    asked
}

async fn delete_once(yagura: &Yagura, start: i64) -> Asked {
    let half = seconds(start + COUNT / 2 * STEP);
    let selector = [("match[]", "requests{job=\"a\"}"), ("end", half.as_str())];
    let series = ask(yagura, SERIES, &selector).await;
    let query = "{app=\"a\"} |= \"level=debug\"";
    let (from, to) = (seconds(start), seconds(start + COUNT / 2 * STEP));
    let lines = ask(yagura, LINES, &[("query", query), ("start", &from), ("end", &to)]).await;
    Asked { series, lines }
}

async fn check_listed(yagura: &Yagura, asked: &Asked, start: i64, status: &str) {
    let end = (start + COUNT / 2 * STEP) as f64 / 1000.0;
    let listed = json(yagura, SERIES).await;
    let [series] = listed["data"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!(series["request_id"], json!(asked.series));
    assert_eq!(series["selectors"], json!(["requests{job=\"a\"}"]));
    assert_eq!((series["end_time"].as_f64(), &series["status"]), (Some(end), &json!(status)));
    let listed = json(yagura, LINES).await;
    let [lines] = listed.as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!(lines["request_id"], json!(asked.lines));
    assert_eq!(lines["query"], "{app=\"a\"} |= \"level=debug\"");
    assert_eq!(lines["start_time"].as_f64(), Some(start as f64 / 1000.0));
    assert_eq!((lines["end_time"].as_f64(), &lines["status"]), (Some(end), &json!(status)));
    let waits = lines["due_at"].as_f64().unwrap() - lines["created_at"].as_f64().unwrap();
    assert!(status != "received" || (waits - 86_400.0).abs() < 1.0, "{lines}");
}

async fn cancel(yagura: &Yagura, asked: &Asked, force: &str) -> [u16; 2] {
    let series = [("request_id", asked.series.as_str()), ("force", force)];
    let lines = [("request_id", asked.lines.as_str()), ("force", force)];
    [
        send(yagura, "POST", CANCEL_SERIES, &series).await.status,
        send(yagura, "DELETE", LINES, &lines).await.status,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_listed_over_a_restart_and_can_be_cancelled() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let start = now_ms() - COUNT * STEP;
    let asked = delete(&yagura, start).await;
    check_listed(&yagura, &asked, start, "received").await;
    assert!(yagura.process.log().contains(&asked.series), "it is logged");
    assert!(yagura.stop().await.success());
    let yagura = settings.start().await;
    check_listed(&yagura, &asked, start, "received").await;
    assert_eq!(cancel(&yagura, &asked, "").await, [204, 204]);
    assert_eq!(cancel(&yagura, &asked, "").await, [404, 404]);
    assert_eq!(json(&yagura, SERIES).await["data"], json!([]));
    assert_eq!(json(&yagura, LINES).await, json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_is_cancelled_by_force_alone() {
    let yagura = Settings::new(&["limits.deletion_delay=0s"]).start().await;
    let start = now_ms() - COUNT * STEP;
    let selector = [("match[]", "requests{job=\"a\"}")];
    let series = ask(&yagura, SERIES, &selector).await;
    let lines =
        ask(&yagura, LINES, &[("query", "{app=\"a\"} |= \"level=debug\""), ("start", &seconds(start))]).await;
    let asked = Asked { series, lines };
    assert_eq!(json(&yagura, LINES).await[0]["status"], "processing");
    assert_eq!(cancel(&yagura, &asked, "").await, [400, 400]);
    assert_eq!(cancel(&yagura, &asked, "true").await, [204, 204]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_is_hidden_in_heads_and_in_blocks_until_it_is_cancelled() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let start = now_ms() / STEP * STEP - (COUNT + 1) * STEP;
    write(&yagura, start).await;
    let (all, half) = (COUNT as usize, COUNT as usize / 2);
    let whole = [all, all, half, half, half, half];
    assert_eq!(counts(&yagura, start).await, whole);

    // Both ends of a range are part of it.
    let left = [all - half - 1, all, half - half / 2 - 1, half, half, half];
    let asked = delete(&yagura, start).await;
    assert_eq!(counts(&yagura, start).await, left, "in heads");
    let flushed = yagura.post("/flush", &[], Vec::new()).await;
    assert_eq!(flushed.status / 100, 2, "{}", flushed.body);
    assert_eq!(counts(&yagura, start).await, left, "in blocks");
    assert!(yagura.stop().await.success());
    let yagura = settings.start().await;
    assert_eq!(counts(&yagura, start).await, left, "after a restart");

    assert_eq!(cancel(&yagura, &asked, "").await, [204, 204]);
    assert_eq!(counts(&yagura, start).await, whole, "when it was cancelled");
}

/// What the blocks of a signal hold of a selector, as text; none if one was rewritten meanwhile.
fn stored(settings: &Settings, signal: &str, selector: &str) -> Option<String> {
    let listed = settings.bucket_prints(&["ls", "--tenant", "anonymous", "--signal", signal, "--json"]);
    let mut all = String::new();
    for line in listed.lines() {
        let block: Value = serde_json::from_str(line).unwrap();
        let cat = ["cat", block["block"].as_str().unwrap(), "--tenant", "anonymous", "--match", selector];
        let output = settings.bucket(&cat);
        let errors = String::from_utf8_lossy(&output.stderr);
        if errors.contains("is listed for tenant anonymous") {
            return None;
        }
        assert!(output.status.success(), "{errors}");
        all += &String::from_utf8_lossy(&output.stdout).replace("# EOF\n", "");
    }
    Some(all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_goes_from_the_bucket() {
    let settings = Settings::new(&["limits.deletion_delay=0s", "compactor.interval=1"]);
    let yagura = settings.start().await;
    let start = now_ms() / STEP * STEP - (COUNT + 1) * STEP;
    write(&yagura, start).await;
    assert_eq!(yagura.post("/flush", &[], Vec::new()).await.status / 100, 2);
    delete_once(&yagura, start).await;
    let (all, half) = (COUNT as usize, COUNT as usize / 2);
    let left = [all - half - 1, all, half - half / 2 - 1, half, half, half];
    let is_gone = || {
        let count = |signal, selector| stored(&settings, signal, selector).map(|text| text.lines().count());
        let samples = ["requests{job=\"a\"}", "requests{job=\"b\"}"].map(|s| count("metrics", s));
        let lines = ["{app=\"a\"}", "{app=\"b\"}"].map(|s| count("logs", s));
        samples == [left[0], left[1]].map(Some) && lines == [left[2] + left[3], left[4] + left[5]].map(Some)
    };
    let mut looks = 0;
    while !is_gone() {
        looks += 1;
        assert!(looks < 100, "{:?}", stored(&settings, "logs", "{app=\"a\"}"));
        assert_eq!(counts(&yagura, start).await, left, "while blocks are rewritten");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(counts(&yagura, start).await, left);
}
