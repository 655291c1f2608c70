//! A store in which every tenant has one series, one stream and one secret.

use crate::write::tests::support::{Message, msg};
use async_trait::async_trait;
use model::{Exemplar, Labels, Lines, Matcher, Metadata, MetricType, NanoRange, Signal, TenantId, TimeRange};
use rules::{GroupName, Reading, RuleGroup, RuleStore, StoredGroup};
use service_api::{
    DeletionRequest, DeletionRequests, DeletionState, ExemplarSeries, GroupState, LabelQuery, LabelsReader,
    LineSource, LogBatch, LogPage, LogStream, LogsReader, LogsTail, MetricMetadata, MetricsReader, Needles,
    PageData, Push, PushLogs, PushOutcome, ReadContext, Result, RuleStates, SampleBuffer, SelectRequest,
    Series, SeriesData, SeriesSet, StreamSet, StreamsRequest, TailItem, Warned, WriteBatch,
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::mpsc;

/// What only this tenant may see.
pub fn secret(tenant: &str) -> String {
    format!("secret-of-{tenant}.")
}

/// Remembers whose data was read or written.
#[derive(Default)]
pub struct Owned {
    pub touched: Mutex<BTreeSet<String>>,
}

impl Owned {
    fn touch(&self, tenant: &TenantId) {
        self.touched.lock().unwrap().insert(tenant.to_string());
    }

    /// The secrets of the tenants of a read.
    fn secrets(&self, ctx: &ReadContext) -> Vec<String> {
        let tenants = std::iter::once(&ctx.tenant).chain(ctx.also.iter());
        tenants.inspect(|tenant| self.touch(tenant)).map(|tenant| secret(tenant.as_str())).collect()
    }

    fn labels(&self, ctx: &ReadContext) -> Vec<Labels> {
        let of = |secret: String| Labels::from_pairs([("__name__", "up"), ("app", "x"), ("owner", &secret)]);
        self.secrets(ctx).into_iter().map(of).collect()
    }
}

struct One;

impl SeriesData for One {
    fn read(&self, range: TimeRange, out: &mut SampleBuffer) -> Result<()> {
        for timestamp in [0, 300_000, 600_000].into_iter().filter(|t| range.contains(*t)) {
            out.timestamps.push(timestamp);
            out.values.push(1.0);
        }
        Ok(())
    }
}

struct Page(Lines);

impl LineSource for Page {
    fn read(&self, _: &Needles, out: &mut Lines) -> Result<bool> {
        out.clone_from(&self.0);
        Ok(true)
    }
}

#[async_trait]
impl LabelsReader for Owned {
    async fn series(&self, ctx: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        Ok(self.labels(ctx).into())
    }

    async fn label_names(&self, ctx: &ReadContext, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        Ok(self.secrets(ctx).into())
    }

    async fn label_values(&self, ctx: &ReadContext, _: &str, _: &LabelQuery) -> Result<Warned<Vec<String>>> {
        Ok(self.secrets(ctx).into())
    }
}

#[async_trait]
impl MetricsReader for Owned {
    async fn select(&self, ctx: &ReadContext, _: &SelectRequest) -> Result<SeriesSet> {
        let series = self.labels(ctx).into_iter().map(|labels| Series { labels, data: Arc::new(One) });
        Ok(SeriesSet { series: series.collect(), warnings: Vec::new() })
    }

    async fn exemplars(&self, ctx: &ReadContext, _: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        let of = |labels: Labels| {
            let exemplar = Exemplar { labels: labels.clone(), timestamp: 0, value: 1.0 };
            ExemplarSeries { labels, exemplars: vec![exemplar] }
        };
        Ok(self.labels(ctx).into_iter().map(of).collect())
    }

    async fn metadata(&self, ctx: &ReadContext, _: Option<&str>) -> Result<Vec<MetricMetadata>> {
        let of = |help: String| {
            let metadata = vec![Metadata { metric_type: MetricType::Gauge, help, unit: String::new() }];
            MetricMetadata { metric: "up".into(), metadata }
        };
        Ok(self.secrets(ctx).into_iter().map(of).collect())
    }
}

#[async_trait]
impl LogsReader for Owned {
    async fn select(&self, ctx: &ReadContext, _: &StreamsRequest) -> Result<StreamSet> {
        let of = |labels: Labels| {
            let mut lines = Lines::default();
            lines.push(300_000_000_000, format!("level=info {labels}").as_bytes(), std::iter::empty());
            let page = LogPage {
                range: NanoRange::new(300_000_000_000, 300_000_000_000),
                lines: 1,
                text_bytes: lines.text.len() as u64,
                stored_bytes: 0,
                origin: 0,
                is_cut: false,
                data: PageData::Here(Arc::new(Page(lines))),
            };
            LogStream { labels, pages: vec![page] }
        };
        Ok(StreamSet { streams: self.labels(ctx).into_iter().map(of).collect(), warnings: Vec::new() })
    }
}

impl LogsTail for Owned {
    fn tail(&self, tenant: &TenantId, _: Vec<Matcher>) -> Result<mpsc::Receiver<TailItem>> {
        self.touch(tenant);
        Ok(mpsc::channel(1).1)
    }
}

#[async_trait]
impl Push for Owned {
    async fn push(&self, tenant: &TenantId, _: WriteBatch) -> Result<PushOutcome> {
        self.touch(tenant);
        Ok(PushOutcome::default())
    }
}

#[async_trait]
impl PushLogs for Owned {
    async fn push_logs(&self, tenant: &TenantId, _: LogBatch) -> Result<PushOutcome> {
        self.touch(tenant);
        Ok(PushOutcome::default())
    }
}

#[async_trait]
impl DeletionRequests for Owned {
    async fn request(&self, tenant: &TenantId, _: Signal, _: Vec<String>, _: TimeRange) -> Result<String> {
        self.touch(tenant);
        Ok(secret(tenant.as_str()))
    }

    async fn list(&self, tenant: &TenantId, _: Signal) -> Result<Vec<DeletionRequest>> {
        self.touch(tenant);
        let (queries, range) = (vec![secret(tenant.as_str())], TimeRange::new(0, 1));
        let state = DeletionState::Received;
        Ok(vec![DeletionRequest { id: "x".into(), queries, range, requested: 0, due: 0, state }])
    }

    async fn cancel(&self, tenant: &TenantId, _: Signal, _: &str, _: bool) -> Result<()> {
        self.touch(tenant);
        Ok(())
    }
}

fn group_of(tenant: &TenantId) -> RuleGroup {
    let secret = secret(tenant.as_str());
    let text = format!("name: g\nrules:\n- alert: x\n  expr: up\n  labels: {{owner: {secret}}}\n");
    rules::read_group(&text, &Reading::default()).unwrap()
}

#[async_trait]
impl RuleStore for Owned {
    async fn groups(&self, tenant: &TenantId, _: Option<&str>) -> Result<Vec<StoredGroup>> {
        self.touch(tenant);
        Ok(vec![StoredGroup { namespace: "n".into(), group: group_of(tenant), is_fixed: false }])
    }

    async fn put(&self, tenant: &TenantId, _: &str, _: RuleGroup) -> Result<()> {
        self.touch(tenant);
        Ok(())
    }

    async fn delete(&self, tenant: &TenantId, _: &GroupName) -> Result<()> {
        self.touch(tenant);
        Ok(())
    }

    async fn delete_namespace(&self, tenant: &TenantId, _: &str) -> Result<()> {
        self.touch(tenant);
        Ok(())
    }

    async fn alerting(&self, tenant: &TenantId) -> Result<Option<String>> {
        self.touch(tenant);
        Ok(Some(secret(tenant.as_str())))
    }

    async fn set_alerting(&self, tenant: &TenantId, _: Option<&str>) -> Result<()> {
        self.touch(tenant);
        Ok(())
    }
}

#[async_trait]
impl RuleStates for Owned {
    async fn groups(&self, tenant: &TenantId) -> Result<Warned<Vec<GroupState>>> {
        self.touch(tenant);
        Ok(vec![GroupState {
            namespace: secret(tenant.as_str()),
            name: "g".into(),
            interval: Duration::ZERO,
            query_offset: Duration::ZERO,
            limit: 0,
            rules: Vec::new(),
            last_evaluation: None,
            evaluation_time: Duration::ZERO,
        }]
        .into())
    }

    async fn changed(&self, tenant: &TenantId) -> Result<()> {
        self.touch(tenant);
        Ok(())
    }

    async fn alertmanagers(&self, tenant: &TenantId) -> Result<Vec<String>> {
        self.touch(tenant);
        Ok(vec![secret(tenant.as_str())])
    }
}

/// A content type and a body that a path takes. None of them names a tenant but for `b`, as
/// somebody would who means to write to another's.
pub fn body(path: &str) -> (&'static str, Vec<u8>) {
    let snappy = |message: Message| snap::raw::Encoder::new().compress_vec(&message.0).unwrap();
    let label = |name: &str, value: &str| msg().bytes(1, name).bytes(2, value);
    if path.ends_with("/write") || path == "/api/v1/push" {
        let sample = msg().double(1, 1.0).varint(2, 600_000);
        let series = msg().message(1, label("__name__", "up")).message(1, label("tenant", "b"));
        ("application/x-protobuf", snappy(msg().message(1, series.message(2, sample))))
    } else if path.ends_with("/read") {
        let matcher = msg().varint(1, 0).bytes(2, "__name__").bytes(3, "up");
        let query = msg().varint(1, 0).varint(2, 600_000).message(3, matcher);
        ("application/x-protobuf", snappy(msg().message(1, query)))
    } else if path.ends_with("/push") {
        let line =
            r#"{"streams":[{"stream":{"app":"x","__tenant_id__":"b"},"values":[["600000000000","x"]]}]}"#;
        ("application/json", line.into())
    } else if path.ends_with("/logs") {
        let record = r#"{"timeUnixNano":"600000000000","body":{"stringValue":"x"}}"#;
        let logs = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#);
        ("application/json", logs.into())
    } else if path.contains("/otlp/") {
        let point = r#"{"timeUnixNano":"600000000000","asDouble":1}"#;
        let metric = format!(r#"{{"name":"up","gauge":{{"dataPoints":[{point}]}}}}"#);
        let metrics = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{metric}]}}]}}]}}"#);
        ("application/json", metrics.into())
    } else if path.contains("/rules") || path.ends_with("/alerts") {
        // What is a group is Alertmanagers' configuration, too, for this store.
        let group = "name: g\nrules:\n- record: a:b\n  expr: count_over_time({tenant=\"b\"}[1m])\n";
        ("application/yaml", group.into())
    } else {
        ("application/x-www-form-urlencoded", Vec::new())
    }
}
