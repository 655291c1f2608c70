//! What the tests of real processes share: starting them, writing to them, asking them.
//!
//! What goes wrong ends the test with a sentence that says what.

mod http;
mod ledger;
mod loki;
mod mutate;
mod process;
mod protobuf;
mod query;
mod random;
mod remote_write;
mod tools;
mod wire;
mod yagura;

pub use http::{Answer, Http, form};
pub use ledger::{Fate, Ledger};
pub use loki::{JSON, LogLine, LogQuery, LogStream, PROTOBUF, PUSH, push_json, push_message, push_protobuf};
pub use mutate::mutate;
pub use process::{Process, free_port};
pub use protobuf::Message;
pub use query::{Point, Query, Series, differences};
pub use random::Random;
pub use remote_write::{TimeSeries, Version, now_ms, snappy};
pub use tools::{Tool, client, tool};
pub use wire::Wire;
pub use yagura::{Settings, Yagura, binary};
