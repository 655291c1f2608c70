//! `tail` over a WebSocket: new lines within a second, and a slow client is told what it missed.

use futures::StreamExt;
use integration_tests::{LogStream, PROTOBUF, PUSH, Settings, Yagura, form, now_ms, push_protobuf};
use serde_json::Value;
use std::time::Duration;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(yagura: &Yagura, fields: &[(&str, &str)]) -> Socket {
    let url = yagura.url(&format!("/loki/api/v1/tail?{}", form(fields))).replacen("http", "ws", 1);
    connect_async(url).await.unwrap().0
}

/// The next frame of lines; pings are passed over.
async fn frame(socket: &mut Socket) -> Value {
    loop {
        match socket.next().await.expect("the server closed the tail").unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Close(close) => panic!("the server closed the tail: {close:?}"),
            _ => {}
        }
    }
}

fn lines_of(frame: &Value) -> Vec<String> {
    let streams = frame["streams"].as_array().unwrap().iter();
    let values = streams.flat_map(|stream| stream["values"].as_array().unwrap());
    values.map(|value| value[1].as_str().unwrap().to_owned()).collect()
}

async fn push(yagura: &Yagura, app: &str, lines: &[(i64, &str)]) {
    let body = push_protobuf(&[LogStream::new(&[("app", app)], lines)]);
    let answer = yagura.post(PUSH, PROTOBUF, body).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_gets_the_newest_lines_and_then_new_ones_within_a_second() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let now = now_ms() * 1_000_000;
    push(&yagura, "a", &[(now - 3, "old error"), (now - 2, "older fine"), (now - 1, "newer error")]).await;
    let query = "{app=~\"a|b\"} |= \"error\" | label_format shout=\"{{ .app | ToUpper }}\"";
    let mut socket = connect(&yagura, &[("query", query), ("limit", "10")]).await;
    let first = timeout(Duration::from_secs(5), frame(&mut socket)).await.unwrap();
    assert_eq!(lines_of(&first), ["old error", "newer error"]);
    assert_eq!(first["streams"][0]["stream"]["shout"], "A");

    for n in 0..5 {
        let text = format!("error {n}");
        push(&yagura, "b", &[(now + n, &text), (now + n, "fine")]).await;
        push(&yagura, "c", &[(now + n, "error of another")]).await;
        let next = timeout(Duration::from_secs(1), frame(&mut socket)).await;
        assert_eq!(lines_of(&next.expect("no line within a second of its push")), [text]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_tail_is_told_what_it_missed_and_holds_nobody_up() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let mut socket = connect(&yagura, &[("query", "{app=\"loud\"}")]).await;
    let text = "x".repeat(100_000);
    let now = now_ms() * 1_000_000;
    // Nobody reads the socket: some of 80 MB must be left out, and every push is answered at once.
    for n in 0..80 {
        let lines: Vec<(i64, &str)> = (0..10).map(|i| (now + n * 10 + i, text.as_str())).collect();
        timeout(Duration::from_secs(5), push(&yagura, "loud", &lines)).await.expect("a push was held up");
    }
    let mut lines = 0;
    let mut dropped = Vec::new();
    while dropped.is_empty() {
        let next =
            timeout(Duration::from_secs(10), frame(&mut socket)).await.expect("nothing was said of it");
        lines += lines_of(&next).len();
        dropped.extend(next["dropped_entries"].as_array().into_iter().flatten().cloned());
    }
    assert!(lines < 800, "nothing was missed");
    assert_eq!(dropped[0]["labels"]["app"], "loud", "{dropped:?}");
    let first: i64 = dropped[0]["timestamp"].as_str().unwrap().parse().unwrap();
    assert!((now..now + 800).contains(&first), "{dropped:?}");
    // All of them are stored.
    let url = "/loki/api/v1/query?query=sum(count_over_time(%7Bapp%3D%22loud%22%7D%5B1h%5D))";
    let found: Value = serde_json::from_str(&yagura.get(url).await.body).unwrap();
    assert_eq!(found["data"]["result"][0]["value"][1], "800", "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_fits_into_one_frame_comes_whole_in_several() {
    const STREAMS: usize = 900;
    let settings = Settings::default();
    let yagura = settings.start().await;
    let mut socket = connect(&yagura, &[("query", "{app=\"many\"}")]).await;
    let now = now_ms() * 1_000_000;
    let stream = |n: usize| LogStream::new(&[("app", "many"), ("n", &n.to_string())], &[(now, "line")]);
    let body = push_protobuf(&(0..STREAMS).map(stream).collect::<Vec<_>>());
    assert_eq!(yagura.post(PUSH, PROTOBUF, body).await.status, 204);
    let mut lines = 0;
    while lines < STREAMS {
        let next = timeout(Duration::from_secs(5), frame(&mut socket)).await;
        let next = next.unwrap_or_else(|_| panic!("{lines} of {STREAMS} lines came"));
        assert!(next["dropped_entries"].is_null(), "lines were left out: {}", next["dropped_entries"]);
        lines += lines_of(&next).len();
    }
    assert_eq!(lines, STREAMS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_with_a_tail_stops_when_it_is_told_to() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let mut socket = connect(&yagura, &[("query", "{app=\"a\"}")]).await;
    let stopping = tokio::spawn(yagura.stop());
    while let Some(Ok(_)) = timeout(Duration::from_secs(30), socket.next()).await.expect("still open") {}
    assert!(stopping.await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_tailed_is_refused() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for (fields, why) in [
        ([("query", "{app="), ("limit", "1")], "parse error"),
        ([("query", "rate({app=\"a\"}[1m])"), ("limit", "1")], "only log queries can be tailed"),
        ([("query", "{app=\"a\"}"), ("delay_for", "6")], "delay_for can't be greater than 5"),
        ([("query", "{app=\"a\"}"), ("limit", "0")], "limit must be a positive value"),
    ] {
        let url = yagura.url(&format!("/loki/api/v1/tail?{}", form(&fields)));
        let answer = yagura.http.send("GET", &url, &upgrade, Vec::new()).await.unwrap();
        assert_eq!(answer.status, 400, "{fields:?}");
        assert!(answer.body.contains(why), "{fields:?}: {}", answer.body);
    }
}
