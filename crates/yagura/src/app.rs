//! The one place that puts the roles together.

mod cluster;
mod departure;
mod grpc;
mod local_limits;
mod membership;
mod roles;
mod rules;

pub use departure::leaves_when_stopped;
pub use roles::block_ids;

use crate::{
    config::Config, data_dir::DataDir, limits::TenantLimits, reread::Reread, server::Server,
    starting::Starting, target::Role, tokens, vitals,
};
use anyhow::Context;
use axum::Router;
use block_store::Manifests;
use cluster::Cluster;
use compactor::Compactor;
use departure::Departure;
use distributor::Distributor;
use grpc::GrpcServer;
use http_api::{Action, ApiConfig, BuildInfo, Departs, Deps, HttpMetrics, Serves};
use ingester::{FlushWhich, Ingester};
use membership::Memberships;
use prometheus_client::registry::Registry;
use rules::Rules;
use runtime::{Clock, OwnLines, ProcessMetrics, Supervisor};
use self_scrape::{SelfScrape, SelfScrapeMetrics};
use service_api::LimitsSource;
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long a manifest that was read counts as the newest. Our own changes are seen at once.
const MANIFEST_POLL: Duration = Duration::from_secs(10);

/// How long the start waits to hear whether the bucket can be read.
const BUCKET_PATIENCE: Duration = Duration::from_secs(5);

/// What all roles use.
pub struct Shared {
    pub clock: Arc<dyn Clock>,
    pub limits: Arc<dyn LimitsSource>,
    pub manifests: Arc<Manifests>,
}

/// Everything, made ready and not yet running.
pub struct App {
    data: DataDir,
    reread: Arc<Reread>,
    cluster: Cluster,
    memberships: Memberships,
    ingester: Option<Arc<Ingester>>,
    distributor: Arc<Distributor>,
    compactor: Option<Compactor>,
    rules: Rules,
    self_scrape: Option<SelfScrape>,
    http: (Starting, Router),
    /// None if we are alone.
    grpc: Option<GrpcServer>,
    departure: Option<Arc<Departure>>,
    stop: CancellationToken,
}

/// What runs, for whoever started it.
pub struct Running {
    pub services: Supervisor,
    /// Files that are read again on SIGHUP.
    pub reread: Arc<Reread>,
    /// What is done before the end where an ingester is to leave for good.
    pub departure: Option<Arc<Departure>>,
    /// Cancelled when a request has asked the process to end.
    pub stop: CancellationToken,
}

