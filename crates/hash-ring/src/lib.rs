//! Who is there and who holds what: membership, placement, replica sets, quorum.
//!
//! Instances write themselves into a store with a [`Lifecycler`]; everybody who needs to know
//! them follows the store with a [`Ring`] and asks its current [`RingView`].

mod backoff;
mod config;
mod keys;
mod kv;
mod lifecycler;
mod member;
mod metrics;
mod read_plan;
mod ring;
mod view;

pub use config::{EtcdConfig, EtcdTls, RingConfig, RingStore};
pub use kv::{
    Batch, Change, EtcdKv, Event, Guard, KeyValue, Kv, KvError, KvStats, LeaseId, Listing, MemoryKv,
    Snapshot, Watch,
};
pub use lifecycler::{Disk, Lifecycler};
pub use member::{Health, Member, State};
pub use metrics::RingMetrics;
pub use read_plan::ReadPlan;
pub use ring::{Prober, Ring};
pub use view::{PARTITIONS, RingView, Shard};

#[cfg(test)]
mod tests;
