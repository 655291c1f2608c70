//! gRPC for the other processes of a cluster: what this one's roles offer them.

use super::{Shared, cluster::Cluster, roles::Reads};
use crate::{
    config::Config,
    reread::Reread,
    tls::{self, LiveTls},
};
use ingester::Ingester;
use prometheus_client::registry::Registry;
use querier::LocalBlocks;
use rpc::{BlockSources, Heads, ReaderDeps, ServerConfig, Services};
use service_api::RuleStates;
use std::{io, sync::Arc};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use vectors::Evaluate;

/// The listener, before there is anything to serve.
pub struct Grpc {
    listener: TcpListener,
    tls: Option<LiveTls>,
    config: ServerConfig,
}

/// What is served to others of a cluster.
pub struct GrpcServer {
    grpc: Grpc,
    services: Services,
    drain: CancellationToken,
}

/// None if we are alone.
pub async fn listen(config: &Config, reread: &Reread) -> anyhow::Result<Option<Grpc>> {
    if !config.is_clustered() {
        return Ok(None);
    }
    let listener = super::listen(&config.grpc.listen, "grpc.listen").await?;
    let tls = tls::open_grpc(&config.grpc.tls, reread)?;
    Ok(Some(Grpc { listener, tls, config: config.grpc.server.clone() }))
}

impl Grpc {
    /// A querier reads blocks for others, an ingester takes writes and reads its heads, a ruler tells what it runs;
    /// everybody says that it lives.
    pub fn serve(
        self,
        shared: &Shared,
        cluster: &Cluster,
        ingester: Option<&Arc<Ingester>>,
        reads: Option<&Reads>,
        ruler: Option<Arc<dyn RuleStates>>,
        registry: &mut Registry,
    ) -> GrpcServer {
        let drain = CancellationToken::new();
        let clock = Arc::clone(&shared.clock);
        let services = Services::new(self.config.clone(), drain.clone(), clock, registry);
        let mut services = services.health(|| true, cluster.follows_store());
        if let Some(ruler) = ruler {
            services = services.ruler(ruler);
        }
        if let Some(ingester) = ingester {
            services = services.ingester(ingester.clone(), ingester.clone());
        }
        services = services.reader(ReaderDeps {
            heads: ingester.map(|ingester| Heads {
                source: ingester.clone(),
                changes: ingester.clone(),
                disk: ingester.disk_id().to_string(),
            }),
            blocks: reads
                .map(|reads| Arc::new(LocalBlocks(Arc::clone(&reads.blocks))) as Arc<dyn BlockSources>),
            evaluator: reads.map(|reads| Arc::clone(&reads.evaluator) as Arc<dyn Evaluate>),
            limits: Arc::clone(&shared.limits),
        });
        GrpcServer { grpc: self, services, drain }
    }
}

impl GrpcServer {
    pub async fn run(self, drain: CancellationToken) -> io::Result<()> {
        let Self { grpc: Grpc { listener, tls, .. }, services, drain: own } = self;
        tracing::info!(address = %listener.local_addr()?, listener = "grpc", tls = tls.is_some(), "listening");
        let _told = tokio::spawn(async move {
            drain.cancelled().await;
            own.cancel();
        });
        let incoming = rpc::tcp_incoming(listener);
        match tls {
            None => services.serve(incoming).await,
            Some(tls) => Box::pin(services.serve(rpc::tls_incoming(incoming, move || tls.load_full()))).await,
        }
    }
}
