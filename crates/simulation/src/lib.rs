//! A whole cluster with the real code over a simulated network, disk, bucket and clock: a seed in, the
//! same history out.
//!
//! Each host runs the code of its role on a thread that all share, in time that stands still while
//! code runs. Senders write what is noted in a ledger outside of the cluster; readers compare every
//! answer with it. `make sim SEEDS=n` runs n seeds.

mod batches;
mod bucket;
mod bugs;
mod chaos;
mod clock;
mod history;
mod ledger;
mod net;
mod process;
mod run;
mod workload;
mod world;

pub use bugs::Bug;
pub use chaos::Fault;
pub use run::{Plan, Verdict, run};
pub use world::Shape;
