//! What every setting means: the source of `docs/configuration.md` and of the units.

mod cluster;
mod limits;
mod ruler;

use super::{
    Config,
    units::Unit::{self, Bytes, Milliseconds, None as Plain, Seconds, Secret},
};
use figment::value::{Dict, Num, Value};
use std::fmt::Write;

/// A key, the unit of its value, and what it sets.
type Setting = (&'static str, Unit, &'static str);

/// Its name, what it is about, and its settings.
type Section = (&'static str, &'static str, &'static [Setting]);

/// All sections, in the order of the page.
fn sections() -> impl Iterator<Item = &'static Section> {
    SECTIONS.iter().chain(cluster::SECTIONS)
}

/// Sections in the order of the page, each with what it is about and its keys.
const SECTIONS: &[Section] = &[
    (
        "",
        "The process",
        &[
            (
                "target",
                Plain,
                "The roles that this process runs: `all`, or some of `distributor`, `ingester`, `querier`, `ruler` and `compactor` with commas between. More than one process needs `ring.store: etcd` and a bucket that all of them reach.",
            ),
            (
                "data_dir",
                Plain,
                "The folder for the write-ahead log and, unless `bucket.url` says otherwise, the bucket. One process at a time may use it.",
            ),
        ],
    ),
    (
        "http",
        "The HTTP API",
        &[
            (
                "http.listen",
                Plain,
                "Address and port of the HTTP API. `0.0.0.0:9009` listens on every interface; without `auth.tokens_file` nobody is asked who they are, so keep it behind something that does.",
            ),
            ("http.max_connections", Plain, "Connections served at once; further ones wait to be accepted."),
            (
                "http.idle_timeout",
                Seconds,
                "How long a connection may take to send a request's head, and how long it may stay open without a request.",
            ),
            (
                "http.tls.cert_file",
                Plain,
                "PEM: the server's certificate, and those between it and its authority. Empty: no TLS. Read again when it changes.",
            ),
            ("http.tls.key_file", Plain, "PEM: the certificate's key."),
            (
                "http.tls.client_ca_file",
                Plain,
                "PEM: who may sign the certificates that clients must then show. Empty: clients need none.",
            ),
        ],
    ),
    (
        "auth",
        "Who may use the HTTP API",
        &[
            (
                "auth.tokens_file",
                Plain,
                "A YAML file of tokens, reread when it changes; with it every request needs one. [security.md](security.md) describes it. Empty: nobody is asked.",
            ),
            ("auth.open_metrics", Plain, "Whether `/metrics` needs no token."),
        ],
    ),
    (
        "multitenancy",
        "Tenants",
        &[
            (
                "multitenancy.enabled",
                Plain,
                "Whether each request names its tenant in `X-Scope-OrgID`. When off, all data is of the tenant `anonymous`.",
            ),
            (
                "multitenancy.federation",
                Plain,
                "Whether a query may name several tenants, `a|b`; their series then have a label `__tenant_id__`.",
            ),
        ],
    ),
    (
        "bucket",
        "Where blocks are kept",
        &[(
            "bucket.url",
            Plain,
            "`file:FOLDER` or `s3://BUCKET`, with a prefix behind it if wanted (`s3://BUCKET/PREFIX`). Empty: the folder `bucket` in the data folder.",
        )],
    ),
    (
        "s3",
        "Access to an `s3://` bucket",
        &[
            (
                "s3.endpoint",
                Plain,
                "URL of an S3-compatible server, such as `http://127.0.0.1:9000`. Empty: AWS.",
            ),
            ("s3.region", Plain, "The bucket's region."),
            (
                "s3.access_key_id",
                Plain,
                "Access key. What is not set here comes from AWS's environment variables (`AWS_ACCESS_KEY_ID` …).",
            ),
            (
                "s3.secret_access_key",
                Secret,
                "Its secret. Never shown; best set as `YAGURA__S3__SECRET_ACCESS_KEY`.",
            ),
        ],
    ),
    limits::LIMITS,
    ruler::RULER,
    (
        "write",
        "Write requests",
        &[
            ("write.max_body_bytes", Bytes, "Size of a request as it is sent."),
            ("write.max_decompressed_bytes", Bytes, "Size of a request when decompressed."),
            (
                "write.max_in_flight_bytes",
                Bytes,
                "Size of all requests, as sent and decompressed, that may be in memory at once; one that does not fit is answered 503.",
            ),
        ],
    ),
    (
        "query",
        "Queries",
        &[
            ("query.max_concurrent_queries", Plain, "Queries that run at once."),
            (
                "query.max_queued_queries",
                Plain,
                "Queries that may wait for their turn; further ones are answered 503.",
            ),
            ("query.max_form_bytes", Bytes, "Size of a posted form or remote read request."),
            (
                "query.lookback",
                Seconds,
                "How old the newest sample of a series may be to count at an instant.",
            ),
            ("query.threads", Plain, "Threads that evaluate one query; 0 is one a processor, up to 8."),
            ("query.max_samples", Plain, "Samples that one query may read; 0 is no limit."),
            (
                "query.features",
                Plain,
                "What of PromQL Prometheus keeps behind `--enable-feature`, by the same names with commas between: `promql-experimental-functions`, `promql-extended-range-selectors`, `promql-binop-fill-modifiers`, `promql-delayed-name-removal`, `promql-per-step-stats`, `type-and-unit-labels`, `use-start-timestamps`.",
            ),
            (
                "query.downsampling",
                Plain,
                "What long queries read in the place of samples, where a query does not say so with `downsampling`. `off`: nothing. `exact`: rollups where the answer is the same to the bit. `allowed`: where the last digits differ, too.",
            ),
        ],
    ),
    (
        "cache",
        "What is kept of blocks, in memory and on disk, and of results",
        &[
            ("cache.index_bytes", Bytes, "Memory for the indexes of blocks."),
            ("cache.page_bytes", Bytes, "Memory for pages of samples and lines, as they are in the bucket."),
            (
                "cache.disk_dir",
                Plain,
                "The folder for what is kept on disk; no other process may use it. Empty: the folder `cache` in the data folder of a cluster's querier, none elsewhere.",
            ),
            (
                "cache.disk_bytes",
                Bytes,
                "Disk for indexes and pages, as they are in the bucket; the least recently used go first. 0: none.",
            ),
            (
                "cache.results_bytes",
                Bytes,
                "Memory for results of range queries, of which only steps whose data has changed are computed again. 0: none are kept.",
            ),
        ],
    ),
    (
        "wal",
        "The write-ahead log",
        &[
            (
                "wal.sync",
                Plain,
                "`always`: a write is answered when the disk has it. `interval`: when the operating system has it; a power loss then costs the last `wal.sync_interval_ms`.",
            ),
            ("wal.sync_interval_ms", Milliseconds, "Time between two syncs with `wal.sync: interval`."),
            (
                "wal.segment_size",
                Bytes,
                "Size of one file of the log; it is set aside in advance and removed as a whole.",
            ),
            (
                "wal.group_window_us",
                Plain,
                "Microseconds that a write may wait for others to share its sync.",
            ),
            ("wal.group_bytes", Bytes, "Waiting writes of this size are synced at once."),
            ("wal.queue_bytes", Bytes, "Writes that may wait for the log; then senders wait."),
            (
                "wal.quarantine_bytes",
                Bytes,
                "Damaged records that are kept in the folder `quarantine` for inspection.",
            ),
        ],
    ),
    (
        "ingester",
        "Recent data and its flush to the bucket",
        &[
            ("ingester.block_duration", Seconds, "Time that one block spans; whole minutes, 12 h at most."),
            (
                "ingester.flush_interval",
                Seconds,
                "Time between two looks at what is ready to become a block.",
            ),
            (
                "ingester.flush_on_shutdown",
                Plain,
                "Whether everything in memory is written to the bucket when the process is told to stop. Nothing is lost without it: the write-ahead log has it.",
            ),
            (
                "ingester.max_exemplars",
                Plain,
                "Exemplars kept for one tenant; the oldest go first. 0 keeps none.",
            ),
            ("ingester.max_metadata", Plain, "Metrics of one tenant whose metadata is kept."),
            (
                "ingester.max_log_block_bytes",
                Bytes,
                "Compressed lines of one tenant and `ingester.block_duration` that become a block at once.",
            ),
            (
                "ingester.max_log_head_bytes",
                Bytes,
                "Memory for lines that are not in blocks yet; over it the largest become blocks, and at twice as much further lines are answered 503.",
            ),
        ],
    ),
    (
        "log",
        "Logs, on standard error",
        &[
            (
                "log.level",
                Plain,
                "`error`, `warn`, `info`, `debug` or `trace`, also by module: `info,ingester=debug`.",
            ),
            (
                "log.format",
                Plain,
                "`text`, `json`, or `auto`: text when standard error is a terminal, JSON otherwise.",
            ),
        ],
    ),
    (
        "tracing",
        "Spans for OpenTelemetry",
        &[
            (
                "tracing.otlp_endpoint",
                Plain,
                "Where spans are sent by OTLP over gRPC, such as `http://127.0.0.1:4317`. Empty: nowhere.",
            ),
            ("tracing.sample_ratio", Plain, "The share of traces that is sent, from 0 to 1."),
        ],
    ),
    (
        "monitoring",
        "Looking at Yagura itself",
        &[
            (
                "monitoring.self_scrape.enabled",
                Plain,
                "Whether this process, whatever its roles, writes what `/metrics` shows and what it logs into a tenant of its own. [monitoring.md](monitoring.md) says how to read it. In a cluster queriers need the setting, too, unless `multitenancy.enabled`.",
            ),
            ("monitoring.self_scrape.interval", Seconds, "Time between two samples of a series; 1 s to 5 m."),
            (
                "monitoring.self_scrape.tenant",
                Plain,
                "The tenant. Without `multitenancy.enabled` requests can read it by its name in `X-Scope-OrgID`, and not write to it; `anonymous` puts the data among everybody's.",
            ),
            (
                "monitoring.self_scrape.labels",
                Plain,
                "Labels that all of its series and streams get beside `job` and `instance`: `name=value`, with commas between.",
            ),
        ],
    ),
];

