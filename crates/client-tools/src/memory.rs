//! Data of a unit test of rules: series and streams in memory, which come to light as the test's time goes on.

mod logs;
mod metrics;

pub use logs::{Line, MemoryLogs};
pub use metrics::MemoryMetrics;

use service_api::Error;

/// Whoever evaluates rules asks for data only.
fn not_asked() -> Error {
    Error::internal("in a unit test of rules only data is read")
}
