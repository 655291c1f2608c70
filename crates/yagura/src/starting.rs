//! Answers while the write-ahead log is read: alive, and not ready.

use crate::server::Server;
use axum::{Router, response::IntoResponse, routing::get};
use http::{StatusCode, header};
use std::io;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// What listens until everything is built. Senders are told to come back; a supervisor that
/// asks for health sees that there is no reason to kill the process.
pub struct Starting {
    routers: watch::Sender<Router>,
    drain: CancellationToken,
    task: JoinHandle<io::Result<()>>,
}

impl Starting {
    pub fn serve(server: Server) -> Self {
        let (routers, current) = watch::channel(router());
        let drain = CancellationToken::new();
        let task = tokio::spawn(server.run(current, drain.clone()));
        Self { routers, drain, task }
    }

    /// Has `router` answer from now on, until `drain`. Requests that were there before are told to come back;
    /// connections that are being made are its.
    pub async fn give_way(self, router: Router, drain: CancellationToken) -> io::Result<()> {
        let Self { routers, drain: ours, mut task } = self;
        routers.send_modify(|now| *now = router);
        let ended = match drain.run_until_cancelled(&mut task).await {
            Some(ended) => ended,
            None => {
                ours.cancel();
                task.await
            }
        };
        ended.map_err(io::Error::other)?
    }
}

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
    use std::{net::SocketAddr, time::Duration};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    const CLOSE: &str = "HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

    async fn connect(address: SocketAddr, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    async fn rest(mut stream: TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    async fn ask(address: SocketAddr, path: &str) -> String {
        rest(connect(address, &format!("GET {path} {CLOSE}")).await).await
    }

    #[tokio::test]
    async fn it_is_alive_then_gives_way() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server =
            Server::new("http", listener, None, 10, Duration::from_secs(60), &mut Registry::default());
        let starting = Starting::serve(server);
        assert!(ask(address, "/-/healthy").await.starts_with("HTTP/1.1 200"));
        let refused = ask(address, "/ready").await;
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 1"), "{refused}");
        let mut slow = connect(address, "GET /re").await;
        // It is known to the server when another one has been answered.
        ask(address, "/ready").await;
        let ready = Router::new().route("/ready", get(async || "ready"));
        let drain = CancellationToken::new();
        let task = tokio::spawn(starting.give_way(ready, drain.clone()));
        while !ask(address, "/ready").await.starts_with("HTTP/1.1 200") {}
        // Whoever was there before is told to come back, and nothing is cut.
        slow.write_all(format!("ady {CLOSE}").as_bytes()).await.unwrap();
        assert!(rest(slow).await.starts_with("HTTP/1.1 503"));
        drain.cancel();
        task.await.unwrap().unwrap();
        TcpStream::connect(address).await.unwrap_err();
    }
}
