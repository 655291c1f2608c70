//! Answers while the write-ahead log is read: alive, and not ready.

use crate::server::Server;
use axum::{Router, response::IntoResponse, routing::get};
use http::{StatusCode, header};
use std::{io, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What listens until everything is built. Senders are told to come back; a supervisor that
/// asks for health sees that there is no reason to kill the process.
pub struct Starting {
    ready: CancellationToken,
    task: JoinHandle<io::Result<()>>,
}

impl Starting {
    pub fn serve(server: &Server) -> Self {
        let ready = CancellationToken::new();
        let task = tokio::spawn(server.clone().run(router(), ready.clone()));
        Self { ready, task }
    }

    /// Stops answering; connections that wait from now on are answered by who comes next. One
    /// that is slow to send its request goes on by itself, and is told to come back.
    pub async fn end(self) -> io::Result<()> {
        self.ready.cancel();
        match tokio::time::timeout(PATIENCE, self.task).await {
            Ok(ended) => ended.map_err(io::Error::other)?,
            Err(_) => Ok(()),
        }
    }
}

const PATIENCE: Duration = Duration::from_millis(500);

fn router() -> Router {
    Router::new().route("/-/healthy", get(async || "Yagura is healthy.\n")).fallback(async || {
        let later = [(header::RETRY_AFTER, "1")];
        (StatusCode::SERVICE_UNAVAILABLE, later, "starting; come back in a moment\n").into_response()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::registry::Registry;
    use std::net::SocketAddr;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn it_is_alive_then_gives_way() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server =
            Server::new("http", listener, None, 10, Duration::from_secs(60), &mut Registry::default());
        let starting = Starting::serve(&server);
        assert!(ask(address, "/-/healthy").await.starts_with("HTTP/1.1 200"));
        let refused = ask(address, "/ready").await;
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 1"), "{refused}");
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /re").await.unwrap();
        starting.end().await.unwrap();
        let ready = Router::new().route("/ready", get(async || "ready"));
        tokio::spawn(server.run(ready, CancellationToken::new()));
        assert!(ask(address, "/ready").await.starts_with("HTTP/1.1 200"));
    }
}
