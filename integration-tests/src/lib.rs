//! What the tests of real processes share: starting them, writing to them, asking them.
//!
//! What goes wrong ends the test with a sentence that says what.

mod http;
mod ledger;
mod process;
mod protobuf;
mod query;
mod random;
mod remote_write;
mod tools;
mod yagura;

pub use http::{Answer, Http, form};
pub use ledger::{Fate, Ledger};
pub use process::{Process, free_port};
pub use query::{Point, Query, Series, differences};
pub use random::Random;
pub use remote_write::{TimeSeries, Version, now_ms, snappy};
pub use tools::{Tool, tool};
pub use yagura::{Settings, Yagura, binary};
