//! What the limits of tenants mean.

use super::Section;
use crate::config::units::Unit::{Bytes, None as Plain, Seconds};

pub const LIMITS: Section = (
    "limits",
    "Limits of every tenant",
    &[
        (
            "limits.overrides_file",
            Plain,
            "A YAML file with other limits for single tenants, reread every 10 s, on SIGHUP and on `POST /-/reload`; see below. Empty: none.",
        ),
        (
            "limits.ingestion_rate",
            Plain,
            "Samples a second that a tenant may write, on average; 0 is no limit.",
        ),
        ("limits.ingestion_burst", Plain, "Samples that may come at once above the rate."),
        (
            "limits.log_rate",
            Bytes,
            "Bytes of log lines a second that a tenant may write, on average; 0 is no limit.",
        ),
        ("limits.log_burst", Bytes, "Bytes of log lines that may come at once above the rate."),
        (
            "limits.stream_rate",
            Bytes,
            "Bytes of log lines a second that may be written to one stream, on average; 0 is no limit.",
        ),
        (
            "limits.stream_burst",
            Bytes,
            "Bytes of log lines that may come at once to one stream above its rate.",
        ),
        ("limits.max_series", Plain, "Active series; 0 is no limit."),
        ("limits.max_streams", Plain, "Active log streams; 0 is no limit."),
        ("limits.max_line_size", Bytes, "Length of a log line; 0 is no limit but that of the request."),
        (
            "limits.truncate_long_lines",
            Plain,
            "Whether a log line that is too long is cut and kept, and not refused.",
        ),
        (
            "limits.max_structured_metadata_size",
            Bytes,
            "Names and values of one log line's structured metadata.",
        ),
        ("limits.max_structured_metadata_entries", Plain, "Pairs in one log line's structured metadata."),
        (
            "limits.discover_service_name",
            Plain,
            "Whether log streams without a `service_name` get one from their other labels, as Loki does it.",
        ),
        ("limits.max_label_names_per_series", Plain, "Labels of one series or log stream."),
        ("limits.max_label_name_length", Bytes, "Length of a label's name."),
        ("limits.max_label_value_length", Bytes, "Length of a label's value."),
        (
            "limits.out_of_order_window",
            Seconds,
            "How much older than the newest sample of its series a sample may be, and a line than the newest of its stream.",
        ),
        (
            "limits.ingestion_shard_size",
            Plain,
            "Ingesters of a cluster that the tenant's data goes to, always the same ones; 0 is all. Tenants then share few ingesters, so that one can harm few others.",
        ),
        (
            "limits.ha_dedup",
            Plain,
            "Whether two Prometheus servers with the same targets write for one: the samples of the elected one are kept, those of the other are answered 202 and dropped.",
        ),
        ("limits.ha_cluster_label", Plain, "The label that names such a pair."),
        ("limits.ha_replica_label", Plain, "The label that tells the two apart; it is taken off."),
        ("limits.ha_max_clusters", Plain, "Such pairs that the tenant may have; 0 is no limit."),
        ("limits.max_sample_age", Seconds, "How far in the past a sample or line may lie; 0 is no limit."),
        ("limits.max_sample_future", Seconds, "How far in the future a sample or line may lie."),
        ("limits.retention", Seconds, "How long blocks are kept; 0 is for ever."),
        (
            "limits.retention_rules",
            Plain,
            "How long single series and streams are kept: a list of `{selector, retention}`, such as `[{selector: '{namespace=\"dev\"}', retention: 24h}]`. Of the rules that match one the first counts, and `limits.retention` if none does; a retention of `0` is for ever.",
        ),
        (
            "limits.deletions",
            Plain,
            "Whether a tenant may ask for data to be deleted ([deletions.md](deletions.md)).",
        ),
        (
            "limits.deletion_delay",
            Seconds,
            "For how long a request to delete can be cancelled; blocks are rewritten afterwards.",
        ),
        (
            "limits.downsampling",
            Plain,
            "Whether compactors make figures of 5 minutes and of an hour of metrics that are two days old, for queries over long times. The samples stay; the figures take space beside them ([capacity.md](capacity.md)).",
        ),
        ("limits.query_memory", Bytes, "Memory that one query may hold."),
        ("limits.query_timeout", Seconds, "Time that one query may take; 0 is no limit."),
        (
            "limits.max_concurrent_queries",
            Plain,
            "Queries of the tenant that one process runs at once; 0 is no bound but `query.max_concurrent_queries`.",
        ),
        (
            "limits.max_query_series",
            Plain,
            "Series or streams that one selector of a query may have, recent ones and those in blocks together; 0 is no limit.",
        ),
        ("limits.max_query_range", Seconds, "From start to end of one range query; 0 is no limit."),
        ("limits.max_query_lines", Plain, "Log lines that one query may ask for; 0 is no limit."),
        ("limits.max_rule_groups", Plain, "Rule groups that a tenant may store; 0 is no limit."),
        ("limits.max_rules_per_group", Plain, "Rules that one of them may have; 0 is no limit."),
        (
            "limits.own_alertmanagers",
            Plain,
            "Whether a tenant may say to which Alertmanagers its alerts go, and not to those of `ruler` ([rules.md](rules.md)).",
        ),
    ],
);
