//! What a service needs to live: clock, lifecycle, signals, telemetry.

mod blocking;
mod clock;
mod own_lines;
mod process;
mod secret;
mod signals;
mod supervisor;
mod telemetry;

pub use blocking::{Lost, blocking};
pub use clock::{Clock, ManualClock, RuntimeClock, SystemClock};
pub use own_lines::{OwnLine, OwnLines, log_into, own_writes};
pub use process::ProcessMetrics;
pub use secret::Secret;
pub use signals::{Signal, Signals};
pub use supervisor::{DrainError, ServiceError, Supervisor};
pub use telemetry::{LogConfig, LogFormat, Telemetry, TelemetryError, TracingConfig};
