//! The HTTP server: one accept loop with bounds on connections, heads and idle time.

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};
use rustix::net::sockopt;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::timeout::RequestBodyTimeoutLayer;

/// Enough for a query of some kilobytes in the URL; longer ones go as POST forms.
const MAX_HEAD_BYTES: usize = 64 << 10;
const MAX_STREAMS: u32 = 256;

/// How long a reader may take nothing before its connection ends: until then it holds the
/// answer in memory.
const STALLED_READER: Duration = Duration::from_secs(30);

/// How long requests in flight may go on once the drain has begun; a client that never sends
/// its request whole must not keep the process.
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);

/// Cheap to clone; all clones share the listener and the bound on connections.
#[derive(Clone, Debug)]
pub struct Server {
    listener: Arc<TcpListener>,
    connections: Arc<Semaphore>,
    idle_timeout: Duration,
    open: Gauge,
    accepted: Counter,
}

impl Server {
    pub fn new(
        listener: TcpListener,
        max_connections: usize,
        idle_timeout: Duration,
        registry: &mut Registry,
    ) -> Self {
        let (open, accepted) = (Gauge::default(), Counter::default());
        registry.register("yagura_http_connections", "Open HTTP connections", open.clone());
        registry.register("yagura_http_connections_accepted", "Accepted HTTP connections", accepted.clone());
        let connections = Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS)));
        Self { listener: Arc::new(listener), connections, idle_timeout, open, accepted }
    }

    /// Serves until `drain`, then accepts nothing more and lets requests in flight end.
    pub async fn run(self, router: Router, drain: CancellationToken) -> io::Result<()> {
        tracing::info!(address = %self.listener.local_addr()?, "listening");
        // The head's time is bounded by the connection; a body may not stall either.
        let router = router.layer(RequestBodyTimeoutLayer::new(self.idle_timeout));
        let requests = TaskTracker::new();
        while let Some(accepted) = drain.run_until_cancelled(self.accept()).await {
            let (stream, permit) = accepted?;
            self.accepted.inc();
            requests.spawn(self.serve(stream, permit, router.clone(), drain.clone()));
        }
        drop(self.listener);
        requests.close();
        requests.wait().await;
        Ok(())
    }

    /// The next connection, once there is room for it.
    async fn accept(&self) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.connections).acquire_owned().await.map_err(io::Error::other)?;
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return Ok((stream, permit)),
                // The peer was gone before we came: accept(2) says to go on.
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
                // Out of file descriptors, most likely: others have to close first.
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn serve(
        &self,
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
        router: Router,
        drain: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.idle_timeout)
            .max_buf_size(MAX_HEAD_BYTES);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Some(self.idle_timeout))
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEAD_BYTES as u32);
        let open = self.open.clone();
        async move {
            open.inc();
            // Nagle's delay costs a small answer tens of milliseconds; a socket that refuses
            // the option is about to fail anyway.
            let _ = stream.set_nodelay(true);
            let _ = sockopt::set_tcp_user_timeout(&stream, STALLED_READER.as_millis() as u32);
            // What is upgraded, a tail, leaves this connection and its permit; tails have bounds of their own.
            let service = TowerToHyperService::new(router);
            let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), service);
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = &mut connection => ended,
                () = drain.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    tokio::time::timeout(DRAIN_PATIENCE, connection).await.unwrap_or(Ok(()))
                }
            };
            if let Err(error) = ended {
                tracing::debug!(error, "a connection ended early");
            }
            open.dec();
            drop(permit);
        }
    }
}

#[cfg(test)]
mod tests;
