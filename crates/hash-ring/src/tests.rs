//! Scenarios: instances, rings and a store that fails, in paused time.

mod double;
mod etcd;
mod forget;
mod kv;
mod life;
mod lost_calls;
mod store_fails;
mod support;
mod traffic;
