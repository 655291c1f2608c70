//! The store in which a ring is kept: what etcd can do and the ring needs.

mod etcd;
mod memory;

use async_trait::async_trait;
use futures::stream::BoxStream;
use std::time::Duration;

pub use etcd::EtcdKv;
pub use memory::{KvStats, MemoryKv, Snapshot};

pub type LeaseId = i64;
/// Changes as they happen; ends with an error, never in silence.
pub type Watch = BoxStream<'static, Result<Batch, KvError>>;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    #[error("the ring's store cannot be reached: {0}")]
    Unavailable(String),
    #[error("the ring's store no longer has the changes since revision {0}")]
    Compacted(i64),
    #[error("the lease is gone")]
    LeaseGone,
}

impl From<KvError> for service_api::Error {
    fn from(error: KvError) -> Self {
        service_api::Error::unavailable(error.to_string())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    pub key: String,
    pub value: Vec<u8>,
    /// The revision of the store at which the key was last written.
    pub mod_revision: i64,
}

/// All keys under a prefix, at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub entries: Vec<KeyValue>,
    pub revision: i64,
    /// Names this store; another one after it was made anew.
    pub cluster: u64,
}

/// What changed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub revision: i64,
    pub events: Vec<Event>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub key: String,
    /// None if the key was deleted or its lease ended.
    pub value: Option<Vec<u8>>,
    pub mod_revision: i64,
}

/// What must hold for a change to be made: the key was last written at `mod_revision`; 0 if it
/// must not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    pub key: String,
    pub mod_revision: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Put { key: String, value: Vec<u8>, lease: Option<LeaseId> },
    Delete { key: String },
}

/// A store of keys with revisions, watches and leases. Cheap to share as an `Arc<dyn Kv>`. Calls
/// answer within a few seconds or fail; one that tries several endpoints, within as many for each.
#[async_trait]
pub trait Kv: Send + Sync {
    async fn get(&self, key: &str) -> Result<Option<KeyValue>, KvError>;

    async fn list(&self, prefix: &str) -> Result<Listing, KvError>;

    /// Changes of keys under the prefix, from the revision `from` on, that one included.
    async fn watch(&self, prefix: &str, from: i64) -> Result<Watch, KvError>;

    /// Makes one change if all guards hold, in one step. Returns the revision at which it was
    /// made, or none if a guard did not hold.
    async fn commit(&self, guards: &[Guard], change: Change) -> Result<Option<i64>, KvError>;

    /// A lease that ends, with the keys put under it, unless it is kept alive within `ttl`.
    async fn grant(&self, ttl: Duration) -> Result<LeaseId, KvError>;

    /// # Errors
    /// `LeaseGone` if it has ended.
    async fn keep_alive(&self, lease: LeaseId) -> Result<(), KvError>;

    /// Ends a lease; one that has ended already is no error.
    async fn revoke(&self, lease: LeaseId) -> Result<(), KvError>;

    async fn put(&self, key: &str, value: Vec<u8>, lease: Option<LeaseId>) -> Result<i64, KvError> {
        let revision = self.commit(&[], Change::Put { key: key.into(), value, lease }).await?;
        revision.ok_or_else(|| KvError::Unavailable("a change without a guard was not made".into()))
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.commit(&[], Change::Delete { key: key.into() }).await.map(|_| ())
    }

    /// Writes the key if it was last written at `mod_revision` (0: if it does not exist). None if
    /// somebody else was quicker.
    async fn compare_and_swap(
        &self,
        key: &str,
        mod_revision: i64,
        value: Vec<u8>,
        lease: Option<LeaseId>,
    ) -> Result<Option<i64>, KvError> {
        let guard = Guard { key: key.into(), mod_revision };
        self.commit(&[guard], Change::Put { key: key.into(), value, lease }).await
    }
}
