//! What a service needs to live: clock, lifecycle, telemetry.

mod clock;

pub use clock::{Clock, ManualClock, SystemClock};