const HEAD: &str = "# Configuration

<!-- Generated from crates/yagura/src/config/reference.rs: `make docs` writes it anew. -->

Yagura runs without any configuration. What is set comes, each over the one before, from

1. the defaults on this page,
2. a YAML file given as `--config.file=FILE`,
3. environment variables: `YAGURA__HTTP__LISTEN` sets `http.listen`,
4. `--set section.key=value` on the command line, as often as needed.

A key that does not exist and a value that does not fit keep Yagura from starting; the
error names the key and where it was set. `yagura --check-config` only looks,
`yagura --print-config` prints what is in force with secrets hidden. Durations may be
written as `90s`, `2h` or `15d`, sizes as `512KiB` or `64MiB`.

```yaml
http:
  listen: 0.0.0.0:9009
bucket:
  url: s3://metrics
limits:
  retention: 90d
```
";

const TAIL: &str = "
## Other limits for single tenants

The file that `limits.overrides_file` names changes any of the limits above for the
tenants that it lists. A file with a mistake is reported in the log and counted in
`yagura_reread_failures_total`; the limits that were in force stay in force.

```yaml
overrides:
  team-a:
    max_series: 10000000
    retention: 30d
```
";

/// The unit of a key's value; `Unit::None` for what is not in the table.
pub fn unit(key: &str) -> Unit {
    let mut rows = sections().flat_map(|(_, _, rows)| rows.iter());
    rows.find(|(name, _, _)| *name == key).map_or(Plain, |(_, unit, _)| *unit)
}

