//! Answers from ingesters and blocks, wherever they are.
//!
//! [`Federation`] reads tenants together; below it [`Querier`] asks for recent data and then for
//! blocks. Recent data is [`ReplicatedReader`]'s, which asks all ingesters and needs enough of them;
//! blocks are [`DistributedBlocks`]'s, which has each read by the querier that owns it. What a long range
//! query asks of many blocks, [`Spread`] has evaluated by their owners. [`Without`] leaves out what is deleted.

mod blocks;
mod changes;
mod config;
mod evaluator;
mod federation;
mod merge;
mod metrics;
mod querier;
mod replicated;
mod rescue;
mod spread;
mod stores;
mod tail;
mod without;

pub use blocks::{
    BlockClients, DistributedBlocks, ListBlocks, ListRollups, LocalBlocks, LocalRead, RemoteRead,
};
pub use changes::DataChanges;
pub use config::QuerierConfig;
pub use evaluator::Evaluator;
pub use federation::{Federation, TENANT_LABEL};
pub use metrics::QuerierMetrics;
pub use querier::Querier;
pub use replicated::{Connect, ReplicatedReader, ViewSource};
pub use spread::{ConnectEvaluator, Spread};
pub use tail::{ConnectTail, RingTail};
pub use without::Without;

#[cfg(test)]
mod test_support;
