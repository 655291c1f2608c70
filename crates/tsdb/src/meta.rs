//! `meta.json`: what a block says of itself.

use model::{TimeRange, Timestamp};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A file of more bytes is not believed.
const MAX_BYTES: usize = 16 << 20;

/// A block of Prometheus, or of Thanos, Cortex or Mimir, which say more of theirs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockMeta {
    pub ulid: String,
    pub min_time: Timestamp,
    /// Behind the last sample.
    pub max_time: Timestamp,
    #[serde(default)]
    pub stats: Stats,
    pub version: u32,
    #[serde(default)]
    thanos: Thanos,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stats {
    pub num_samples: u64,
    pub num_series: u64,
    pub num_chunks: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Thanos {
    labels: Option<BTreeMap<String, String>>,
    downsample: Downsample,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Downsample {
    resolution: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the meta.json of a block: {0}")]
pub struct InvalidMeta(String);

impl BlockMeta {
    pub fn parse(json: &[u8]) -> Result<Self, InvalidMeta> {
        if json.len() > MAX_BYTES {
            return Err(InvalidMeta("it is too large".to_owned()));
        }
        let meta: Self = serde_json::from_slice(json).map_err(|e| InvalidMeta(e.to_string()))?;
        if meta.version != 1 {
            return Err(InvalidMeta(format!("version {} is not known", meta.version)));
        }
        if meta.max_time < meta.min_time {
            return Err(InvalidMeta("it ends before it begins".to_owned()));
        }
        Ok(meta)
    }

    /// From the first sample to the last.
    pub fn time_range(&self) -> TimeRange {
        TimeRange::new(self.min_time, self.max_time.saturating_sub(1).max(self.min_time))
    }

    /// What Thanos has all series of the block bear. Cortex and Mimir note things of their own there, under
    /// names that no series has; these are left out.
    pub fn external_labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.thanos.labels.iter().flatten();
        labels
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| !name.starts_with("__"))
    }

    /// The milliseconds that each sample stands for; `None` if samples are as they were taken.
    pub fn downsampled_to(&self) -> Option<i64> {
        Some(self.thanos.downsample.resolution).filter(|resolution| *resolution != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_writer_says_is_understood() {
        let prometheus = r#"{"ulid":"01HF7YAT000000000000000007","minTime":1000,"maxTime":7200000,
            "stats":{"numSamples":9,"numSeries":3,"numChunks":3},"compaction":{"level":1,
            "sources":["01HF7YAT000000000000000007"]},"version":1}"#;
        let meta = BlockMeta::parse(prometheus.as_bytes()).unwrap();
        assert_eq!((meta.stats.num_series, meta.time_range()), (3, TimeRange::new(1000, 7_199_999)));
        assert_eq!((meta.external_labels().count(), meta.downsampled_to()), (0, None));
        let thanos = prometheus.replacen(
            '{',
            r#"{"thanos":{"labels":{"cluster":"eu","__org_id__":"a"},"downsample":{"resolution":300000},
               "source":"compactor","index_stats":{}},"#,
            1,
        );
        let meta = BlockMeta::parse(thanos.as_bytes()).unwrap();
        assert_eq!(meta.external_labels().collect::<Vec<_>>(), [("cluster", "eu")]);
        assert_eq!(meta.downsampled_to(), Some(300_000));
        let mimir = prometheus.replacen('{', r#"{"thanos":{"labels":null},"#, 1);
        assert_eq!(BlockMeta::parse(mimir.as_bytes()).unwrap().external_labels().count(), 0);
    }

    #[test]
    fn what_is_none_is_refused() {
        let refused = |json: &str| BlockMeta::parse(json.as_bytes()).unwrap_err().to_string();
        assert!(refused("{}").contains("ulid"));
        assert!(refused(r#"{"ulid":"x","minTime":0,"maxTime":1,"version":2}"#).contains("version 2"));
        assert!(refused(r#"{"ulid":"x","minTime":2,"maxTime":1,"version":1}"#).contains("ends before"));
    }
}
