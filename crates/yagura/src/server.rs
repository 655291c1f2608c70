//! The server of HTTP and of gRPC: one accept loop with bounds on connections, heads and idle time.

mod prompt;

use crate::tls::LiveTls;
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
use prompt::Prompt;
use rustix::net::sockopt;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::timeout::RequestBodyTimeout;

/// Enough for a query of some kilobytes in the URL; longer ones go as POST forms.
const MAX_HEAD_BYTES: usize = 64 << 10;
const MAX_STREAMS: u32 = 256;

/// How long a reader may take nothing before its connection ends: until then it holds the
/// answer in memory.
const STALLED_READER: Duration = Duration::from_secs(30);

/// How long a client may take to agree on keys; many can do so at a time.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// How long requests in flight may go on once the drain has begun; a client that never sends
/// its request whole must not keep the process.
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);

pub struct Server {
    listener: TcpListener,
    room: Arc<Semaphore>,
    connections: Arc<Connections>,
}

/// What connections share. They do not hold the listener, so that it closes before they do.
struct Connections {
    name: &'static str,
    tls: Option<LiveTls>,
    idle_timeout: Duration,
    open: Gauge,
    accepted: Counter,
    refused_handshakes: Counter,
}

impl Server {
    /// `name` is `http` or `grpc`, for metrics and logs. With `tls` nothing is served in plain text.
    pub fn new(
        name: &'static str,
        listener: TcpListener,
        tls: Option<LiveTls>,
        max_connections: usize,
        idle_timeout: Duration,
        registry: &mut Registry,
    ) -> Self {
        let (open, accepted, refused_handshakes) = Default::default();
        let connections = Connections { name, tls, idle_timeout, open, accepted, refused_handshakes };
        connections.register(registry);
        let room = Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS)));
        Self { listener, room, connections: Arc::new(connections) }
    }

    /// Serves until `drain`, then accepts nothing more and lets requests in flight end. When there is another
    /// router, connections of the one before end likewise, and new ones are its.
    pub async fn run(self, routers: watch::Receiver<Router>, drain: CancellationToken) -> io::Result<()> {
        let Connections { name, tls, .. } = &*self.connections;
        let address = self.listener.local_addr()?;
        tracing::info!(%address, listener = name, tls = tls.is_some(), "listening");
        let requests = TaskTracker::new();
        while let Some(accepted) = drain.run_until_cancelled(self.accept()).await {
            let (stream, permit) = accepted?;
            self.connections.accepted.inc();
            let connections = Arc::clone(&self.connections);
            requests.spawn(connections.serve(stream, permit, routers.clone(), drain.clone()));
        }
        drop(self.listener);
        requests.close();
        requests.wait().await;
        Ok(())
    }

    /// The next connection, once there is room for it.
    async fn accept(&self) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.room).acquire_owned().await.map_err(io::Error::other)?;
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
}

impl Connections {
    fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix(format!("yagura_{}", self.name));
        registry.register("connections", "Open connections", self.open.clone());
        registry.register("connections_accepted", "Accepted connections", self.accepted.clone());
        let help =
            "Connections ended because no keys were agreed on or the client's certificate was not good";
        registry.register("tls_refused_handshakes", help, self.refused_handshakes.clone());
    }

    /// One connection from its handshake to its end.
    async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
        routers: watch::Receiver<Router>,
        drain: CancellationToken,
    ) {
        self.open.inc();
        // Nagle's delay costs a small answer tens of milliseconds; a socket that refuses
        // the option is about to fail anyway.
        let _ = stream.set_nodelay(true);
        let _ = sockopt::set_tcp_user_timeout(&stream, STALLED_READER.as_millis() as u32);
        if let Some(tls) = &self.tls {
            let handshake = TlsAcceptor::from(tls.load_full()).accept(stream);
            let handshake = tokio::time::timeout(HANDSHAKE_WITHIN, handshake);
            match drain.run_until_cancelled(handshake).await {
                Some(Ok(Ok(stream))) => self.talk(stream, routers, drain).await,
                Some(Ok(Err(error))) => self.refused(&error),
                Some(Err(late)) => self.refused(&late),
                None => {}
            }
        } else {
            self.talk(stream, routers, drain).await;
        }
        self.open.dec();
        drop(permit);
    }

    fn refused(&self, error: &dyn std::fmt::Display) {
        self.refused_handshakes.inc();
        tracing::debug!(listener = self.name, %error, "no TLS connection came about");
    }

    async fn talk<I>(&self, io: I, mut routers: watch::Receiver<Router>, drain: CancellationToken)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let http = self.http();
        // The head's time is bounded by the connection; a body may not stall either.
        let router = RequestBodyTimeout::new(routers.borrow_and_update().clone(), self.idle_timeout);
        let io = TokioIo::new(Prompt::new(io, self.idle_timeout));
        // What is upgraded, a tail, leaves this connection and its permit; tails have bounds of their own.
        let connection = http.serve_connection_with_upgrades(io, TowerToHyperService::new(router));
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = given_way(&mut routers, &drain) => {
                connection.as_mut().graceful_shutdown();
                tokio::time::timeout(DRAIN_PATIENCE, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(listener = self.name, error, "a connection ended early");
        }
    }

    fn http(&self) -> auto::Builder<TokioExecutor> {
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
        http
    }
}

/// Waits for the drain or for another router.
async fn given_way(routers: &mut watch::Receiver<Router>, drain: &CancellationToken) {
    if let Some(Err(_)) = drain.run_until_cancelled(routers.changed()).await {
        // There will be no other one.
        drain.cancelled().await;
    }
}

#[cfg(test)]
mod tests;
