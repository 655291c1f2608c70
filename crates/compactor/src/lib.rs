//! The compactor: of many small blocks it makes few large ones, leaves out of them what was deleted and what is
//! past its retention, and removes objects that nobody lists.
//!
//! What there is to do follows from the manifest alone ([`plan`]), so that there is no queue to lose. Of
//! several compactors each does the jobs that are its own on the ring; if they are not of one mind about
//! that, the manifest decides: whoever publishes second finds its inputs gone, and publishes nothing.

mod compactor;
mod config;
mod job;
mod metrics;
mod owed;
mod patience;
mod plan;

pub use compactor::{Compactor, Owns};
pub use config::CompactorConfig;
pub use metrics::CompactorMetrics;
pub use owed::Owed;
pub use plan::{Job, Plan};
