//! What operators do with a bucket beside a running Yagura or without one: list tenants and blocks, look
//! into a block, verify, print, and bring in what Prometheus has.
//!
//! Each command is a function that writes what it finds to `out`, and says on the way how far it is.

mod backfill;
mod cat;
mod day_blocks;
mod human;
mod import;
mod inspect;
mod ls;
mod progress;
mod scratch;
mod table;
mod tools;
mod verify;

pub use backfill::{BackfillOptions, backfill};
pub use cat::{CatOptions, cat};
pub use import::{ImportOptions, import};
pub use inspect::{InspectOptions, inspect};
pub use ls::{LsOptions, ls};
pub use tools::{Console, NewId, Outcome, Tools};
pub use verify::{VerifyOptions, verify};

#[cfg(test)]
mod tests;
