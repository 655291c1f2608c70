//! A process's side of the calls: services made of what its roles implement.

mod bound;
mod evaluate;
mod frames;
mod health;
mod incoming;
mod ingester;
mod query;
mod reader;
mod ruler;
mod streams;

use crate::{
    MAX_MESSAGE_BYTES,
    metrics::Metrics,
    proto::{
        health::health_server::HealthServer, ingester::ingester_server::IngesterServer,
        reader::reader_server::ReaderServer, ruler::ruler_server::RulerServer,
    },
    status::to_status,
    trace,
};
use bound::{Bound, Bounded};
use futures::{Stream, StreamExt};
pub use incoming::{tcp_incoming, tls_incoming};
use prometheus_client::registry::Registry;
pub use reader::{BlockSources, Heads, ReaderDeps};
use runtime::Clock;
use serde::{Deserialize, Serialize};
use service_api::{IngestAll, LogsTail, Result, RuleStates};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;
use tonic::{Response, Status, metadata::MetadataMap, service::Routes, transport::Server};
use tracing::Instrument;

/// What bounds a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Connections that are open at once; further ones wait.
    pub max_connections: u32,
    /// Bytes of appends in memory; beyond it they are refused.
    pub max_append_bytes: u64,
    /// Calls on one connection at once; further ones wait at the caller.
    pub max_streams: u32,
    /// Selections of log streams that callers hold open.
    pub max_selections: u32,
    /// Seconds without a fetch after which a selection ends.
    pub selection_idle: u64,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_append_bytes: 128 << 20,
            max_streams: 2048,
            max_selections: 1024,
            selection_idle: 60,
        }
    }
}

/// A caller that says nothing for this long is asked, and has as long again to answer.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long calls under way may go on once the drain has begun.
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;
const FRAME: u32 = 128 << 10;

/// The services of one process, put together before it serves.
pub struct Services {
    config: ServerConfig,
    metrics: Arc<Metrics>,
    drain: CancellationToken,
    routes: Routes,
}

impl Services {
    /// When `drain` is cancelled no more connections are taken, calls under way are answered, and
    /// what would go on for ever (tails, open selections) ends.
    pub fn new(
        config: ServerConfig,
        drain: CancellationToken,
        clock: Arc<dyn Clock>,
        registry: &mut Registry,
    ) -> Self {
        let metrics = Metrics::register("server", clock, registry);
        Self { config, metrics, drain, routes: Routes::default() }
    }

    /// Takes appends and lets others watch.
    #[must_use]
    pub fn ingester(mut self, ingest: Arc<dyn IngestAll>, tail: Arc<dyn LogsTail>) -> Self {
        let (metrics, drain) = (Arc::clone(&self.metrics), self.drain.clone());
        let service = IngesterServer::new(ingester::IngesterService { ingest, tail, metrics, drain })
            .max_decoding_message_size(MAX_MESSAGE_BYTES);
        let bound = Bound::new(self.config.max_append_bytes, Arc::clone(&self.metrics));
        self.routes = self.routes.add_service(Bounded::new(service, bound));
        self
    }

    /// Answers reads, from heads or from blocks.
    #[must_use]
    pub fn reader(mut self, deps: ReaderDeps) -> Self {
        let (metrics, drain) = (Arc::clone(&self.metrics), self.drain.clone());
        let service = reader::ReaderService::new(deps, &self.config, metrics, drain);
        let service = ReaderServer::new(service).max_encoding_message_size(MAX_MESSAGE_BYTES);
        self.routes = self.routes.add_service(service);
        self
    }

    /// Tells how the rules fare that this process runs.
    #[must_use]
    pub fn ruler(mut self, states: Arc<dyn RuleStates>) -> Self {
        let metrics = Arc::clone(&self.metrics);
        let service = RulerServer::new(ruler::RulerService { states, metrics })
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        self.routes = self.routes.add_service(service);
        self
    }

    /// Answers health checks: serving while `ready` says so, and under the name `ring-store` while `store` says
    /// that the ring's store has been heard of lately.
    #[must_use]
    pub fn health(
        mut self,
        ready: impl Fn() -> bool + Send + Sync + 'static,
        store: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        let drain = self.drain.clone();
        let ready = move || !drain.is_cancelled() && ready();
        self.routes = self.routes.add_service(HealthServer::new(health::HealthService { ready, store }));
        self
    }

    /// Serves connections until they end or the drain is over. May be called for several listeners.
    pub async fn serve<IO>(&self, incoming: impl Stream<Item = IO> + Send + 'static) -> io::Result<()>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let room = Arc::new(Semaphore::new(self.config.max_connections as usize));
        let incoming = incoming.then(move |io| incoming::Connection::admit(io, Arc::clone(&room)));
        let serve = Server::builder()
            .max_concurrent_streams(self.config.max_streams)
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME)
            .add_routes(self.routes.clone())
            .serve_with_incoming_shutdown(incoming, self.drain.clone().cancelled_owned());
        let drained = async {
            self.drain.cancelled().await;
            tokio::time::sleep(DRAIN_PATIENCE).await;
        };
        tokio::select! {
            biased;
            served = serve => served.map_err(io::Error::other),
            () = drained => Ok(()),
        }
    }
}

/// Runs what answers a call, counted and in a span.
async fn answer<T>(
    metrics: &Metrics,
    method: &'static str,
    metadata: &MetadataMap,
    work: impl Future<Output = Result<T>>,
) -> Result<Response<T>, Status> {
    let span = trace::server_span(method, metadata);
    let answer = metrics.observe(method, work.instrument(span)).await;
    answer.map(Response::new).map_err(|error| to_status(&error))
}
