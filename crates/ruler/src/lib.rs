//! Runs rule groups: where they are kept, whose they are, when they are due.
//!
//! Of several rulers each runs the groups that are its own on the ring, and each group only while it holds the
//! group's claim in the ring's store ([`Claims`]): so whatever rulers think of the ring, two never write for one
//! group, and a group whose ruler has died is taken over when its claim ends.

mod claims;
mod config;
mod fenced;
mod metrics;
mod places;
mod remote;
mod ruler;
mod rulers;
mod running;
mod schedule;
mod store;
mod witnesses;

pub use claims::{Claims, Witnesses};
pub use config::RulerConfig;
pub use metrics::RulerMetrics;
pub use remote::Remote;
pub use ruler::{Dependencies, Owns, Ruler, SetAlerting};
pub use rulers::{ConnectRuler, Rulers};
pub use store::{Folder, Stored};
pub use witnesses::{AskStore, Processes};
