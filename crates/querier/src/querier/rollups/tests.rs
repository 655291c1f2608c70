//! Recent samples keep figures from being used that lack them.

use crate::{Querier, QuerierMetrics, test_support::*};
use async_trait::async_trait;
use model::{Labels, TimeRange};
use parking_lot::Mutex;
use service_api::{
    Aggregate, ExemplarSeries, LabelQuery, LabelsReader, LogsReader, MetricMetadata, MetricsReader,
    ReadContext, Result, RollupRequest, SelectRequest, SeriesSet, StreamSet, StreamsRequest, Warned,
};
use std::sync::Arc;

const HOUR: i64 = 3_600_000;

/// Blocks with figures, if they cover what is asked for. Notes for how many it was asked.
#[derive(Default)]
struct Blocks {
    nothing: Fake,
    covers: bool,
    asked: Mutex<Vec<usize>>,
}

#[async_trait]
impl LabelsReader for Blocks {
    async fn series(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<Labels>>> {
        self.nothing.series(ctx, query).await
    }

    async fn label_names(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Warned<Vec<String>>> {
        self.nothing.label_names(ctx, query).await
    }

    async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        query: &LabelQuery,
    ) -> Result<Warned<Vec<String>>> {
        self.nothing.label_values(ctx, name, query).await
    }
}

#[async_trait]
impl MetricsReader for Blocks {
    async fn select(&self, ctx: &ReadContext, request: &SelectRequest) -> Result<SeriesSet> {
        MetricsReader::select(&self.nothing, ctx, request).await
    }

    async fn rollups(&self, _: &ReadContext, request: &RollupRequest) -> Result<Option<Vec<SeriesSet>>> {
        self.asked.lock().push(request.aggregates.len());
        Ok(self.covers.then(|| request.aggregates.iter().map(|_| SeriesSet::default()).collect()))
    }

    async fn exemplars(&self, ctx: &ReadContext, query: &LabelQuery) -> Result<Vec<ExemplarSeries>> {
        self.nothing.exemplars(ctx, query).await
    }

    async fn metadata(&self, ctx: &ReadContext, metric: Option<&str>) -> Result<Vec<MetricMetadata>> {
        self.nothing.metadata(ctx, metric).await
    }
}

#[async_trait]
impl LogsReader for Blocks {
    async fn select(&self, ctx: &ReadContext, request: &StreamsRequest) -> Result<StreamSet> {
        LogsReader::select(&self.nothing, ctx, request).await
    }
}

/// Asks for figures of the hours that end at 10 and 11; heads have a sample of `job="a"` at this time.
async fn ask(covers: bool, recent: i64, selector: &str) -> (Option<Vec<SeriesSet>>, Vec<usize>) {
    let (heads, blocks) = (Arc::new(Fake::default()), Arc::new(Blocks { covers, ..Blocks::default() }));
    heads.sample("job=a", recent, 1.0);
    let querier = Querier::new(heads, blocks.clone(), QuerierMetrics::default());
    let request = RollupRequest {
        matchers: matchers(selector),
        ends: TimeRange::new(10 * HOUR, 11 * HOUR),
        resolution: HOUR,
        aggregates: vec![Aggregate::Max, Aggregate::Count],
    };
    let found = querier.rollups(&ctx(), &request).await.unwrap();
    let asked = blocks.asked.lock().clone();
    (found, asked)
}

#[tokio::test]
async fn figures_are_used_where_heads_have_no_samples() {
    for (recent, selector, uses) in [
        (9 * HOUR, r#"{job="a"}"#, true),
        (9 * HOUR + 1, r#"{job="a"}"#, false),
        (9 * HOUR + 1, r#"{job="b"}"#, true),
        (11 * HOUR, r#"{job="a"}"#, false),
        (11 * HOUR + 1, r#"{job="a"}"#, true),
    ] {
        let (found, asked) = ask(true, recent, selector).await;
        assert_eq!(found.is_some(), uses, "{recent} {selector}");
        assert_eq!(asked, if uses { vec![0, 2] } else { vec![0] });
        let Some(sets) = found else { continue };
        assert!(
            sets.len() == 2 && sets.iter().all(|set| set.warnings == ["warned"]),
            "heads' warnings go on"
        );
    }
}

#[tokio::test]
async fn heads_are_not_asked_where_there_are_no_figures() {
    assert_eq!(ask(false, 0, r#"{job="a"}"#).await.1, [0]);
}
