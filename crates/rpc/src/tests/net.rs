//! A network in memory: one server, and connections that can be cut.

use super::fake::Fake;
use crate::{BlockSources, BoxIo, Connector, Heads, Pool, PoolConfig, ReaderDeps, ServerConfig, Services};
use block_store::BlockMeta;
use model::{Signal, TenantId};
use prometheus_client::registry::Registry;
use runtime::SystemClock;
use service_api::{Limits, Source};
use std::{io, sync::Arc};
use tokio::{io::DuplexStream, sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;

pub const ADDRESS: &str = "peer:1";
pub const DISK: &str = "01DISK";

pub struct Net {
    pub fake: Arc<Fake>,
    /// Whoever connects through it comes to the same server.
    pub connector: Connector,
    pub pool: Arc<Pool>,
    pub drain: CancellationToken,
    /// Cuts the connections that there are.
    pub cut: CancellationToken,
    pub server: JoinHandle<io::Result<()>>,
}

#[derive(Default)]
pub struct Settings {
    pub pool: PoolConfig,
    pub server: ServerConfig,
    pub limits: Limits,
}

pub fn pool(config: PoolConfig, connector: Connector) -> Arc<Pool> {
    Pool::new(config, connector, Arc::new(SystemClock::new()), &mut Registry::default())
}

/// A connector whose connections' far ends come out of the receiver.
pub fn connector(cut: &CancellationToken) -> (Connector, mpsc::UnboundedReceiver<DuplexStream>) {
    let (far_ends, accepted) = mpsc::unbounded_channel();
    let cut = cut.clone();
    let connector: Connector = Arc::new(move |address| {
        let (far_ends, cut) = (far_ends.clone(), cut.clone());
        Box::pin(async move {
            assert_eq!(address, ADDRESS);
            let ((near, mut a), (mut b, far)) = (tokio::io::duplex(1 << 16), tokio::io::duplex(1 << 16));
            let refused = |_| io::Error::from(io::ErrorKind::ConnectionRefused);
            far_ends.send(far).map_err(refused)?;
            tokio::spawn(cut.run_until_cancelled_owned(async move {
                let _ = tokio::io::copy_bidirectional(&mut a, &mut b).await;
            }));
            Ok(Box::new(near) as BoxIo)
        })
    });
    (connector, accepted)
}

impl Net {
    pub fn new(settings: Settings) -> Self {
        let (fake, drain, cut) =
            (Arc::new(Fake::default()), CancellationToken::new(), CancellationToken::new());
        let (connector, accepted) = connector(&cut);
        let clock = Arc::new(SystemClock::new());
        let (ready, store) = (Arc::clone(&fake), Arc::clone(&fake));
        let services = Services::new(settings.server, drain.clone(), clock, &mut Registry::default())
            .ingester(fake.clone(), fake.clone())
            .reader(ReaderDeps {
                heads: Some(Heads { source: fake.clone(), changes: fake.clone(), disk: DISK.into() }),
                blocks: Some(fake.clone()),
                evaluator: Some(fake.clone()),
                limits: Arc::new(Arc::new(settings.limits)),
            })
            .ruler(fake.clone())
            .health(move || ready.is_ready(), move || store.has_store());
        let server =
            tokio::spawn(async move { services.serve(UnboundedReceiverStream::new(accepted)).await });
        let pool = pool(settings.pool, Arc::clone(&connector));
        Self { fake, pool, connector, drain, cut, server }
    }
}

impl BlockSources for Fake {
    fn blocks(&self, tenant: &TenantId, signal: Signal, blocks: Vec<BlockMeta>) -> Arc<dyn Source> {
        self.of_blocks(tenant, signal, blocks)
    }
}
