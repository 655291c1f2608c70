//! What a shell can do with rules and with a server: `yagura rules`, `yagura query`, `yagura push`.
//!
//! Each command is a function that writes what it finds to `out`. Unit tests of rules run in this process; all
//! else asks a server over HTTP.

mod check;
mod diff;
mod documents;
mod files;
mod memory;
mod push;
mod query;
mod remote;
mod report;
mod server;
mod table;
#[cfg(test)]
mod testing;
mod times;
mod unit_test;

pub use check::{CheckOptions, check_rules};
pub use push::{PushLogsOptions, PushMetricsOptions, push_logs, push_metrics};
pub use query::{Names, Output, QueryOptions, names, query};
pub use remote::{
    DeleteOptions, GetOptions, SyncOptions, delete_rules, diff_rules, get_rules, list_rules, sync_rules,
};
pub use server::{Server, ServerOptions};
pub use unit_test::{TestOptions, test_rules};

/// How a command ended that did all that it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Good,
    /// Something is wrong, or was refused, or differs; it has been said.
    Bad,
    /// Nothing is wrong, but something should be another way; it has been said.
    Doubtful,
}
