//! Write-ahead log, head and flush: the recent data.

mod append;
mod config;
mod disk_id;
mod flush;
pub mod fs;
mod head;
mod heads;
mod log_state;
mod metrics;
mod record;
mod replay;
mod service;
mod tenant_metrics;
#[cfg(test)]
mod test_support;
pub mod wal;

pub use config::IngesterConfig;
pub use flush::Which as FlushWhich;
pub use metrics::IngesterMetrics;
pub use service::{Dependencies, Ingester, NewId, StartError};
