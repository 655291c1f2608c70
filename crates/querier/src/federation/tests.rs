//! Runs `cases.txt`, and what cannot be said in it.

use super::*;
use crate::test_support::*;
use model::{Signal, TimeRange};
use service_api::{Code, MetricMetadata};
use std::collections::{BTreeMap, BTreeSet};

/// Each tenant's data in a source of its own.
#[derive(Default)]
struct Tenants(BTreeMap<TenantId, Arc<Fake>>);

impl Tenants {
    fn of(&mut self, tenant: &str) -> Arc<Fake> {
        Arc::clone(self.0.entry(TenantId::new(tenant).unwrap()).or_default())
    }

    fn asked(&self, ctx: &ReadContext) -> &Fake {
        assert!(ctx.also.is_empty(), "somebody else is to read several tenants");
        &self.0[&ctx.tenant]
    }
}

#[async_trait]
impl LabelsReader for Tenants {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        self.asked(ctx).series(ctx, query).await
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        self.asked(ctx).label_names(ctx, query).await
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        self.asked(ctx).label_values(ctx, name, query).await
    }
}

#[async_trait]
impl MetricsReader for Tenants {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        MetricsReader::select(self.asked(ctx), ctx, request).await
    }

    async fn exemplars(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        self.asked(ctx).exemplars(ctx, query).await
    }

    async fn metadata(&self, ctx: &ReadContext, metric: Option<&str>) -> Result<Vec<MetricMetadata>> {
        self.asked(ctx).metadata(ctx, metric).await
    }
}

#[async_trait]
impl LogsReader for Tenants {
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        LogsReader::select(self.asked(ctx), ctx, request).await
    }
}

fn context(tenants: &str) -> ReadContext {
    let mut all = tenants.split('|').map(|tenant| TenantId::new(tenant).unwrap());
    let first = all.next().unwrap();
    ReadContext { also: all.collect(), ..ReadContext::new(first, 1 << 20) }
}

/// As the cases write a label set.
fn text(labels: &Labels) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

/// Selectors beside each other.
fn selectors(text: &str) -> Vec<&str> {
    text.split_inclusive('}').map(str::trim).filter(|selector| !selector.is_empty()).collect()
}

/// What a query of the cases finds, of both signals.
async fn answer(federation: &Federation, what: &str, ctx: &ReadContext, rest: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for signal in Signal::ALL {
        found.push(match what {
            "series" => {
                let query = label_query(signal, &selectors(rest));
                federation.series(ctx, &query).await.unwrap().value.iter().map(text).collect()
            }
            "names" => {
                federation.label_names(ctx, &label_query(signal, &selectors(rest))).await.unwrap().value
            }
            "values" => {
                let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                let query = label_query(signal, &selectors(rest));
                federation.label_values(ctx, name, &query).await.unwrap().value
            }
            "read" if signal == Signal::Metrics => {
                let request = SelectRequest { matchers: matchers(rest), range: TimeRange::new(0, 9) };
                let set = MetricsReader::select(federation, ctx, &request).await.unwrap();
                set.series.iter().map(|series| text(&series.labels)).collect()
            }
            "read" => {
                let request = StreamsRequest { matchers: matchers(rest), ..all_streams() };
                let set = LogsReader::select(federation, ctx, &request).await.unwrap();
                let pages: Vec<_> = set.streams.iter().flat_map(|stream| &stream.pages).collect();
                assert_eq!(service_api::fetch_pages(ctx, &pages).await.unwrap().len(), set.streams.len());
                set.streams.iter().map(|stream| text(&stream.labels)).collect()
            }
            _ => panic!("{what}?"),
        });
    }
    found
}

#[tokio::test]
async fn cases() {
    let mut tenants = Tenants::default();
    let mut queries: Vec<(&str, Vec<String>)> = Vec::new();
    for line in include_str!("cases.txt").lines() {
        if let Some((tenant, labels)) = line.strip_prefix("tenant ").and_then(|rest| rest.split_once(": ")) {
            tenants.of(tenant).sample(labels, 1, 1.0);
            tenants.of(tenant).page(labels, &[(1, "line".to_owned())], true);
        } else if let Some(expected) = line.strip_prefix("  ") {
            queries.last_mut().unwrap().1.push(expected.to_owned());
        } else if !line.is_empty() && !line.starts_with('#') {
            queries.push((line, Vec::new()));
        }
    }
    assert!(queries.len() > 15);
    let federation = Federation::new(Arc::new(tenants), 2);
    for (query, expected) in queries {
        let (what, rest) = query.split_once(' ').unwrap();
        let (names, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        for found in answer(&federation, what, &context(names), rest).await {
            assert_eq!(found, expected, "{query}");
        }
    }
}

#[tokio::test]
async fn what_fails_for_one_tenant_names_it_and_fails_for_all() {
    let mut tenants = Tenants::default();
    tenants.of("a").sample("job=api", 1, 1.0);
    tenants.of("b").set(Mode::Fails(Code::Unavailable));
    let federation = Federation::new(Arc::new(tenants), 8);
    let error = MetricsReader::select(&federation, &context("a|b"), &everything()).await.err().unwrap();
    assert_eq!(error, Error::unavailable("tenant b: it fails on purpose"));
    let set = MetricsReader::select(&federation, &context("a"), &everything()).await.unwrap();
    assert_eq!(set.warnings, ["warned"]);
}

#[tokio::test]
async fn warnings_name_their_tenants_and_metadata_is_of_all() {
    let mut tenants = Tenants::default();
    for tenant in ["a", "b"] {
        let of = MetricMetadata { metric: tenant.to_owned(), metadata: vec![model::Metadata::default()] };
        *tenants.of(tenant).metadata.lock() = vec![of];
        let exemplar = model::Exemplar { labels: labels("trace=t"), timestamp: 1, value: 1.0 };
        let series = ExemplarSeries { labels: labels("job=api"), exemplars: vec![exemplar] };
        *tenants.of(tenant).exemplars.lock() = vec![series];
    }
    let federation = Federation::new(Arc::new(tenants), 8);
    let ctx = context("b|a");
    let set = MetricsReader::select(&federation, &ctx, &everything()).await.unwrap();
    assert_eq!(set.warnings, ["tenant a: warned", "tenant b: warned"]);
    let metrics: BTreeSet<_> =
        federation.metadata(&ctx, None).await.unwrap().into_iter().map(|of| of.metric).collect();
    assert_eq!(metrics, ["a".to_owned(), "b".to_owned()].into());
    let exemplars = federation.exemplars(&ctx, &label_query(Signal::Metrics, &[])).await.unwrap();
    let of: Vec<_> = exemplars.iter().map(|series| text(&series.labels)).collect();
    assert_eq!(of, ["__tenant_id__=a,job=api", "__tenant_id__=b,job=api"]);
}
