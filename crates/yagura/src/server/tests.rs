//! The server as clients meet it: drained, idle, flooded, sent too long a head.

mod tls;

use super::*;
use axum::routing::{get, post};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};

struct Running {
    address: SocketAddr,
    routers: watch::Sender<Router>,
    drain: CancellationToken,
    task: JoinHandle<io::Result<()>>,
    registry: Registry,
}

async fn start(max_connections: usize, idle: Duration) -> Running {
    start_with(None, max_connections, idle).await
}

async fn start_with(tls: Option<LiveTls>, max_connections: usize, idle: Duration) -> Running {
    let slow = async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        "done"
    };
    let router = Router::new()
        .route("/", get(async || "hello"))
        .route("/length", post(async |body: String| body.len().to_string()))
        .route("/slow", get(slow));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut registry = Registry::default();
    let server = Server::new("http", listener, tls, max_connections, idle, &mut registry);
    let drain = CancellationToken::new();
    let (routers, current) = watch::channel(router);
    let task = tokio::spawn(server.run(current, drain.clone()));
    Running { address, routers, drain, task, registry }
}

async fn send(address: SocketAddr, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn answer(stream: TcpStream) -> String {
    String::from_utf8(answer_bytes(stream).await).unwrap()
}

async fn answer_bytes(mut stream: TcpStream) -> Vec<u8> {
    let mut text = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut text));
    // A reset is as much of an end as a close.
    let _ = read.await.expect("the connection was not closed");
    text
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_request_in_flight_is_answered_while_draining_and_nothing_new_is_accepted() {
    let server = start(10, MINUTE).await;
    let slow = send(server.address, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let idle = send(server.address, "").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.drain.cancel();
    assert!(answer(slow).await.ends_with("done"));
    assert_eq!(answer(idle).await, "");
    server.task.await.unwrap().unwrap();
    TcpStream::connect(server.address).await.unwrap_err();
}

#[tokio::test]
async fn who_sends_no_head_is_cut_off() {
    let server = start(10, Duration::from_millis(200)).await;
    let stream = send(server.address, "GET / HTTP/1.1\r\nHo").await;
    let text = answer(stream).await;
    assert!(!text.contains("hello"), "{text}");
}

#[tokio::test]
async fn who_does_not_say_which_http_it_speaks_is_cut_off() {
    let server = start(10, Duration::from_millis(200)).await;
    for beginning in ["", "P", "PRI * HTTP/2.0\r\n"] {
        assert_eq!(answer(send(server.address, beginning).await).await, "", "{beginning}");
    }
}

#[tokio::test]
async fn an_answer_may_take_longer_than_a_head() {
    let server = start(10, Duration::from_millis(100)).await;
    let text = answer(send(server.address, "GET /slow HTTP/1.0\r\n\r\n").await).await;
    assert!(text.ends_with("done"), "{text}");
}

#[tokio::test]
async fn who_stops_in_the_middle_of_a_body_is_cut_off() {
    let server = start(10, Duration::from_millis(200)).await;
    let head = "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nfive!";
    let text = answer(send(server.address, head).await).await;
    assert!(!text.contains(" 200 "), "{text}");
}

#[tokio::test]
async fn too_long_a_head_is_refused() {
    let server = start(10, MINUTE).await;
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(2 * MAX_HEAD_BYTES));
    let text = answer(send(server.address, &head).await).await;
    assert!(!text.contains("hello"), "{text}");
}

#[tokio::test]
async fn connections_over_the_bound_wait_until_others_end() {
    let server = start(1, MINUTE).await;
    let close = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let first = send(server.address, "").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut second = send(server.address, close).await;
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(200), second.read(&mut byte)).await;
    assert!(early.is_err(), "the second connection was served while the first was open");
    drop(first);
    assert!(answer(second).await.ends_with("ello"));
}