impl App {
    /// `own_lines` is what the process logs, if it is to be kept.
    pub async fn build(
        config: &Config,
        clock: Arc<dyn Clock>,
        own_lines: Option<Arc<OwnLines>>,
    ) -> anyhow::Result<Self> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ProcessMetrics::new(clock.now_ms())));
        let data = DataDir::open(&config.data_dir)?;
        vitals::register(&config.target, data.path(), &mut registry);
        let reread = Reread::new(&mut registry);
        let http = http_server(config, &reread, &mut registry).await?;
        let http = Starting::serve(http);
        let limits: Arc<dyn LimitsSource> = TenantLimits::open(config, &reread)?;
        let auth = tokens::open(&config.auth, &reread)?;
        let targets = config.targets();
        let cluster = Cluster::new(config, Arc::clone(&clock), &mut registry)?;
        let grpc = grpc::listen(config, &reread).await?;

        let bucket = config.bucket(data.path());
        let opened =
            bucket.open(&config.s3).with_context(|| format!("cannot open the bucket {}", bucket.url))?;
        opened.register(&mut registry);
        let manifests = Arc::new(Manifests::new(opened, Arc::clone(&clock), MANIFEST_POLL));
        warn_without_bucket(&manifests, &bucket.url).await;
        let shared = Shared { clock, limits, manifests };

        let mut ingester = None;
        if targets.has(Role::Ingester) {
            let (started, back) = roles::ingester(config, data.path(), &shared, &cluster, registry).await?;
            (ingester, registry) = (Some(started), back);
        }
        let distributor = roles::distributor(config, &shared, &cluster, ingester.clone(), &mut registry);
        let reads = roles::reads(config, data.path(), &shared, &cluster, ingester.clone(), &mut registry);
        let compactor = match targets.has(Role::Compactor) {
            true => Some(roles::compactor(config, data.path(), &shared, &cluster, &mut registry)?),
            false => None,
        };
        let rules = Rules::build(config, &shared, &cluster, &reads, &distributor, &reread, &mut registry)?;
        let (memberships, stop) =
            (Memberships::new(&cluster, targets, ingester.as_deref()), CancellationToken::new());
        let departure = memberships.departure(ingester.as_ref(), data.path(), &stop);
        let readiness = if config.is_clustered() { memberships.readiness() } else { Arc::new(|| Ok(())) };
        let own_blocks = targets.has(Role::Querier).then_some(&reads);
        let grpc = grpc.map(|grpc| {
            grpc.serve(&shared, &cluster, ingester.as_ref(), own_blocks, rules.own(), &mut registry)
        });
        let metrics = HttpMetrics::register(&mut registry);
        let own_lines = own_lines.map(|lines| (lines, SelfScrapeMetrics::register(&mut registry)));
        let (registry, own_tenant) = (Arc::new(registry), config.own_tenant());
        let self_scrape = own_tenant.clone().zip(own_lines).map(|(tenant, (lines, metrics))| {
            let dependencies = self_scrape::Dependencies {
                instance: Arc::clone(&cluster.instance),
                push: distributor.clone(),
                push_logs: distributor.clone(),
                registry: Arc::clone(&registry),
                lines,
                clock: Arc::clone(&shared.clock),
                metrics,
            };
            SelfScrape::new(&config.monitoring.self_scrape, tenant, dependencies)
        });
        let yaml = config.to_yaml()?;
        let router = http_api::router(Deps {
            reader: reads.reader.clone(),
            logs: reads.reader,
            tail: reads.tail,
            push: distributor.clone(),
            push_logs: distributor.clone(),
            deletions: Arc::new(roles::deletions(&shared)),
            rule_store: Arc::clone(&rules.store),
            rule_states: Arc::clone(&rules.states),
            rule_interval: Duration::from_secs(config.ruler.evaluation_interval),
            engine: reads.engine,
            log_engine: reads.log_engine,
            spread: reads.spread,
            results: reads.results,
            limits: shared.limits,
            clock: shared.clock,
            multitenancy: config.multitenancy,
            own_tenant,
            auth,
            config: ApiConfig { read: config.query.read(), write: config.write.clone() },
            build: build_info(),
            metrics,
            registry,
            readiness,
            config_yaml: Arc::new(move || yaml.clone()),
            reload: reload(Arc::clone(&reread)),
            flush: flush(ingester.clone()),
            departure: departure.clone().map(|departure| departure as Arc<dyn Departs>),
            serves: Serves { reads: targets.has(Role::Querier), writes: targets.has(Role::Distributor) },
            rings: cluster.shown(),
        });
        let http = (http, router);
        Ok(Self {
            data,
            reread,
            cluster,
            memberships,
            ingester,
            distributor,
            compactor,
            rules,
            self_scrape,
            http,
            grpc,
            departure,
            stop,
        })
    }

    /// Runs everything. What takes requests comes last, so that it is drained first; our places in the rings
    /// are taken before that and given up after it.
    pub fn spawn(self) -> Running {
        let Self {
            data,
            reread,
            cluster,
            memberships,
            ingester,
            distributor,
            compactor,
            rules,
            self_scrape,
            http,
            grpc,
            departure,
            stop,
        } = self;
        let mut services = Supervisor::new();
        let files = Arc::clone(&reread);
        services.spawn("reread", |drain| files.keep_fresh(drain));
        for (role, ring) in cluster.rings() {
            let (ring, name) = (ring.clone(), ring_service(role));
            services.spawn(name, |drain| async move { ring.run(drain).await });
        }
        if let Some(compactor) = compactor {
            // Its first round would find nothing that is ours, and the next one comes minutes later.
            let joined = cluster.joined(&cluster.compactors);
            services.spawn("compactor", |drain| async move {
                match drain.run_until_cancelled(joined).await {
                    Some(()) => compactor.run(drain).await,
                    None => Ok(()),
                }
            });
        }
        services.spawn("ingester", |drain| async move {
            match ingester {
                Some(ingester) => ingester.run(drain).await?,
                None => drain.cancelled().await,
            }
            drop(data);
            Ok::<(), ingester::wal::WalError>(())
        });
        services.spawn("distributor", |drain| distributor.run(drain));
        if let Some(self_scrape) = self_scrape {
            // Behind those that it writes through and before all others, so that it hears how they end.
            services.spawn("self-scrape", |drain| self_scrape.run(drain));
        }
        rules.spawn(&cluster, &mut services);
        if let Some(grpc) = grpc {
            services.spawn("grpc", |drain| grpc.run(drain));
        }
        memberships.spawn(&cluster, &mut services);
        let (starting, router) = http;
        services.spawn("http", |drain| starting.give_way(router, drain));
        Running { services, reread, departure, stop }
    }
}

fn ring_service(role: Role) -> &'static str {
    match role {
        Role::Ingester => "ring-ingester",
        Role::Distributor => "ring-distributor",
        Role::Querier => "ring-querier",
        Role::Compactor => "ring-compactor",
        Role::Ruler => "ring-ruler",
    }
}

async fn http_server(config: &Config, reread: &Reread, registry: &mut Registry) -> anyhow::Result<Server> {
    let listener = listen(&config.http.listen, "http.listen").await?;
    let idle = Duration::from_secs(config.http.idle_timeout);
    let tls = config.http.tls.open(reread)?;
    Ok(Server::new("http", listener, tls, config.http.max_connections, idle, registry))
}

async fn listen(address: &str, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} ({setting})"))
}

/// Tells of a bucket that cannot be read. That must not keep us from taking writes, which
/// need only the log; but whoever mistyped its name wants to hear of it now.
async fn warn_without_bucket(manifests: &Manifests, url: &str) {
    let problem = match tokio::time::timeout(BUCKET_PATIENCE, manifests.tenants()).await {
        Ok(Ok(_)) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer yet".to_owned(),
    };
    tracing::error!(problem, url, "cannot read the bucket (bucket.url); going on without it");
}

fn build_info() -> BuildInfo {
    BuildInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: option_env!("YAGURA_REVISION").unwrap_or_default().to_owned(),
        compiler: "rust".to_owned(),
        ..BuildInfo::default()
    }
}

/// `POST /-/reload`.
fn reload(reread: Arc<Reread>) -> Action {
    Arc::new(move || {
        let reread = Arc::clone(&reread);
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || reread.reload()).await;
            match done {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(service_api::Error::internal(format!("{error:#}"))),
                Err(error) => Err(service_api::Error::internal(error.to_string())),
            }
        })
    })
}

/// `POST /flush`.
fn flush(ingester: Option<Arc<Ingester>>) -> Action {
    Arc::new(move || {
        let ingester = ingester.clone();
        Box::pin(async move {
            match ingester {
                Some(ingester) => ingester.flush(FlushWhich::All).await,
                None => Ok(()),
            }
        })
    })
}
