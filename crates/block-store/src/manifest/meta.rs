//! What a manifest says of each block.

use model::{Signal, TenantId, TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// One version of the list of a tenant's blocks of one signal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// 1 for the first version; 0 where there is none yet.
    pub sequence: u64,
    pub blocks: Vec<BlockMeta>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockMeta {
    #[serde(with = "as_text")]
    pub id: Ulid,
    pub min_time: Timestamp,
    pub max_time: Timestamp,
    /// Series or streams.
    pub series: u64,
    /// Floats and histograms, or lines.
    pub samples: u64,
    /// Bytes of all lines' text; 0 where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub text_bytes: u64,
    /// The size of the object.
    pub bytes: u64,
    /// 0 as flushed; higher the more often it was compacted.
    pub level: u8,
    /// What it was made of: for a flushed block the ingester and its position in the WAL, for a merged
    /// one how many blocks, and the first and the last of them, for an imported one what it was before.
    pub source: String,
    /// Milliseconds since the Unix epoch.
    pub created: i64,
}

impl BlockMeta {
    pub fn time_range(&self) -> TimeRange {
        TimeRange::new(self.min_time, self.max_time)
    }

    /// The ingester whose lines these are, and no other's: what was compacted has those of several.
    pub fn origin(&self) -> u64 {
        match self.source.rsplit_once('/') {
            Some((ingester, _)) if self.level == 0 => service_api::origin(ingester),
            _ => 0,
        }
    }

    /// The object's name in the bucket.
    pub fn object(&self, tenant: &TenantId, signal: Signal) -> String {
        format!("{}/{}", folder(tenant, signal), self.id)
    }
}

/// Where a tenant's blocks of a signal lie in the bucket.
pub(crate) fn folder(tenant: &TenantId, signal: Signal) -> String {
    format!("{tenant}/{signal}/blocks")
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A ULID as its 26 characters.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use ulid::Ulid;

    pub fn serialize<S: Serializer>(id: &Ulid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ulid, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ulid::from_string(&text).map_err(D::Error::custom)
    }
}
