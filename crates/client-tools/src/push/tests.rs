//! What is sent of files, and what is said of answers.

use super::*;
use crate::{Outcome, testing::FakeServer};
use runtime::ManualClock;
use serde_json::{Value, json};
use std::{fs, sync::Arc};

fn file(folder: &tempfile::TempDir, text: &str) -> String {
    let path = folder.path().join("input");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn logs(file: String) -> PushLogsOptions {
    PushLogsOptions { file, labels: vec![("app".into(), "x".into())], clock: Arc::new(ManualClock::at(1)) }
}

const PUSH: &str = "POST /loki/api/v1/push";

#[tokio::test]
async fn lines_are_sent_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeServer::start(vec![(PUSH, 204, String::new())]).await;
    let mut out = Vec::new();
    let outcome = push_logs(&fake.server(), &logs(file(&folder, "a\n\nb\r\n\"c\"")), &mut out).await.unwrap();
    assert_eq!(outcome, Outcome::Good);
    assert_eq!(String::from_utf8(out).unwrap(), "3 lines sent\n");
    let body: Value = serde_json::from_slice(&fake.received()[0].body).unwrap();
    let values = json!([["1000000", "a"], ["1000001", "b"], ["1000002", "\"c\""]]);
    assert_eq!(body, json!({ "streams": [{ "stream": { "app": "x" }, "values": values }] }));
}

#[tokio::test]
async fn many_lines_are_sent_in_batches_and_refusals_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeServer::start(vec![
        (PUSH, 204, String::new()),
        (PUSH, 400, "line too long".into()),
        (PUSH, 503, "wait".into()),
        (PUSH, 204, String::new()),
    ])
    .await;
    let mut out = Vec::new();
    let text = "x\n".repeat(2500);
    let outcome = push_logs(&fake.server(), &logs(file(&folder, &text)), &mut out).await.unwrap();
    assert_eq!(outcome, Outcome::Bad);
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("refused: line too long (400"), "{out}");
    assert!(out.contains("2500 lines sent; of 1000 of them, in 1 request,"), "{out}");
    assert_eq!(fake.lines().len(), 4);
}

#[tokio::test]
async fn a_server_that_refuses_all_is_not_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeServer::start(vec![(PUSH, 401, "who are you".into())]).await;
    let text = "x\n".repeat(2500);
    let error = push_logs(&fake.server(), &logs(file(&folder, &text)), &mut Vec::new()).await.unwrap_err();
    assert!(error.to_string().contains("--token"), "{error}");
    assert_eq!(fake.lines().len(), 1);
    let none = PushLogsOptions { labels: Vec::new(), ..logs(file(&folder, "x")) };
    assert!(
        push_logs(&fake.server(), &none, &mut Vec::new()).await.unwrap_err().to_string().contains("--label")
    );
}

#[tokio::test]
async fn samples_are_sent_with_their_times_or_as_of_now() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeServer::start(vec![("POST /api/v1/write", 204, String::new())]).await;
    let text = "# TYPE up gauge\nup 1\nup{a=\"b\"} 2 1700000000000\n";
    let clock = Arc::new(ManualClock::at(5));
    let options =
        PushMetricsOptions { file: file(&folder, text), labels: vec![("job".into(), "j".into())], clock };
    let mut out = Vec::new();
    push_metrics(&fake.server(), &options, &mut out).await.unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "2 samples sent\n");
    let received = &fake.received()[0];
    assert_eq!(received.headers["content-encoding"], "snappy");
    let plain = snap::raw::Decoder::new().decompress_vec(&received.body).unwrap();
    let text = String::from_utf8_lossy(&plain);
    assert!(text.contains("job") && text.contains("__name__"), "{text}");

    let bad = PushMetricsOptions { file: file(&folder, "up 1\nup x\n"), ..options };
    let error = format!("{:#}", push_metrics(&fake.server(), &bad, &mut Vec::new()).await.unwrap_err());
    assert!(error.contains("line 2"), "{error}");
}
