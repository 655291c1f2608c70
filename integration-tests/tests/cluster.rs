//! Tests of clusters of real processes, in one program so that it is linked once.
//!
//! They follow the rows of `docs/reliability.md`, shortened; `YAGURA_SOAK` makes them long.

mod cluster {
    mod auth;
    mod bucket;
    mod compaction;
    mod compare;
    mod endpoints;
    mod etcd;
    mod frozen;
    mod harness;
    mod kill;
    mod mixin;
    mod model;
    mod operations;
    mod partition;
    mod roles;
    mod rolling;
    mod rulers;
    mod tenants;
    mod zone;
}
