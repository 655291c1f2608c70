//! Kept results that stay right: what is kept, what is thrown away, and what is computed whole.

use super::*;
use async_trait::async_trait;
use model::{Labels, Timestamp};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;

/// Says that everything from a time on has changed.
struct Since(Timestamp);

#[async_trait]
impl Changes for Since {
    async fn changes(&self, _: &ReadContext, _: Signal, _: TimeRange, _: &DataVersion) -> Result<Change> {
        Ok(Change { earliest: Some(self.0), ..Change::default() })
    }
}

struct Table(Vec<Row>);

impl Tabular for Table {
    fn rows(&self, _: Steps, max_bytes: usize) -> Option<Vec<Row>> {
        (self.0.iter().map(Row::bytes).sum::<usize>() <= max_bytes).then(|| self.0.clone())
    }

    fn of_rows(rows: Rows, _: Steps, _: Option<Self>) -> Self {
        Self(rows.rows)
    }
}

/// Asks for the first `count` steps; the values that come out.
async fn ask(cache: &ResultCache, budget: u64, count: usize, computed: &Mutex<Vec<i64>>) -> Vec<f64> {
    let (tenant, steps) = (TenantId::anonymous(), Steps { start: 0, interval: 10, count });
    let ctx = ReadContext::new(tenant.clone(), budget);
    let key = Key {
        tenant,
        signal: Signal::Metrics,
        expr: "a".into(),
        interval: 10,
        phase: 0,
        lookback: 0,
        inexact: false,
    };
    let question = Question { key, steps, reach: Reach::default(), per_milli: 1 };
    let evaluate = |_, start: i64| {
        computed.lock().push(start);
        let values = (start / 10..count as i64).map(|step| step as f64).collect();
        async { Ok(Table(vec![Row::floats(Labels::from_pairs([("a", "b")]), values)])) }
    };
    cache.answer(&ctx, &question, evaluate).await.unwrap().0.remove(0).values
}

#[tokio::test]
async fn what_cannot_be_put_together_is_computed_whole_and_no_longer_kept() {
    let metrics = ResultMetrics::register(&mut Registry::default());
    let cache = ResultCache::new(1 << 20, Arc::new(Since(100)), metrics).unwrap();
    let (computed, all) = (Mutex::default(), Vec::from_iter((0..20).map(f64::from)));
    ask(&cache, 1 << 20, 10, &computed).await;
    assert_eq!(ask(&cache, 1 << 20, 20, &computed).await, all);
    assert_eq!(computed.lock().split_off(0), [0, 100]);
    // A query that may hold the rest, and the whole, but not both.
    assert_eq!(ask(&cache, 1, 20, &computed).await, all);
    assert_eq!(computed.lock().split_off(0), [100, 0]);
    ask(&cache, 1, 20, &computed).await;
    assert_eq!(computed.lock().split_off(0), [0]);
}
