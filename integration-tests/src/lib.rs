//! What the tests of real processes share: starting them, writing to them, asking them.
//!
//! What goes wrong ends the test with a sentence that says what.

mod alertmanager;
mod balancer;
mod cluster;
mod deadly;
pub mod docs;
mod grpc;
mod http;
mod inbox;
mod known;
mod ledger;
mod loki;
mod mutate;
mod prober;
mod process;
mod protobuf;
mod query;
mod random;
mod remote_write;
mod s3;
mod scrape;
mod senders;
mod tools;
mod traffic;
mod wire;
mod yagura;

pub use alertmanager::{Alertmanager, Notified, Webhook};
pub use balancer::Balancer;
pub use cluster::{
    Cluster, Etcd, Layout, Member, Network, OwnNetwork, RingMember, Role, copy_folder, now, own_network,
};
pub use deadly::{Deadly, deadly_queries};
pub use grpc::{Grpc, GrpcAnswer};
pub use http::{Answer, Http, form};
pub use inbox::{Inbox, Posted};
pub use known::{Question, write_known};
pub use ledger::{Fate, Ledger, Progress, Watch};
pub use loki::{JSON, LogLine, LogQuery, LogStream, PROTOBUF, PUSH, push_json, push_message, push_protobuf};
pub use mutate::mutate;
pub use prober::{Prober, Tally};
pub use process::{Process, free_port, lasting_port};
pub use protobuf::Message;
pub use query::{Point, Query, Series, differences, queries};
pub use random::Random;
pub use remote_write::{TimeSeries, Version, now_ms, snappy};
pub use s3::{S3, S3Faults};
pub use scrape::parse_scrape;
pub use senders::Senders;
pub use tools::{Tool, client, soak, tell, tool};
pub use traffic::{Load, Report, Traffic};
pub use wire::Wire;
pub use yagura::{Settings, Yagura, binary};
