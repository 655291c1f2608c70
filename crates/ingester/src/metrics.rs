//! What the ingester tells about itself.

use crate::{head::Counts, tenant_metrics::ByTenant};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use std::sync::atomic::AtomicU64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// Cheap to clone; clones share their values.
#[derive(Clone, Debug, Default)]
pub struct IngesterMetrics {
    samples: Counter,
    histograms: Counter,
    exemplars: Counter,
    lines: Counter,
    line_bytes: Counter,
    pub pages: Counter,
    pub tail_drops: Counter,
    pub log_head_bytes: Gauge,
    pub active_streams: Gauge,
    pub block_lines: Counter,
    pub replayed_lines: Counter,
    rejected: Family<Reason, Counter>,
    pub active_series: Gauge,
    pub blocks: Counter,
    pub block_samples: Counter,
    pub flush_failures: Counter,
    pub last_flush: Gauge<f64, AtomicU64>,
    pub swept_series: Counter,
    pub replay_seconds: Gauge<f64, AtomicU64>,
    pub replayed_samples: Counter,
    pub replay_orphans: Counter,
    pub unreadable_records: Counter,
    pub(crate) tenant_series: ByTenant,
    pub(crate) tenant_streams: ByTenant,
}

impl IngesterMetrics {
    /// Adds them to a registry, under `yagura_ingester_…` and `yagura_tenant_…`.
    pub fn register(&self, registry: &mut Registry) {
        let tenants = registry.sub_registry_with_prefix("yagura_tenant");
        let help = "Series in the heads, of the thousand tenants with most";
        tenants.register("active_series", help, self.tenant_series.family.clone());
        let help = "Log streams in the heads, of the thousand tenants with most";
        tenants.register("active_streams", help, self.tenant_streams.family.clone());
        let registry = registry.sub_registry_with_prefix("yagura_ingester");
        let Self { samples, histograms, exemplars, rejected, active_series, .. } = self.clone();
        registry.register("samples", "Float samples taken in", samples);
        registry.register("histograms", "Native histograms taken in", histograms);
        registry.register("exemplars", "Exemplars taken in", exemplars);
        registry.register("rejected_samples", "Entries refused, by reason", rejected);
        registry.register("active_series", "Series in the heads", active_series);
        let Self { blocks, block_samples, flush_failures, last_flush, swept_series, .. } = self.clone();
        registry.register("flushed_blocks", "Blocks written to the bucket", blocks);
        registry.register("flushed_samples", "Samples in the blocks written", block_samples);
        registry.register("flush_failures", "Attempts to write a block that failed", flush_failures);
        registry.register(
            "last_flush_timestamp_seconds",
            "When a round of flushes last ended without a failure, or the ingester was started",
            last_flush,
        );
        registry.register(
            "swept_series",
            "Series and streams forgotten because they held nothing",
            swept_series,
        );
        let Self { replay_seconds, replayed_samples, replay_orphans, unreadable_records, .. } = self.clone();
        registry.register("replay_duration_seconds", "Time that the last replay took", replay_seconds);
        registry.register("replayed_samples", "Samples read back from the log", replayed_samples);
        registry.register(
            "replay_orphans",
            "Samples and lines whose series or stream was lost with a damaged record",
            replay_orphans,
        );
        registry.register("unreadable_records", "Records left out of a replay", unreadable_records);
        self.register_logs(registry);
    }

    /// What there is of logs.
    fn register_logs(&self, registry: &mut Registry) {
        let Self { lines, line_bytes, pages, tail_drops, log_head_bytes, .. } = self.clone();
        registry.register("lines", "Log lines taken in", lines);
        registry.register("line_bytes", "Bytes of text of the log lines taken in", line_bytes);
        registry.register("sealed_pages", "Pages of log lines that were compressed", pages);
        registry.register("tail_dropped_lines", "Lines that watchers were too slow for", tail_drops);
        registry.register(
            "log_head_bytes",
            "Bytes of log lines in the heads, open pages included",
            log_head_bytes,
        );
        let Self { active_streams, block_lines, replayed_lines, .. } = self.clone();
        registry.register("active_streams", "Log streams in the heads", active_streams);
        registry.register("flushed_lines", "Log lines in the blocks written", block_lines);
        registry.register("replayed_lines", "Log lines read back from the log", replayed_lines);
    }

    pub(crate) fn applied_lines(&self, lines: u64, bytes: u64, pages: u64) {
        self.lines.inc_by(lines);
        self.line_bytes.inc_by(bytes);
        self.pages.inc_by(pages);
    }

    pub(crate) fn flushed_at(&self, now_ms: i64) {
        self.last_flush.set(now_ms as f64 / 1000.0);
    }

    pub(crate) fn applied(&self, counts: &Counts, too_old: u64) {
        self.samples.inc_by(counts.samples);
        self.histograms.inc_by(counts.histograms);
        self.exemplars.inc_by(counts.exemplars);
        self.reject("too_old", too_old);
        self.reject("duplicate", counts.conflicts);
        self.reject("exemplar", counts.late_exemplars);
    }

    pub(crate) fn reject(&self, reason: &'static str, entries: u64) {
        if entries > 0 {
            self.rejected.get_or_create(&Reason { reason }).inc_by(entries);
        }
    }
}