/// The page that documents every setting.
pub fn page() -> String {
    let defaults = Value::serialize(Config::default()).ok().and_then(Value::into_dict).unwrap_or_default();
    let mut out = HEAD.to_owned();
    for (name, about, rows) in sections() {
        let title = if name.is_empty() { (*about).to_owned() } else { format!("`{name}`: {about}") };
        let _ = write!(out, "\n## {title}\n\n| key | default | what it sets |\n|---|---|---|\n");
        for (key, unit, text) in *rows {
            let _ = writeln!(out, "| `{key}` | {} | {text} |", shown_default(&defaults, key, *unit));
        }
    }
    out + TAIL
}

fn shown_default(defaults: &Dict, key: &str, unit: Unit) -> String {
    let text = match Value::from(defaults.clone()).find(key) {
        Some(Value::String(_, text)) => text,
        Some(Value::Bool(_, b)) => b.to_string(),
        Some(Value::Num(_, n)) => number(n, unit),
        _ => String::new(),
    };
    if text.is_empty() { "empty".into() } else { format!("`{text}`") }
}

/// The number with the largest unit that divides it.
fn number(n: Num, unit: Unit) -> String {
    let units: &[(u128, &str)] = match unit {
        Seconds => &[(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")],
        Milliseconds => &[(3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")],
        Bytes => &[(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")],
        Plain | Secret => &[],
    };
    match n.to_u128() {
        Some(0) => "0".into(),
        Some(value) => {
            let fitting = units.iter().find(|(size, _)| value % size == 0);
            fitting.map_or_else(|| value.to_string(), |(size, name)| format!("{}{name}", value / size))
        }
        None => n.to_f64().unwrap_or_default().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::leaves;

    #[test]
    fn every_setting_is_documented_and_nothing_else() {
        let defaults = Value::serialize(Config::default()).unwrap().into_dict().unwrap();
        let mut settings = Vec::new();
        leaves("", &defaults, &mut settings);
        let mut documented: Vec<_> =
            sections().flat_map(|(_, _, rows)| rows.iter().map(|(key, _, _)| (*key).to_owned())).collect();
        settings.sort();
        documented.sort();
        assert_eq!(documented, settings);
        assert!(settings.len() < 160, "a person must be able to read them all: {}", settings.len());
    }

    #[test]
    fn the_committed_page_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == page(), "docs/configuration.md is out of date: run `make docs`");
    }
}
