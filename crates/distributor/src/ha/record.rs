//! What the ring's store holds of one cluster of senders.

use model::TenantId;
use serde::{Deserialize, Serialize};

/// Fields that a later version adds are skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Who is listened to.
    pub replica: String,
    /// When something last came from it, in milliseconds since the Unix epoch by the clock of `by`.
    pub received_at: i64,
    /// The distributor that wrote this.
    pub by: String,
}

impl Record {
    /// None if these bytes are not one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings and numbers: it cannot fail, and a record that cannot be read is skipped.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Where records are: `{prefix}/ha/{tenant}/{cluster}`.
#[derive(Clone, Debug)]
pub struct Keys {
    /// What all of them start with.
    pub prefix: String,
}

impl Keys {
    /// `prefix` is what the store's keys start with.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: format!("{}/ha/", prefix.trim_end_matches('/')) }
    }

    /// A tenant's name has no slash; a cluster's may.
    pub fn of(&self, tenant: &TenantId, cluster: &str) -> String {
        format!("{}{tenant}/{cluster}", self.prefix)
    }

    /// Whose record is at a key.
    pub fn owner<'a>(&self, key: &'a str) -> Option<(TenantId, &'a str)> {
        let (tenant, cluster) = key.strip_prefix(&self.prefix)?.split_once('/')?;
        Some((TenantId::new(tenant).ok()?, cluster))
    }
}
