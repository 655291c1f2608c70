//! The configuration: one struct a section, each owned by whom it configures, and its rules.

mod load;
mod reference;
mod source;
mod units;
mod yaml;

pub use load::{Layers, load};
pub use reference::page as reference_page;
pub use source::{ConfigError, Merge, parse_yaml};

use crate::{
    target::Targets,
    tls::{self, HttpTlsConfig},
};
use anyhow::Context;
use block_store::{BlockCacheConfig, BucketConfig, S3Config};
use compactor::CompactorConfig;
use distributor::DistributorConfig;
use hash_ring::{RingConfig, RingStore};
use http_api::{AuthConfig, Multitenancy, ReadConfig, WriteConfig};
use ingester::{IngesterConfig, wal::WalConfig};
use model::TenantId;
use promql::{Downsampling, Features, engine::EngineConfig};
use querier::QuerierConfig;
use removal::Retention;
use rpc::{PoolConfig, ServerConfig, TlsConfig};
use ruler::RulerConfig;
use runtime::{LogConfig, TracingConfig};
use self_scrape::SelfScrapeConfig;
use serde::{Deserialize, Deserializer, Serialize, de};
use service_api::Limits;
use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Everything that can be set. What a key means stands in `config/reference.rs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub target: String,
    pub data_dir: PathBuf,
    pub multitenancy: Multitenancy,
    pub auth: AuthConfig,
    pub http: HttpConfig,
    pub grpc: GrpcConfig,
    pub ring: RingConfig,
    pub distributor: DistributorConfig,
    pub querier: QuerierConfig,
    pub compactor: CompactorConfig,
    pub ruler: RulerConfig,
    pub bucket: BucketConfig,
    pub s3: S3Config,
    pub limits: LimitsConfig,
    pub write: WriteConfig,
    pub query: QueryConfig,
    pub cache: CacheConfig,
    pub wal: WalConfig,
    pub ingester: IngesterConfig,
    pub log: LogConfig,
    pub tracing: TracingConfig,
    pub monitoring: MonitoringConfig,
}

/// Of looking at the process itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MonitoringConfig {
    pub self_scrape: SelfScrapeConfig,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    pub listen: String,
    pub max_connections: usize,
    pub idle_timeout: u64,
    pub tls: HttpTlsConfig,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcConfig {
    pub listen: String,
    pub tls: TlsConfig,
    pub server: ServerConfig,
    pub client: PoolConfig,
}

/// Of the queries: how many at once, and how the engine goes about one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueryConfig {
    pub max_concurrent_queries: usize,
    pub max_queued_queries: usize,
    pub max_form_bytes: usize,
    pub lookback: u64,
    pub threads: usize,
    pub max_samples: u64,
    pub features: String,
    pub downsampling: String,
}

/// Of what is kept: parts of blocks, and results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    pub index_bytes: u64,
    pub page_bytes: u64,
    pub disk_dir: String,
    pub disk_bytes: u64,
    pub results_bytes: u64,
}

/// Everybody's limits, and the file that changes single ones for single tenants.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LimitsConfig {
    pub overrides_file: String,
    #[serde(flatten)]
    pub all: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            target: "all".into(),
            data_dir: "./data".into(),
            multitenancy: Multitenancy::default(),
            auth: AuthConfig::default(),
            http: HttpConfig::default(),
            grpc: GrpcConfig::default(),
            ring: RingConfig::default(),
            distributor: DistributorConfig::default(),
            querier: QuerierConfig::default(),
            compactor: CompactorConfig::default(),
            ruler: RulerConfig::default(),
            // Empty for the folder in `data_dir`, wherever that is.
            bucket: BucketConfig { url: String::new() },
            s3: S3Config::default(),
            limits: LimitsConfig::default(),
            write: WriteConfig::default(),
            query: QueryConfig::default(),
            cache: CacheConfig::default(),
            wal: WalConfig::default(),
            ingester: IngesterConfig::default(),
            log: LogConfig::default(),
            tracing: TracingConfig::default(),
            monitoring: MonitoringConfig::default(),
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9009".into(),
            max_connections: 4096,
            idle_timeout: 90,
            tls: HttpTlsConfig::default(),
        }
    }
}

impl Default for GrpcConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9095".into(),
            tls: TlsConfig::default(),
            server: ServerConfig::default(),
            client: PoolConfig::default(),
        }
    }
}

impl Default for QueryConfig {
    fn default() -> Self {
        let ReadConfig { max_concurrent_queries, max_queued_queries, max_form_bytes } = ReadConfig::default();
        let max_samples = EngineConfig::default().max_samples;
        Self {
            max_concurrent_queries,
            max_queued_queries,
            max_form_bytes,
            lookback: 300,
            threads: 0,
            max_samples,
            features: String::new(),
            downsampling: Downsampling::default().name().into(),
        }
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        let BlockCacheConfig { index_bytes, page_bytes, disk_dir, disk_bytes } = BlockCacheConfig::default();
        Self { index_bytes, page_bytes, disk_dir, disk_bytes, results_bytes: 64 << 20 }
    }
}

impl CacheConfig {
    pub fn blocks(&self) -> BlockCacheConfig {
        let Self { index_bytes, page_bytes, disk_bytes, .. } = *self;
        BlockCacheConfig { index_bytes, page_bytes, disk_dir: self.disk_dir.clone(), disk_bytes }
    }
}

impl QueryConfig {
    pub fn read(&self) -> ReadConfig {
        let Self { max_concurrent_queries, max_queued_queries, max_form_bytes, .. } = *self;
        ReadConfig { max_concurrent_queries, max_queued_queries, max_form_bytes }
    }

    pub fn engine(&self) -> EngineConfig {
        let default = EngineConfig::default();
        let threads = if self.threads == 0 { default.threads } else { self.threads };
        let lookback_ms = i64::try_from(self.lookback).unwrap_or(i64::MAX).saturating_mul(1000);
        // What is not valid is found when the configuration is checked.
        let features = Features::parse(&self.features).unwrap_or_default();
        let downsampling = Downsampling::from_name(&self.downsampling).unwrap_or_default();
        let max_samples = self.max_samples;
        EngineConfig { lookback_ms, threads, max_samples, features, downsampling, ..default }
    }
}

impl Config {
    pub fn ingester(&self) -> IngesterConfig {
        IngesterConfig { wal: self.wal.clone(), ..self.ingester.clone() }
    }

    /// The compactor's settings with the default filled in.
    pub fn compactor(&self, data_dir: &Path) -> CompactorConfig {
        let mut compactor = self.compactor.clone();
        if compactor.scratch_dir.as_os_str().is_empty() {
            compactor.scratch_dir = data_dir.join("compactor");
        }
        compactor
    }

    /// The bucket with the default filled in; `data_dir` as it is on this machine.
    pub fn bucket(&self, data_dir: &Path) -> BucketConfig {
        let url = match self.bucket.url.as_str() {
            "" => format!("file:{}", data_dir.join("bucket").display()),
            url => url.to_owned(),
        };
        BucketConfig { url }
    }

    /// All settings as YAML, secrets hidden.
    pub fn to_yaml(&self) -> anyhow::Result<String> {
        serde_saphyr::to_string(self).context("cannot print the configuration")
    }

    /// Where users reach this server.
    pub fn external_url(&self) -> String {
        match self.ruler.external_url.trim_end_matches('/') {
            "" => format!("http://{}", self.http.listen),
            url => url.to_owned(),
        }
    }

    /// Whose the process's own metrics and lines are, if they are written.
    pub fn own_tenant(&self) -> Option<TenantId> {
        let SelfScrapeConfig { enabled, tenant, .. } = &self.monitoring.self_scrape;
        // What is no tenant has been found by `problems`.
        enabled.then(|| TenantId::new(tenant).ok()).flatten()
    }

    pub fn overrides_file(&self) -> Option<&Path> {
        (!self.limits.overrides_file.is_empty()).then(|| Path::new(&self.limits.overrides_file))
    }

    /// The roles of this process. What is no role has been found by `problems`.
    pub fn targets(&self) -> Targets {
        Targets::parse(&self.target).unwrap_or(Targets::ALL)
    }

    pub fn is_clustered(&self) -> bool {
        self.ring.store == RingStore::Etcd
    }

    /// How the others reach us by gRPC.
    pub fn advertised(&self) -> &str {
        if self.ring.advertise.is_empty() { &self.grpc.listen } else { &self.ring.advertise }
    }

    /// What does not fit together when there is more than one process.
    fn cluster_problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut problem = |key: &str, message: &str| found.push((key.to_owned(), message.to_owned()));
        match Targets::parse(&self.target) {
            Err(message) => problem("target", &message),
            Ok(targets) if !targets.has_all() && !self.is_clustered() => {
                problem(
                    "target",
                    "a process that is not everything needs ring.store: etcd to find the others",
                );
            }
            Ok(_) => {}
        }
        if self.is_clustered() {
            if self.bucket.url.is_empty() {
                problem(
                    "bucket.url",
                    "all processes of a cluster need the same bucket: set file:FOLDER or s3://BUCKET",
                );
            }
            let listen = self.grpc.listen.parse::<SocketAddr>();
            if self.ring.advertise.is_empty()
                && listen.is_ok_and(|a| a.ip().is_unspecified() || a.port() == 0)
            {
                problem(
                    "ring.advertise",
                    "grpc.listen does not say where the others reach this process: HOST:PORT is wanted",
                );
            }
        }
        let own = |(key, message): (&str, &str)| (key.to_owned(), message.to_owned());
        found.extend(self.http.tls.problem().map(own));
        if self.is_clustered() {
            found.extend(
                tls::grpc_problem(&self.auth.tokens_file, &self.grpc.listen, &self.grpc.tls).map(own),
            );
        }
        found.extend(self.ring.validate().err().map(|message| named(&message, "ring.")));
        found.extend(self.distributor.validate().err().map(|message| named(&message, "distributor.")));
        found
    }

    /// What cannot be told from one value's type: pairs of a key and what is wrong with its value.
    fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut check = |key: &str, ok: bool, message: &str| {
            if !ok {
                found.push((key.to_owned(), message.to_owned()));
            }
        };
        check("data_dir", !self.data_dir.as_os_str().is_empty(), "a folder is wanted");
        let address = |text: &str| text.parse::<SocketAddr>().is_ok();
        let listen = "not an address and a port, such as 127.0.0.1:9009 or 0.0.0.0:9009 (every interface)";
        check("http.listen", address(&self.http.listen), listen);
        check("grpc.listen", address(&self.grpc.listen), listen);
        check("http.max_connections", self.http.max_connections > 0, "at least 1 is wanted");
        check("grpc.server.max_connections", self.grpc.server.max_connections > 0, "at least 1 is wanted");
        check("grpc.server.max_streams", self.grpc.server.max_streams > 0, "at least 1 is wanted");
        check("grpc.client.write_timeout", self.grpc.client.write_timeout > 0, "at least 1 s is wanted");
        check("http.idle_timeout", self.http.idle_timeout > 0, "at least 1 s is wanted");
        check("query.lookback", self.query.lookback > 0, "at least 1 s is wanted");
        check("query.threads", self.query.threads <= 1024, "at most 1024 is wanted");
        check("query.max_concurrent_queries", self.query.max_concurrent_queries > 0, "at least 1 is wanted");
        if let Err(message) = Features::parse(&self.query.features) {
            check("query.features", false, &message);
        }
        let known = Downsampling::from_name(&self.query.downsampling).is_some();
        check("query.downsampling", known, "neither off, exact nor allowed");
        let url = &self.bucket.url;
        let known = url.is_empty()
            || ["file:", "s3://"].iter().any(|p| url.strip_prefix(p).is_some_and(|rest| !rest.is_empty()));
        check("bucket.url", known, "neither file:FOLDER nor s3://BUCKET");
        let ratio = (0.0..=1.0).contains(&self.tracing.sample_ratio);
        check("tracing.sample_ratio", ratio, "a share from 0 to 1 is wanted");
        let rate = self.limits.all.ingestion_rate;
        check("limits.ingestion_rate", rate.is_finite() && rate >= 0.0, "a rate of at least 0 is wanted");
        if let Err(error) = self.log.filter() {
            let text = error.to_string();
            let message = text.split_once("\": ").map_or(text.as_str(), |(_, message)| message);
            found.push(("log.level".into(), message.to_owned()));
        }
        found.extend(self.cluster_problems());
        found.extend(self.wal.validate().err().map(|message| named(&message, "wal.")));
        found.extend(self.ingester.validate().err().map(|message| named(&message, "ingester.")));
        found.extend(self.compactor.validate().err().map(|message| named(&message, "compactor.")));
        found.extend(self.ruler.validate().err().map(|message| named(&message, "ruler.")));
        let of_ourselves = self.monitoring.self_scrape.validate().err();
        found.extend(of_ourselves.map(|message| named(&message, "monitoring.self_scrape.")));
        found.extend(
            limits_problem(&self.limits.all).map(|(key, message)| (format!("limits.{key}"), message)),
        );
        found
    }
}

/// What is wrong with a tenant's limits, and with which.
pub(crate) fn limits_problem(limits: &Limits) -> Option<(String, String)> {
    Retention::new(limits).err().map(|message| ("retention_rules".to_owned(), message))
}

/// A crate's own sentence about its settings, `key must be …, is VALUE`, as a key and what is
/// wrong with its value.
fn named(message: &str, section: &str) -> (String, String) {
    let (key, why) = message.split_once(' ').unwrap_or(("", message));
    let why = why.rsplit_once(", is ").map_or(why, |(why, _)| why);
    let key = key.strip_prefix(section).unwrap_or(key);
    (format!("{section}{key}"), why.to_owned())
}

impl<'de> Deserialize<'de> for LimitsConfig {
    /// By hand, for serde's `flatten` would lose where in the configuration an error lies.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Section;

        impl<'de> de::Visitor<'de> for Section {
            type Value = LimitsConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("limits")
            }

            fn visit_map<M: de::MapAccess<'de>>(self, map: M) -> Result<LimitsConfig, M::Error> {
                let mut overrides_file = String::new();
                let rest = Rest { map, overrides_file: &mut overrides_file };
                let all = Limits::deserialize(de::value::MapAccessDeserializer::new(rest))?;
                Ok(LimitsConfig { overrides_file, all })
            }
        }

        /// The section without the key that is not a limit.
        struct Rest<'a, M> {
            map: M,
            overrides_file: &'a mut String,
        }

        impl<'de, M: de::MapAccess<'de>> de::MapAccess<'de> for Rest<'_, M> {
            type Error = M::Error;

            fn next_key_seed<K: de::DeserializeSeed<'de>>(
                &mut self,
                seed: K,
            ) -> Result<Option<K::Value>, M::Error> {
                while let Some(key) = self.map.next_key::<String>()? {
                    if key != "overrides_file" {
                        return seed.deserialize(de::IntoDeserializer::into_deserializer(key)).map(Some);
                    }
                    *self.overrides_file = self.map.next_value()?;
                }
                Ok(None)
            }

            fn next_value_seed<V: de::DeserializeSeed<'de>>(
                &mut self,
                seed: V,
            ) -> Result<V::Value, M::Error> {
                self.map.next_value_seed(seed)
            }
        }

        deserializer.deserialize_map(Section)
    }
}

#[cfg(test)]
mod tests;
