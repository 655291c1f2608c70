//! A whole cluster with the real code over a simulated network, disk, bucket and clock: a seed in, the
//! same history out.
//!
//! Each host runs the code of its role on a thread that all share, in time that stands still while
//! code runs. Senders write what is noted in a ledger outside of the cluster; readers compare every
//! answer with it. `make sim SEEDS=n` runs n seeds of each kind.
//!
//! One process runs one simulation: tokio numbers tasks over all runtimes of a process, and in the
//! order of these numbers drops them when a host crashes.

mod batches;
mod bucket;
mod bugs;
mod chaos;
mod clock;
mod evaluations;
mod history;
mod ledger;
mod net;
mod plan;
mod process;
mod run;
mod workload;
mod world;

pub use bugs::Bug;
pub use chaos::Fault;
pub use plan::{Kind, Plan};
pub use run::{Verdict, run};
pub use world::Shape;
