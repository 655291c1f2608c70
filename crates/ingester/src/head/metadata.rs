//! What a tenant's metrics say of themselves.

use model::Metadata;
use service_api::{MetadataEntry, MetricMetadata};
use std::collections::BTreeMap;

/// Different things that one metric may say of itself; targets may differ.
const MAX_VARIANTS: usize = 8;

/// By metric; bounded: metrics over the bound are not kept.
pub struct MetadataStore {
    max: usize,
    metrics: BTreeMap<String, Vec<Metadata>>,
}

impl MetadataStore {
    pub fn new(max: usize) -> Self {
        Self { max, metrics: BTreeMap::new() }
    }

    /// Whether keeping it would change nothing.
    pub fn has(&self, entry: &MetadataEntry) -> bool {
        match self.metrics.get(&entry.metric) {
            Some(known) => known.contains(&entry.metadata),
            None => self.metrics.len() >= self.max,
        }
    }

    pub fn keep(&mut self, entry: &MetadataEntry) {
        if self.has(entry) {
            return;
        }
        let known = self.metrics.entry(entry.metric.clone()).or_default();
        if known.len() >= MAX_VARIANTS {
            known.remove(0);
        }
        known.push(entry.metadata.clone());
    }

    /// Sorted by metric; of one metric only if it is given.
    pub fn list(&self, metric: Option<&str>) -> Vec<MetricMetadata> {
        let entry = |(metric, metadata): (&String, &Vec<Metadata>)| MetricMetadata {
            metric: metric.clone(),
            metadata: metadata.clone(),
        };
        match metric {
            Some(metric) => self.metrics.get_key_value(metric).map(entry).into_iter().collect(),
            None => self.metrics.iter().map(entry).collect(),
        }
    }
}
