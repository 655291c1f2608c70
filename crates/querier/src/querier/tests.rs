//! Heads and blocks as one: how many series one selection may have.

use super::*;
use crate::test_support::*;
use model::Signal;
use service_api::Code;

#[tokio::test]
async fn a_selection_has_no_more_series_than_it_may_of_heads_and_blocks_together() {
    let (recent, blocks) = (Arc::new(Fake::default()), Arc::new(Fake::default()));
    for (source, names) in [(&recent, ["n=1", "n=2"]), (&blocks, ["n=2", "n=3"])] {
        for name in names {
            source.sample(name, 1, 1.0);
            source.page(name, &[(1, "a line".to_owned())], false);
        }
    }
    let querier = Querier::new(recent, blocks, QuerierMetrics::default());
    for (signal, what) in [(Signal::Metrics, "series"), (Signal::Logs, "streams")] {
        let found = async |max_series| {
            let ctx = ReadContext { max_series, ..ctx() };
            let selected = match signal {
                Signal::Metrics => {
                    MetricsReader::select(&querier, &ctx, &everything()).await.map(|set| set.series.len())
                }
                Signal::Logs => {
                    LogsReader::select(&querier, &ctx, &all_streams()).await.map(|set| set.streams.len())
                }
            };
            let listed = querier.series(&ctx, &label_query(signal, &[])).await.map(|found| found.value.len());
            [selected, listed]
        };
        for answer in [found(0).await, found(3).await].into_iter().flatten() {
            assert_eq!(answer.unwrap(), 3, "{what}");
        }
        for answer in found(2).await {
            let error = answer.unwrap_err();
            assert_eq!(error.code, Code::Unprocessable);
            let expected = format!("the query selects more {what} than limits.max_query_series allows (2)");
            assert_eq!(error.to_string(), expected);
        }
    }
}
