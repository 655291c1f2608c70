//! Keys of series without the label that tells their senders apart.

use model::TenantId;
use quick_cache::sync::Cache;
use service_api::{LabelSource, Result, SeriesKey, WriteBatch};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

/// Keeps these keys apart from those that are made of a request's bytes.
const KEY_SEED: u64 = 0x9a7b_31d5_02ee_4c68;

/// Remembers the keys: reading labels for each sample would cost more than all else.
pub struct Names {
    /// By tenant and label, and the key of the series as it is sent.
    keys: Cache<(u64, SeriesKey), SeriesKey>,
}

impl Names {
    /// `capacity` is in series.
    pub fn new(capacity: usize) -> Self {
        Self { keys: Cache::new(capacity) }
    }

    /// Takes label `replica` off all series of a batch. What two senders send of one series has one key then, and
    /// goes to the same ingesters.
    pub fn take_off(&self, tenant: &TenantId, replica: &str, batch: &mut WriteBatch) -> Result<()> {
        let owner = xxh3_64_with_seed(replica.as_bytes(), xxh3_64_with_seed(tenant.as_str().as_bytes(), 0));
        let inner = std::mem::replace(&mut batch.labels, Box::new(NoLabels));
        let labels = WithoutLabel { inner, label: replica.to_owned() };
        let mut bytes = Vec::new();
        for (index, series) in batch.series.iter_mut().enumerate() {
            let sent = (owner, series.key);
            series.key = match self.keys.get(&sent) {
                Some(key) => key,
                None => {
                    let key = key(&labels, index, &mut bytes)?;
                    self.keys.insert(sent, key);
                    key
                }
            };
        }
        batch.labels = Box::new(labels);
        Ok(())
    }
}

fn key(labels: &WithoutLabel, index: usize, bytes: &mut Vec<u8>) -> Result<SeriesKey> {
    bytes.clear();
    labels.pairs(index, &mut |name, value| {
        for text in [name, value] {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
    })?;
    Ok(SeriesKey(xxh3_128_with_seed(bytes, KEY_SEED)))
}

/// Labels of a batch but for one.
struct WithoutLabel {
    inner: Box<dyn LabelSource>,
    label: String,
}

impl LabelSource for WithoutLabel {
    fn pairs(&self, index: usize, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        self.inner.pairs(index, &mut |name, value| {
            if name != self.label {
                each(name, value);
            }
        })
    }

    fn bytes(&self) -> usize {
        self.inner.bytes()
    }
}

/// Stands in for a batch's labels while they are wrapped.
struct NoLabels;

impl LabelSource for NoLabels {
    fn pairs(&self, _: usize, _: &mut dyn FnMut(&str, &str)) -> Result<()> {
        Ok(())
    }
}
