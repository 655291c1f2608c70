//! The one place that puts the roles together.

use crate::{
    config::Config, data_dir::DataDir, limits::TenantLimits, retention::Retention, server::Server,
    starting::Starting,
};
use anyhow::Context;
use axum::Router;
use block_store::{BlocksReader, Manifests, Ulid};
use distributor::Distributor;
use http_api::{Action, ApiConfig, BuildInfo, Deps, HttpMetrics, Multitenancy};
use ingester::{FlushWhich, Ingester, NewId, fs::RealFs};
use prometheus_client::registry::Registry;
use querier::Querier;
use runtime::{Clock, ProcessMetrics, Supervisor, SystemClock};
use service_api::LimitsSource;
use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};
use tokio::net::TcpListener;

/// How long a manifest that was read counts as the newest. Our own changes are seen at once.
const MANIFEST_POLL: Duration = Duration::from_secs(10);

/// How long the start waits to hear whether the bucket can be read.
const BUCKET_PATIENCE: Duration = Duration::from_secs(5);

/// The one ingester there is, in what it writes.
const INSTANCE: &str = "yagura-0";

/// Everything, made ready and not yet running.
pub struct App {
    data: DataDir,
    server: Server,
    router: Router,
    ingester: Arc<Ingester>,
    limits: Arc<TenantLimits>,
    retention: Retention,
}

impl App {
    pub async fn build(config: &Config) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ProcessMetrics::new(clock.now_ms())));
        let data = DataDir::open(&config.data_dir)?;
        let listen = &config.http.listen;
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen} (http.listen)"))?;
        let idle = Duration::from_secs(config.http.idle_timeout);
        let server = Server::new(listener, config.http.max_connections, idle, &mut registry);
        let starting = Starting::serve(&server);
        let limits = TenantLimits::open(config, &mut registry)?;
        let limits_source: Arc<dyn LimitsSource> = limits.clone();

        let bucket = config.bucket(data.path());
        let opened =
            bucket.open(&config.s3).with_context(|| format!("cannot open the bucket {}", bucket.url))?;
        let manifests = Arc::new(Manifests::new(opened, Arc::clone(&clock), MANIFEST_POLL));
        warn_without_bucket(&manifests, &bucket.url).await;

        let dependencies = ingester::Dependencies {
            fs: Arc::new(RealFs),
            dir: data.path().to_owned(),
            clock: Arc::clone(&clock),
            limits: Arc::clone(&limits_source),
            manifests: Arc::clone(&manifests),
            new_id: block_ids(Arc::clone(&clock)),
            instance: INSTANCE.to_owned(),
        };
        let settings = config.ingester();
        let (started, mut registry) = tokio::task::spawn_blocking(move || {
            let started = Ingester::start(settings, dependencies, &mut registry);
            (started, registry)
        })
        .await?;
        let ingester = started.context("cannot start the ingester")?;

        let push = Arc::new(Distributor::new(
            ingester.clone(),
            ingester.clone(),
            Arc::clone(&limits_source),
            Arc::clone(&clock),
            &mut registry,
        ));
        let blocks = Arc::new(BlocksReader::new(Arc::clone(&manifests), &config.cache));
        let retention =
            Retention::new(manifests, Arc::clone(&limits_source), Arc::clone(&clock), &mut registry);
        let yaml = config.to_yaml()?;
        let querier = Arc::new(Querier::new(ingester.clone(), blocks));
        let router = http_api::router(Deps {
            reader: querier.clone(),
            logs: querier,
            tail: ingester.clone(),
            push: push.clone(),
            push_logs: push,
            engine: Arc::new(promql::Engine::new(config.query.engine())),
            log_engine: Arc::default(),
            limits: limits_source,
            clock,
            multitenancy: Multitenancy(config.multitenancy.enabled),
            config: ApiConfig { read: config.query.read(), write: config.write.clone() },
            build: build_info(),
            metrics: HttpMetrics::register(&mut registry),
            registry: Arc::new(registry),
            readiness: Arc::new(|| Ok(())),
            config_yaml: Arc::new(move || yaml.clone()),
            reload: reload(Arc::clone(&limits)),
            flush: flush(Arc::clone(&ingester)),
        });
        starting.end().await?;
        Ok(Self { data, server, router, ingester, limits, retention })
    }

    /// Runs everything. What takes requests comes last, so that it is drained first.
    pub fn spawn(self) -> (Supervisor, Arc<TenantLimits>) {
        let Self { data, server, router, ingester, limits, retention } = self;
        let mut services = Supervisor::new();
        services.spawn("limits", |drain| Arc::clone(&limits).keep_fresh(drain));
        services.spawn("retention", |drain| retention.run(drain));
        services.spawn("ingester", |drain| async move {
            let done = ingester.run(drain).await;
            drop(data);
            done
        });
        services.spawn("http", |drain| server.run(router, drain));
        (services, limits)
    }
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

/// Ids of blocks: random, and in the order of their making.
fn block_ids(clock: Arc<dyn Clock>) -> NewId {
    Arc::new(move || {
        let since = Duration::from_millis(clock.now_ms().try_into().unwrap_or(0));
        Ulid::from_datetime(UNIX_EPOCH + since)
    })
}

fn build_info() -> BuildInfo {
    BuildInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        compiler: "rust".to_owned(),
        ..BuildInfo::default()
    }
}

/// `POST /-/reload`.
fn reload(limits: Arc<TenantLimits>) -> Action {
    Arc::new(move || {
        let limits = Arc::clone(&limits);
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || limits.reload()).await;
            match done {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(service_api::Error::internal(format!("{error:#}"))),
                Err(error) => Err(service_api::Error::internal(error.to_string())),
            }
        })
    })
}

/// `POST /flush`.
fn flush(ingester: Arc<Ingester>) -> Action {
    Arc::new(move || {
        let ingester = Arc::clone(&ingester);
        Box::pin(async move { ingester.flush(FlushWhich::All).await })
    })
}
