//! What the settings of a cluster mean.

use super::Section;
use crate::config::units::Unit::{Bytes, None as Plain, Seconds, Secret};

pub const SECTIONS: &[Section] = &[
    (
        "grpc",
        "gRPC between the processes of a cluster",
        &[
            (
                "grpc.listen",
                Plain,
                "Address and port at which the other processes reach this one. Nothing listens there with `ring.store: memory`.",
            ),
            (
                "grpc.tls.ca_file",
                Plain,
                "PEM: who signs the certificates of the cluster's processes; others are refused. All of `grpc.tls` empty: no TLS, for networks that nobody else is on.",
            ),
            ("grpc.tls.cert_file", Plain, "PEM: this process's certificate, for its server and its clients."),
            ("grpc.tls.key_file", Plain, "PEM: the certificate's key."),
            (
                "grpc.tls.server_name",
                Plain,
                "The name in the certificates of all processes. Empty: the host in each one's `ring.advertise`.",
            ),
            ("grpc.server.max_connections", Plain, "Connections that are open at once; further ones wait."),
            (
                "grpc.server.max_append_bytes",
                Bytes,
                "Writes of distributors in memory; further ones are refused (503).",
            ),
            ("grpc.server.max_streams", Plain, "Calls at once on one connection; further ones wait."),
            (
                "grpc.server.max_selections",
                Plain,
                "Queries of log lines that may hold pages open here at once; further ones are refused (503).",
            ),
            (
                "grpc.server.selection_idle",
                Seconds,
                "How long such a query may fetch nothing before it ends.",
            ),
            (
                "grpc.client.max_in_flight_bytes",
                Bytes,
                "Writes to one ingester that it has not answered. Further ones fail at once, so that one that hangs does not take the memory.",
            ),
            (
                "grpc.client.max_in_flight_requests",
                Plain,
                "Writes, and apart from them reads, to one process that are under way at once; further ones fail.",
            ),
            (
                "grpc.client.write_timeout",
                Seconds,
                "How long a write to one ingester may take, even behind an answer that its replicas made possible.",
            ),
        ],
    ),
    (
        "ring",
        "Who is in the cluster",
        &[
            (
                "ring.store",
                Plain,
                "`memory`: this process is alone. `etcd`: processes find each other there.",
            ),
            (
                "ring.instance_id",
                Plain,
                "Names this process's place in the ring, the same after each restart. Empty: the host's name.",
            ),
            (
                "ring.zone",
                Plain,
                "What fails together with this process: a rack, an availability zone. With at least as many zones as replicas no two replicas are in one zone, and a whole zone may fail.",
            ),
            (
                "ring.replication_factor",
                Plain,
                "Ingesters that get each entry; more than half of them must have it on disk before it is acknowledged. The same in all processes; with `ring.store: memory` it is 1.",
            ),
            (
                "ring.advertise",
                Plain,
                "`host:port` at which the others reach this process's `grpc.listen`. Empty: that address itself.",
            ),
            (
                "ring.heartbeat_timeout",
                Seconds,
                "How long a process may be silent before the others count it as unhealthy.",
            ),
            (
                "ring.forget_after",
                Seconds,
                "How long a process may be gone before it is forgotten, and how long what was on a lost disk counts as missing. By then its peers must have flushed what they share with it: several times `ingester.block_duration`.",
            ),
            (
                "ring.etcd.endpoints",
                Plain,
                "Addresses of etcd's members with commas between: `http://host:2379` or `https://host:2379`.",
            ),
            (
                "ring.etcd.prefix",
                Plain,
                "What all our keys in etcd start with. Clusters that share an etcd need different ones.",
            ),
            ("ring.etcd.username", Plain, "The name by which etcd knows us; empty where it asks for none."),
            (
                "ring.etcd.password",
                Secret,
                "The password with it. Better in the environment: `YAGURA__RING__ETCD__PASSWORD`.",
            ),
            ("ring.etcd.tls.ca_file", Plain, "PEM: who signs etcd's certificate. Needed with `https://`."),
            ("ring.etcd.tls.cert_file", Plain, "PEM: our certificate, if etcd asks for one."),
            ("ring.etcd.tls.key_file", Plain, "PEM: the certificate's key."),
        ],
    ),
    (
        "distributor",
        "Writes on their way to the ingesters",
        &[
            ("distributor.write_timeout", Seconds, "How long ingesters may take over a write."),
            (
                "distributor.max_detached_bytes",
                Bytes,
                "Writes that are answered already and that a slow ingester has yet to take. One ingester can hold a quarter of it; what does not fit is not sent to it any longer.",
            ),
            (
                "distributor.ha_failover_timeout",
                Seconds,
                "How long the elected Prometheus of a pair may be silent before the other one is elected (`limits.ha_dedup`).",
            ),
            (
                "distributor.ha_update_timeout",
                Seconds,
                "How often it is noted in the ring's store that the elected Prometheus is there.",
            ),
            (
                "distributor.ha_series_cache",
                Plain,
                "Series of such pairs whose names without the replica label are remembered.",
            ),
        ],
    ),
    (
        "querier",
        "Queries over a cluster",
        &[
            (
                "querier.small_query_bytes",
                Bytes,
                "Blocks that have together no more bytes than this are read where the query arrived; others by the queriers that own them.",
            ),
            ("querier.concurrent_owners", Plain, "Queriers that one query asks for blocks at once."),
            (
                "querier.concurrent_tenants",
                Plain,
                "Tenants that one query reads at once (`multitenancy.federation`).",
            ),
            (
                "querier.split_interval",
                Seconds,
                "Range queries are cut at its multiples, and each piece is evaluated by the querier that owns most of the blocks it reads; 0: never.",
            ),
            (
                "querier.concurrent_stretches",
                Plain,
                "Pieces of range queries, this querier's and others', that are evaluated here at once; further ones wait.",
            ),
        ],
    ),
    (
        "compactor",
        "Merging blocks",
        &[
            (
                "compactor.interval",
                Seconds,
                "Time between two looks at what there is to merge, to drop and to remove.",
            ),
            (
                "compactor.delay",
                Seconds,
                "How long nothing new must have come for two hours of data, or for a day, before their blocks are merged.",
            ),
            (
                "compactor.memory",
                Bytes,
                "Memory that a merge may use. One that needs more is done with fewer blocks at once.",
            ),
            (
                "compactor.block_bytes",
                Bytes,
                "A merged block ends with the series or stream that makes it this large; another one has those behind it.",
            ),
            (
                "compactor.scratch_dir",
                Plain,
                "The folder in which a new block lies until it is whole. Empty: the folder `compactor` in `data_dir`.",
            ),
        ],
    ),
];
