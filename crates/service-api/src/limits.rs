//! Limits of a tenant: the one set of them for every role.

use model::TenantId;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// What one tenant may do. `limits` in the configuration sets everybody's; a file of
/// overrides changes single ones for single tenants and is reread while we run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Samples a second that the tenant may write, on average; 0 is no limit.
    pub ingestion_rate: f64,
    /// Samples that may come at once above the rate.
    pub ingestion_burst: u64,
    /// Active series; 0 is no limit.
    pub max_series: u64,
    pub max_label_names_per_series: usize,
    /// Bytes.
    pub max_label_name_length: usize,
    /// Bytes.
    pub max_label_value_length: usize,
    /// Ingesters that the tenant's writes go to; 0 is all of them, fewer than the replication factor is as many
    /// as that. Each holds the data of some tenants only, so that one tenant can harm few others.
    pub ingestion_shard_size: usize,
    /// Whether of two senders of the same samples only one is listened to at a time: the elected one of its
    /// cluster. Both name themselves in labels.
    pub ha_dedup: bool,
    /// The label that names the pair of senders.
    pub ha_cluster_label: String,
    /// The label that tells the two apart; it is taken off what is kept.
    pub ha_replica_label: String,
    /// Pairs of senders that the tenant may have; 0 is no limit.
    pub ha_max_clusters: usize,
    /// Bytes of lines a second that the tenant may write, on average; 0 is no limit.
    pub log_rate: u64,
    /// Bytes of lines that may come at once above the rate.
    pub log_burst: u64,
    /// Bytes of lines a second that may be written to one stream; 0 is no limit.
    pub stream_rate: u64,
    /// Bytes of lines that may come to one stream at once above its rate.
    pub stream_burst: u64,
    /// Active log streams; 0 is no limit.
    pub max_streams: u64,
    /// Bytes; 0 is no limit but that of the request.
    pub max_line_size: u64,
    /// Whether a line that is too long is cut and kept, and not refused.
    pub truncate_long_lines: bool,
    /// Bytes of names and values of one line's structured metadata.
    pub max_structured_metadata_size: u64,
    pub max_structured_metadata_entries: usize,
    /// Whether streams without a `service_name` get one from their other labels, as Loki gives it.
    pub discover_service_name: bool,
    /// Seconds that a sample or line may be older than the newest one of its series' or stream's head.
    pub out_of_order_window: u64,
    /// Seconds that a sample or line may lie in the past; 0 is no limit. It bounds how many windows of
    /// time a tenant can hold open, each of which becomes a block.
    pub max_sample_age: u64,
    /// Seconds that a sample or line may lie in the future.
    pub max_sample_future: u64,
    /// Seconds that blocks are kept; 0 is for ever.
    pub retention: u64,
    /// How long single series and streams are kept: of the rules that match one the first counts, and
    /// `retention` if there is none.
    pub retention_rules: Vec<RetentionRule>,
    /// Whether the tenant may ask for data to be deleted.
    pub deletions: bool,
    /// Seconds for which a request to delete can be cancelled; blocks are rewritten afterwards.
    pub deletion_delay: u64,
    /// Whether figures are made of metrics that are some days old, for queries over long times.
    pub downsampling: bool,
    /// Queries that may run at once; 0 is no bound but that of everybody's.
    pub max_concurrent_queries: u64,
    /// Bytes that one query may hold.
    pub query_memory: u64,
    /// Seconds that one query may take; 0 is no limit.
    pub query_timeout: u64,
    /// Series or streams that one selector of a query may have; 0 is no limit.
    pub max_query_series: u64,
    /// Seconds from start to end of one range query; 0 is no limit.
    pub max_query_range: u64,
    /// Lines that one query may ask for; 0 is no limit.
    pub max_query_lines: u64,
    /// Rule groups that the tenant may store; 0 is no limit.
    pub max_rule_groups: u64,
    /// Rules that one of them may have; 0 is no limit.
    pub max_rules_per_group: u64,
    /// Whether the tenant may say to which Alertmanagers its alerts go.
    pub own_alertmanagers: bool,
}

/// How long the series or streams are kept that a selector matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionRule {
    /// Such as `{namespace="dev"}`, for metrics and for logs.
    pub selector: String,
    /// A duration such as `24h` or `30d`; `0` is for ever.
    pub retention: String,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ingestion_rate: 0.0,
            ingestion_burst: 1_000_000,
            max_series: 5_000_000,
            max_label_names_per_series: 64,
            max_label_name_length: 1024,
            max_label_value_length: 4096,
            ingestion_shard_size: 0,
            ha_dedup: false,
            ha_cluster_label: "cluster".to_owned(),
            ha_replica_label: "__replica__".to_owned(),
            ha_max_clusters: 100,
            log_rate: 0,
            log_burst: 64 << 20,
            stream_rate: 0,
            stream_burst: 16 << 20,
            max_streams: 100_000,
            max_line_size: 256 << 10,
            truncate_long_lines: false,
            max_structured_metadata_size: 64 << 10,
            max_structured_metadata_entries: 128,
            discover_service_name: true,
            out_of_order_window: 3600,
            max_sample_age: 14 * 86_400,
            max_sample_future: 600,
            retention: 0,
            retention_rules: Vec::new(),
            deletions: true,
            deletion_delay: 86_400,
            downsampling: false,
            max_concurrent_queries: 0,
            query_memory: 1 << 30,
            query_timeout: 120,
            max_query_series: 0,
            max_query_range: 0,
            max_query_lines: 5000,
            max_rule_groups: 1000,
            max_rules_per_group: 1000,
            own_alertmanagers: false,
        }
    }
}

impl Limits {
    pub fn query_timeout(&self) -> Duration {
        if self.query_timeout == 0 { Duration::MAX } else { Duration::from_secs(self.query_timeout) }
    }
}

/// Where roles ask for a tenant's limits, once a request.
pub trait LimitsSource: Send + Sync {
    fn limits(&self, tenant: &TenantId) -> Arc<Limits>;
}

/// The same limits for everybody; for tests and for one tenant.
impl LimitsSource for Arc<Limits> {
    fn limits(&self, _: &TenantId) -> Arc<Limits> {
        Arc::clone(self)
    }
}
